"""Counts of time on the air pass the gateway checked, at a pace, and never more than it has room for."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from openami.contracts.airtime import AirtimeDay, decode_airtime, encode_airtime
from openami.kernel.ids import SystemTitle
from openami.network.gateway import airtime as post_module
from openami.network.gateway.airtime import CALM_S, MAX_PARTS, AirtimePost
from openami.network.gateway.titles import EveryTitle
from openami.network.link import LinkError, LinkMessage, MessageType
from openami.network.ports import FrameStreamError

A, B = SystemTitle(b"OAM\x00\x00\x00\x00\x01"), SystemTitle(b"OAM\x00\x00\x00\x00\x02")
DAY = date(2026, 7, 1)


class Bus:
    def __init__(self) -> None:
        self.put_messages: list[tuple[int, int, bytes]] = []
        self.is_away = False

    async def put(self, collector_id: int, part: int, octets: bytes) -> None:
        if self.is_away:
            raise FrameStreamError("away")
        self.put_messages.append((collector_id, part, octets))


class OnlyA(EveryTitle):
    def __contains__(self, title: object) -> bool:
        return title == A.octets


def message(*rows: AirtimeDay, part: int = 0, octets: bytes | None = None) -> LinkMessage:
    body = encode_airtime(rows) if octets is None else octets
    return LinkMessage(int(MessageType.AIRTIME), 0, part, bytes(8), 0, body)


def row(title: SystemTitle = A, own_ms: int = 5) -> AirtimeDay:
    return AirtimeDay(title, DAY, own_ms, 0, 0, 1)


async def test_devices_that_may_not_send_are_left_out() -> None:
    bus = Bus()
    post = AirtimePost(bus)
    post.take(7, message(row(A), row(B)), OnlyA(), now_s=0)
    await post.put()
    ((collector, part, octets),) = bus.put_messages
    assert (collector, part, decode_airtime(octets)) == (7, 0, [row(A)])


async def test_a_collector_that_talks_too_fast_is_heard_at_the_pace() -> None:
    bus = Bus()
    post = AirtimePost(bus)
    for second in range(61):
        post.take(7, message(row(own_ms=second)), EveryTitle(), now_s=second)
        await post.put()
    assert len(bus.put_messages) == 61 // CALM_S + 1
    assert post.counts["airtime_left_out"] == 58


async def test_with_the_bus_away_the_newest_of_each_part_waits_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = Bus()
    bus.is_away = True
    post = AirtimePost(bus)
    size = len(encode_airtime([row()]))
    monkeypatch.setattr(post_module, "MAX_WAITING_OCTETS", 3 * size)
    for collector in range(1, 9):
        for turn in range(2):
            post.take(collector, message(row(own_ms=turn)), EveryTitle(), now_s=turn * CALM_S)
    assert post.waiting_octets == 3 * size
    await post.put()
    assert bus.put_messages == []
    bus.is_away = False
    await post.put()
    assert [(c, decode_airtime(o)[0].own_ms) for c, _, o in bus.put_messages] == [(1, 1), (2, 1), (3, 1)]
    assert post.waiting_octets == 0


@pytest.mark.parametrize(
    ("part", "octets"),
    [(0, b""), (0, b"OA01\x00\x05"), (0, encode_airtime([row()])[:-1]), (MAX_PARTS, encode_airtime([row()]))],
)
def test_what_is_no_count_ends_the_connection(part: int, octets: bytes) -> None:
    with pytest.raises(LinkError) as raised:
        AirtimePost(Bus()).take(7, message(part=part, octets=octets), EveryTitle(), now_s=0)
    assert raised.value.code == "airtime"


def test_without_a_bus_nothing_is_kept() -> None:
    post = AirtimePost(None)
    post.take(7, message(row()), EveryTitle(), now_s=0)
    assert post.waiting_octets == 0


def test_a_full_message_fits_the_link() -> None:
    rows = [AirtimeDay(SystemTitle(n.to_bytes(8)), DAY - timedelta(days=1), 1, 1, 1, 1) for n in range(2_000)]
    assert len(encode_airtime(rows)) < 65_536
