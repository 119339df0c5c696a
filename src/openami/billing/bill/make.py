"""Make bills of many service points of one rate from validated days: pure, on a matrix.

A day without a version, or an interval without a value, holds the bill with its reason; nothing is guessed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from openami.billing.bill.record import Bill, BillState, KeptLine, bill_id_of
from openami.billing.rating.calendar import KEY_STRIDE
from openami.billing.rating.determinant import Determinants, determinants
from openami.billing.rating.fleet import fleet_determinants, price_index
from openami.billing.rating.line import RatedBill
from openami.billing.rating.rate import rate
from openami.billing.rating.usage import I64, BillSpan, Usage
from openami.billing.tariff.model import RateSchedule
from openami.billing.tariff.price import BlockScope
from openami.contracts.quality import QualityState


@dataclass(frozen=True, slots=True, eq=False)
class FleetUsage:
    """Validated intervals of service points over the days of one bill span.

    Args:
        service_points: S ids, the order of the rows.
        start_s: (N,) interval starts of the span.
        interval_s: [s].
        wh: (S, N) delivered energy.
        quality: (S, N) :class:`~openami.contracts.quality.QualityState`.
        received_wh: (S,) energy received in the span.
        versions: (S, D) version of each day; 0 where there is none.
    """

    service_points: tuple[UUID, ...]
    start_s: I64
    interval_s: int
    wh: I64
    quality: npt.NDArray[np.uint8]
    received_wh: I64
    versions: I64


@dataclass(frozen=True, slots=True)
class Reads:
    """Registers at the two midnights of a bill, by service point [Wh]."""

    begin: Mapping[UUID, int]
    end: Mapping[UUID, int]


def make_bills(
    schedule: RateSchedule, usage: FleetUsage, span: BillSpan, zone: ZoneInfo, *, reads: Reads, now: datetime
) -> list[Bill]:
    """Return one bill for each service point: issued, or held with the reason.

    Raises:
        TariffError: the rate cannot price the span; nothing of it can be billed.
    """
    all_found = determinants_of(schedule, usage, span, zone)
    bills = []
    for row, point in enumerate(usage.service_points):
        reason = hold_reason(usage, row, span)
        rated = None if reason else rate(schedule, all_found[row])
        bills.append(_bill(schedule, usage, row, point, span, zone, rated, reason, reads, now))
    return bills


def held_bill(
    schedule: RateSchedule,
    point: UUID,
    span: BillSpan,
    zone: ZoneInfo,
    *,
    reason: str,
    now: datetime,
    versions: Sequence[int] = (),
) -> Bill:
    """Return a bill that cannot be made yet."""
    return Bill(
        bill_id=bill_id_of(point, span.first, 1), service_point_id=point, span=span, zone=zone.key,
        rate_code=schedule.code, rate_name=schedule.name, currency=schedule.currency, state=BillState.HELD,
        day_versions=tuple(versions) or (0,) * span.days, made_at=now, hold_reason=reason,
    )  # fmt: skip


def determinants_of(schedule: RateSchedule, usage: FleetUsage, span: BillSpan, zone: ZoneInfo) -> list[Determinants]:
    """Return the determinants of each service point, in the order of the rows.

    Raises:
        TariffError: the rate has no version for the span, or an interval crosses a price period.
    """
    estimated = usage.quality == QualityState.ESTIMATED
    if any(v.demand or v.scope is BlockScope.RUNNING for v in schedule.versions):
        one_by_one = (
            determinants(schedule, Usage(usage.start_s, wh, usage.interval_s, flags), [span], zone)[0]
            for wh, flags in zip(np.maximum(usage.wh, 0), estimated, strict=True)
        )
        return [replace(d, received_wh=int(r)) for d, r in zip(one_by_one, usage.received_wh, strict=True)]
    index = price_index(schedule, usage.start_s, usage.interval_s, [span], zone)
    found = fleet_determinants(index, usage.wh)
    inside = np.flatnonzero(found.bill == 0)
    keys = [divmod(int(k), KEY_STRIDE) for k in found.key[inside]]
    sums = found.wh[:, inside]
    return [
        Determinants(
            span=span,
            usage_wh=int(sums[row].sum()),
            energy_wh=dict(zip(keys, sums[row].tolist(), strict=True)),
            received_wh=int(usage.received_wh[row]),
            intervals=usage.wh.shape[1],
            expected=usage.wh.shape[1],
            estimated=int(estimated[row].sum()),
            estimated_wh=int(usage.wh[row][estimated[row]].sum()),
        )
        for row in range(len(usage.wh))
    ]


def hold_reason(usage: FleetUsage, row: int, span: BillSpan) -> str:
    """Why the bill waits; empty where it does not."""
    absent = np.flatnonzero(usage.versions[row] == 0)
    if len(absent):
        first = span.first + timedelta(days=int(absent[0]))
        return f"{len(absent)} of {span.days} days have no validated readings, the first is {first}"
    missing = int((usage.quality[row] == QualityState.MISSING).sum())
    if missing:
        return f"{missing} intervals have no value and none could be estimated"
    if int(usage.wh[row].min(initial=0)) < 0:
        return "an interval of delivered energy is negative"
    return ""


def _bill(
    schedule: RateSchedule,
    usage: FleetUsage,
    row: int,
    point: UUID,
    span: BillSpan,
    zone: ZoneInfo,
    rated: RatedBill | None,
    reason: str,
    reads: Reads,
    now: datetime,
) -> Bill:
    versions = usage.versions[row]
    if rated is None:
        return held_bill(schedule, point, span, zone, reason=reason, now=now, versions=versions.tolist())
    return Bill(
        bill_id=bill_id_of(point, span.first, 1),
        service_point_id=point,
        span=span,
        zone=zone.key,
        rate_code=schedule.code,
        rate_name=schedule.name,
        currency=schedule.currency,
        state=BillState.ISSUED,
        day_versions=tuple(versions.tolist()),
        made_at=now,
        issued_at=now,
        begin_register_wh=reads.begin.get(point),
        end_register_wh=reads.end.get(point),
        usage_wh=rated.determinants.usage_wh,
        received_wh=rated.determinants.received_wh,
        estimated_wh=rated.determinants.estimated_wh,
        exact_total=rated.exact_total,
        total=rated.total,
        lines=kept_lines(schedule, rated, versions.tolist()),
    )


def kept_lines(schedule: RateSchedule, rated: RatedBill, versions: Sequence[int]) -> tuple[KeptLine, ...]:
    """Return a bill's lines with what they were computed from."""
    found = rated.determinants
    base: dict[str, int | str | None] = {
        "first_day": rated.span.first.isoformat(),
        "last_day": rated.span.last.isoformat(),
        "lowest_day_version": min(versions, default=0),
        "highest_day_version": max(versions, default=0),
        "intervals": found.intervals,
        "estimated_intervals": found.estimated,
        "estimated_wh": found.estimated_wh,
    }
    lines = []
    for line in rated.lines:
        begins = schedule.versions[line.version].effective_from
        evidence = base | {"price_from": None if begins is None else begins.isoformat()}
        lines.append(
            KeptLine(
                line.kind.value, line.name, line.period, line.tier, line.quantity, line.unit, line.price,
                line.exact_amount, line.amount, evidence,
            )
        )  # fmt: skip
    return tuple(lines)
