"""The command process tells the DMZ what changed, and nothing twice."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np

from openami.contracts.directive import Directive, DirectiveKind, decode_directive
from openami.contracts.directive_body import decode_known_titles
from openami.contracts.stream import partition_of_octets
from openami.headend.command.ports import CommandUnavailableError
from openami.headend.command.standing import LOOK_AGAIN_EVERY, DirectiveOffice, KnownMeters, Published
from openami.security.keys.context import KeyState
from openami.security.keys.table import STATES, KeyColumns, KeyTable
from openami.security.suites.ed25519 import public_key_of, verifies

KEY = bytes(range(32))
NOW = datetime(2026, 7, 1, tzinfo=UTC)
Place = tuple[DirectiveKind, int]


class Road:
    """A stream of directives in memory; ``away`` answers nobody."""

    def __init__(self) -> None:
        self.said: list[Directive] = []
        self.held: dict[Place, Published] = {}
        self.away = False
        self.looks = 0

    async def extent(self) -> tuple[int, int]:
        if self.away:
            raise CommandUnavailableError("away")
        return max((held.sequence for held in self.held.values()), default=0), len(self.held)

    async def newest(self, kind: DirectiveKind, part: int) -> Published | None:
        if self.away:
            raise CommandUnavailableError("away")
        self.looks += 1
        return self.held.get((kind, part))

    async def publish(self, directive: Directive, *, after: int) -> None:
        held = self.held.get(directive.place)
        if self.away or after != (held.sequence if held else 0):
            raise CommandUnavailableError("another was faster")
        self.said.append(decode_directive(directive.encode()))
        self.held[directive.place] = Published(directive, len(self.said))


class Fact:
    """A fact that a test sets."""

    kind = DirectiveKind.REVOKED

    def __init__(self) -> None:
        self.body = b"one"
        self.away = False

    async def bodies(self) -> Mapping[int, bytes]:
        if self.away:
            raise CommandUnavailableError("away")
        return {0: self.body}


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def office_of(road: Road, *facts: Fact, clock: Clock | None = None) -> DirectiveOffice:
    return DirectiveOffice(facts, road=road, signing_key=KEY, real_now=clock or Clock())


async def test_a_fact_is_signed_numbered_and_said_once() -> None:
    road, fact = Road(), Fact()
    office = office_of(road, fact)
    for _ in range(3):
        await office.publish_changed()
    fact.body = b"two"
    await office.publish_changed()
    assert [d.body for d in road.said] == [b"one", b"two"]
    assert road.said[0].number < road.said[1].number
    for directive in road.said:
        assert verifies(directive.signature, directive.signed_octets(), public_key=public_key_of(KEY))


async def test_a_second_process_and_a_restart_repeat_nothing() -> None:
    road, fact = Road(), Fact()
    for _ in range(2):
        await office_of(road, fact).publish_changed()
    assert len(road.said) == 1


async def test_numbers_rise_though_the_clock_went_back() -> None:
    road, fact, clock = Road(), Fact(), Clock()
    office = office_of(road, fact, clock=clock)
    await office.publish_changed()
    clock.now -= timedelta(days=400)
    fact.body = b"two"
    await office.publish_changed()
    assert road.said[0].number < road.said[1].number


async def test_a_stream_that_was_lost_or_altered_is_mended() -> None:
    road, fact, clock = Road(), Fact(), Clock()
    office = office_of(road, fact, clock=clock)
    await office.publish_changed()
    first = road.said[0]
    for spoiled in (None, Published(first.signed_with(bytes(64)), 99)):
        road.held = {first.place: spoiled} if spoiled else {}
        clock.now += LOOK_AGAIN_EVERY
        await office.publish_changed()
    assert [d.body for d in road.said] == [b"one"] * 3
    assert len({d.number for d in road.said}) == 3
    looks = road.looks
    clock.now += 3 * LOOK_AGAIN_EVERY
    await office.publish_changed()
    await office.publish_changed()
    assert road.looks <= looks + 1, "a stream that nobody touched is not read again"


async def test_what_is_away_is_said_when_it_is_back() -> None:
    road, fact = Road(), Fact()
    office = office_of(road, fact)
    road.away = True
    await office.publish_changed()
    road.away, fact.away = False, True
    await office.publish_changed()
    assert not road.said
    fact.away = False
    await office.publish_changed()
    assert len(road.said) == 1


def columns(rows: list[tuple[bytes, KeyState]], revision: int) -> KeyColumns:
    n = len(rows)
    return KeyColumns(
        title=np.array([int.from_bytes(t) for t, _ in rows], np.uint64),
        meter_id=np.zeros(n, "V16"),
        generation=np.ones(n, np.uint32),
        state=np.array([STATES.index(s) for _, s in rows], np.uint8),
        profile=("oam-1",) * n,
        zone=("",) * n,
        encryption_keys=bytes(16 * n),
        authentication_keys=bytes(16 * n),
        revision=revision,
    )


async def test_meters_whose_keys_are_not_all_withdrawn_may_send() -> None:
    table = KeyTable()
    fact = KnownMeters(table)
    assert await fact.bodies() == {}
    titles = [b"OAM" + i.to_bytes(5) for i in range(300)]
    rows = [(t, KeyState.WITHDRAWN if i == 3 else KeyState.ACTIVE) for i, t in enumerate(titles)]
    table.merge(columns(rows, 5))
    bodies = await fact.bodies()
    assert len(bodies) == 64
    known = {t for part, body in bodies.items() for t in decode_known_titles(body, part=part)}
    assert known == set(titles) - {titles[3]}
    table.merge(columns([(b"OAMZZZZZ", KeyState.NEW)], 6))
    changed = {part for part, body in (await fact.bodies()).items() if body != bodies[part]}
    assert changed == {partition_of_octets(b"OAMZZZZZ")}
