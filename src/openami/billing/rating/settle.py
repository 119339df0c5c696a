"""The energy side of export terms, before any price: credits that end, netting, and the energy that is charged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from openami.billing.rating.bank import Bank, BankMove, ended, stopped
from openami.billing.rating.calendar import DayRate
from openami.billing.rating.carried import Carried
from openami.billing.rating.determinant import Determinants
from openami.billing.rating.netting import PriceKey, net_energy
from openami.billing.rating.terms import BillTerms
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.export import ExportKind, ExportTerms
from openami.billing.tariff.model import RateSchedule


@dataclass(frozen=True, slots=True)
class Settled:
    """A bill's energy after its export terms.

    Args:
        billed: the determinants with the energy that is charged.
        version: index of the version in force on the last day; its terms govern the bill.
        terms: those; None where it has none.
        month: first day of the bill's revenue month.
        bank: what may be used in this bill, after what has ended and the energy that was used.
        gone: credits that ended before the bill, and what becomes of them.
        used: energy credits that were used.
        netted_wh: received energy that was set against delivered energy.
        excess_wh: received energy beyond it, by bucket.
    """

    billed: Determinants
    version: int
    terms: ExportTerms | None
    month: date
    bank: Bank = ()
    gone: tuple[BankMove, ...] = ()
    used: tuple[BankMove, ...] = ()
    netted_wh: int = 0
    excess_wh: Mapping[str, int] = field(default_factory=dict)


def settle_energy(
    schedule: RateSchedule, found: Determinants, rates: list[DayRate], bill: BillTerms, carried: Carried
) -> Settled:
    """Return a bill's energy as it is charged.

    Raises:
        TariffError: the family of export terms changes inside the bill.
    """
    version = rates[-1].version
    terms = schedule.versions[version].export
    _check_one_family(schedule, rates, terms)
    month = (bill.revenue_month or found.span.last).replace(day=1)
    if terms is None:
        return Settled(found, version, None, month, gone=tuple(stopped(carried.bank, None)))
    bank, gone = ended(carried.bank, terms, month, found.span.first)
    if terms.kind is not ExportKind.NET_METERING:
        return Settled(found, version, terms, month, bank, tuple(gone))
    received: dict[PriceKey, int] = {}
    for (at, period, _), wh in found.credited_wh.items():
        received[at, period] = received.get((at, period), 0) + wh

    def bucket_of(key: PriceKey) -> str:
        return terms.bucket_of(schedule.versions[key[0]].periods[key[1]].name)

    net = net_energy(found.energy_wh, received, bank, terms, bucket_of)
    return Settled(
        replace(found, energy_wh=net.billed_wh), version, terms, month, net.bank, tuple(gone), net.used,
        sum(net.netted_wh.values()), net.excess_wh,
    )  # fmt: skip


def _check_one_family(schedule: RateSchedule, rates: list[DayRate], terms: ExportTerms | None) -> None:
    last = None if terms is None else (terms.kind, terms.netting, terms.credit)
    for version in sorted({r.version for r in rates}):
        other = schedule.versions[version].export
        if (None if other is None else (other.kind, other.netting, other.credit)) != last:
            raise TariffError(
                f"{schedule.code}.versions[{version}].export",
                "the kind of export terms changes inside this bill; close one bill on that day and open the next",
            )
