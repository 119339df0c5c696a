"""The kernel: from raw matrices and brackets to validated matrices and statements about them.

Every cell of the result is measured, estimated and flagged with its method and band, proved zero by the meter, or
missing by name. What the registers say and the good values cannot both be true for is raised as a residual in a
``sum_check`` statement, never clipped away: sum of cells + residual == register difference, bracket by bracket.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from openami.mdm.vee.brackets import Brackets
from openami.mdm.vee.decided import Decided
from openami.mdm.vee.estimate import DEFAULT_ORDER, NO_REFERENCES, References, Step
from openami.mdm.vee.fill import fill
from openami.mdm.vee.grid import I64, Grid
from openami.mdm.vee.matrix import Matrix
from openami.mdm.vee.outcome import Coverage, Outcome
from openami.mdm.vee.rounding import allow_rounding
from openami.mdm.vee.rules.judge import judge, strictness_of
from openami.mdm.vee.rules.rule import ChannelGroup, group_of
from openami.mdm.vee.rules.screen import believed, measured
from openami.mdm.vee.rules.seen import Seen, Surroundings, seen_of
from openami.mdm.vee.rules.sums import check_sums
from openami.mdm.vee.ruleset import RuleBook


def validated(
    grid: Grid,
    matrix: Matrix,
    *,
    coverage: Coverage,
    brackets: Brackets,
    limit: I64,
    is_energy: bool = True,
    with_like_days: bool = True,
    decided: Decided | None = None,
    references: References = NO_REFERENCES,
    method_order: Sequence[Step] = DEFAULT_ORDER,
    around: Surroundings | None = None,
    book: RuleBook | None = None,
) -> Outcome:
    """Validate and, for energy, estimate.

    Args:
        grid: the columns.
        matrix: raw readings.
        coverage: where a meter hung.
        brackets: what the registers know; none for voltage.
        limit: (S,) the most an interval can hold, counts after the multiplier.
        is_energy: False for an average such as voltage, which is never estimated.
        with_like_days: False where a longer gap is looked at again in a wider window anyway.
        decided: what people decided about cells; None for nothing.
        references: what estimates may refer to beside the series.
        method_order: methods of estimation, first to last.
        around: what is known besides: the channel, the days before, other channels, the place.
        book: which rules hold when; None for those that the package ships.
    """
    around, book = around or Surroundings(), book or RuleBook()
    outcome, known = filled(
        grid, matrix, coverage=coverage, brackets=brackets, limit=limit, group=group_of(around.channel), book=book,
        is_energy=is_energy, with_like_days=with_like_days, decided=decided, references=references,
        method_order=method_order,
    )  # fmt: skip
    judged(grid, matrix, outcome, coverage=coverage, brackets=known, limit=limit, around=around, book=book)
    if decided is not None:
        decided.settle(outcome)
    return outcome


def filled(
    grid: Grid,
    matrix: Matrix,
    *,
    coverage: Coverage,
    brackets: Brackets,
    limit: I64,
    group: ChannelGroup,
    book: RuleBook,
    is_energy: bool = True,
    with_like_days: bool = True,
    decided: Decided | None = None,
    references: References = NO_REFERENCES,
    method_order: Sequence[Step] = DEFAULT_ORDER,
) -> tuple[Outcome, Brackets]:
    """Return what is measured and estimated before any rule is asked, and the brackets as they were understood.

    See :func:`validated` for the arguments; ``group`` says whose rules of screening hold.
    """
    good = believed(matrix, coverage, limit, strictness_of(grid, group, book))
    values = np.where(good, matrix.values, 0)
    quality, method = measured(matrix, good, values)
    if decided is not None:
        good = decided.apply(matrix, coverage, good, values, quality, method)
    outcome = Outcome(values, quality, method, values.copy(), values.copy(), matrix.present & ~good, [])
    if is_energy:
        brackets = allow_rounding(brackets.at_edges(grid, values, good, limit), values, good)
        check_sums(outcome, good, brackets, coverage)
        missing = coverage.touched & ~good
        if missing.any():
            fill(
                grid, matrix, outcome, good, missing, brackets, limit,
                with_like_days=with_like_days, references=references, method_order=method_order,
            )  # fmt: skip
    return outcome, brackets


def judged(
    grid: Grid,
    matrix: Matrix,
    outcome: Outcome,
    *,
    coverage: Coverage,
    brackets: Brackets,
    limit: I64,
    around: Surroundings,
    book: RuleBook,
) -> Seen:
    """Ask the rules about an outcome: its statements become theirs, and cells that fail are questioned.

    Returns:
        What the rules saw: with it come digests of the days, made before the rules questioned any cell.
    """
    wanted = np.ones((len(outcome.values), grid.days), bool) if around.wanted is None else around.wanted
    seen = seen_of(grid, matrix, coverage, brackets, limit, outcome, around, wanted)
    # Rules see the sums that the kernel raised; what they say of them takes their place.
    outcome.statements[:] = judge(seen, book, wanted)
    return seen
