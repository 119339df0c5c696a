"""The usage of service points over one bill's days as a matrix, its determinants, and why it cannot be billed. Pure.

A day without a version, or an interval without a value, keeps a bill from being made; nothing is guessed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from openami.billing.bill.hold import HoldCode
from openami.billing.rating.calendar import KEY_STRIDE, day_rates
from openami.billing.rating.determinant import Determinants, determinants
from openami.billing.rating.fleet import fleet_determinants, price_index
from openami.billing.rating.piece import piece_edges
from openami.billing.rating.terms import NO_TERMS, BillTerms
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
        received: (S, N) received energy by interval, for rates that credit it; None where no row has any.
        received_lacks: (S,) how many of those intervals have no value, of rows that measure it.
    """

    service_points: tuple[UUID, ...]
    start_s: I64
    interval_s: int
    wh: I64
    quality: npt.NDArray[np.uint8]
    received_wh: I64
    versions: I64
    received: I64 | None = None
    received_lacks: I64 | None = None

    def part(self, rows: Sequence[int]) -> FleetUsage:
        """Return some rows, in that order."""
        return replace(
            self, service_points=tuple(self.service_points[r] for r in rows), wh=self.wh[rows],
            quality=self.quality[rows], received_wh=self.received_wh[rows], versions=self.versions[rows],
            received=None if self.received is None else self.received[rows],
            received_lacks=None if self.received_lacks is None else self.received_lacks[rows],
        )  # fmt: skip


def determinants_of(
    schedule: RateSchedule, usage: FleetUsage, span: BillSpan, zone: ZoneInfo, terms: Sequence[BillTerms] = ()
) -> list[Determinants]:
    """Return the determinants of each service point, in the order of the rows.

    Args:
        schedule: the rate.
        usage: of the service points.
        span: local days.
        zone: of the service points.
        terms: of each row's bill; none where no bill has any.

    Raises:
        TariffError: the rate has no version for the span, or an interval crosses a price period.
    """
    estimated = usage.quality == QualityState.ESTIMATED
    if not terms:
        terms = (NO_TERMS,) * len(usage.service_points)
    sends = _sends_out(schedule, usage)
    if sends.any() and not sends.all():
        return _by_parts(schedule, usage, span, zone, terms, sends)
    if sends.any() or not _in_columns(schedule, span, terms):
        sent = (None,) * len(usage.wh) if usage.received is None else tuple(np.maximum(usage.received, 0))
        one_by_one = (
            determinants(schedule, Usage(usage.start_s, wh, usage.interval_s, flags, back), [span], zone, own)[0]
            for wh, flags, back, own in zip(np.maximum(usage.wh, 0), estimated, sent, terms, strict=True)
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


def _sends_out(schedule: RateSchedule, usage: FleetUsage) -> npt.NDArray[np.bool_]:
    """Tell which rows sent energy out that the rate may credit: those are looked at interval by interval."""
    if not any(v.export for v in schedule.versions):
        return np.zeros(len(usage.service_points), np.bool_)
    return np.asarray(usage.received_wh > 0, np.bool_)


def _by_parts(
    schedule: RateSchedule,
    usage: FleetUsage,
    span: BillSpan,
    zone: ZoneInfo,
    terms: Sequence[BillTerms],
    sends: npt.NDArray[np.bool_],
) -> list[Determinants]:
    """Return the determinants of rows that send energy out and of those that do not, each by its own road."""
    found: dict[int, Determinants] = {}
    for mask in (sends, ~sends):
        rows = np.flatnonzero(mask).tolist()
        part = determinants_of(schedule, usage.part(rows), span, zone, [terms[r] for r in rows])
        found |= dict(zip(rows, part, strict=True))
    return [found[row] for row in range(len(usage.service_points))]


def _in_columns(schedule: RateSchedule, span: BillSpan, terms: Sequence[BillTerms]) -> bool:
    """Tell whether all rows are priced by one index of days.

    Not where demand, running blocks, events, price series or a rider that changes inside the bill ask for the
    intervals, nor in another month than the usual.
    """
    if any(v.demand or v.events or v.scope is BlockScope.RUNNING for v in schedule.versions):
        return False
    if any(p.signal for v in schedule.versions for p in v.periods):
        return False
    if len(piece_edges(schedule, span, day_rates(schedule, span))) > 1:
        return False
    return all(t.month_of(span) == span.last.month for t in terms)


def hold_reason(usage: FleetUsage, row: int, span: BillSpan) -> tuple[HoldCode, str] | None:
    """Why a bill cannot be made from its intervals; None where it can."""
    absent = np.flatnonzero(usage.versions[row] == 0)
    if len(absent):
        first = span.first + timedelta(days=int(absent[0]))
        words = f"{len(absent)} of {span.days} days have no validated readings, the first is {first}"
        return HoldCode.MISSING_DAYS, words
    missing = int((usage.quality[row] == QualityState.MISSING).sum())
    if missing:
        return HoldCode.MISSING_INTERVALS, f"{missing} intervals have no value and none could be estimated"
    if int(usage.wh[row].min(initial=0)) < 0:
        return HoldCode.NEGATIVE_ENERGY, "an interval of delivered energy is negative"
    doubted = int((usage.quality[row] == QualityState.QUESTIONABLE).sum())
    if doubted:
        return HoldCode.OPEN_FINDING, f"{doubted} intervals are doubted by a rule and nobody has decided"
    return None


def received_reason(schedule: RateSchedule, usage: FleetUsage, row: int) -> tuple[HoldCode, str] | None:
    """Why a bill cannot credit energy sent out; None where the rate credits none, or all of it is there."""
    if usage.received_lacks is None or not any(v.export for v in schedule.versions):
        return None
    lacks = int(usage.received_lacks[row])
    if not lacks:
        return None
    words = f"{lacks} intervals of received energy have no value, and the rate credits what was sent out"
    return HoldCode.MISSING_INTERVALS, words
