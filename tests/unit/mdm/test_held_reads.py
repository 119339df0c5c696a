"""A held read is accepted as a register can show it, or not at all."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from openami.contracts.channel import Channel
from openami.kernel.time import Period
from openami.mdm.hand_reads.desk import HandReadDesk
from openami.mdm.hand_reads.read import HandRead, HandReadError, ReadState, Road
from openami.mdm.registry.records import Installation, InstalledMeter, Meter

AT = datetime(2026, 3, 1, 18, tzinfo=UTC)
PLACE, METER = UUID(int=1), UUID(int=2)
HELD = HandRead(
    UUID(int=3), PLACE, METER, Channel.DELIVERED, AT, 91_000, Road.DIALS, "", ReadState.HELD, (), AT, "reader"
)  # fmt: skip


class Room:
    """Registry, store and book of one held read."""

    def __init__(self) -> None:
        self.written: list[int] = []
        self.kept: list[HandRead] = []

    async def installed(self, *_asked: Any, **_more: Any) -> list[InstalledMeter]:
        start = Period(datetime(2020, 1, 1, tzinfo=UTC), AT).start
        return [
            InstalledMeter(Installation(uuid4(), PLACE, METER, start), Meter(METER, "S", start, capacity_wh=100_000))
        ]

    async def read(self, _read_id: UUID) -> HandRead:
        return HELD

    async def keep(self, read: HandRead, **_more: Any) -> None:
        self.kept.append(read)

    async def write_registers(self, batch: Any, **_more: Any) -> None:
        self.written += batch.value.tolist()


def decide(state: ReadState, value: int | None) -> Room:
    room = Room()
    desk = HandReadDesk(cast("Any", room), cast("Any", room), cast("Any", room), uuid4)
    asyncio.run(desk.decide(HELD.id, state, value=value, now=AT, by="clerk", reason="the photo shows it"))
    return room


@pytest.mark.parametrize(
    ("state", "value", "words"),
    [
        (ReadState.ACCEPTED, -5, "from 0 to 99999"),
        (ReadState.ACCEPTED, 100_000, "from 0 to 99999"),
        (ReadState.REJECTED, 19_000, "has no other value"),
    ],
)
def test_what_no_register_shows_is_refused_in_words(state: ReadState, value: int, words: str) -> None:
    with pytest.raises(HandReadError, match=words):
        decide(state, value)


@pytest.mark.parametrize(("value", "stands"), [(None, 91_000), (19_000, 19_000), (0, 0)])
def test_what_it_can_show_becomes_a_register_read(value: int | None, stands: int) -> None:
    room = decide(ReadState.ACCEPTED, value)
    assert room.written == [stands]
    assert [r.value for r in room.kept] == [stands]
