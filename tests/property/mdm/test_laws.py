"""The law of energy over any history: exchanges, multipliers, coarse registers, reads off the boundary, gaps, DST.

Intervals and named residuals equal the register difference within the tolerance that the bracket states, and that
tolerance is no larger than register resolution, multiplier and stamp offset give.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.contracts.quality import Method, QualityState
from openami.mdm.vee import scale as scale_module
from openami.mdm.vee.brackets import Brackets, Chains, Reads, brackets_of
from openami.mdm.vee.grid import BOOLS, I64, Grid, grid_of
from openami.mdm.vee.kernel import validated
from openami.mdm.vee.matrix import placed
from openami.mdm.vee.outcome import Coverage, Outcome

CHICAGO = ZoneInfo("America/Chicago")
CAPACITY = 5_000_000
LIMIT_W = 48_000
FIRSTS = (date(2026, 3, 6), date(2026, 10, 30), date(2026, 6, 1))


@dataclass(frozen=True, eq=False, repr=False)
class Story:
    """One service point: what passed, which readings came, and the meters that hung there one after the other."""

    grid: Grid
    truth: I64
    came: BOOLS
    chains: Chains
    reads: Reads

    def __repr__(self) -> str:
        lost = np.flatnonzero(~self.came).tolist()
        meters = [tuple(int(getattr(self.chains, n)[c]) for n in ("start_s", "end_s", "resolution", "multiplier"))
                  for c in range(len(self.chains.row))]  # fmt: skip
        reads = list(zip(self.reads.chain.tolist(), self.reads.at_s.tolist(), self.reads.value.tolist(), strict=True))
        return f"Story({self.grid.first}, {self.grid.days} days, lost={lost}, meters={meters}, reads={reads})"


@st.composite
def stories(draw: st.DrawFn) -> Story:
    first = draw(st.sampled_from(FIRSTS))
    grid = grid_of(CHICAGO, first, first + timedelta(days=draw(st.integers(1, 8))), 900)
    dice = np.random.default_rng(draw(st.integers(0, 2**32)))
    # Exchanges lie at edges, so that what each meter measured is known; those within an interval have their own test.
    cuts = sorted(draw(st.lists(st.integers(1, grid.columns - 1), max_size=2, unique=True)))
    truth = np.zeros(grid.columns, np.int64)
    rows: list[tuple[int, int, int, int, bool]] = []
    meters = []
    for number, (lo, hi) in enumerate(pairwise([0, *cuts, grid.columns])):
        resolution = draw(st.sampled_from([1, 10, 1_000]))
        multiplier = draw(st.sampled_from([1, 40]))
        raw = dice.integers(0, draw(st.sampled_from([2, 60, 250])), hi - lo, endpoint=True)
        truth[lo:hi] = raw * multiplier
        meters.append((int(grid.edge_s[lo]), int(grid.edge_s[hi]), resolution, multiplier))
        rows += _reads(draw, grid, dice, raw, number, (lo, hi), resolution)
    came = dice.random(grid.columns) > draw(st.sampled_from([0.0, 0.03, 0.4]))
    for _ in range(draw(st.integers(0, 3))):
        lo = draw(st.integers(0, grid.columns - 1))
        came[lo : lo + draw(st.integers(1, 250))] = False
    m = np.array(meters, dtype=np.int64)
    ones = np.ones(len(m), np.int64)
    chains = Chains(ones * 0, m[:, 0], m[:, 1], ones * CAPACITY, m[:, 2], m[:, 3], ones * LIMIT_W)
    r = np.array(rows, dtype=np.int64).reshape(-1, 5)
    return Story(grid, truth, came, chains, Reads(r[:, 0], r[:, 1], r[:, 2], r[:, 3].astype(bool)))


def _reads(
    draw: st.DrawFn,
    grid: Grid,
    dice: np.random.Generator,
    raw: I64,
    number: int,
    span: tuple[int, int],
    resolution: int,
) -> list[tuple[int, int, int, int, bool]]:
    """Read a register at midnights, or minutes off them, and at the exchanges; some reads are lost."""
    lo, hi = span
    base = draw(st.sampled_from([0, CAPACITY - 1, CAPACITY - 3_000, 765_432]))
    off_s = draw(st.sampled_from([0, 0, -240, 300]))
    is_kept = dice.random(grid.days + 1) > draw(st.sampled_from([0.0, 0.3]))
    start, end = int(grid.edge_s[lo]), int(grid.edge_s[hi])
    running = np.concatenate([[0], np.cumsum(raw)])
    rows = []
    for at, keep in zip((grid.edge_s[grid.day_at] + off_s).tolist(), is_kept.tolist(), strict=True):
        if keep and start <= at <= end:
            rows.append((number, at, False))
    rows += [(number, at, True) for at in (start, end) if grid.edge_s[0] < at < grid.edge_s[-1]]
    shown = [(base + int(np.interp(at, grid.edge_s[lo : hi + 1], running))) for _, at, _ in rows]
    return [
        (n, at, value // resolution * resolution % CAPACITY, int(is_end), is_end)
        for (n, at, is_end), value in zip(rows, shown, strict=True)
    ]


def told(story: Story) -> tuple[Outcome, Brackets]:
    grid, index = story.grid, np.flatnonzero(story.came)
    matrix = placed(
        grid, 1, row=np.zeros(len(index), np.int64), start_s=grid.start_s[index], value=story.truth[index],
        quality=np.zeros(len(index), np.uint16),
    )  # fmt: skip
    brackets, faults = brackets_of(grid, story.chains, story.reads)
    assert faults == []
    whole = np.ones((1, grid.columns), bool)
    limit = np.array([LIMIT_W // 4 * int(story.chains.multiplier.max())])
    outcome = validated(grid, matrix, coverage=Coverage(whole, whole), brackets=brackets, limit=limit)
    return outcome, brackets.at_edges(grid, np.where(story.came, story.truth, 0)[None, :], story.came[None, :], limit)


def check(story: Story) -> None:
    outcome, brackets = told(story)
    named = {(s.lo, s.hi): int(s.evidence["residual_wh"]) for s in outcome.statements if s.rule == "sum_check"}
    for b in range(len(brackets.row)):
        lo, hi = int(brackets.lo[b]), int(brackets.hi[b])
        found = int(outcome.values[0, lo:hi].sum()) + named.get((lo, hi), 0)
        assert abs(found - int(brackets.energy[b])) <= max(int(brackets.tolerance[b]), 1), (lo, hi)
        if (outcome.method[0, lo:hi] != Method.MEASURED).any() and brackets.slack[b] == 0:
            assert found == int(brackets.energy[b])
    # Nothing measured is touched, nothing is negative, and a clean register accuses nobody.
    assert named == {}
    assert (outcome.values[0, story.came] == story.truth[story.came]).all()
    assert (outcome.values >= 0).all()
    assert ((outcome.low <= outcome.values) & (outcome.values <= outcome.high)).all()
    filled = (outcome.quality[0] == QualityState.ESTIMATED) | (outcome.quality[0] == QualityState.DERIVED)
    assert not filled[story.came].any()
    assert (outcome.method[0, filled] != Method.NONE).all()


@settings(max_examples=150, deadline=None)
@given(stories())
def test_intervals_and_named_gaps_equal_the_register_difference(story: Story) -> None:
    check(story)


@settings(max_examples=60, deadline=None)
@given(stories(), st.integers(0, 2**32))
def test_the_order_of_arrival_does_not_matter(story: Story, seed: int) -> None:
    first, _ = told(story)
    order = np.random.default_rng(seed).permutation(len(story.reads.chain))
    reads = Reads(*(getattr(story.reads, n)[order] for n in ("chain", "at_s", "value", "is_end")))
    again, _ = told(Story(story.grid, story.truth, story.came, story.chains, reads))
    for name in ("values", "quality", "method", "low", "high"):
        assert (getattr(first, name) == getattr(again, name)).all()


@settings(max_examples=60, deadline=None)
@given(stories())
def test_what_comes_late_gives_what_it_would_have_given_in_time(story: Story) -> None:
    complete = Story(story.grid, story.truth, np.ones_like(story.came), story.chains, story.reads)
    outcome, _ = told(complete)
    assert (outcome.values[0] == story.truth).all()
    assert (outcome.method == Method.MEASURED).all()


def test_clipping_what_contradicts_a_register_breaks_the_law(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = grid_of(CHICAGO, FIRSTS[2], FIRSTS[2] + timedelta(days=1), 900)
    truth = np.full(grid.columns, 100)
    came = np.ones(grid.columns, bool)
    came[20:60] = False
    one = np.ones(1, np.int64)
    ends = grid.edge_s[grid.day_at]
    chains = Chains(one * 0, one * int(ends[0]), one * int(ends[-1]), one * CAPACITY, one, one, one * LIMIT_W)
    reads = Reads(np.zeros(3, np.int64), ends, np.array([0, 9_600, 19_200]), np.zeros(3, bool))
    story = Story(grid, truth, came, chains, reads)
    check(story)
    monkeypatch.setattr(scale_module, "apportion_within", lambda *columns: columns[1] // 512)
    with pytest.raises(AssertionError):
        check(story)
