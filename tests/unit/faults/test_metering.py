"""The injector: each fault does what its table says, to one service point, the same for the same seed."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.contracts.channel import Channel
from openami.mdm.vee.grid import grid_of
from openami.sim.faults.metering import FAULTS, Fault, FaultKind, Injection, Scene, clean_scene, inject, planned
from openami.sim.faults.metering.inject import _DO, fault_of
from openami.sim.faults.metering.kinds import Way
from openami.sim.faults.metering.scene import CAPACITY_WH

CELLS = [(f, s, w) for f in FAULTS for s in f.severities for w in f.ways]
IDS = [f"{f.kind}-{s:g}-{w}" for f, s, w in CELLS]
DAYS, ROWS = 58, 6


@pytest.fixture(scope="module")
def clean() -> Scene:
    grid = grid_of(ZoneInfo("America/Chicago"), date(2026, 2, 1), date(2026, 3, 30), 900)
    assert grid.days == DAYS
    dice = np.random.default_rng(3)
    delivered = dice.integers(20, 900, (ROWS, grid.columns))
    received = np.where((np.arange(ROWS) % 3 == 2)[:, None], dice.integers(0, 400, delivered.shape), 0)
    voltage = dice.integers(2_380, 2_440, delivered.shape)
    return clean_scene(grid, delivered, received_wh=received, voltage_dv=voltage, dice=dice)


def differs(a: Scene, b: Scene, row: int) -> bool:
    """Whether anything that validation may see of a service point differs."""
    for channel, readings in a.readings.items():
        other = b.readings[channel]
        for column in ("values", "came", "flags"):
            if not np.array_equal(getattr(readings, column)[row], getattr(other, column)[row]):
                return True
    for channel, registers in a.registers.items():
        for column in ("value", "came", "capacity_wh"):
            if not np.array_equal(getattr(registers, column)[row], getattr(b.registers[channel], column)[row]):
                return True
    facts = (a.facts.is_active[row], a.facts.may_return[row])
    if not all(
        np.array_equal(x, y) for x, y in zip(facts, (b.facts.is_active[row], b.facts.may_return[row]), strict=True)
    ):
        return True
    return [s for s in a.strays if s.row == row] != [s for s in b.strays if s.row == row]


def test_every_kind_stands_in_the_table_once_and_can_be_done() -> None:
    assert [f.kind for f in FAULTS] == list(FaultKind)
    assert set(_DO) == set(FaultKind)


@pytest.mark.parametrize(("fault", "severity", "way"), CELLS, ids=IDS)
def test_a_fault_changes_its_service_points_and_no_other(clean: Scene, fault: Fault, severity: float, way: Way) -> None:
    plan = planned(clean, fault, severity, way, first=28, last=DAYS)
    assert plan
    before = clean.copy()
    one = plan[0]
    spoiled = inject(clean, [one])
    hit = {one.row, one.row + 1} if fault.kind is FaultKind.CROSSED else {one.row}
    assert {row for row in range(ROWS) if differs(spoiled, before, row)} == hit
    assert not any(differs(clean, before, row) for row in range(ROWS))


@pytest.mark.parametrize(("fault", "severity", "way"), CELLS, ids=IDS)
def test_the_same_seed_spoils_the_same_in_any_company(clean: Scene, fault: Fault, severity: float, way: Way) -> None:
    plan = planned(clean, fault, severity, way, first=28, last=DAYS)
    together, alone = inject(clean, plan), inject(clean, plan[-1:])
    assert not differs(together, alone, plan[-1].row)


@pytest.mark.parametrize(("fault", "severity", "way"), CELLS, ids=IDS)
def test_nothing_happens_before_the_day(clean: Scene, fault: Fault, severity: float, way: Way) -> None:
    for one in planned(clean, fault, severity, way, first=28, last=DAYS):
        spoiled = inject(clean, [one])
        if fault.kind is FaultKind.SWAPPED_DATE:
            continue
        before = slice(0, clean.span(one.day).start)
        for channel, readings in spoiled.readings.items():
            assert np.array_equal(readings.values[:, before], clean.readings[channel].values[:, before])
            assert readings.came[:, before].all()


@pytest.mark.parametrize(
    ("fault", "severity", "way"), [c for c in CELLS if c[2] is Way.COUNTED], ids=[i for i in IDS if "counted" in i]
)
def test_registers_that_counted_a_fault_agree_with_the_intervals(
    clean: Scene, fault: Fault, severity: float, way: Way
) -> None:
    spoiled = inject(clean, planned(clean, fault, severity, way, first=28, last=DAYS))
    for channel, registers in spoiled.registers.items():
        moved = np.diff(registers.value, axis=1) % CAPACITY_WH
        used = np.add.reduceat(spoiled.readings[channel].values, clean.grid.day_at[:-1], axis=1)
        assert (np.abs(moved - used) <= 2 * registers.resolution_wh[:, None]).all()


@pytest.mark.parametrize("kind", [FaultKind.SPIKE, FaultKind.SCALE, FaultKind.STUCK, FaultKind.DUPLICATE_DAY])
def test_registers_that_stayed_right_do_not_agree_with_the_intervals(clean: Scene, kind: FaultKind) -> None:
    fault = fault_of(kind)
    one = planned(clean, fault, fault.severities[-1], Way.RIGHT, first=28, last=DAYS - 2)[0]
    spoiled = inject(clean, [one])
    registers = spoiled.registers[Channel.DELIVERED].value
    assert np.array_equal(registers, clean.registers[Channel.DELIVERED].value)
    moved = int(registers[one.row, one.day + 1] - registers[one.row, one.day]) % CAPACITY_WH
    used = int(spoiled.readings[Channel.DELIVERED].values[one.row, clean.span(one.day)].sum())
    assert moved != used


def test_a_gap_takes_as_many_intervals_as_it_says(clean: Scene) -> None:
    for severity in (1, 4, 96):
        one = Injection(FaultKind.GAP, severity, Way.RIGHT, 1, 40)
        assert np.count_nonzero(~inject(clean, [one]).readings[Channel.DELIVERED].came) == severity


def test_a_day_with_day_and_month_swapped_comes_in_under_the_other_date(clean: Scene) -> None:
    day = clean.grid.index_of(date(2026, 3, 2))
    spoiled = inject(clean, [Injection(FaultKind.SWAPPED_DATE, 1, Way.RIGHT, 0, day)])
    wrong = clean.span(clean.grid.index_of(date(2026, 2, 3)))
    starts = {s.start_s for s in spoiled.strays if s.channel is Channel.DELIVERED}
    assert starts == set(clean.grid.start_s[wrong].tolist())
    assert not spoiled.readings[Channel.DELIVERED].came[0, clean.span(day)].any()


def test_a_rollover_that_is_honest_passes_the_capacity_and_loses_no_energy(clean: Scene) -> None:
    spoiled = inject(clean, [Injection(FaultKind.ROLLOVER, 1, Way.RIGHT, 0, 40)])
    value = spoiled.registers[Channel.DELIVERED].value[0]
    assert value[41] < value[40]
    moved = np.diff(value) % CAPACITY_WH
    used = np.add.reduceat(clean.readings[Channel.DELIVERED].values[0], clean.grid.day_at[:-1])
    assert (np.abs(moved - used) <= 2 * int(spoiled.registers[Channel.DELIVERED].resolution_wh[0])).all()


def test_a_stuck_register_stands_still_and_catches_up(clean: Scene) -> None:
    value = inject(clean, [Injection(FaultKind.STUCK_REGISTER, 7, Way.RIGHT, 0, 35)]).registers[Channel.DELIVERED].value
    assert (np.diff(value[0, 35:43]) == 0).all()
    assert value[0, 43] == clean.registers[Channel.DELIVERED].value[0, 43]
