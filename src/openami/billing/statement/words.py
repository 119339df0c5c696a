"""The rules of a rate in a customer's words, from the rate's own data: nothing here knows a utility or a price.

Pages, statements and the comparison of rates use the same words. What the words leave out is named in
``docs/billing/statements.md``; the rate file stays the authority.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from openami.billing.statement.dated import dated_words, export_words
from openami.billing.statement.hours import hours_in_words, joined, minutes_of, months, year_day
from openami.billing.statement.prices import amount, blocks_in_words, number
from openami.billing.tariff.charge import ChargeUnit, FixedCharge, MinimumCharge
from openami.billing.tariff.demand import DemandCharge, WindowAlignment
from openami.billing.tariff.model import Tariff
from openami.billing.tariff.price import HOLIDAY, BlockScope, BlockUnit, WeekPlan
from openami.billing.tariff.proration import ProrationRule
from openami.billing.tariff.season import Season, SeasonRule
from openami.kernel.holiday import Observance

_HOLIDAY_NAMES = {"new_years_day": "New Year's Day"}
_BASES = {ChargeUnit.MONTH: "a bill", ChargeUnit.DAY: "a day", ChargeUnit.YEAR: "a year"}


@dataclass(frozen=True, slots=True)
class PriceWords:
    """When one price holds, and what it is.

    Args:
        season: the season's name and months; empty where one season is the whole year.
        name: the price period's name, as on the bill's lines.
        when: hours and days, short: "all other times" for the period that fills the rest of the week.
        hours: the same in full.
        price: with its unit and blocks.
    """

    season: str
    name: str
    when: str
    hours: str
    price: str

    @property
    def sentence(self) -> str:
        """The rule in one line.

        >>> PriceWords("Summer", "Summer on-peak", "weekdays 15:00 to 19:00", "", "34.1 ¢ per kWh").sentence
        'Summer on-peak: weekdays 15:00 to 19:00, 34.1 ¢ per kWh'
        """
        return f"{self.name}: {self.when}, {self.price}"


@dataclass(frozen=True, slots=True)
class RateWords:
    """A version of a rate in words.

    Args:
        energy: prices of energy, season by season, in the rate's own order.
        demand: prices of demand; empty where there are none.
        fixed: charges that do not depend on use, each a line.
        dated: riders, credits and taxes with their values, each a line.
        export: what energy sent out is worth, each a sentence; empty where the rate says nothing of it.
        notes: how blocks, seasons, holidays and demand are meant, each a sentence.
    """

    energy: tuple[PriceWords, ...]
    demand: tuple[PriceWords, ...]
    fixed: tuple[str, ...]
    dated: tuple[str, ...]
    export: tuple[str, ...]
    notes: tuple[str, ...]


def rate_words(
    tariff: Tariff,
    currency: str,
    *,
    seasons: frozenset[str] | None = None,
    on: date | None = None,
    municipality: str = "",
) -> RateWords:
    """Return the rules of one version of a rate.

    Args:
        tariff: the version.
        currency: ISO 4217 letters.
        seasons: names of those that are asked about; None is all.
        on: the local day whose riders and taxes are said; None takes the newest.
        municipality: where the customer is taxed; empty says what is taxed everywhere.
    """
    asked = [s for s in tariff.seasons if seasons is None or s.name in seasons]
    energy = [w for s in asked for w in _energy(tariff, s, currency)]
    demand = [w for s in asked for n, d in enumerate(tariff.demand) for w in _demand(tariff, s, n, d, currency)]
    fixed = [_charge(f, currency) for f in tariff.fixed]
    if tariff.minimum is not None:
        fixed.append(_minimum(tariff.minimum, currency))
    dated = dated_words(tariff, currency, on, municipality)
    export = export_words(tariff, currency, on)
    notes = _notes(tariff, asked)
    return RateWords(tuple(energy), tuple(demand), tuple(fixed), tuple(dated), tuple(export), tuple(notes))


def _energy(tariff: Tariff, season: Season, currency: str) -> list[PriceWords]:
    found = []
    for index, when, hours in _periods(tariff, season.energy, len(tariff.periods)):
        period = tariff.periods[index]
        price = blocks_in_words(period.blocks, tariff.block_unit, currency)
        if period.signal:
            price += f" plus the hourly price {period.signal!r}"
        found.append(PriceWords(_season(season), period.name, when, hours, price))
    return found + _events(tariff, season, currency)


def _events(tariff: Tariff, season: Season, currency: str) -> list[PriceWords]:
    """Return the prices of events that replace one of the season's: on which days they fall, nobody knows before."""
    held = {w.period for plan in season.energy for w in plan}
    found = []
    for event in tariff.events:
        for index in dict.fromkeys(new for old, new in event.replaces.items() if old in held):
            period = tariff.periods[index]
            price = blocks_in_words(period.blocks, tariff.block_unit, currency)
            when = f"while {event.name} is called"
            found.append(PriceWords(_season(season), period.name, when, when, price))
    return found


def _demand(tariff: Tariff, season: Season, index: int, charge: DemandCharge, currency: str) -> list[PriceWords]:
    found = []
    for at, when, hours in _periods(tariff, season.demand[index], len(charge.periods)):
        period = charge.periods[at]
        if all(b.price == 0 for b in period.blocks):
            continue
        price = blocks_in_words(period.blocks, tariff.block_unit, currency, unit="kW")
        found.append(PriceWords(_season(season), period.name, when, hours, price))
    return found


