"""What registers know, they know within what they resolve, what the multiplier makes of it and when they were read."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.contracts.quality import Method
from openami.mdm.vee.brackets import Brackets, Chains, Reads, brackets_of
from openami.mdm.vee.grid import I64, grid_of
from openami.mdm.vee.kernel import validated
from openami.mdm.vee.matrix import Matrix
from openami.mdm.vee.outcome import Coverage, Outcome

GRID = grid_of(ZoneInfo("America/Chicago"), date(2026, 6, 1), date(2026, 6, 29), 900)
MONDAY = int(GRID.day_at[28])
LIMIT_W = 48_000


def chain(*, resolution: int = 1, multiplier: int = 1) -> Chains:
    one = np.ones(1, np.int64)
    ends = (one * int(GRID.edge_s[0]), one * int(GRID.edge_s[-1]))
    return Chains(one * 0, *ends, one * 10**9, one * resolution, one * multiplier, one * LIMIT_W)


def read(at_s: list[int], value: list[int]) -> Reads:
    count = len(at_s)
    return Reads(np.zeros(count, np.int64), np.array(at_s), np.array(value), np.zeros(count, bool))


def shown(counts: I64, at_s: list[int], resolution: int) -> list[int]:
    """Return what a truncating register shows at instants, of intervals that are even within."""
    running = np.concatenate([[0], np.cumsum(counts)])
    return [int(np.interp(at, GRID.edge_s, running)) // resolution * resolution for at in at_s]


def validate(counts: I64, brackets: Brackets, lost: slice = slice(0, 0), multiplier: int = 1) -> Outcome:
    present = np.ones((1, GRID.columns), bool)
    present[0, lost] = False
    none = np.zeros_like(present)
    matrix = Matrix(
        np.where(present, counts, 0), present, np.zeros(present.shape, np.uint16), none, none,
        np.zeros((1, GRID.days), np.int64),
    )  # fmt: skip
    whole = np.ones_like(present)
    limit = np.array([LIMIT_W // 4 * multiplier])
    return validated(GRID, matrix, coverage=Coverage(whole, whole), brackets=brackets, limit=limit)


COUNTS = np.random.default_rng(3).integers(20, 400, GRID.columns)
MIDNIGHTS = GRID.edge_s[GRID.day_at].tolist()


@pytest.mark.parametrize(("resolution", "multiplier"), [(1, 1), (1_000, 1), (10, 40)], ids=["Wh", "kWh", "CT"])
def test_a_clean_home_passes_whatever_its_register_resolves(resolution: int, multiplier: int) -> None:
    values = [v // multiplier for v in shown(COUNTS * multiplier, MIDNIGHTS, resolution * multiplier)]
    chains = chain(resolution=resolution, multiplier=multiplier)
    brackets, faults = brackets_of(GRID, chains, read(MIDNIGHTS, values))
    assert (faults, len(brackets.row)) == ([], GRID.days)
    assert set(brackets.tolerance) == {resolution * multiplier}
    assert validate(COUNTS * multiplier, brackets, multiplier=multiplier).statements == []


def test_what_the_tolerance_does_not_explain_is_raised() -> None:
    values = shown(COUNTS, MIDNIGHTS, 1_000)
    brackets, _ = brackets_of(GRID, chain(resolution=1_000), read(MIDNIGHTS, values))
    taken = COUNTS.copy()
    taken[MONDAY : MONDAY + 96] //= 2
    assert "sum_check" in {s.rule for s in validate(taken, brackets).statements}


def test_a_register_of_whole_kilowatt_hours_does_not_make_a_peak_of_one() -> None:
    counts = np.full(GRID.columns, 100)
    lost = slice(MONDAY + 40, MONDAY + 42)
    values = shown(counts, MIDNIGHTS, 1_000)
    brackets, _ = brackets_of(GRID, chain(resolution=1_000), read(MIDNIGHTS, values))
    found = validate(counts, brackets, lost)
    assert found.values[0, lost].tolist() == [100, 100]
    assert set(found.method[0, lost]) == {Method.WEIGHTED}


def test_a_coarse_register_moves_an_estimate_only_as_far_as_it_must() -> None:
    counts = np.full(GRID.columns, 100)
    lost = slice(MONDAY + 20, MONDAY + 60)
    counts[lost] = 400
    values = shown(counts, MIDNIGHTS, 1_000)
    brackets, _ = brackets_of(GRID, chain(resolution=1_000), read(MIDNIGHTS, values))
    found = validate(counts, brackets, lost)
    energy = int(brackets.energy[-1])
    assert energy - 1_000 == found.values[0, MONDAY:].sum()
    assert set(found.method[0, lost]) == {Method.WEIGHTED_SCALED}


@pytest.mark.parametrize("minutes", [-6, 6], ids=["early", "late"])
def test_a_meter_that_is_read_off_the_boundary_is_judged_at_the_boundary(minutes: int) -> None:
    at_s = [m + 60 * minutes for m in MIDNIGHTS[1:-1]]
    brackets, faults = brackets_of(GRID, chain(), read(at_s, shown(COUNTS, at_s, 1)))
    assert faults == []
    assert brackets.lo.tolist() == GRID.day_at[1:-2].tolist()
    assert set(brackets.off_lo_s) == set(brackets.off_hi_s) == {60 * minutes}
    assert validate(COUNTS, brackets).statements == []
    corrected = brackets.at_edges(GRID, COUNTS[None, :], np.ones((1, GRID.columns), bool), np.array([LIMIT_W // 4]))
    day = [int(COUNTS[a:b].sum()) for a, b in zip(brackets.lo, brackets.hi, strict=True)]
    assert np.abs(corrected.energy - day).max() <= 2
    assert (corrected.tolerance - brackets.tolerance < 2 * 400).all()


def test_a_meter_that_is_read_at_boundaries_is_not_judged_by_reads_between_them() -> None:
    at_s = [*MIDNIGHTS, MIDNIGHTS[5] + 100]
    values = [*shown(COUNTS, MIDNIGHTS, 1), 5]
    brackets, faults = brackets_of(GRID, chain(), read(at_s, values))
    assert (len(brackets.row), faults) == (GRID.days, [])


def test_intervals_that_somebody_rounded_one_by_one_accuse_nobody() -> None:
    counts = np.random.default_rng(8).integers(24, 400, GRID.columns)
    brackets, _ = brackets_of(GRID, chain(), read(MIDNIGHTS, shown(counts, MIDNIGHTS, 1)))
    rounded = (counts + 4) // 10 * 10
    assert np.abs(rounded[:96].sum() - counts[:96].sum()) > 40
    assert not [s for s in validate(rounded, brackets).statements if s.rule == "sum_check"]
    assert [s for s in validate(rounded * 9 // 10, brackets).statements if s.rule == "sum_check"]
