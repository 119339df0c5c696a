"""A cycle compared: every bill of both sides, and the differences sorted by cause and dollars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from openami.billing.parallel.cause import Cause
from openami.billing.parallel.difference import BillDifference, Effect, compare_bill
from openami.billing.parallel.ours import OurSide
from openami.billing.parallel.theirs import TheirBill
from openami.billing.rating.errors import UsageError
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import RateSchedule


@dataclass(frozen=True, slots=True)
class CauseTotal:
    """One cause over a cycle.

    Args:
        cause: which.
        bills: on how many bills it is the main one.
        net: theirs less ours, summed.
        gross: the same without its signs: what there is to look at.
        worst: bills with most, at most ten.
    """

    cause: Cause
    bills: int
    net: Decimal
    gross: Decimal
    worst: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ParallelReport:
    """A cycle compared.

    Args:
        differences: every bill, those that are equal too.
        equal: how many are, line by line.
        ours, theirs: sums of totals.
    """

    differences: tuple[BillDifference, ...]
    equal: int
    ours: Decimal
    theirs: Decimal

    def causes(self) -> list[CauseTotal]:
        """Return the causes, most dollars first."""
        found: dict[Cause, list[tuple[BillDifference, Effect]]] = {}
        for one in self.differences:
            for effect in one.effects:
                found.setdefault(effect.cause, []).append((one, effect))
        totals = [_total(cause, rows) for cause, rows in found.items()]
        return sorted(totals, key=lambda t: (-t.gross, t.cause.value))


def _total(cause: Cause, rows: Sequence[tuple[BillDifference, Effect]]) -> CauseTotal:
    worst = sorted(rows, key=lambda r: -abs(r[1].amount))[:10]
    return CauseTotal(
        cause,
        sum(one.cause is cause for one, _ in rows),
        sum((e.amount for _, e in rows), Decimal(0)),
        sum((abs(e.amount) for _, e in rows), Decimal(0)),
        tuple(one.bill for one, _ in worst),
    )


def compare_cycle(
    theirs: Sequence[TheirBill], sides: Mapping[str, OurSide], rates: Mapping[str, RateSchedule]
) -> ParallelReport:
    """Return the comparison of a cycle.

    Args:
        theirs: their bills.
        sides: ours, by their names of service points.
        rates: by the names that the other system uses.
    """
    found: list[BillDifference] = []
    billed: dict[str, list[TheirBill]] = {}
    for bill in theirs:
        side = sides.get(bill.service_point)
        before = billed.setdefault(bill.service_point, [])
        if side is None:
            found.append(_alone(bill, Cause.UNKNOWN_PLACE))
        elif any(b.span.first < bill.span.end and bill.span.first < b.span.end for b in before):
            found.append(_alone(bill, Cause.BILLED_TWICE))
        else:
            found.append(compare_bill(bill, side, rates))
        before.append(bill)
    found += [_missing(name, side) for name, side in sides.items() if name not in billed and not side.held]
    return ParallelReport(
        tuple(found),
        sum(not one.effects for one in found),
        sum((one.ours or Decimal(0) for one in found), Decimal(0)),
        sum((one.theirs or Decimal(0) for one in found), Decimal(0)),
    )


def _alone(bill: TheirBill, cause: Cause) -> BillDifference:
    return BillDifference(bill.bill, bill.service_point, None, bill.total, (Effect(cause, bill.total),))


def _missing(name: str, side: OurSide) -> BillDifference:
    try:
        total = side.made().total
    except (TariffError, UsageError) as error:
        return BillDifference("", name, None, None, (Effect(Cause.OURS_HELD, Decimal(0), str(error)),))
    return BillDifference("", name, total, None, (Effect(Cause.NOT_BILLED, -total),))
