"""What a rate says about energy that a customer sends out: what is netted, what the rest is worth, how long it lasts.

Three families. *Net metering* nets energy over the bill, or within each price period, before any price is applied;
the excess is banked in energy or in money for later bills. *Net billing* charges what is delivered and pays what is
received at a price of its own, as the meter's two registers say or hour by hour. *Buy all, sell all* pays everything
that the generator's meter counts and charges everything that the home uses.

Source: NREL URDB v8 ``dgrules`` for the families; Missouri 386.890 RSMo for net metering within the billing period
with a credit that lasts twelve months.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from openami.billing.tariff.errors import TariffError

MOST_MONTHS = 120
"""No rate lets a credit live longer than ten years and still calls it an expiry."""


class ExportKind(StrEnum):
    """The family of terms."""

    NET_METERING = "net_metering"
    NET_BILLING = "net_billing"
    BUY_ALL = "buy_all_sell_all"


class Netting(StrEnum):
    """Over what received energy is set against delivered energy.

    BILLING_PERIOD: all of a bill; what remains is shared over the price periods as the delivered energy was.
    PRICE_PERIOD: each price period by itself.
    HOUR: each hour of the wall clock by itself.
    REGISTER: nothing beyond what the meter's own two registers do.
    """

    BILLING_PERIOD = "billing_period"
    PRICE_PERIOD = "price_period"
    HOUR = "hour"
    REGISTER = "register"


class CreditUnit(StrEnum):
    """What the bank holds."""

    KWH = "kWh"
    MONEY = "money"


class UseOrder(StrEnum):
    """Which credit is used first."""

    OLDEST_FIRST = "oldest_first"
    NEWEST_FIRST = "newest_first"


class CreditReach(StrEnum):
    """Which charges a credit in money may pay: never more than they are.

    ENERGY: the energy lines. CHARGES: every charge before tax. BILL: tax as well.
    """

    ENERGY = "energy"
    CHARGES = "charges"
    BILL = "bill"


class Unused(StrEnum):
    """What becomes of a credit that cannot be used: kept for later bills, lost, or paid out."""

    CARRY = "carry"
    FORFEIT = "forfeit"
    PAY = "pay"


@dataclass(frozen=True, slots=True)
class ExportPrice:
    """The price of a kWh sent out, from a local day on.

    Args:
        price: per kWh; None where it is not known: a bill that needs it cannot be issued.
        first: first day in force; None is without beginning.
        period: name of the price period it is for; empty is every one that has no price of its own.
        confidence: how sure we are, in words.
    """

    price: Decimal | None
    first: date | None = None
    period: str = ""
    confidence: str = ""


_ALLOWED = {
    ExportKind.NET_METERING: (Netting.BILLING_PERIOD, Netting.PRICE_PERIOD),
    ExportKind.NET_BILLING: (Netting.REGISTER, Netting.HOUR),
    ExportKind.BUY_ALL: (Netting.REGISTER,),
}


@dataclass(frozen=True, slots=True)
class ExportTerms:
    """The export clause of one version of a rate.

    Args:
        kind: the family.
        netting: over what energy is netted; must fit the family.
        prices: of excess (net metering) or of received energy (the other two), by date and price period.
        credit: what the bank of net metering holds; the other families hold money.
        order: which credit is used first.
        reach: which charges a credit in money pays.
        expires_after_months: a credit may be used up to so many revenue months after its own; None is without end.
        expires_on: month and day of each year on which what is in the bank ends; None is no such day.
        at_expiry, at_stop: what becomes of a credit that ends, and of the bank when the customer stops.
        surplus: of net billing and buy-all, what becomes of a credit above what it may pay.
        buckets: price period name to bucket, where energy of one period may offset another's; else each its own.
        needs_interconnection: received energy counts only on days with an approved interconnection.
        largest_w: largest approved capacity that may take these terms [W]; None is without limit.

    Raises:
        TariffError: the parts contradict one another.
    """

    kind: ExportKind
    netting: Netting
    prices: tuple[ExportPrice, ...] = ()
    credit: CreditUnit = CreditUnit.MONEY
    order: UseOrder = UseOrder.OLDEST_FIRST
    reach: CreditReach = CreditReach.CHARGES
    expires_after_months: int | None = None
    expires_on: tuple[int, int] | None = None
    at_expiry: Unused = Unused.FORFEIT
    at_stop: Unused = Unused.FORFEIT
    surplus: Unused = Unused.CARRY
    buckets: Mapping[str, str] = field(default_factory=dict)
    needs_interconnection: bool = True
    largest_w: int | None = None

    def __post_init__(self) -> None:
        if self.netting not in _ALLOWED[self.kind]:
            allowed = [n.value for n in _ALLOWED[self.kind]]
            raise TariffError("export.netting", f"{self.kind.value} nets over one of {allowed}, not {self.netting}")
        if self.credit is CreditUnit.KWH and self.kind is not ExportKind.NET_METERING:
            raise TariffError("export.credit", f"{self.kind.value} pays money; only net metering banks kWh")
        if Unused.CARRY in (self.at_expiry, self.at_stop):
            raise TariffError("export.at_expiry", "a credit that ends is forfeited or paid; it cannot be carried")
        if self.surplus is Unused.FORFEIT and self.kind is ExportKind.NET_METERING:
            raise TariffError("export.surplus", "the excess of net metering is banked; its end is at_expiry")
        self._check_dates()
        if self.needs_prices and not self.prices:
            raise TariffError("export.prices", "a price for energy sent out is needed; null says that it is not known")

    @property
    def needs_prices(self) -> bool:
        """Whether some bill needs a price of energy sent out."""
        pays = Unused.PAY in (self.at_expiry, self.at_stop)
        return self.credit is CreditUnit.MONEY or pays

    @property
    def price_dates(self) -> tuple[date, ...]:
        """The days on which some price changes, rising; days before the first are of index 0."""
        return tuple(sorted({p.first for p in self.prices if p.first is not None}))

    def price_on(self, day: date, period: str) -> ExportPrice | None:
        """Return the price of a period on a local day: its own before the one of all; None where none is in force."""
        for wanted in (period, ""):
            known = [p for p in self.prices if p.period == wanted and (p.first is None or p.first <= day)]
            if known:
                return max(known, key=lambda p: date.min if p.first is None else p.first)
        return None

    def bucket_of(self, period: str) -> str:
        """Return the bucket that a price period's excess goes to and is used from; empty over the whole bill."""
        return "" if self.netting is not Netting.PRICE_PERIOD else self.buckets.get(period, period)

    def _check_dates(self) -> None:
        months, day = self.expires_after_months, self.expires_on
        if months is not None and not 1 <= months <= MOST_MONTHS:
            raise TariffError("export.expires_after_months", f"{months} is not 1 to {MOST_MONTHS}")
        if day is not None and not _is_every_year(*day):
            raise TariffError("export.expires_on", f"{day[0]:02}-{day[1]:02} is no day that every year has")
        seen = [(p.period, p.first) for p in self.prices]
        if len(set(seen)) != len(seen):
            raise TariffError("export.prices", "two prices are for one period from one day on")


def _is_every_year(month: int, day: int) -> bool:
    try:
        date(2001, month, day)
    except ValueError:
        return False
    return True
