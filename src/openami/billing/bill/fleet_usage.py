"""The usage of service points over one bill's days as a matrix, its determinants, and why it cannot be billed. Pure.

A day without a version, or an interval without a value, keeps a bill from being made; nothing is guessed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from openami.billing.bill.hold import HoldCode
from openami.billing.rating.carried import Carried
from openami.billing.rating.determinant import Determinants
from openami.billing.rating.fleet import UsageMatrix, determinants_of_rows, rated_fleet
from openami.billing.rating.line import RatedBill
from openami.billing.rating.rate import rate
from openami.billing.rating.terms import NO_TERMS, BillTerms
from openami.billing.rating.usage import I64, BillSpan
from openami.billing.tariff.model import RateSchedule
from openami.contracts.quality import QualityState
from openami.kernel.time import epoch_s, local_midnight


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
        sends: service points of which any received interval is validated.
        doubted_s: starts of received intervals that a rule doubts, of service points that have some.
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
    sends: frozenset[UUID] = frozenset()
    doubted_s: Mapping[UUID, I64] = field(default_factory=dict)

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
    own = terms or (NO_TERMS,) * len(usage.service_points)
    found = determinants_of_rows(schedule, usage.start_s, usage.interval_s, _matrix(usage), span, zone, own)
    return [replace(d, received_wh=int(r)) for d, r in zip(found, usage.received_wh, strict=True)]


def rated_of(
    schedule: RateSchedule,
    usage: FleetUsage,
    span: BillSpan,
    zone: ZoneInfo,
    terms: Sequence[BillTerms],
    carried: Sequence[Carried],
) -> list[RatedBill]:
    """Return the rated bill of each service point, in the order of the rows.

    Args:
        schedule: the rate.
        usage: of the service points.
        span: local days.
        zone: of the service points.
        terms: of each row's bill.
        carried: what each row's bill before hands on.

    Raises:
        TariffError: the rate has no version for the span, or cannot price it.
    """
    bills = rated_fleet(schedule, usage.start_s, usage.interval_s, _matrix(usage), span, zone, terms, carried)
    for row, bill in enumerate(bills):
        received = int(usage.received_wh[row])
        # Energy on another grid is in no interval here; it is listed all the same.
        if received != bill.determinants.received_wh:
            found = replace(bill.determinants, received_wh=received)
            bills[row] = rate(schedule, found, terms[row], carried[row])
    return bills


def _matrix(usage: FleetUsage) -> UsageMatrix:
    """Return the intervals as the columnar engine takes them: nothing where there is no value, or none that can be."""
    absent = usage.quality == QualityState.MISSING
    estimated = usage.quality == QualityState.ESTIMATED
    return UsageMatrix(
        wh=np.where(absent, 0, np.maximum(usage.wh, 0)),
        absent=absent if absent.any() else None,
        estimated=estimated if estimated.any() else None,
        received_wh=None if usage.received is None else np.where(absent, 0, np.maximum(usage.received, 0)),
    )


def hold_reasons(usage: FleetUsage, span: BillSpan) -> list[tuple[HoldCode, str] | None]:
    """Return for each row why a bill cannot be made from its intervals; None where it can."""
    lacking = usage.quality == QualityState.MISSING
    lacking |= usage.quality == QualityState.QUESTIONABLE
    clean = (usage.versions != 0).all(axis=1) & ~lacking.any(axis=1) & (usage.wh.min(axis=1, initial=0) >= 0)
    return [None if sound else hold_reason(usage, row, span) for row, sound in enumerate(clean.tolist())]


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


def received_reason(
    schedule: RateSchedule, usage: FleetUsage, row: int, terms: BillTerms, zone: ZoneInfo, *, is_counted: bool = False
) -> tuple[HoldCode, str] | None:
    """Why a bill cannot credit energy sent out; None where the rate credits none, or all of it is there.

    Args:
        schedule: the rate.
        usage: of the service points.
        row: which of them.
        terms: of its bill: doubted energy holds a bill on days on which it may be credited, and on no others.
        zone: of the service point.
        is_counted: whether a meter with a register of received energy hung there.
    """
    exports = [v.export for v in schedule.versions if v.export is not None]
    if not exports:
        return None
    point = usage.service_points[row]
    if is_counted and terms.approved_w and point not in usage.sends:
        words = "no day of received energy is validated, and the rate credits what was sent out"
        return HoldCode.MISSING_INTERVALS, words
    lacks = 0 if usage.received_lacks is None else int(usage.received_lacks[row])
    if lacks:
        words = f"{lacks} intervals of received energy have no value, and the rate credits what was sent out"
        return HoldCode.MISSING_INTERVALS, words
    doubted = usage.doubted_s.get(point)
    if doubted is None:
        return None
    needs_approval = all(e.needs_interconnection for e in exports)
    count = _approved(doubted, terms, zone) if needs_approval else len(doubted)
    words = f"{count} intervals of received energy are doubted by a rule, and the rate credits what was sent out"
    return (HoldCode.OPEN_FINDING, words) if count else None


def _approved(start_s: I64, terms: BillTerms, zone: ZoneInfo) -> int:
    """Return how many instants lie on days of an approved interconnection."""
    inside = np.zeros(len(start_s), bool)
    for one in terms.approved_w:
        begun = start_s >= epoch_s(local_midnight(one.first, zone))
        inside |= begun if one.end is None else begun & (start_s < epoch_s(local_midnight(one.end, zone)))
    return int(inside.sum())
