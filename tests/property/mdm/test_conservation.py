"""Energy is conserved: intervals plus named residuals equal the register difference, whatever was lost on the way."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.contracts.quality import Method, QualityState, RawQuality
from openami.mdm.vee import apportion as apportion_module
from openami.mdm.vee.apportion import apportion, apportion_within
from openami.mdm.vee.brackets import Brackets, Chains, Reads, brackets_of
from openami.mdm.vee.grid import Grid, grid_of
from openami.mdm.vee.kernel import validated
from openami.mdm.vee.matrix import placed
from openami.mdm.vee.outcome import Coverage, Outcome

CHICAGO = ZoneInfo("America/Chicago")
CAPACITY = 20_000_000
LIMIT_W = 48_000


class History:
    """What meters did at one service point, and what came through. No dataclass: its repr would be a book."""

    def __init__(
        self,
        grid: Grid,
        *,
        truth: np.ndarray,
        came: np.ndarray,
        flags: np.ndarray,
        chains: Chains,
        reads: Reads,
        exchange_s: int | None = None,
    ) -> None:
        self.grid, self.truth, self.came, self.flags = grid, truth, came, flags
        self.chains, self.reads, self.exchange_s = chains, reads, exchange_s

    def is_one_sided(self, lo: int, hi: int) -> bool:
        """Tell whether the exchange lies in the span and only one of the two meters has another read."""
        if self.exchange_s is None or not self.grid.edge_s[lo] <= self.exchange_s <= self.grid.edge_s[hi]:
            return False
        return int(np.bincount(self.reads.chain, minlength=2).min()) < 2

    def __repr__(self) -> str:
        reads = list(zip(*(c.tolist() for c in (self.reads.chain, self.reads.at_s, self.reads.value)), strict=True))
        lost = np.flatnonzero(~self.came).tolist()
        return f"History({self.grid.first}..{self.grid.last}, lost={lost}, reads={reads}, exchange={self.exchange_s})"


@st.composite
def histories(draw: st.DrawFn) -> History:
    first = draw(st.sampled_from([date(2026, 3, 6), date(2026, 10, 30), date(2026, 6, 1)]))
    grid = grid_of(CHICAGO, first, date.fromordinal(first.toordinal() + draw(st.integers(1, 9))), 900)
    dice = np.random.default_rng(draw(st.integers(0, 2**32)))
    truth = dice.integers(0, draw(st.sampled_from([1, 3, 400, 12_000])), grid.columns, endpoint=True)
    came = dice.random(grid.columns) > draw(st.sampled_from([0.0, 0.02, 0.3, 1.0]))
    for _ in range(draw(st.integers(0, 3))):
        lo = draw(st.integers(0, grid.columns - 1))
        came[lo : lo + draw(st.integers(1, 200))] = False
    flags = np.zeros(grid.columns, np.uint16)
    if draw(st.booleans()):
        lo = draw(st.integers(1, grid.columns - 12))
        truth[lo : lo + 8], came[lo : lo + 8] = 0, False
        flags[lo - 1], flags[lo + 8] = RawQuality.POWER_DOWN, RawQuality.POWER_DOWN
    return _metered(draw, grid, dice, truth, came, flags)


def _metered(
    draw: st.DrawFn, grid: Grid, dice: np.random.Generator, truth: np.ndarray, came: np.ndarray, flags: np.ndarray
) -> History:
    """Read the registers at the midnights that came through, and at both sides of an exchange."""
    exchange_s = None
    end_s = int(grid.edge_s[-1])
    if draw(st.booleans()):
        exchange_s = int(grid.edge_s[0]) + draw(st.integers(1, end_s - int(grid.edge_s[0]) - 1))
        held = int(grid.floor_column(np.array([exchange_s]))[0])
        if grid.start_s[held] != exchange_s:
            came[held] = False
    bounds = [int(grid.edge_s[0]), *([exchange_s] if exchange_s else []), end_s]
    rows = []
    for chain, (start, end) in enumerate(pairwise(bounds)):
        base = draw(st.sampled_from([0, CAPACITY - 1, CAPACITY - 40_000, 7_654_321]))
        kept = dice.random(grid.days + 1) > draw(st.sampled_from([0.0, 0.3]))
        for at, keep in zip(grid.edge_s[grid.day_at].tolist(), kept.tolist(), strict=True):
            if start <= at <= end and keep and (at < end or chain == len(bounds) - 2):
                rows.append((chain, at, (base + _used(grid, truth, start, at)) % CAPACITY, False))
        for at, is_end in ((start, start == exchange_s), (end, end == exchange_s)):
            if is_end:
                rows.append((chain, at, (base + _used(grid, truth, start, at)) % CAPACITY, True))
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4)
    count = len(bounds) - 1
    ones = np.ones(count, np.int64)
    chains = Chains(ones * 0, np.array(bounds[:-1]), np.array(bounds[1:]), ones * CAPACITY, ones, ones, ones * LIMIT_W)
    reads = Reads(columns[:, 0], columns[:, 1], columns[:, 2], columns[:, 3].astype(bool))
    return History(grid, truth=truth, came=came, flags=flags, chains=chains, reads=reads, exchange_s=exchange_s)


def _used(grid: Grid, truth: np.ndarray, start: int, at: int) -> int:
    return _cumulated(grid, truth, at) - _cumulated(grid, truth, start)


def _cumulated(grid: Grid, truth: np.ndarray, at: int) -> int:
    """Return the energy until an instant, as a truncating register shows it."""
    done = int(np.searchsorted(grid.edge_s, at, side="right")) - 1
    rest = 0
    if done < grid.columns and at > grid.edge_s[done]:
        rest = int(truth[done]) * (at - int(grid.edge_s[done])) // grid.interval_s
    return int(truth[:done].sum()) + rest


def run(history: History) -> tuple[Outcome, Brackets]:
    grid = history.grid
    index = np.flatnonzero(history.came)
    matrix = placed(
        grid,
        1,
        row=np.zeros(len(index), np.int64),
        start_s=grid.start_s[index],
        value=history.truth[index],
        quality=history.flags[index],
    )
    brackets, faults = brackets_of(grid, history.chains, history.reads)
    assert faults == []
    whole = np.ones((1, grid.columns), bool)
    if history.exchange_s is not None:
        held = int(grid.floor_column(np.array([history.exchange_s]))[0])
        whole[0, held] = grid.start_s[held] == history.exchange_s
    coverage = Coverage(whole, np.ones((1, grid.columns), bool))
    limit = np.array([LIMIT_W // 4])
    return validated(grid, matrix, coverage=coverage, brackets=brackets, limit=limit), brackets


def assert_conserved(outcome: Outcome, brackets: Brackets) -> None:
    residuals = {(s.lo, s.hi): int(s.evidence["residual_wh"]) for s in outcome.statements if s.rule == "sum_check"}
    for b in range(len(brackets.row)):
        lo, hi = int(brackets.lo[b]), int(brackets.hi[b])
        found = int(outcome.values[0, lo:hi].sum()) + residuals.get((lo, hi), 0)
        assert abs(found - int(brackets.energy[b])) <= 1, (lo, hi, found, int(brackets.energy[b]))


@settings(max_examples=150, deadline=None)
@given(histories())
def test_intervals_and_residuals_equal_the_register_difference(history: History) -> None:
    outcome, brackets = run(history)
    assert_conserved(outcome, brackets)
    inside = np.zeros(history.grid.columns, bool)
    for lo, hi in zip(brackets.lo.tolist(), brackets.hi.tolist(), strict=True):
        if not history.is_one_sided(lo, hi):
            assert int(outcome.values[0, lo:hi].sum()) == int(history.truth[lo:hi].sum())
        inside[lo:hi] = True
    # Where registers speak, nothing stays missing; and what was measured is untouched everywhere.
    assert not (outcome.quality[0, inside] == QualityState.MISSING).any()
    measured = outcome.method[0] == Method.MEASURED
    assert (outcome.values[0, measured] == history.truth[measured]).all()
    assert (outcome.values >= 0).all()
    assert (outcome.low <= outcome.values).all()
    assert (outcome.values <= outcome.high).all()


def test_dropping_the_carried_remainder_breaks_the_law(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = grid_of(CHICAGO, date(2026, 6, 1), date(2026, 6, 2), 900)
    truth = np.full(grid.columns, 101)
    came = np.ones(grid.columns, bool)
    came[20:70] = False
    one = np.ones(1, np.int64)
    start, end = int(grid.edge_s[0]), int(grid.edge_s[-1])
    chains = Chains(one * 0, one * start, one * end, one * CAPACITY, one, one, one * LIMIT_W)
    middle = int(grid.edge_s[grid.day_at[1]])
    ats = np.array([start, middle, end])
    total = np.array([0, 96 * 101 + 7, 192 * 101 + 7])
    reads = Reads(np.zeros(3, np.int64), ats, total, np.zeros(3, bool))
    flags = np.zeros(grid.columns, np.uint16)
    history = History(grid, truth=truth, came=came, flags=flags, chains=chains, reads=reads)
    assert_conserved(*run(history))
    monkeypatch.setattr(apportion_module, "_carried", lambda *columns: np.zeros_like(columns[-1]))
    with pytest.raises(AssertionError):
        assert_conserved(*run(history))


@given(
    st.lists(st.tuples(st.integers(0, 10**12), st.lists(st.integers(0, 10**9), min_size=1, max_size=30)), max_size=8)
)
def test_parts_add_up_and_lie_within_one_count_of_their_share(groups: list[tuple[int, list[int]]]) -> None:
    totals = np.array([g[0] for g in groups], dtype=np.int64)
    weights = np.array([w for g in groups for w in g[1]], dtype=np.int64)
    group = np.repeat(np.arange(len(groups)), [len(g[1]) for g in groups])
    parts = apportion(totals, weights, group)
    for index, (total, own) in enumerate(groups):
        mine = parts[group == index]
        assert mine.sum() == total
        if sum(own) and total * max(own) < 2**55:
            shares = [total * w / sum(own) for w in own]
            assert all(abs(p - s) <= 1.001 for p, s in zip(mine.tolist(), shares, strict=True))


@given(
    st.lists(
        st.tuples(
            st.floats(0, 1), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 500)), min_size=1, max_size=30)
        ),
        max_size=6,
    )
)
def test_parts_within_their_most_add_up_wherever_they_can(groups: list[tuple[float, list[tuple[int, int]]]]) -> None:
    most = np.array([m for _, cells in groups for _, m in cells], dtype=np.int64)
    weights = np.array([w for _, cells in groups for w, _ in cells], dtype=np.int64)
    group = np.repeat(np.arange(len(groups)), [len(cells) for _, cells in groups])
    totals = np.array([int(share * sum(m for _, m in cells)) for share, cells in groups], dtype=np.int64)
    parts = apportion_within(totals, weights, group, most)
    assert (parts <= most).all()
    assert (parts >= 0).all()
    assert [int(parts[group == g].sum()) for g in range(len(groups))] == totals.tolist()
