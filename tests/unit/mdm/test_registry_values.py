"""Facts are spelled in one way, laid out by day, and multipliers are applied to what they belong to."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.contracts.channel import Channel
from openami.contracts.quality import RawQuality
from openami.contracts.reading import RegisterBatch, uuid_column
from openami.mdm.ports import Values
from openami.mdm.registry.arrays import place_days
from openami.mdm.registry.calendar import shipped_holidays
from openami.mdm.registry.errors import RegistryError
from openami.mdm.registry.facts import Fact, FactEntry, FactError, FactKind, ReadingKind, ServiceState, fact_value
from openami.mdm.registry.multiplier import Multiplier, MultiplierStep
from openami.mdm.registry.records import Installation, InstalledMeter, Meter, RegisterForm
from openami.mdm.registry.segments import Factors, by_network, segments
from openami.mdm.validation.load import inputs_of
from openami.mdm.vee.grid import grid_of

ZONE = ZoneInfo("America/Chicago")
PLACE, METER = UUID(int=1), UUID(int=2)
FIRST = date(2026, 7, 1)
GRID = grid_of(ZONE, FIRST, date(2026, 7, 10), 900)
MADE = datetime(2026, 6, 1, tzinfo=UTC)


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 7, day, hour, tzinfo=ZONE).astimezone(UTC)


def fact(kind: FactKind, value: str, start: datetime, end: datetime | None = None) -> Fact:
    return Fact(PLACE, kind, value, start, end, MADE)


@pytest.mark.parametrize(
    ("kind", "text", "told"),
    [
        (FactKind.PHASE, "z", "A, B, C"),
        (FactKind.BILL_GROUP, "0", "whole number"),
        (FactKind.BILL_GROUP, "1" * 5000, "whole number"),
        (FactKind.BILL_GROUP, "\u0663", "whole number"),
        (FactKind.ACCOUNT, "Mrs Smith", "never a name"),
        (FactKind.SERVICE, "off", "active, inactive, disconnected"),
        (FactKind.TRANSFORMER, "T1\n2", "name of letters"),
        (FactKind.TRANSFORMER, "", "name of letters"),
        (FactKind.RATE, "x" * 101, "name of letters"),
        (FactKind.INTERCONNECTION, "-5", "whole number"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_what_may_stand_there(kind: FactKind, text: str, told: str) -> None:
    with pytest.raises(FactError, match=told):
        fact_value(kind, text)


def test_a_fact_cannot_end_before_it_begins() -> None:
    with pytest.raises(FactError, match="end at or before"):
        FactEntry(PLACE, FactKind.RATE, "1M", at(2), at(2))


def test_a_place_of_which_nothing_is_said_is_active_and_read_by_the_network() -> None:
    days = place_days(GRID, [PLACE], [], {"us": shipped_holidays("us", FIRST, date(2026, 7, 10))})
    assert (days.state == ServiceState.ACTIVE).all()
    assert (days.reading == ReadingKind.INTERVAL).all()
    assert not days.is_register_only.any()
    assert np.flatnonzero(days.is_holiday[0]).tolist() == [3]


def test_the_day_of_a_change_is_neither_state() -> None:
    facts = [
        fact(FactKind.SERVICE, "active", at(1), at(4, 10)),
        fact(FactKind.SERVICE, "disconnected", at(4, 10), at(7)),
        fact(FactKind.SERVICE, "active", at(7)),
    ]
    state = place_days(GRID, [PLACE], facts, {}).state[0].tolist()
    assert state == [0, 0, 0, ServiceState.CHANGING, *[ServiceState.DISCONNECTED] * 2, 0, 0, 0, 0]


def test_feeding_in_is_approved_from_the_day_of_approval_on() -> None:
    facts = [
        fact(FactKind.INTERCONNECTION, "5000", at(3, 12)),
        fact(FactKind.ACCOUNT, str(UUID(int=9)), at(1), at(5)),
        fact(FactKind.CALENDAR, "none", at(1)),
        fact(FactKind.PHASE, "AB", at(1)),
        fact(FactKind.CHECK_OF, str(UUID(int=7)), at(1)),
        fact(FactKind.READING, "by_hand", at(1)),
    ]
    days = place_days(GRID, [PLACE], facts, {"us": frozenset({FIRST}), "none": frozenset()})
    assert days.may_feed_in[0].tolist() == [False, False, *[True] * 8]
    assert days.has_account[0].tolist() == [*[True] * 4, *[False] * 6]
    assert not days.is_holiday.any()
    assert (days.phase, days.check_of) == (("AB",), (UUID(int=7),))
    assert days.is_register_only.all()


@pytest.mark.parametrize("start", [at(1) - timedelta(days=400), at(10) + timedelta(days=1)], ids=["before", "after"])
def test_a_fact_outside_the_days_says_nothing(start: datetime) -> None:
    gone = fact(FactKind.SERVICE, "inactive", start, start + timedelta(hours=5))
    fed = fact(FactKind.INTERCONNECTION, "5000", start, start + timedelta(days=1))
    days = place_days(GRID, [PLACE], [gone, fed], {})
    assert (days.state == 0).all()
    assert not days.may_feed_in.any()


def installed(*steps: MultiplierStep, multiplier: int = 1, meter: Meter | None = None) -> InstalledMeter:
    meter = meter or Meter(METER, "S-1", MADE, capacity_wh=1_000_000)
    reads = {Channel.DELIVERED: 100}
    row = Installation(UUID(int=3), PLACE, METER, at(1), at(9), multiplier, reads, {Channel.DELIVERED: 900})
    return InstalledMeter(
        Installation(row.id, PLACE, METER, row.start, row.end, multiplier, row.in_reads, row.out_reads, steps=steps),
        meter,
    )


def test_a_multiplier_that_changes_cuts_an_installation_with_the_reads_of_that_instant() -> None:
    pieces = segments(
        [installed(MultiplierStep(at(5), Multiplier(ct=40), {Channel.DELIVERED: 500}))], Channel.DELIVERED
    )
    told = [
        (p.installation.multiplier, p.installation.in_reads, p.installation.out_reads, p.installation.end)
        for p in pieces
    ]
    assert told == [
        (1, {Channel.DELIVERED: 100}, {Channel.DELIVERED: 500}, at(5)),
        (40, {Channel.DELIVERED: 500}, {Channel.DELIVERED: 900}, at(9)),
    ]


def test_a_voltage_takes_no_current_transformer() -> None:
    one = installed(MultiplierStep(at(1), Multiplier(ct=40, pt=60)))
    assert [p.installation.multiplier for p in segments([one], Channel.VOLTAGE)] == [60]
    assert [p.installation.multiplier for p in segments([one], Channel.CURRENT_L1)] == [40]
    assert [p.installation.multiplier for p in segments([installed(multiplier=80)], Channel.VOLTAGE)] == [1]
    assert [p.installation.multiplier for p in segments([installed(multiplier=80)], Channel.DELIVERED)] == [80]


def test_a_channel_may_have_a_register_of_its_own_form() -> None:
    meter = Meter(
        METER, "S-1", MADE, capacity_wh=1_000_000, registers={Channel.RECEIVED: RegisterForm(1000, 99_999_000)}
    )
    one = installed(meter=meter)
    (received,), (delivered,) = segments([one], Channel.RECEIVED), segments([one], Channel.DELIVERED)
    assert (received.meter.resolution_wh, received.meter.capacity_wh) == (1000, 99_999_000)
    assert (delivered.meter.resolution_wh, delivered.meter.capacity_wh) == (1, 1_000_000)
    with pytest.raises(RegistryError, match="cannot"):
        RegisterForm(0)


@pytest.mark.parametrize("factors", [{"ct": 0}, {"pt": 1_000_001}, {"ct": 2000, "pt": 2000}])
def test_factors_that_cannot_be_are_refused(factors: dict[str, int]) -> None:
    with pytest.raises(RegistryError, match="multiplier"):
        Multiplier(**factors)


def test_counts_take_the_factor_of_their_instant_once_and_the_register_too() -> None:
    one = installed(MultiplierStep(at(5), Multiplier(ct=40)))
    change_s = int(at(5).timestamp())
    starts = np.array([change_s - 900, change_s], dtype=np.int64)
    readings = Values(
        meter_id=uuid_column([METER, METER]), start=starts, value=np.array([7, 7], dtype=np.int64),
        quality=np.full(2, RawQuality.GOOD, np.uint16),
    )  # fmt: skip
    reads = RegisterBatch(
        meter_id=uuid_column([METER] * 3), channel=np.full(3, 1, np.uint8),
        at=np.array([change_s - 86_400, change_s, change_s + 86_400], dtype=np.int64),
        value=np.array([100, 200, 300], dtype=np.int64), source=np.ones(3, np.uint8),
        message_id=np.zeros(3, np.uint64),
    )  # fmt: skip
    got = inputs_of(GRID, [PLACE], [one], Channel.DELIVERED, readings=readings, registers=reads, until=at(10))
    assert got.matrix.values[got.matrix.present].tolist() == [7, 280]
    here = np.isin(got.brackets.lo, GRID.column_of(np.array([change_s - 86_400, change_s])))
    assert got.brackets.energy[here].tolist() == [100, 4000]
    assert [Factors([one], Channel.DELIVERED).at(METER, s) for s in starts.tolist()] == [1, 40]


def test_the_time_in_which_the_network_does_not_read_is_cut_out_of_an_installation() -> None:
    by_hand = fact(FactKind.READING, "by_hand", at(3), at(5))
    before, after = by_network([installed()], [by_hand])
    assert (before.installation.start, before.installation.end) == (at(1), at(3))
    assert (before.installation.in_reads, before.installation.out_reads) == ({Channel.DELIVERED: 100}, {})
    assert (after.installation.start, after.installation.end) == (at(5), at(9))
    assert by_network([installed()], [fact(FactKind.READING, "customer", at(1))]) == []
    assert by_network([installed()], [fact(FactKind.READING, "interval", at(1))]) == [installed()]
    assert by_network([installed()], [fact(FactKind.READING, "by_hand", at(9))]) == [installed()]
