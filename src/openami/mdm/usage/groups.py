"""Usage of groups of places: transformers, feeders, bill groups, or each place by itself, over any span.

A place belongs to a group for a time (it may change its transformer), and only its intervals of that time count there.
Places are read some hundreds at a time, so a feeder of any size needs the memory of a few.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from openami.contracts.channel import Channel
from openami.kernel.time import Period, instant_from_epoch_s
from openami.mdm.usage.aggregate import Buckets, Grain, buckets_of, sums_of
from openami.mdm.vee.grid import I64
from openami.security.access.scope import Scope

POINTS_AT_ONCE = 400
DAYS_AT_ONCE = 31


class Matrix(Protocol):
    """Validated intervals of places on one grid: see :class:`~openami.mdm.api.UsageMatrix`."""

    @property
    def service_points(self) -> tuple[UUID, ...]: ...  # noqa: D102
    @property
    def zone(self) -> ZoneInfo: ...  # noqa: D102
    @property
    def interval_s(self) -> int: ...  # noqa: D102
    @property
    def start_s(self) -> I64: ...  # noqa: D102
    @property
    def day_at(self) -> I64: ...  # noqa: D102
    @property
    def values(self) -> I64: ...  # noqa: D102
    @property
    def quality(self) -> npt.NDArray[np.uint8]: ...  # noqa: D102


class Matrices(Protocol):
    """Where validated intervals come from: the face of the room."""

    async def matrix(
        self,
        scope: Scope,
        service_points: Sequence[UUID],
        channel: Channel,
        first: date,
        last: date,
        *,
        as_known_at: datetime | None = None,
    ) -> Sequence[Matrix]:
        """Return the matrices of some places."""
        ...


@dataclass(frozen=True, slots=True)
class Member:
    """A place in a group for a time; ``sign`` -1 subtracts it (a virtual channel of a group)."""

    service_point_id: UUID
    group: str
    period: Period
    sign: int = 1


@dataclass(frozen=True, slots=True)
class GroupUsage:
    """What a group used in a span.

    Args:
        group: its name.
        start, end: the span.
        total: counts of the channel's unit, estimated ones included, missing ones not.
        estimated: counts that are estimated.
        intervals: intervals expected of all its places; of them ``estimated_intervals`` and ``missing``.
        size, size_estimated: magnitudes, for the share where a net channel has both signs.
    """

    group: str
    start: datetime
    end: datetime
    total: int
    estimated: int
    intervals: int
    estimated_intervals: int
    missing: int
    size: int
    size_estimated: int

    @property
    def estimated_share(self) -> float:
        """Share of the energy that is estimated, 0 to 1; of the intervals where there is no energy."""
        if self.size:
            return self.size_estimated / self.size
        return self.estimated_intervals / max(self.intervals, 1)

    @property
    def missing_share(self) -> float:
        """Share of the intervals without a value, 0 to 1."""
        return self.missing / max(self.intervals, 1)

    def plus(self, other: GroupUsage) -> GroupUsage:
        """Return the sum of two parts of one group and span."""
        counts = ("total", "estimated", "intervals", "estimated_intervals", "missing", "size", "size_estimated")
        return replace(self, **{name: getattr(self, name) + getattr(other, name) for name in counts})


@dataclass(frozen=True, slots=True)
class Span:
    """What is asked: local days from first to last (both included), how they are cut, and what was known when."""

    channel: Channel
    first: date
    last: date
    grain: Grain = Grain.DAY
    periods: tuple[Period, ...] = ()
    as_known_at: datetime | None = None


async def group_usage(data: Matrices, scope: Scope, members: Sequence[Member], span: Span) -> list[GroupUsage]:
    """Return what each group used, by (group, start). A place without any version in the span adds nothing.

    Raises:
        ScopeError: a place outside the scope.
        StoreError: the store refused or did not answer.
    """
    found: dict[tuple[str, datetime, datetime], GroupUsage] = {}
    by_point: dict[UUID, list[Member]] = defaultdict(list)
    for member in members:
        by_point[member.service_point_id].append(member)
    points = sorted(by_point)
    for piece in _pieces(span):
        for at in range(0, len(points), POINTS_AT_ONCE):
            chosen = points[at : at + POINTS_AT_ONCE]
            matrices = await data.matrix(
                scope, chosen, span.channel, piece.first, piece.last, as_known_at=span.as_known_at
            )
            for matrix in matrices:
                for usage in _of_matrix(matrix, by_point, piece):
                    key = (usage.group, usage.start, usage.end)
                    found[key] = found[key].plus(usage) if key in found else usage
    return [found[key] for key in sorted(found)]


def _pieces(span: Span) -> Iterator[Span]:
    """Cut what is asked into whole months, so that days, months and hours stay whole; periods add up over pieces."""
    first = span.first
    while first <= span.last:
        turn = (first.replace(day=1) + timedelta(days=DAYS_AT_ONCE)).replace(day=1)
        last = min(span.last, turn - timedelta(days=1))
        yield replace(span, first=first, last=last)
        first = last + timedelta(days=1)


def _of_matrix(matrix: Matrix, by_point: Mapping[UUID, list[Member]], span: Span) -> Iterator[GroupUsage]:
    rows = [(row, m) for row, point in enumerate(matrix.service_points) for m in by_point[point]]
    names = sorted({m.group for _, m in rows})
    number = {name: n for n, name in enumerate(names)}
    place = np.array([row for row, _ in rows])
    inside = np.zeros((len(rows), len(matrix.start_s)), bool)
    for at, (_, member) in enumerate(rows):
        lo, hi = np.searchsorted(matrix.start_s, [member.period.start_s, member.period.end_s])
        inside[at, lo:hi] = True
    sign = np.array([m.sign for _, m in rows], np.int64)[:, None]
    buckets = _buckets(matrix, span)
    sums = sums_of(
        sign * matrix.values[place], matrix.quality[place], inside,
        np.array([number[m.group] for _, m in rows]), len(names), buckets,
    )  # fmt: skip
    for g, b in zip(*np.nonzero(sums.intervals), strict=True):
        yield GroupUsage(
            group=names[g],
            start=instant_from_epoch_s(int(buckets.start_s[b])),
            end=instant_from_epoch_s(int(buckets.end_s[b])),
            total=int(sums.total[g, b]),
            estimated=int(sums.estimated[g, b]),
            intervals=int(sums.intervals[g, b]),
            estimated_intervals=int(sums.estimated_intervals[g, b]),
            missing=int(sums.missing[g, b]),
            size=int(sums.size[g, b]),
            size_estimated=int(sums.size_estimated[g, b]),
        )


def _buckets(matrix: Matrix, span: Span) -> Buckets:
    days = [span.first + timedelta(days=d) for d in range(len(matrix.day_at) - 1)]
    return buckets_of(
        matrix.start_s, matrix.day_at, matrix.interval_s, span.grain,
        months=[d.year * 12 + d.month for d in days], periods=span.periods,
    )  # fmt: skip
