"""The territory's meters answer: what was lost on the way is still in their profiles."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from tests.pair.meter.reading import Reader
from tests.unit.meter.made import CLOCK, at, rows

from openami.contracts.frame import FrameClass
from openami.kernel.obis import Obis
from openami.kernel.time import epoch_s, instant_from_epoch_s, local_midnight
from openami.meter.answering import FleetAnswers
from openami.meter.counters import InvocationCounters, MemoryCounterStore
from openami.meter.events import EventCode
from openami.meter.fleet import MeterFleet
from openami.meter.tampering import Tampering
from openami.protocol.axdr import Data, Tag, u32
from openami.protocol.cosem.reference import AttributeRef, EntrySelection, MethodRef, RangeSelection
from openami.sim.factory import FactoryMeter, make_meters
from openami.sim.live import LiveMeters
from openami.sim.past import PastCursor, remember_day
from openami.sim.territory import Territory
from openami.sim.world.world import World

ZONE = ZoneInfo("America/Chicago")
PROFILE = AttributeRef(7, Obis.from_text("1.0.99.1.0.255"), 2)
DAILY = AttributeRef(7, Obis.from_text("1.0.99.2.0.255"), 2)
BILLING = AttributeRef(7, Obis.from_text("0.0.98.1.0.255"), 2)
ENERGY = AttributeRef(3, Obis.from_text("1.0.1.8.0.255"), 2)
STANDARD_LOG = AttributeRef(7, Obis.from_text("0.0.99.98.0.255"), 2)
SWITCH = Obis.from_text("0.0.96.3.10.255")
START = epoch_s(local_midnight(date(2026, 3, 1), ZONE)) - 4 * 900
STEPS = 100


class World7:
    """Seventy homes for a day and an hour, across the midnight that a month begins with."""

    def __init__(self) -> None:
        begin = epoch_s(local_midnight(date(2026, 2, 20), ZONE))
        self.territory = Territory(World(seed=3, home_count=70), begin, START)
        dice = np.random.Generator(np.random.SFC64(1))
        self.made: list[FactoryMeter] = make_meters(self.territory.meter_count, secret=dice.bytes)
        counters = InvocationCounters(MemoryCounterStore(len(self.made)))
        registers = self.territory.registers_at_genesis()
        self.fleet = MeterFleet([m.identity for m in self.made], registers, counters)
        self.live = LiveMeters(self.territory, self.fleet, self.territory.power_flow(), START)
        self.answers = FleetAnswers(
            self.fleet, self.live.memory, dice.bytes, lambda m, now: self.live.has_supply(m, epoch_s(now))
        )

    @property
    def now(self) -> int:
        return self.live.at_s

    def reader(self, meter: int, *, client: int = 1, first_counter: int = 1) -> Reader:
        identity = self.fleet.identities[meter]
        now = instant_from_epoch_s(self.now)
        reader = Reader(
            identity,
            lambda address, octets: self.answers.answer(identity.title, address, octets, now=now),
            client=client,
            first_counter=first_counter,
        )
        reader.associate()
        return reader


@pytest.fixture(scope="module")
def ran() -> World7:
    world = World7()
    for _ in range(STEPS):
        world.live.step()
    return world


def test_every_captured_interval_is_in_the_profile_whether_its_push_was_heard_or_not(ran: World7) -> None:
    day = ran.territory.day(date(2026, 3, 1))
    losses = ran.territory.losses(day.slots)
    slots = STEPS - 4
    lost = np.flatnonzero((losses.intervals[:, :slots] & day.captured[:70, :slots]).any(axis=1))
    assert len(lost) > 0
    midnight = START + 4 * 900
    for meter in lost[:3].tolist():
        reader = ran.reader(meter)
        begin, end = instant_from_epoch_s(midnight + 900), instant_from_epoch_s(midnight + 900 * slots)
        got = rows(reader.run(reader.association.read(PROFILE, RangeSelection(CLOCK, at(begin), at(end)))))
        assert [r[0] for r in got] == [midnight + 900 * (k + 1) for k in np.flatnonzero(day.captured[meter, :slots])]
        # The intervals and the register move together.
        ((before,), (after,)) = rows(reader.run(reader.association.read(DAILY, EntrySelection(1, 2, 2, 2))))
        assert after - before == sum(r[2] for r in got)
        assert reader.run(reader.association.read(ENERGY)).integer == after


def test_midnight_and_month_are_in_their_profiles(ran: World7) -> None:
    reader = ran.reader(5)
    daily = rows(reader.run(reader.association.read(DAILY)))
    assert [r[0] for r in daily] == [START + 4 * 900, START + 100 * 900]
    assert rows(reader.run(reader.association.read(BILLING))) == daily[:1]


def test_a_meter_without_supply_says_nothing() -> None:
    world = World7()
    world.answers.has_supply = lambda _meter, _now: False
    title = world.fleet.identities[0].title
    assert world.answers.answer(title, 16, b"\x60\x00", now=instant_from_epoch_s(world.now)) == []


def test_a_switched_off_meter_measures_nothing_and_says_so_in_its_log() -> None:
    world = World7()
    for _ in range(2):
        world.live.step()
    reader = world.reader(3)
    reader.run(reader.association.call(MethodRef(70, SWITCH, 1), Data(Tag.INTEGER, 0)))
    before = int(world.fleet.registers.delivered_mj[3])
    for _ in range(2):
        world.live.step()
    assert int(world.fleet.registers.delivered_mj[3]) == before
    again = world.reader(3, first_counter=100)
    got = rows(again.run(again.association.read(PROFILE)))
    assert [r[2] for r in got][2:] == [0, 0]
    assert all(r[4] > 2_000 for r in got)


def test_a_limit_set_from_afar_opens_the_switch_of_a_home_that_draws_more() -> None:
    world = World7()
    world.live.step()
    meter = int(world.live.memory.power_mw[:70].argmax())
    reader = world.reader(meter)
    reader.run(reader.association.write(AttributeRef(71, Obis.from_text("0.0.17.0.0.255"), 4), u32(100)))
    world.live.step()
    world.live.step()
    assert world.live.memory.open_meters(world.now + 1) == [meter]
    codes = [code for _, code in world.live.memory.state(meter).logs.entries()]
    assert codes[:3] == [EventCode.LIMITER_CHANGED, EventCode.LIMITER_EXCEEDED, EventCode.LOCAL_DISCONNECT]


def test_tampered_meters_of_a_fleet_measure_and_send_as_physics_has_it() -> None:
    plain, tampered = World7(), World7()
    tampered.live.tamper(0, Tampering(is_half_registering=True, is_cover_open=True))
    tampered.live.tamper(1, Tampering(is_stopped=True))
    tampered.live.tamper(2, Tampering(is_push_frozen=True))
    begin = plain.fleet.registers.delivered_mj.copy()
    said = []
    for _ in range(3):
        plain.live.step()
        said += tampered.live.step()
    whole, part = plain.fleet.registers.delivered_mj - begin, tampered.fleet.registers.delivered_mj - begin
    assert abs(int(part[0]) * 2 - int(whole[0])) <= 6
    assert (int(part[1]), int(part[2])) == (0, int(whole[2]))
    assert tampered.fleet.identities[2].title not in {h.title for h in said}
    assert len(tampered.live.memory.rings.intervals.table(2, ("status",))) == 3
    # The cover is noticed, and told once.
    assert [code for _, code in tampered.live.memory.state(0).logs.entries()] == [EventCode.COVER_REMOVED]
    told = [h for h in said if h.frame_class is FrameClass.ALARM]
    assert [h.title for h in told] == [tampered.fleet.identities[0].title]


def test_a_clock_set_from_afar_is_marked_in_the_interval_and_right_again_after_it() -> None:
    world = World7()
    world.live.step()
    reader = world.reader(4)
    clock = AttributeRef(8, Obis.from_text("0.0.1.0.0.255"), 2)
    wrong = instant_from_epoch_s(world.now) + timedelta(seconds=40)
    reader.run(reader.association.write(clock, at(wrong)))
    assert reader.run(reader.association.read(clock)) == at(wrong)
    world.live.step()
    world.live.step()
    again = world.reader(4, first_counter=100)
    assert [r[1] for r in rows(again.run(again.association.read(PROFILE)))] == [0, 32, 0]
    assert [r[1] for r in rows(again.run(again.association.read(STANDARD_LOG)))] == [4, 5]
    assert again.run(again.association.read(clock)) == at(instant_from_epoch_s(world.now))


def test_outages_are_in_the_logs_of_the_meters_behind_them() -> None:
    world = World7()
    day = next(
        d for d in (date(2026, 2, 21) + timedelta(days=k) for k in range(200))
        if any(o.end_s - o.start_s < 6 * 3600 for o in world.territory.day(d).outages)
    )  # fmt: skip
    outage = next(o for o in world.territory.day(day).outages if o.end_s - o.start_s < 6 * 3600)
    world.live.at_s = outage.start_s // 900 * 900
    while world.live.at_s <= outage.end_s:
        world.live.step()
    meter = int(outage.homes[0])
    state = world.live.memory.state(meter)
    assert [(epoch_s(when), code) for when, code in state.logs.entries()] == [
        (outage.start_s, EventCode.POWER_DOWN), (outage.end_s, EventCode.POWER_UP),
    ]  # fmt: skip
    assert state.failures.last_long == (instant_from_epoch_s(outage.end_s), outage.end_s - outage.start_s)
    assert not world.live.has_supply(meter, outage.start_s)
    assert world.live.has_supply(meter, outage.end_s)


def test_profiles_filled_afterwards_are_those_that_living_meters_would_have_kept() -> None:
    lived, late = World7(), World7()
    for world in (lived, late):
        world.live.at_s = START + 4 * 900 - 86_400
    for _ in range(96):
        lived.live.step()
    bank = lived.fleet.registers
    cursor = PastCursor(lived.live.at_s, bank.delivered_mj, bank.received_mj)
    cursor = remember_day(late.territory, late.live.flow, late.live.memory, cursor, bank.capacity_wh)
    assert cursor.at_s == START + 4 * 900 - 86_400
    assert (cursor.delivered_mj == late.fleet.registers.delivered_mj).all()
    columns = ("status", "delivered_wh", "received_wh", "voltage_dv")
    for meter in range(0, late.territory.meter_count, 7):
        told = lived.live.memory.rings.intervals.table(meter, columns)
        filled = late.live.memory.rings.intervals.table(meter, columns)
        assert told.at_cs.tolist() == filled.at_cs.tolist()
        assert [c.tolist() for c in told.columns] == [c.tolist() for c in filled.columns]
