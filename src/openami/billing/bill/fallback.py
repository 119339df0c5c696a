"""The rate by whose prices a bill goes out whose own rate asks for times of which too few were measured. Pure.

A failure of the meter or its network takes nothing from a customer but the split over times: prices, blocks, fixed
charges, riders and taxes are the other rate's, and whatever bills hand on to each other stays the own rate's. Energy
sent out is netted and credited by the own rate's export terms, its bank lives on by the own rate's ages and ends, a
minimum of the year and the year's end are the own rate's, and metered peaks stay for its ratchets.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from openami.billing.rating.line import RatedBill
from openami.billing.rating.memo import Memo
from openami.billing.tariff.charge import ChargeUnit, MinimumCharge
from openami.billing.tariff.export import ExportTerms, Netting
from openami.billing.tariff.model import RateSchedule, Tariff

_MADE: Memo[tuple[RateSchedule, RateSchedule]] = Memo(64)


def in_stead(own: RateSchedule, other: RateSchedule, day: date) -> RateSchedule:
    """Return the other rate with what the own one keeps in its hands.

    Args:
        own: the rate that the place is on.
        other: the rate whose prices are taken.
        day: the bill's last day, whose version of the own rate says it.

    Raises:
        TariffError: no version of the own rate is in force, or the other's blocks cannot be net metered.
    """
    version = own.version_on(day)
    # The other rate is kept beside what is made of it, so that its id is nobody else's meanwhile.
    made = _MADE.of(own, (id(other), version), lambda: (other, _in_stead(own.versions[version], other)))
    return made[1]


def kept_peaks(rated: RatedBill, by_own: RatedBill) -> RatedBill:
    """Return a bill at another rate's prices that hands on the metered peaks as the own rate does."""
    return replace(rated, carried=replace(rated.carried, peaks=by_own.carried.peaks))


def _in_stead(own: Tariff, other: RateSchedule) -> RateSchedule:
    export = None if own.export is None else _export(own.export)
    versions = tuple(
        replace(v, export=export, minimum=_minimum(own, v), year_ends_month=own.year_ends_month)
        for v in other.versions
    )  # fmt: skip
    return replace(other, versions=versions)


def _export(own: ExportTerms) -> ExportTerms:
    """Return export terms for prices without the own rate's periods: what was netted by period is netted as a whole."""
    if own.netting is not Netting.PRICE_PERIOD:
        return own
    return replace(own, netting=Netting.BILLING_PERIOD, buckets={})


def _minimum(own: Tariff, other: Tariff) -> MinimumCharge | None:
    units = {m.unit for m in (own.minimum, other.minimum) if m is not None}
    return own.minimum if ChargeUnit.YEAR in units else other.minimum
