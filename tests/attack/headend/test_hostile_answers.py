"""A meter that holds its keys and says anything: a request ends in words, and what is remembered stays sound."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.property.protocol.values import any_data

from openami.contracts.event import encode_events
from openami.headend.keeping.answer import Answer
from openami.headend.keeping.clock_watch import ClockPolicy
from openami.headend.keeping.coverage import Coverage
from openami.headend.keeping.keeper import Keeper
from openami.headend.keeping.kept import level_rows, register_level_rows
from openami.headend.keeping.memory import GroupMemory
from openami.headend.keeping.memory_page import encode_memory, restore_memory
from openami.headend.keeping.request import Lane, Request, RequestKind
from openami.headend.keeping.roster import Hung, Roster
from openami.headend.profiles import profile_of
from openami.headend.profiles.said import SaidScales
from openami.headend.session.operations import Circumstance
from openami.headend.session.session import SessionFailedError, Sessions
from openami.kernel.ids import SystemTitle
from openami.kernel.obis import Obis
from openami.kernel.time import EPOCH, instant_from_epoch_s
from openami.protocol import apdu as messages
from openami.protocol.apdu.services import GetResponse, GetResponseList
from openami.protocol.axdr import Data, Tag, array, octet_string, structure, u8, u16
from openami.protocol.cosem.datetime import date_time_from_utc
from openami.security.keys.table import KeyTable
from openami.sim.week_world import HEADEND_TITLE, Air, WeekDownlink, WeekSealing, WeekWorld

NOW_S = 1_772_500_500
DAY_S = 86_400
ZONE = ZoneInfo("America/Chicago")
REGISTERS = sum(1 for obis in profile_of("oam-1").registers if obis.octets[1] == 0)
FROM_S, TO_S = NOW_S // 900 * 900 - 7_200, NOW_S // 900 * 900


def stamp(seconds: int) -> Data:
    return octet_string(date_time_from_utc(instant_from_epoch_s(seconds)).encode())


def number(tag: Tag, low: int, high: int) -> st.SearchStrategy[Data]:
    return st.integers(low, high).map(lambda v: Data(tag, v))


# From the year 1 to 9999, and the quarter-hours that are asked for.
instants = st.one_of(st.integers(-62_135_500_000, 253_402_200_000), st.integers(0, 9).map(lambda k: FROM_S + 900 * k))
clocks = st.one_of(instants.map(stamp), st.binary(min_size=12, max_size=12).map(octet_string), st.just(Data(Tag.NULL)))
numbers = st.one_of(
    number(Tag.UNSIGNED, 0, 255), number(Tag.LONG64, -(2**63), 2**63 - 1), number(Tag.LONG64_UNSIGNED, 0, 2**64 - 1),
    st.just(Data(Tag.NULL)), any_data,
)  # fmt: skip
units = st.tuples(number(Tag.INTEGER, -128, 127), number(Tag.ENUM, 0, 255)).map(lambda t: structure(*t))
names = st.sampled_from(["1.0.1.8.0.255", "0.0.1.0.0.255", "1.0.12.7.0.255"])
captured = st.tuples(
    st.sampled_from([3, 7, 8]).map(u16), names.map(lambda n: octet_string(Obis.from_text(n).octets)),
    number(Tag.INTEGER, -2, 4), st.just(u16(0)),
).map(lambda t: structure(*t))  # fmt: skip


def rows(columns: int) -> st.SearchStrategy[list[Data]]:
    row = st.tuples(clocks, *([numbers] * columns)).map(lambda t: structure(*t))
    return st.lists(row, max_size=5).map(lambda some: [array(*some)])


SAYS: dict[RequestKind, st.SearchStrategy[list[Data]]] = {
    RequestKind.INTERVALS: rows(4),
    RequestKind.MIDNIGHT_REGISTERS: rows(2),
    RequestKind.EVENTS: rows(1),
    RequestKind.READ_NOW: st.tuples(clocks, *([numbers] * REGISTERS), *([units] * REGISTERS)).map(list),
    RequestKind.PING: numbers.map(lambda n: [n]),
    RequestKind.CLOCK: st.lists(clocks, min_size=1, max_size=2),
    RequestKind.COLUMNS: st.tuples(st.lists(captured, max_size=4).map(lambda c: array(*c)), units, units).map(list),
}


@dataclass
class Hostile:
    """A meter whose every value is chosen, behind a proper association; it goes on as long as anything is asked."""

    world: WeekWorld
    sealing: WeekSealing = field(init=False)
    values: Iterator[Data] = field(init=False)

    def __post_init__(self) -> None:
        lab = self

        class Sealing(WeekSealing):
            async def open(self, title: SystemTitle, sealed: bytes) -> bytes:
                return lab.says(await super().open(title, sealed))

        self.sealing = Sealing(self.world)

    def says(self, plain: bytes) -> bytes:
        message = messages.decode(plain)
        if isinstance(message, GetResponse):
            return messages.encode(GetResponse(message.invoke, next(self.values)))
        if isinstance(message, GetResponseList):
            return messages.encode(GetResponseList(message.invoke, tuple(next(self.values) for _ in message.results)))
        return plain

    def ask(self, kind: RequestKind, values: list[Data]) -> tuple[Request, Answer]:
        self.values = iter(values * 40)
        made = self.world.meters[0].made
        request = Request(UUID(int=7), made.meter_id, made.identity.title, kind, Lane.BACKGROUND, FROM_S, TO_S, NOW_S)
        sessions = Sessions(
            sealing=self.sealing,
            downlink=WeekDownlink(self.world, at_s=float(NOW_S)),
            own_title=HEADEND_TITLE,
            secret=lambda n: bytes(range(n)),
            monotonic=lambda: 0.0,
        )
        around = Circumstance(profile_of("oam-1"), ZONE, lambda: float(NOW_S), ClockPolicy())
        return request, asyncio.run(sessions.perform(request, around))


@pytest.fixture(scope="module")
def hostile() -> Hostile:
    air = Air(push_loss=0.0, exchange_loss=0.0)
    return Hostile(WeekWorld(meters=1, cells=1, seed=4, start_s=NOW_S, zone=ZONE, air=air))


def take(request: Request, answer: Answer) -> None:
    """Do with an answer what the head-end does."""
    keeper = Keeper(GroupMemory(Coverage(NOW_S - 30 * DAY_S)), KeyTable(), _every, ZONE, lambda _: True)
    hung = Hung(request.meter_id, request.title, NOW_S - 20 * DAY_S, None, ZONE.key, "C1")
    keeper.enroll(Roster([hung]), now_s=NOW_S)
    keeper.plan(now_s=NOW_S, real_s=0)
    keeper.agenda.add(request)
    keeper.agenda.take(now_s=0, limit=9)
    keeper.answered(request, answer, now_s=NOW_S, real_s=0)
    keeper.plan(now_s=NOW_S + 60, real_s=1)
    level_rows(keeper, until_s=NOW_S)
    register_level_rows(keeper, now_s=NOW_S)
    coverage = keeper.memory.coverage
    restore_memory([encode_memory(keeper.memory, np.arange(len(coverage)), coverage.levels.counts)], began_s=NOW_S)
    if answer.events:
        encode_events(list(answer.events))
    answer.readings.encode()
    answer.registers.encode()
    SaidScales().merge(answer.columns)


def _every(titles: np.ndarray[tuple[int, ...], np.dtype[np.uint64]]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.ones(titles.shape, np.bool_)


@pytest.mark.attack("A21")
@settings(max_examples=250, deadline=None)
@given(said=st.sampled_from(list(SAYS)).flatmap(lambda kind: st.tuples(st.just(kind), SAYS[kind])))
def test_whatever_a_meter_says_a_request_ends(hostile: Hostile, said: tuple[RequestKind, list[Data]]) -> None:
    try:
        request, answer = hostile.ask(*said)
    except SessionFailedError:
        return
    take(request, answer)


def at_year_one(columns: int) -> list[Data]:
    return [array(structure(stamp(-62_135_500_000), *(u8(1) for _ in range(columns))))]


@pytest.mark.parametrize(
    ("kind", "columns"), [(RequestKind.MIDNIGHT_REGISTERS, 2), (RequestKind.INTERVALS, 4)], ids=["registers", "rows"]
)
def test_what_was_not_asked_for_is_not_taken(hostile: Hostile, kind: RequestKind, columns: int) -> None:
    request, answer = hostile.ask(kind, at_year_one(columns))
    assert (len(answer.registers), len(answer.readings)) == (0, 0)
    take(request, answer)


def test_registers_by_a_lost_clock_are_shown_and_not_kept(hostile: Hostile) -> None:
    unit = structure(Data(Tag.INTEGER, 0), Data(Tag.ENUM, 30))
    shown = Data(Tag.DOUBLE_LONG_UNSIGNED, 4_711)
    said = [*[shown] * REGISTERS, *[unit] * REGISTERS]
    lost = octet_string(date_time_from_utc(EPOCH.replace(year=1900)).encode())
    _, answer = hostile.ask(RequestKind.READ_NOW, [lost, *said])
    assert len(answer.registers) == 0
    assert {f.value for f in answer.figures} == {4_711.0}
    assert "nothing of it is kept" in answer.words
    _, right = hostile.ask(RequestKind.READ_NOW, [stamp(NOW_S), *said])
    assert len(right.registers) == len(answer.figures) > 0
