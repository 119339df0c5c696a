"""Usage that no account answers for: days on which a place used energy and the registry names no account. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import numpy as np

from openami.contracts.day import day_from_number, day_number
from openami.contracts.reading import uuids_of
from openami.mdm.ports import DailyTotals
from openami.mdm.vee.grid import BOOLS

MIN_DAY_WH = 100
"""Less in a day is what a meter and a doorbell draw: nobody is looked for."""


@dataclass(frozen=True, slots=True)
class UnbilledUsage:
    """A run of days on which a place used energy for no account.

    Args:
        service_point_id: where.
        first, last: local days, both included.
        days: of them, those with usage.
        usage_wh: how much [Wh].
        estimated: intervals of it that are estimates.
    """

    service_point_id: UUID
    first: date
    last: date
    days: int
    usage_wh: int
    estimated: int


def unbilled_usage(
    totals: DailyTotals, points: Sequence[UUID], has_account: BOOLS, first: date, *, min_day_wh: int = MIN_DAY_WH
) -> list[UnbilledUsage]:
    """Return runs of days without an account and with usage, the most energy first.

    Args:
        totals: of delivered energy by place and day.
        points: S service points, the rows of ``has_account``.
        has_account: (S, D) an account holds the service for part of the day at least.
        first: the calendar day of column 0.
        min_day_wh: days below are no usage [Wh].
    """
    row_of = {p: r for r, p in enumerate(points)}
    shape = has_account.shape
    usage, estimated = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    base = day_number(first)
    for index, point in enumerate(uuids_of(totals.service_point_id)):
        row, day = row_of.get(point), int(totals.local_day[index]) - base
        if row is not None and 0 <= day < shape[1]:
            usage[row, day], estimated[row, day] = totals.total[index], totals.estimated[index]
    found = []
    for row, lo, hi in _runs(~has_account):
        used = usage[row, lo:hi]
        counted = used >= min_day_wh
        if not counted.any():
            continue
        at = np.flatnonzero(counted)
        found.append(
            UnbilledUsage(
                points[row], day_from_number(base + lo + int(at[0])), day_from_number(base + lo + int(at[-1])),
                int(counted.sum()), int(used[counted].sum()), int(estimated[row, lo:hi][counted].sum()),
            )
        )  # fmt: skip
    return sorted(found, key=lambda u: (-u.usage_wh, u.service_point_id))


def _runs(mask: BOOLS) -> Iterator[tuple[int, int, int]]:
    """Yield (row, lo, hi) of each run of true cells."""
    padded = np.zeros((mask.shape[0], mask.shape[1] + 2), np.int8)
    padded[:, 1:-1] = mask
    step = np.diff(padded, axis=1)
    row, lo = np.nonzero(step == 1)
    hi = np.nonzero(step == -1)[1]
    yield from zip(row.tolist(), lo.tolist(), hi.tolist(), strict=True)
