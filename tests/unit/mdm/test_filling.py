"""What is missing is filled by the method that knows most, never with more than the meter or its registers allow."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.contracts.quality import Method, QualityState, RawQuality
from openami.kernel.errors import MisuseError
from openami.mdm.vee.brackets import Brackets
from openami.mdm.vee.estimate import DEFAULT_ORDER, References, Step, parse_order
from openami.mdm.vee.grid import BOOLS, I64, grid_of
from openami.mdm.vee.kernel import validated
from openami.mdm.vee.matrix import Matrix
from openami.mdm.vee.outcome import Coverage, Outcome

GRID = grid_of(ZoneInfo("America/Chicago"), date(2026, 6, 1), date(2026, 6, 29), 900)
"""Four weeks and the Monday after, which the gaps of these tests lie in."""
MONDAY = 28 * 96
NONE = np.zeros(0, np.int64)
NO_BRACKETS = Brackets(NONE, NONE, NONE, NONE, NONE)
LIMIT = 12_000


def filled(
    values: I64,
    gap: slice,
    *,
    register_wh: int | None = None,
    flags: dict[int, RawQuality] | None = None,
    limit: int = LIMIT,
    references: References | None = None,
    order: tuple[Step, ...] = DEFAULT_ORDER,
) -> Outcome:
    """Validate one row with a gap; with a register, its two reads are at the midnights around the Monday."""
    present = np.ones((1, GRID.columns), bool)
    present[0, gap] = False
    marks = np.zeros((1, GRID.columns), np.uint16)
    for at, flag in (flags or {}).items():
        marks[0, at] = flag
    none = np.zeros((1, GRID.columns), bool)
    matrix = Matrix(np.where(present, values, 0), present, marks, none, none, np.zeros((1, GRID.days), np.int64))
    brackets = NO_BRACKETS
    if register_wh is not None:
        one = np.ones(1, np.int64)
        brackets = Brackets(one * 0, one * MONDAY, one * GRID.columns, one * register_wh, one)
    whole = np.ones((1, GRID.columns), bool)
    return validated(
        GRID, matrix, coverage=Coverage(whole, whole), brackets=brackets, limit=np.array([limit]),
        references=references or References(), method_order=order,
    )  # fmt: skip


def home() -> I64:
    """Return a home that cooks at seven on working days, and at nine otherwise."""
    values = np.full((1, GRID.columns), 100)
    for day in range(GRID.days):
        hour = 9 if GRID.is_weekend[day] else 7
        values[0, day * 96 + 4 * hour : day * 96 + 4 * hour + 4] = 900
    return values


MORNING = slice(MONDAY + 20, MONDAY + 44)


def test_a_working_day_is_filled_like_working_days() -> None:
    found = filled(home(), MORNING)
    assert set(found.method[0, MORNING]) == {Method.WEIGHTED}
    seven, nine = found.values[0, MONDAY + 28], found.values[0, MONDAY + 36]
    assert seven > 4 * nine


def test_a_holiday_is_filled_like_a_weekend() -> None:
    kinds = GRID.is_weekend.astype(np.uint8)[None, :].copy()
    kinds[0, 28] = 1
    found = filled(home(), MORNING, references=References(day_kind=kinds))
    assert found.values[0, MONDAY + 36] > found.values[0, MONDAY + 28]


def test_a_day_with_a_power_failure_is_no_reference() -> None:
    values = home()
    out = {}
    for day in range(0, 28, 2):
        values[0, day * 96 : day * 96 + 96] = 0
        out[day * 96 + 1] = RawQuality.POWER_DOWN
    found = filled(values, MORNING, flags=out)
    assert found.values[0, MONDAY + 28] > 500


def test_what_is_left_by_the_registers_is_shared_out_to_the_last_count() -> None:
    found = filled(home(), MORNING, register_wh=96 * 100 + 4_321)
    assert found.values[0, MONDAY:].sum() == 96 * 100 + 4_321
    assert set(found.method[0, MORNING]) == {Method.WEIGHTED_SCALED}


def test_a_check_meter_goes_before_everything() -> None:
    check = np.full((1, GRID.columns), -1)
    check[0, MORNING] = 123
    found = filled(home(), MORNING, references=References(check=check))
    assert set(found.values[0, MORNING]) == {123}
    assert set(found.method[0, MORNING]) == {Method.CHECK_METER}
    assert (found.high[0, MORNING] - found.low[0, MORNING]).max() < 123 * 0.2


def test_a_class_profile_fills_where_nothing_else_speaks() -> None:
    everything = slice(0, GRID.columns)
    profile = np.full((1, GRID.columns), 250)
    found = filled(home(), everything, references=References(profile=profile))
    assert set(found.method[0]) == {Method.CLASS_PROFILE}
    shaped = filled(
        home(), everything, register_wh=4_800, references=References(profile=profile, is_profile_level=False)
    )
    assert set(shaped.method[0, :MONDAY]) == {Method.NONE}
    assert set(shaped.values[0, MONDAY:]) == {50}
    assert set(shaped.method[0, MONDAY:]) == {Method.CLASS_PROFILE_SCALED}


def test_where_demand_is_billed_a_peak_is_copied_not_flattened() -> None:
    values = home()
    dice = np.random.default_rng(4)
    for day in range(28):
        values[0, day * 96 + int(dice.integers(20, 44))] = 3_000
    gap = slice(MONDAY + 16, MONDAY + 48)
    flat = filled(values, gap)
    shaped = filled(values, gap, references=References(is_demand_billed=np.array([True])))
    assert set(shaped.method[0, gap]) == {Method.DONOR}
    assert flat.values[0, gap].max() < 2_000
    assert shaped.values[0, gap].max() == 3_000


def test_a_gap_that_may_hold_the_peak_of_its_day_says_so() -> None:
    (morning,) = [s for s in filled(home(), MORNING).statements if s.rule == "missing"]
    assert int(morning.evidence["peak_to_wh"]) >= 700
    (night,) = [s for s in filled(home(), slice(MONDAY + 4, MONDAY + 12)).statements if s.rule == "missing"]
    assert "peak_to_wh" not in night.evidence


def test_nothing_is_invented_in_a_storm_and_the_held_energy_is_named() -> None:
    suspended = np.zeros((1, GRID.columns), bool)
    suspended[0, MONDAY + 30] = True
    gap = slice(MONDAY + 20, MONDAY + 44)
    found = filled(home(), gap, register_wh=96 * 100, references=References(suspended=suspended))
    assert set(found.quality[0, gap]) == {QualityState.MISSING}
    (statement,) = [s for s in found.statements if s.rule == "storm_hold"]
    assert (statement.lo, statement.hi, statement.evidence["intervals"]) == (gap.start, gap.stop, 24)
    assert int(found.values[0, MONDAY:].sum()) + int(statement.evidence["left_wh"]) == 96 * 100


def test_other_gaps_of_the_bracket_wait_with_a_held_one() -> None:
    values = home()
    values[0, MONDAY + 60 : MONDAY + 62] = -1
    suspended = np.zeros((1, GRID.columns), bool)
    suspended[0, MORNING] = True
    found = filled(values, MORNING, register_wh=9_000, references=References(suspended=suspended))
    assert set(found.quality[0, MONDAY + 60 : MONDAY + 62]) == {QualityState.MISSING}


@pytest.mark.parametrize("by_log", [True, False], ids=["log", "flags"])
def test_darkness_that_the_meter_reports_is_a_true_zero(by_log: bool) -> None:
    gap = slice(MONDAY + 20, MONDAY + 28)
    dark = np.zeros((1, GRID.columns), bool)
    dark[0, gap] = by_log
    flags = {} if by_log else {MONDAY + 19: RawQuality.POWER_DOWN, MONDAY + 28: RawQuality.POWER_DOWN}
    found = filled(home(), gap, flags=flags, references=References(dark=dark))
    assert set(found.quality[0, gap]) == {QualityState.OUTAGE_ZERO}
    assert set(found.values[0, gap]) == {0}


def test_an_interval_in_which_power_went_or_came_is_partial_and_keeps_its_value() -> None:
    gap = slice(MONDAY + 20, MONDAY + 28)
    found = filled(home(), gap, flags={MONDAY + 19: RawQuality.POWER_DOWN, MONDAY + 28: RawQuality.POWER_DOWN})
    assert found.quality[0, [MONDAY + 19, MONDAY + 28]].tolist() == [QualityState.PARTIAL] * 2
    assert found.values[0, [MONDAY + 19, MONDAY + 28]].tolist() == [100, 900]


def test_a_register_that_stood_still_proves_zeros() -> None:
    values = np.zeros((1, GRID.columns), np.int64)
    found = filled(values, MORNING, register_wh=0)
    assert set(found.values[0, MORNING]) == set(found.high[0, MORNING]) == {0}
    assert set(found.quality[0, MORNING]) == {QualityState.DERIVED}
    assert set(found.method[0, MORNING]) == {Method.CALCULATED}


def test_an_inferred_zero_is_an_estimate() -> None:
    found = filled(np.zeros((1, GRID.columns), np.int64), MORNING)
    assert set(found.quality[0, MORNING]) == {QualityState.ESTIMATED}


def test_no_cell_holds_more_than_the_service_can_carry() -> None:
    values = home()
    gap = slice(MONDAY + 26, MONDAY + 34)
    found = filled(values, gap, register_wh=88 * 100 + 8 * 950, limit=1_000)
    assert found.values[0, gap].max() <= 1_000
    assert found.values[0, MONDAY:].sum() == 88 * 100 + 8 * 950
    assert found.high[0, gap].max() <= 1_000


def test_more_than_the_service_can_carry_is_raised_not_clipped() -> None:
    found = filled(home(), slice(MONDAY + 26, MONDAY + 34), register_wh=20_000, limit=1_000)
    (statement,) = [s for s in found.statements if s.rule == "sum_check"]
    assert statement.rule == "sum_check"
    assert int(found.values[0, MONDAY:].sum()) + int(statement.evidence["residual_wh"]) == 20_000


def test_an_order_of_methods_is_obeyed() -> None:
    order = parse_order([{"method": "linear", "max_gap_s": 900}, {"method": "like_days"}])
    found = filled(home(), MORNING, order=order)
    assert set(found.method[0, MORNING]) == {Method.LIKE_DAYS}
    assert found.values[0, MONDAY + 28] == 900


@pytest.mark.parametrize(
    "row",
    [
        {"method": "guess"},
        {"method": "like_days", "needs_register": True},
        {"max_gap_s": 5},
        {"method": "linear", "max_gap_s": 0},
        "linear",
        {"method": "donor"},
    ],
    ids=["unknown", "not for the line", "unnamed", "no length", "text", "not a step"],
)
def test_an_order_that_cannot_be_is_refused_by_row(row: object) -> None:
    with pytest.raises(MisuseError, match="step 2"):
        parse_order([{"method": "check_meter"}, row])


def test_the_second_hour_of_an_autumn_night_is_filled_too() -> None:
    autumn = grid_of(ZoneInfo("America/Chicago"), date(2026, 10, 20), date(2026, 11, 1), 900)
    gap: BOOLS = np.zeros((1, autumn.columns), bool)
    gap[0, autumn.day_at[12] + 2 : autumn.day_at[12] + 14] = True
    none = np.zeros_like(gap)
    matrix = Matrix(np.where(gap, 0, 77), ~gap, np.zeros(gap.shape, np.uint16), none, none, np.zeros((1, 13), int))
    whole = ~none
    found = validated(
        autumn, matrix, coverage=Coverage(whole, whole), brackets=NO_BRACKETS, limit=np.array([LIMIT])
    )  # fmt: skip
    assert set(found.values[0]) == {77}
