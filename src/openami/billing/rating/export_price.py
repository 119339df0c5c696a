"""What energy sent out is worth.

Each kWh of net billing has the price of its day; the excess of net metering has the price of the bill's last day, and
is rounded to a cent once, when it is earned.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from openami.billing.rating.carried import BankedCredit
from openami.billing.rating.determinant import Determinants
from openami.billing.rating.line import BillLine, LineKind, Stamp, StampCode
from openami.billing.rating.settle import Settled
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.export import CreditUnit, ExportPrice, ExportTerms
from openami.billing.tariff.model import RateSchedule
from openami.kernel.money import rounded_to_cent


@dataclass(frozen=True, slots=True)
class PricedExport:
    """Priced energy: its lines, the credits that it earns for later bills, and prices that are not known."""

    lines: tuple[BillLine, ...] = ()
    earned: tuple[BankedCredit, ...] = ()
    stamps: tuple[Stamp, ...] = ()


def sent_out(schedule: RateSchedule, found: Determinants) -> PricedExport:
    """Return a line for the energy of each price period and export price, of a negative amount, in order.

    Raises:
        TariffError: no price is in force on one of the days.
    """
    lines, stamps = [], []
    for (version, period, epoch), wh in sorted(found.credited_wh.items()):
        terms = schedule.versions[version].export
        if terms is None:
            continue
        name = schedule.versions[version].periods[period].name
        day = terms.price_dates[epoch - 1] if epoch else date.min
        price, clause = _price(schedule, terms, version, day, name)
        if price.price is None:
            stamps.append(_not_known(clause, name))
        lines.append(_line(f"Energy you sent out, {name}", name, wh, price, version, clause))
    return PricedExport(tuple(lines), (), tuple(stamps))


def excess_worth(
    schedule: RateSchedule, found: Determinants, settled: Settled, *, is_paid: bool = False
) -> PricedExport:
    """Return what the excess of net metering earns for later bills: energy, or money at the last day's price.

    Args:
        schedule: the rate.
        found: the bill's determinants.
        settled: whose excess.
        is_paid: the excess is paid out by this bill at its price, as a line for each bucket.

    Raises:
        TariffError: a price is needed and none is in force on the bill's last day.
    """
    terms, last = settled.terms, found.span.last
    earned, stamps, lines = [], [], []
    for bucket, wh in settled.excess_wh.items():
        if terms is None:
            continue
        if terms.credit is CreditUnit.KWH and not is_paid:
            earned.append(BankedCredit(settled.month, last, bucket, wh))
            continue
        price, clause = _price(schedule, terms, settled.version, last, bucket)
        if price.price is None:
            stamps.append(_not_known(clause, bucket or "energy beyond your use"))
        elif not is_paid:
            worth = rounded_to_cent(price.price * wh / 1000)
            earned.append(BankedCredit(settled.month, last, amount=worth))
        if is_paid:
            lines.append(_line("Energy credit paid out", bucket or None, wh, price, settled.version, clause))
    return PricedExport(tuple(lines), tuple(earned), tuple(stamps))


def _price(schedule: RateSchedule, terms: ExportTerms, version: int, day: date, period: str) -> tuple[ExportPrice, str]:
    price = terms.price_on(day, period)
    clause = f"versions[{version}].export.prices"
    if price is None:
        when = "before its first date" if day == date.min else f"on {day}"
        raise TariffError(f"{schedule.code}.{clause}", f"no price of energy sent out is in force {when}; add one")
    return price, f"{clause}[{terms.prices.index(price)}]"


def _line(name: str, period: str | None, wh: int, price: ExportPrice, version: int, clause: str) -> BillLine:
    per_kwh = -(price.price or Decimal(0))
    exact = per_kwh * wh / 1000
    return BillLine(LineKind.CREDIT, name, period, None, Decimal(wh) / 1000, "kWh", per_kwh, exact, version, clause)


def _not_known(clause: str, what: str) -> Stamp:
    words = f"the price of energy sent out ({what}) is not known; add it to the rate"
    return Stamp(StampCode.EXPORT_PRICE_NOT_KNOWN, clause, words)
