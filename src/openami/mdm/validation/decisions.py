"""Decisions in force, for one validation run: which places have any, and how what was loaded changes by them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from openami.contracts.channel import Channel
from openami.kernel.time import Period
from openami.mdm.editing.cells import decided_cells
from openami.mdm.editing.decision import MAX_SHIFT_S, Decision
from openami.mdm.editing.ports import DecisionBook
from openami.mdm.editing.scale import scaled
from openami.mdm.validation.load import Inputs
from openami.mdm.vee.grid import Grid
from openami.mdm.vee.outcome import Statement

_REACH = timedelta(seconds=MAX_SHIFT_S)


@dataclass(frozen=True, slots=True)
class Force:
    """What a run must obey. Most places have no decision, and cost one look for the whole run.

    Args:
        book: where decisions are; None for a run without any.
        places: the service points with a decision that may touch the run.
    """

    book: DecisionBook | None = None
    places: frozenset[UUID] = frozenset()

    async def touching(self, points: Sequence[UUID], period: Period) -> list[Decision]:
        """Return the decisions about these points that touch the period, or could by a shift of the clock."""
        asked = self.places.intersection(points)
        if self.book is None or not asked:
            return []
        return await self.book.in_force(asked, Period(period.start - _REACH, period.end + _REACH))


async def force_of(book: DecisionBook | None, points: Collection[UUID] | None, period: Period) -> Force:
    """Return the decisions that a run over a period must obey."""
    if book is None:
        return Force()
    return Force(book, await book.places(points, Period(period.start - _REACH, period.end + _REACH)))


def with_decisions(grid: Grid, inputs: Inputs, channel: Channel, decisions: Sequence[Decision]) -> Inputs:
    """Return inputs with counts scaled, brackets cut and cells decided as people said."""
    if not decisions:
        return inputs
    matrix, brackets, limit = scaled(
        grid, inputs.points, channel, decisions, matrix=inputs.matrix, brackets=inputs.brackets, limit=inputs.limit
    )
    decided, said = decided_cells(grid, inputs.points, channel, decisions, matrix=matrix, coverage=inputs.coverage)
    return replace(inputs, matrix=matrix, brackets=brackets, limit=limit, decided=decided, said=tuple(said))


def unanswered(inputs: Inputs, statements: Sequence[Statement]) -> list[Statement]:
    """Return what rules say that no person has answered, and what decisions themselves have to say."""
    decided = inputs.decided
    if decided is None:
        return list(statements)
    return [s for s in statements if not decided.settles(s.row, s.lo, s.hi, s.rule)] + list(inputs.said)
