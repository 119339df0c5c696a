"""What the weather says about a bill: how much hotter or colder it was, and how much electricity that may explain.

No sentence claims more than the temperatures and the place's own year bear: too few days, an estimated bill or a loose
connection are said as that.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from openami.billing.bill.record import Bill, ReadingState
from openami.billing.call.record import CallWeather, WeatherDay
from openami.billing.call.response import F64, NoResponse, Response, response_of
from openami.billing.call.weather_words import Unit, compared, unit_of, warmer
from openami.billing.rating.usage import I64, BillSpan
from openami.billing.statement.dates import counted
from openami.mdm.api import DayTemperature, DegreeDays, StationDays, degree_days_of

BASELINE_DAYS = 365
WHOLE = 0.9
"""Share of a day's intervals that is measured, none missing, for the day to say how a place answers to the weather."""
_COVERED = 0.9
"""Of the days of a bill this share needs a temperature: CalTRACK 2.0, section 2.2, asks the same of a year."""


@dataclass(frozen=True, slots=True)
class WeatherFacts:
    """Temperatures around a bill and the energy of the place's days before it.

    Args:
        station: which station, with every day that is kept from a year and a bill before the bill to its end.
        baseline: days of the same customer, measured all but whole, in the year before the bill, by day [Wh].
        previous: days of the last bill before; None where there is none.
    """

    station: StationDays
    baseline: tuple[tuple[date, int], ...]
    previous: BillSpan | None


def call_weather(
    facts: WeatherFacts | None, bill: Bill, before: Bill | None, energy_wh: I64 | None, *, is_year_before: bool
) -> CallWeather:
    """Return what the weather says.

    Args:
        facts: temperatures; None where no station speaks for the place.
        bill: the one that is asked about.
        before: the one that it is compared with.
        energy_wh: (days,) energy of the bill's days [Wh]; None where it is not at hand.
        is_year_before: whether ``before`` is of the same days a year before.
    """
    if facts is None:
        words = "No temperatures are kept for this place, so whether it was hotter or colder cannot be said."
        return CallWeather((words,), "", "", ())
    unit = unit_of(bill)
    said, stands_on = _sentences(facts, bill, before, unit, is_year_before=is_year_before)
    station = facts.station.station
    note = f"Temperatures of {station.station}{f', {station.name}' if station.name else ''} ({station.source})"
    note += ", simulated." if station.is_simulated else "."
    return CallWeather(said, f"{note} {stands_on}".strip(), unit.name, _days(facts, bill, energy_wh, unit))


def _sentences(
    facts: WeatherFacts, bill: Bill, before: Bill | None, unit: Unit, *, is_year_before: bool
) -> tuple[tuple[str, ...], str]:
    """Return the sentences, and what the range in them stands on."""
    now, stands_on = _of(facts, bill.span), ""
    if now.days < _COVERED * bill.span.days:
        kept = f"Temperatures are kept for {now.days} of the {bill.span.days} days of this bill"
        return (f"{kept}: too few to say whether it was hotter or colder.",), ""
    said = []
    if before is not None:
        other = "at the same time last year" if is_year_before else "in the bill before"
        then = _of(facts, before.span)
        if then.days < _COVERED * before.span.days:
            said.append(f"Of the days {other} {then.days} have a temperature: too few to compare with.")
        else:
            words, stands_on = _explained(facts, bill, before)
            said += [warmer(now, then, unit, other, bill.span.days), words]
    second = facts.previous if is_year_before else _year_before(bill.span)
    if second is not None:
        other = "in the bill before" if is_year_before else "in the same days a year before"
        then = _of(facts, second)
        if then.days >= _COVERED * second.days:
            said.append(warmer(now, then, unit, other, bill.span.days))
    alone = f"It was {unit.mean(now):.0f} {unit.name} on average; there is nothing to compare it with."
    return tuple(said) or (alone,), stands_on


def _explained(facts: WeatherFacts, bill: Bill, before: Bill) -> tuple[str, str]:
    """Return by how much such weather alone changes the electricity, or why nobody can say; and what that stands on."""
    cannot = "How much electricity that makes we cannot say: "
    if bill.usage_wh is None or before.usage_wh is None:
        return f"{cannot}one of the bills has no figures.", ""
    if ReadingState.ESTIMATED in (bill.reading_state, before.reading_state):
        return f"{cannot}one of the two bills rests on an estimated read.", ""
    temperatures = {d.day: _mean_f(d) for d in facts.station.days}
    measured = [(wh, temperatures[day]) for day, wh in sorted(facts.baseline) if day in temperatures]
    response = response_of([wh for wh, _ in measured], [mean for _, mean in measured])
    if isinstance(response, NoResponse):
        return f"{cannot}{response.reason}.", response.note
    days = bill.span.days
    low, high = response.difference_wh(_means_f(facts, bill.span), _means_f(facts, before.span), days)
    change = bill.usage_wh - before.usage_wh * days / before.span.days
    return compared(low / 1000, high / 1000, change / 1000), _stands_on(response)


def _stands_on(response: Response) -> str:
    days = counted(response.days, "day")
    return (
        f"The range is from {days} of this home before the bill and holds 9 times in 10 (R² {response.r_squared:.2f})."
    )


def _mean_f(day: DayTemperature) -> float:
    """Return a day's mean of lowest and highest temperature [°F], for the statistics alone."""
    return (day.min_dc + day.max_dc) * 0.09 + 32


def _means_f(facts: WeatherFacts, span: BillSpan) -> F64:
    return np.array([_mean_f(d) for d in facts.station.days if span.first <= d.day < span.end])


def _of(facts: WeatherFacts, span: BillSpan) -> DegreeDays:
    return degree_days_of(facts.station.days, span.first, span.end)


def _year_before(span: BillSpan) -> BillSpan:
    """Return the same days a year before: 364 days, so that weekdays meet weekdays."""
    return BillSpan(span.first - timedelta(days=364), span.end - timedelta(days=364))


def _days(facts: WeatherFacts, bill: Bill, energy_wh: I64 | None, unit: Unit) -> tuple[WeatherDay, ...]:
    """Return the bill's days with energy and temperature, for a chart and its table."""
    found: dict[date, DayTemperature] = {d.day: d for d in facts.station.days}
    days = []
    for n in range(bill.span.days):
        day = bill.span.first + timedelta(days=n)
        air = found.get(day)
        wh = int(energy_wh[n]) if energy_wh is not None and n < len(energy_wh) else None
        low, high = (None, None) if air is None else (unit.tenths(air.min_dc), unit.tenths(air.max_dc))
        days.append(WeatherDay(day, wh, low, high))
    return tuple(days)
