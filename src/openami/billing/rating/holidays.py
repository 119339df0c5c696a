"""A bill in a year whose holidays nobody listed is not priced as if it had none: a stamp says so. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from openami.billing.rating.calendar import DayRate
from openami.billing.rating.line import Stamp, StampCode
from openami.billing.rating.usage import BillSpan
from openami.billing.tariff.model import RateSchedule, Tariff
from openami.billing.tariff.price import HOLIDAY


def holiday_stamps(schedule: RateSchedule, span: BillSpan, rates: Sequence[DayRate]) -> list[Stamp]:
    """Return a stamp for each version in force whose list of holidays does not know a year of the bill's days."""
    found = []
    for version in dict.fromkeys(r.version for r in rates):
        tariff = schedule.versions[version]
        if tariff.holidays.years is None or not _asks_for_holidays(tariff):
            continue
        days = [span.first + timedelta(days=n) for n, r in enumerate(rates) if r.version == version]
        year = tariff.holidays.unknown_year(days[0], days[-1])
        if year is not None:
            words = f"the holidays of {year} are not on the rate's list; add that year's days to it"
            found.append(Stamp(StampCode.HOLIDAYS_NOT_KNOWN, f"versions[{version}].holidays.dates", words))
    return found


def _asks_for_holidays(tariff: Tariff) -> bool:
    """Tell whether a holiday is priced otherwise than some other day."""
    plans = [plan for season in tariff.seasons for plan in (season.energy, *season.demand)]
    return any(week[day] != week[HOLIDAY] for week in plans for day in range(HOLIDAY))
