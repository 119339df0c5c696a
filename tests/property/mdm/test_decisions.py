"""Laws of decisions, whatever they are and in whatever order they come."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from openami.contracts.channel import Channel
from openami.kernel.time import Period, instant_from_epoch_s
from openami.mdm.editing.cells import decided_cells
from openami.mdm.editing.decision import UNSEEN, Decision, DecisionKind, Target
from openami.mdm.editing.scale import scaled
from openami.mdm.vee.brackets import Brackets
from openami.mdm.vee.grid import grid_of
from openami.mdm.vee.matrix import Matrix, placed
from openami.mdm.vee.outcome import Coverage

GRID = grid_of(ZoneInfo("America/Chicago"), date(2026, 3, 8), date(2026, 3, 8), 900)
N, PLACE = GRID.columns, UUID(int=1)
AT = datetime(2026, 3, 12, tzinfo=UTC)
WHOLE = Coverage(np.ones((1, N), bool), np.ones((1, N), bool))
KINDS = (DecisionKind.ACCEPT, DecisionKind.REPLACE, DecisionKind.ESTIMATE_AGAIN, DecisionKind.REJECT_RAW)


@st.composite
def readings(draw: st.DrawFn) -> Matrix:
    came = np.array(draw(st.lists(st.booleans(), min_size=N, max_size=N)))
    value = np.array(draw(st.lists(st.integers(-50, 5_000), min_size=N, max_size=N)))
    at = np.flatnonzero(came)
    return placed(
        GRID, 1, row=np.zeros(len(at), np.int64), start_s=GRID.start_s[at], value=value[at],
        quality=np.zeros(len(at), np.uint16),
    )  # fmt: skip


@st.composite
def decisions(draw: st.DrawFn) -> list[Decision]:
    made = []
    for number in range(draw(st.integers(1, 6))):
        lo = draw(st.integers(0, N - 1))
        hi = draw(st.integers(lo + 1, N))
        kind = draw(st.sampled_from(KINDS))
        period = Period(*(instant_from_epoch_s(int(GRID.edge_s[c])) for c in (lo, hi)))
        some = st.integers(0, 4_000) | st.just(UNSEEN)
        seen = tuple(draw(st.lists(some, min_size=hi - lo, max_size=hi - lo))) if draw(st.booleans()) else ()
        values = tuple(range(hi - lo)) if kind is DecisionKind.REPLACE else ()
        target = Target(PLACE, Channel.DELIVERED, period, 900, seen, values)
        at = AT + timedelta(hours=draw(st.integers(0, 3)))
        made.append(Decision(UUID(int=100 + number), kind, (target,), "looked at it", UUID(int=9), at))
    return made


@given(readings(), decisions(), st.integers(0, 99))
def test_the_order_in_which_decisions_are_found_does_not_matter_and_no_cell_is_decided_twice(
    matrix: Matrix, made: list[Decision], seed: int
) -> None:
    shuffled = made.copy()
    Random(seed).shuffle(shuffled)
    first, second = (
        decided_cells(GRID, [PLACE], Channel.DELIVERED, d, matrix=matrix, coverage=WHOLE) for d in (made, shuffled)
    )
    a, b = first[0], second[0]
    assert a is not None
    assert b is not None
    for name in ("accepted", "refused", "replaced", "value"):
        assert np.array_equal(getattr(a, name), getattr(b, name))
    assert set(a.settled) == set(b.settled)
    assert (a.accepted.astype(int) + a.refused + a.replaced <= 1).all()
    assert not (a.accepted & ((matrix.values < 0) | ~matrix.present)).any()
    assert not (a.refused & ~matrix.present).any()


@given(readings(), decisions())
def test_a_decision_that_saw_other_readings_says_nothing_of_these(matrix: Matrix, made: list[Decision]) -> None:
    found, _ = decided_cells(GRID, [PLACE], Channel.DELIVERED, made, matrix=matrix, coverage=WHOLE)
    assert found is not None
    for cell in np.flatnonzero(found.accepted[0] | found.refused[0]).tolist():
        start = instant_from_epoch_s(int(GRID.start_s[cell]))
        speaking = [d for d in made for t in d.targets if t.period.holds(start) and d.kind is not DecisionKind.REPLACE]
        seen = [
            t.seen[(int(GRID.start_s[cell]) - t.period.start_s) // 900] if t.seen else int(matrix.values[0, cell])
            for d in speaking
            for t in d.targets
        ]
        assert int(matrix.values[0, cell]) in seen


@given(readings(), st.integers(1, 40), st.integers(1, 40), st.integers(0, N - 2), st.data())
def test_a_scaled_span_adds_up_to_its_fraction_within_a_count_and_touches_nothing_else(
    matrix: Matrix, numerator: int, denominator: int, lo: int, data: st.DataObject
) -> None:
    if numerator == denominator:
        return
    hi = data.draw(st.integers(lo + 1, N))
    period = Period(*(instant_from_epoch_s(int(GRID.edge_s[c])) for c in (lo, hi)))
    target = Target(PLACE, Channel.DELIVERED, period)
    scale = Decision(
        UUID(int=5), DecisionKind.SCALE, (target,), "a lost element", UUID(int=9), AT, numerator=numerator,
        denominator=denominator,
    )  # fmt: skip
    none = np.zeros(0, np.int64)
    found, _, limit = scaled(
        GRID, [PLACE], Channel.DELIVERED, [scale], matrix=matrix,
        brackets=Brackets(none, none, none, none, none), limit=np.array([5_000]),
    )  # fmt: skip
    exact = int(matrix.values[0, lo:hi].sum()) * numerator / denominator
    assert abs(int(found.values[0, lo:hi].sum()) - exact) < 1
    outside = np.ones(N, bool)
    outside[lo:hi] = False
    assert (found.values[0, outside] == matrix.values[0, outside]).all()
    assert limit[0] >= 5_000


def test_nothing_decided_changes_nothing() -> None:
    matrix = placed(
        GRID, 1, row=np.zeros(N, np.int64), start_s=GRID.start_s, value=np.arange(N), quality=np.zeros(N, np.uint16)
    )
    assert decided_cells(GRID, [PLACE], Channel.DELIVERED, [], matrix=matrix, coverage=WHOLE) == (None, [])
