"""Charges that do not depend on use, and the minimum of a bill."""

from __future__ import annotations

from decimal import Decimal

from openami.billing.rating.calendar import DayRate
from openami.billing.rating.line import BillLine, LineKind
from openami.billing.rating.pool import season_days
from openami.billing.rating.usage import BillSpan
from openami.billing.tariff.charge import ChargeUnit, FixedCharge, MinimumCharge
from openami.billing.tariff.model import RateSchedule
from openami.kernel.money import rounded_to_cent


def fixed_lines(schedule: RateSchedule, span: BillSpan, rates: list[DayRate]) -> list[BillLine]:
    """Return a line for each fixed charge of each version in force."""
    lines = []
    for version, seasons in season_days(schedule, rates).items():
        days = sum(seasons.values())
        for charge in schedule.versions[version].fixed:
            quantity, unit = _charged(charge, days, span.days)
            # Multiplied first and divided last, so that half a cent stays half a cent.
            exact = charge.amount * days if unit == "day" else charge.amount * days / span.days
            clause = f"versions[{version}].fixed[{charge.name}]"
            part = days if days < span.days else None
            lines.append(
                BillLine(
                    LineKind.FIXED, charge.name, None, None, quantity, unit, charge.amount, exact, version, clause, part
                )
            )
    return lines


def _charged(charge: FixedCharge | MinimumCharge, days: int, bill_days: int) -> tuple[Decimal, str]:
    """Once a bill, shared by days between versions; or once a day."""
    if charge.unit is ChargeUnit.DAY:
        return Decimal(days), "day"
    return (Decimal(1) if days == bill_days else Decimal(days) / bill_days), "month"


def minimum_lines(
    schedule: RateSchedule, span: BillSpan, rates: list[DayRate], lines: list[BillLine]
) -> list[BillLine]:
    """Top the bill up to its minimum; the top-up is against printed amounts, so the total is the minimum exactly."""
    least, name, at = Decimal(0), "", 0
    for version, seasons in season_days(schedule, rates).items():
        charge = schedule.versions[version].minimum
        if charge is not None:
            name, at = charge.name, version
            days = sum(seasons.values())
            by_day = charge.unit is ChargeUnit.DAY
            least += charge.amount * days if by_day else charge.amount * days / span.days
    short = rounded_to_cent(least) - sum((line.amount for line in lines), Decimal(0))
    if short <= 0:
        return []
    return [
        BillLine(LineKind.MINIMUM, name, None, None, Decimal(1), "month", short, short, at, f"versions[{at}].minimum")
    ]