def _periods(tariff: Tariff, week: WeekPlan, count: int) -> list[tuple[int, str, str]]:
    """Return (period, when, hours) of a week's periods; the longest of them, if hard to say, is all other times."""
    has_holidays = bool(tariff.holidays.rules or tariff.holidays.dates)
    hours = {p: hours_in_words(week, p, has_holidays=has_holidays) for p in range(count)}
    held = [p for p in range(count) if hours[p]]
    if not held:
        return []
    longest = max(held, key=lambda p: minutes_of(week, p))
    is_rest = len(held) > 1 and ("; " in hours[longest] or " and " in hours[longest])
    return [(p, "all other times" if is_rest and p == longest else hours[p], hours[p]) for p in held]


def _season(season: Season) -> str:
    ranges = [f"{year_day(r.first)} to {year_day(r.last)}" for r in season.ranges]
    named = joined([*([months(season.months)] if season.months else []), *ranges])
    return f"{season.name.capitalize()} ({named})" if named else ""


def _minimum(charge: MinimumCharge, currency: str) -> str:
    return f"{charge.name}: at least {amount(charge.amount, currency)} {_BASES[charge.unit]}"


def _charge(charge: FixedCharge, currency: str) -> str:
    return f"{charge.name}: {amount(charge.amount, currency)} {_BASES[charge.unit]}"


def _notes(tariff: Tariff, asked: Sequence[Season]) -> list[str]:
    notes = [*(_demand_note(d) for d in tariff.demand), *_proration_note(tariff)]
    for season in asked:
        held = {w.period for plan in season.energy for w in plan}
        if len(held) > 1 and any(len(tariff.periods[p].blocks) > 1 for p in held):
            notes.append(_BLOCK_NOTES[tariff.scope])
            break
    if len(tariff.seasons) > 1 and tariff.season_rule is SeasonRule.BILLING_MONTH:
        notes.append("A bill has one season for all its days: that of its billing month.")
    rules = tariff.holidays
    if rules.rules or rules.dates:
        names = [_HOLIDAY_NAMES.get(r.name, r.name.replace("_", " ").title()) for r in rules.rules]
        days = joined([*names, *(f"{d:%Y-%m-%d}" for d in sorted(rules.dates))])
        until = "" if rules.years is None else f" The list ends with {rules.years[1]}."
        notes.append(f"Holidays are {days}{_OBSERVED[rules.observance]}.{until}")
    elif any(s.energy[HOLIDAY] != s.energy[0] for s in tariff.seasons):
        notes.append("The rate names no holidays, so each is priced as the day of the week it falls on.")
    return notes


def _proration_note(tariff: Tariff) -> list[str]:
    """Say how many months a bill is, where that is not one whatever its days are."""
    rule, usual = tariff.proration, f"{tariff.proration.least_days} to {tariff.proration.most_days} days"
    is_monthly = any(f.unit is ChargeUnit.MONTH for f in tariff.fixed) or tariff.demand
    has_blocks = tariff.block_unit is BlockUnit.KWH and any(len(p.blocks) > 1 for p in tariff.periods)
    if rule.rule is ProrationRule.WHOLE_BILL or not (is_monthly or has_blocks):
        return []
    said = {
        ProrationRule.OUTSIDE_RANGE: f"is for a bill of {usual}; of any other it is a thirtieth for each day",
        ProrationRule.THIRTIETHS: "is for thirty days, a thirtieth for each day",
        ProrationRule.CALENDAR: "is for a calendar month, for each day its part of it",
        ProrationRule.YEARLY: "is a twelfth of a year's, by the days of the bill",
    }
    return [f"What is stated for a bill {said[rule.rule]}."]


def _demand_note(charge: DemandCharge) -> str:
    minutes = charge.window_minutes
    span = "metered interval" if minutes is None else "hour" if minutes == 60 else f"{minutes} minutes"
    which = f"in any one {span}" if charge.alignment is WindowAlignment.CLOCK else f"in any {span} in a row"
    if charge.coincident is not None:
        which = f"in the {span} in which the whole system used most"
    words = [f"{charge.name} is your highest average power {which} of the hours above, once in each bill."]
    if charge.ratchet is not None:
        most = number(max(charge.ratchet.percents))
        words.append(f"It is at least {most} % of your highest in the {charge.ratchet.months} months before.")
    if charge.least_w:
        words.append(f"It is at least {number(Decimal(charge.least_w) / 1000)} kW.")
    return " ".join(words)


_BLOCK_NOTES = {
    BlockScope.MONTH_POOLED: "All your electricity of a bill counts towards the blocks; each price takes its share.",
    BlockScope.PER_PERIOD: "Each price has blocks of its own, filled by the electricity used at that price.",
    BlockScope.RUNNING: "Blocks fill in order of time, from the first hour of a bill to its last.",
}
_OBSERVED = {
    Observance.ACTUAL_DAY: "",
    Observance.SUNDAY_TO_MONDAY: "; one on a Sunday is kept on the Monday after",
    Observance.NEAREST_WEEKDAY: "; one on a weekend is kept on the nearest weekday",
}
