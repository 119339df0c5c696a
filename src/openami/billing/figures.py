"""What a bill is made of, for whoever makes it: billing determinants of service points over local days, without prices.

Where the rate is one of ours, energy by price period and peaks by demand period; where it is not, totals and the
highest demand. A span that cannot be billed says why and has no figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np

from openami.billing.bill.fleet_usage import FleetUsage, determinants_of, hold_reason
from openami.billing.bill.making import fleet_usage
from openami.billing.rating.determinant import Determinants
from openami.billing.rating.usage import BillSpan
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import RateSchedule
from openami.contracts.quality import QualityState
from openami.kernel.time import HOUR_S, instant_from_epoch_s
from openami.mdm.api import MeterData
from openami.security.access.scope import Scope

_SURE = [QualityState.ACTUAL, QualityState.VERIFIED, QualityState.OUTAGE_ZERO, QualityState.EDITED]


@dataclass(frozen=True, slots=True)
class Quantity:
    """One determinant.

    Args:
        name: ``delivered``, ``received``, ``demand``, or a demand charge's name.
        period: price or demand period; empty for the whole span.
        quantity: how much, whole.
        unit: ``Wh`` or ``W``.
        at: when a demand began; None for energy.
    """

    name: str
    period: str
    quantity: int
    unit: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """What one bill would be made of.

    Args:
        service_point_id: where.
        span: local days.
        rate_code: the rate whose periods are used; empty where none of ours is assigned.
        reason: why it cannot be billed; empty where it can.
        estimated_wh: energy that was estimated.
        intervals, estimated: how many, and how many of them are estimates.
        lowest_version, highest_version: of the days it stands on.
        quantities: none where it cannot be billed.
    """

    service_point_id: UUID
    span: BillSpan
    rate_code: str
    reason: str
    estimated_wh: int = 0
    intervals: int = 0
    estimated: int = 0
    lowest_version: int = 0
    highest_version: int = 0
    quantities: tuple[Quantity, ...] = ()


async def figures_of(
    meters: MeterData,
    scope: Scope,
    rates: Mapping[UUID, RateSchedule],
    points: Sequence[UUID],
    span: BillSpan,
    zone: ZoneInfo,
) -> list[Figures]:
    """Return the figures of service points of one zone, in their order.

    Args:
        meters: validated usage.
        scope: of whoever asks.
        rates: the rate of each service point; absent where it has none of ours.
        points: whose.
        span: local days.
        zone: of the points.
    """
    found: dict[UUID, Figures] = {}
    for whole in await fleet_usage(meters, scope, points, span):
        codes: dict[str, list[int]] = {}
        for row, point in enumerate(whole.service_points):
            codes.setdefault(rates[point].code if point in rates else "", []).append(row)
        for code, rows in codes.items():
            usage = whole.part(rows)
            schedule = rates[usage.service_points[0]] if code else None
            found |= {f.service_point_id: f for f in _figures(usage, schedule, span, zone)}
    nothing = f"none of {span.days} days has validated readings"
    return [found.get(p) or Figures(p, span, rates[p].code if p in rates else "", nothing) for p in points]


def _figures(usage: FleetUsage, schedule: RateSchedule | None, span: BillSpan, zone: ZoneInfo) -> list[Figures]:
    code = "" if schedule is None else schedule.code
    by_period: list[Determinants] | None = None
    refused = ""
    if schedule is not None:
        try:
            by_period = determinants_of(schedule, usage, span, zone)
        except TariffError as error:
            refused = str(error)
    figures = []
    for row, point in enumerate(usage.service_points):
        waits = hold_reason(usage, row, span)
        reason = waits[1] if waits else refused
        if reason:
            figures.append(Figures(point, span, code, reason))
            continue
        estimated = usage.quality[row] == QualityState.ESTIMATED
        versions = usage.versions[row]
        more = () if by_period is None or schedule is None else _by_period(by_period[row], schedule)
        figures.append(
            Figures(
                point, span, code, "", int(usage.wh[row][estimated].sum()), usage.wh.shape[1], int(estimated.sum()),
                int(versions.min()), int(versions.max()), (*_totals(usage, row), *more),
            )
        )  # fmt: skip
    return figures


def _totals(usage: FleetUsage, row: int) -> list[Quantity]:
    """Return energy both ways and the highest demand of one interval, which no estimate sets."""
    wh = usage.wh[row]
    totals = [
        Quantity("delivered", "", int(wh.sum()), "Wh"),
        Quantity("received", "", int(usage.received_wh[row]), "Wh"),
    ]
    sure = np.isin(usage.quality[row], _SURE)
    if sure.any():
        at = int(np.argmax(np.where(sure, wh, -1)))
        watts = int(wh[at]) * HOUR_S // usage.interval_s
        totals.append(Quantity("demand", "", watts, "W", instant_from_epoch_s(int(usage.start_s[at]))))
    return totals


def _by_period(found: Determinants, schedule: RateSchedule) -> list[Quantity]:
    """Return energy by price period and peaks by demand period, a price change within the span summed over."""
    energy: dict[str, int] = {}
    for (version, period), wh in found.energy_wh.items():
        name = schedule.versions[version].periods[period].name
        energy[name] = energy.get(name, 0) + wh
    rows = [Quantity("delivered", name, wh, "Wh") for name, wh in energy.items()]
    for (version, charge, period), peak in found.peaks.items():
        priced = schedule.versions[version].demand[charge]
        at = instant_from_epoch_s(peak.start_s)
        rows.append(Quantity(priced.name, priced.periods[period].name, peak.watts, "W", at))
    return rows
