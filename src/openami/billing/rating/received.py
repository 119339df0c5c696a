"""Received energy of a bill: what counts by the rate's export terms and the approvals, by price and export price.

Energy received on a day without an approved interconnection counts for nothing and is said. Where a rate nets by the
hour, each hour of the wall clock keeps its net alone, on its first interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from openami.billing.rating.calendar import KEY_STRIDE, DayRate, LocalTimes
from openami.billing.rating.terms import BillTerms
from openami.billing.rating.usage import I64, BillSpan
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.export import ExportTerms, Netting
from openami.billing.tariff.model import RateSchedule
from openami.kernel.time import HOUR_S

_EPOCH_ORDINAL = 719_163
NOT_APPROVED = -1
NO_TERMS = -2
ExportKey = tuple[int, int, int]
"""Price version, price period, and how many of the export price's dates have passed."""


@dataclass(frozen=True, slots=True)
class FoundReceived:
    """The received energy of a bill that a rate with export terms looks at.

    Args:
        credited_wh: what counts, by (version, price period, export price's date).
        uncredited_wh: what was received on days without an approval.
        uncredited_days: those days.
    """

    credited_wh: Mapping[ExportKey, int] = field(default_factory=dict)
    uncredited_wh: int = 0
    uncredited_days: tuple[date, ...] = ()


def export_day(terms: ExportTerms | None, day: date, bill: BillTerms) -> int:
    """Return the index of a day's export price: how many price dates have passed by then.

    Returns:
        ``NO_TERMS`` where the rate has no export terms, ``NOT_APPROVED`` where no approved interconnection counts.
    """
    if terms is None:
        return NO_TERMS
    if terms.needs_interconnection and not any(
        a.first <= day
        and (a.end is None or day < a.end)
        and (terms.largest_w is None or a.capacity_w <= terms.largest_w)
        for a in bill.approved_w
    ):
        return NOT_APPROVED
    return sum(d <= day for d in terms.price_dates)


def has_export(schedule: RateSchedule, rates: list[DayRate]) -> bool:
    """Tell whether some day of a bill has export terms."""
    return any(schedule.versions[v].export is not None for v in {r.version for r in rates})


def received_of(
    schedule: RateSchedule,
    span: BillSpan,
    rates: list[DayRate],
    bill: BillTerms,
    *,
    interval_s: int,
    times: LocalTimes,
    key: I64,
    wh: I64,
    received_wh: I64,
) -> tuple[FoundReceived, I64]:
    """Return a bill's received energy that counts, and its delivered energy by interval as it is charged.

    Args:
        schedule: the rate.
        span: the bill's days.
        rates: how each day is priced.
        bill: approvals.
        interval_s: [s].
        times: (n,) wall times of the bill's intervals.
        key: (n,) price keys.
        wh: (n,) delivered energy.
        received_wh: (n,) received energy.

    Raises:
        TariffError: hours are netted and an hour is no whole number of intervals, or crosses a price period's edge.
    """
    day = times.day - (span.first.toordinal() - _EPOCH_ORDINAL)
    epochs = np.array(
        [
            export_day(schedule.versions[r.version].export, span.first + timedelta(days=n), bill)
            for n, r in enumerate(rates)
        ],
        dtype=np.int64,
    )
    epoch = epochs[day]
    lost = received_wh * (epoch == NOT_APPROVED)
    counted = received_wh * (epoch >= 0)
    lost_days = np.unique(day[lost > 0]).tolist()
    hourly = np.array([_nets_by_hour(schedule, r) for r in rates])[day]
    if hourly.any():
        wh, counted = _by_hour(schedule, interval_s, times, key, wh, counted, hourly)
    credited: dict[ExportKey, int] = {}
    mine = counted > 0
    for joined in np.unique(np.stack([key[mine], epoch[mine]]), axis=1).T.tolist():
        rows = mine & (key == joined[0]) & (epoch == joined[1])
        version, period = divmod(joined[0], KEY_STRIDE)
        credited[version, period, joined[1]] = int(counted[rows].sum())
    days = tuple(span.first + timedelta(days=n) for n in lost_days)
    return FoundReceived(credited, int(lost.sum()), days), wh


def check_hours(schedule: RateSchedule, interval_s: int) -> None:
    """Refuse to net by the hour what is not measured in parts of an hour.

    Raises:
        TariffError: an hour is no whole number of intervals.
    """
    if HOUR_S % interval_s:
        raise TariffError(
            f"{schedule.code}.export.netting", f"intervals of {interval_s} s do not fill an hour; net by register"
        )


def _nets_by_hour(schedule: RateSchedule, rate: DayRate) -> bool:
    terms = schedule.versions[rate.version].export
    return terms is not None and terms.netting is Netting.HOUR


def _by_hour(
    schedule: RateSchedule,
    interval_s: int,
    times: LocalTimes,
    key: I64,
    wh: I64,
    received_wh: I64,
    hourly: npt.NDArray[np.bool_],
) -> tuple[I64, I64]:
    check_hours(schedule, interval_s)
    rows = np.flatnonzero(hourly)
    wall_hour = times.day[rows] * 24 + times.minute[rows] // 60
    fresh = (np.diff(wall_hour) != 0) | (np.diff(times.offset_s[rows]) != 0)
    heads = np.concatenate([np.zeros(1, np.int64), np.flatnonzero(fresh) + 1])
    hour_key = key[rows]
    crossing = np.flatnonzero(np.maximum.reduceat(hour_key, heads) != np.minimum.reduceat(hour_key, heads))
    if len(crossing):
        minute = int(times.minute[rows[heads[crossing[0]]]])
        raise TariffError(
            f"{schedule.code}.export.netting",
            f"the hour of {minute // 60:02}:00 has two price periods, so its net has no one price; net by register",
        )
    net = np.add.reduceat(wh[rows] - received_wh[rows], heads)
    charged, sent = wh.copy(), received_wh.copy()
    charged[rows], sent[rows] = 0, 0
    charged[rows[heads]], sent[rows[heads]] = np.maximum(net, 0), np.maximum(-net, 0)
    return charged, sent
