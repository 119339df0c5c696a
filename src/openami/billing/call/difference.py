"""Take the difference of two bills apart: more days, more electricity a day, other prices. The parts add up, exactly.

Days: the earlier bill stretched to as many days. Electricity: what the energy lines of the stretched bill become at
this bill's energy a day. The rest is prices: season, time of day, riders, another rate, taxes on all of it.
"""

from __future__ import annotations

from decimal import Decimal

from openami.billing.bill.record import Bill
from openami.billing.call.record import Part
from openami.billing.rating.line import LineKind
from openami.billing.statement.dates import counted, kwh
from openami.billing.statement.prices import amount
from openami.kernel.money import rounded_to_cent

_PER_KWH = {LineKind.ENERGY.value, LineKind.RIDER.value}


def parts_of(bill: Bill, before: Bill) -> tuple[Part, ...]:
    """Return the parts of ``bill.total - before.total``.

    Args:
        bill: issued, with lines.
        before: another, in the same currency.
    """
    total, was = bill.total or Decimal(0), before.total or Decimal(0)
    days, energy = split(bill, before)
    rest = total - was - days - energy
    currency = bill.currency
    per_day, then_per_day = ((b.usage_wh or 0) // b.span.days for b in (bill, before))
    days_words = f"{counted(bill.span.days, 'day')} against {before.span.days}"
    return (
        Part("Days", days_words, signed(days, currency)),
        Part("Electricity a day", f"{kwh(per_day)} against {kwh(then_per_day)}", signed(energy, currency)),
        Part("Prices", _prices_words(bill, before), signed(rest, currency)),
    )


def split(bill: Bill, before: Bill) -> tuple[Decimal, Decimal]:
    """Return what more days and more electricity a day cost, each rounded to a cent."""
    was, span, then = before.total or Decimal(0), bill.span.days, before.span.days
    days = rounded_to_cent(was * span / then - was)
    by_energy = sum((x.amount for x in before.lines if x.kind in _PER_KWH and x.unit == "kWh"), Decimal(0))
    used, usual = bill.usage_wh or 0, before.usage_wh or 0
    if usual == 0:
        return days, Decimal(0)
    stretched = by_energy * span / then
    energy = rounded_to_cent(stretched * used * then / (usual * span) - stretched)
    return days, energy


def _prices_words(bill: Bill, before: Bill) -> str:
    if bill.rate_code != before.rate_code:
        return f"another rate: {bill.rate_name} against {before.rate_name}"
    now = {x.evidence.get("price_from") for x in bill.lines}
    then = {x.evidence.get("price_from") for x in before.lines}
    if now - then:
        dates = ", ".join(sorted(str(d) for d in now - then if d))
        return f"prices in force from {dates}, and the season and time of day of the electricity"
    return "the same price list: season, time of day, riders and taxes"


def signed(value: Decimal, currency: str) -> str:
    """Return an amount that is added or taken off.

    >>> signed(Decimal("3.5"), "USD"), signed(Decimal(0), "USD")
    ('+$3.50', '$0.00')
    """
    return f"+{amount(value, currency)}" if value > 0 else amount(value, currency)
