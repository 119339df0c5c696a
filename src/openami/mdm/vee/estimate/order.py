"""The order in which methods are tried, as data, and the trying.

The order as shipped: the check meter; the line for one quarter-hour that registers know; the weighted average of the
line and of days like it (where demand is billed, the shape of one day); the line to two hours; like days; the class
profile. What nothing speaks for keeps method NONE, and only a register can fill it. A re-read goes before all of them
and is no method: the estimate stands until the reading comes, and then it is replaced.

Source: CPUC D.98-12-080 Attachment VEE, estimation, for the order; research note on VEE, 1.2 and 3, for the lengths.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from openami.contracts.quality import Method
from openami.kernel.errors import MisuseError
from openami.mdm.vee.estimate.cells import CELLS_AT_ONCE, F64, Estimate, starts_of
from openami.mdm.vee.estimate.days import alike_days
from openami.mdm.vee.estimate.donor import donor
from openami.mdm.vee.estimate.elsewhere import check_meter, class_profile
from openami.mdm.vee.estimate.left import left_for
from openami.mdm.vee.estimate.like_days import like_days
from openami.mdm.vee.estimate.linear import linear
from openami.mdm.vee.estimate.references import References
from openami.mdm.vee.estimate.weighted import weighted
from openami.mdm.vee.grid import BOOLS, I64, Grid

_LONGEST_S = 366 * 86_400
_WITH_DAYS = frozenset({Method.WEIGHTED, Method.LIKE_DAYS})


@dataclass(frozen=True, slots=True)
class Step:
    """One method, for gaps up to a length [s], and perhaps only where registers know the energy."""

    method: Method
    max_gap_s: int = _LONGEST_S
    needs_register: bool = False


STEPS = frozenset({Method.CHECK_METER, Method.LINEAR, Method.WEIGHTED, Method.LIKE_DAYS, Method.CLASS_PROFILE})
"""Methods that may stand in an order. DONOR takes the place of WEIGHTED where demand is billed."""
DEFAULT_ORDER: tuple[Step, ...] = (
    Step(Method.CHECK_METER),
    Step(Method.LINEAR, 900, needs_register=True),
    Step(Method.WEIGHTED),
    Step(Method.LINEAR, 7_200),
    Step(Method.LIKE_DAYS),
    Step(Method.CLASS_PROFILE),
)


def parse_order(rows: Iterable[object]) -> tuple[Step, ...]:
    """Return an order from rows ``{"method": name, "max_gap_s": seconds}`` of a configuration.

    For the line, ``needs_register`` may be true: then it fills only what registers scale.

    Raises:
        MisuseError: a row is no step; says which.

    >>> parse_order([{"method": "linear", "max_gap_s": 7200}])
    (Step(method=<Method.LINEAR: 1>, max_gap_s=7200, needs_register=False),)
    """
    order = []
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict) or not set(row) <= {"method", "max_gap_s", "needs_register"}:
            raise MisuseError(f"step {number} of the order of methods: give method, perhaps max_gap_s, needs_register")
        name, most = str(row.get("method")), row.get("max_gap_s", _LONGEST_S)
        if name.upper() not in {m.name for m in STEPS}:
            names = ", ".join(sorted(m.name.lower() for m in STEPS))
            raise MisuseError(f"step {number} of the order of methods: {name!r} is none of {names}")
        if not isinstance(most, int) or isinstance(most, bool) or not 0 < most <= _LONGEST_S:
            raise MisuseError(f"step {number} of the order of methods: max_gap_s is 1 to {_LONGEST_S} seconds")
        needs = row.get("needs_register", False)
        if not isinstance(needs, bool) or (needs and name.upper() != Method.LINEAR.name):
            raise MisuseError(f"step {number} of the order of methods: needs_register is true or false, for linear")
        order.append(Step(Method[name.upper()], most, needs))
    return tuple(order)


def estimated(
    grid: Grid,
    values: I64,
    good: BOOLS,
    cells: Estimate,
    *,
    energy: F64,
    failed_day: BOOLS,
    references: References,
    order: Sequence[Step] = DEFAULT_ORDER,
    with_like_days: bool = True,
) -> None:
    """Estimate each cell from good ones, in place.

    Args:
        grid: the columns.
        values: (S, N) counts.
        good: (S, N) cells that may be used.
        cells: what is missing.
        energy: (B,) counts that the registers of each bracket leave for its cells; NaN where they cannot say.
        failed_day: (S, D) days with a power failure: no reference days.
        references: what else there is.
        order: methods to try, first to last.
        with_like_days: False where longer gaps are looked at again in a wider window: they stay open.
    """
    if not len(cells.row):
        return
    for step in order:
        if step.method in _WITH_DAYS and not with_like_days:
            return
        match step.method:
            case Method.CHECK_METER if references.check is not None:
                check_meter(references.check, cells)
            case Method.LINEAR:
                linear(grid, values, good, cells, max_gap_s=step.max_gap_s, needs_register=step.needs_register)
            case Method.WEIGHTED:
                _fill_from_days(grid, values, good, cells, energy=energy, failed_day=failed_day, references=references)
            case Method.LIKE_DAYS:
                kinds = references.kinds(grid, len(values))
                like_days(grid, values, good, cells, day_kind=kinds, failed_day=failed_day)
            case Method.CLASS_PROFILE if references.profile is not None:
                class_profile(references.profile, cells, is_level=references.is_profile_level)
            case _:
                pass


def _fill_from_days(
    grid: Grid,
    values: I64,
    good: BOOLS,
    cells: Estimate,
    *,
    energy: F64,
    failed_day: BOOLS,
    references: References,
) -> None:
    """Fill open gaps from the days before, some at a time."""
    left = left_for(grid, values, good, cells, energy, failed_day=failed_day)
    kinds = references.kinds(grid, len(values))
    for piece in _pieces(cells):
        part = cells.cut(piece)
        days = alike_days(grid, values, good, part, energy=left[piece], day_kind=kinds, failed_day=failed_day)
        if references.is_demand_billed is not None:
            donor(part, days, wanted=references.is_demand_billed[part.row])
        weighted(grid, values, good, part, days)
        cells.put(piece, part)


def _pieces(cells: Estimate) -> Iterator[I64]:
    """Yield the cells of gaps that are open somewhere, whole gaps together, about as many as fit in memory."""
    is_open = np.bincount(cells.gap, weights=cells.method == Method.NONE) > 0
    wanted = np.flatnonzero(is_open[cells.gap])
    if not len(wanted):
        return
    gap = cells.gap[wanted]
    edges = starts_of(gap)
    cuts = np.searchsorted(edges, np.arange(CELLS_AT_ONCE, len(wanted), CELLS_AT_ONCE))
    bounds = np.unique(np.append(edges[np.minimum(cuts, len(edges) - 1)], [0, len(wanted)]))
    for lo, hi in pairwise(bounds.tolist()):
        yield wanted[lo:hi]
