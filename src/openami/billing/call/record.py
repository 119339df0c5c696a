"""What is said of a bill against another: values, all in words or plain numbers. No identity."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the difference between two bills: what it is, and how much money (signed, in words)."""

    title: str
    words: str
    amount: str


@dataclass(frozen=True, slots=True)
class Said:
    """One thing a caller asks about, and the answer."""

    title: str
    words: str


@dataclass(frozen=True, slots=True)
class DayRise:
    """A day that used more than such days did: its energy and theirs [Wh], and how much of it was estimated."""

    day: date
    wh: int
    usual_wh: int
    estimated_wh: int


@dataclass(frozen=True, slots=True)
class HourRise:
    """An hour of the day: mean energy in it now and then [Wh]."""

    hour: int
    wh: int
    usual_wh: int


@dataclass(frozen=True, slots=True)
class WeatherDay:
    """A day of the bill: its energy [Wh], and its lowest and highest temperature in the customer's unit, for a plot."""

    day: date
    wh: int | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class CallWeather:
    """What the weather says about a bill.

    Args:
        said: sentences, the comparison first; at least one.
        note: in small print, whose temperatures they are and what a range stands on; empty where there are none.
        unit: of the temperatures, °F or °C; empty where there are none.
        days: the bill's days; empty where there are no temperatures.
    """

    said: tuple[str, ...]
    note: str
    unit: str
    days: tuple[WeatherDay, ...]


@dataclass(frozen=True, slots=True)
class CallAnswer:
    """The answer to "why is this bill so high?".

    Args:
        bill_id, service_point_id: which bill, of which place.
        headline: the answer in one or two sentences.
        against: which bill it is compared with, or why with none.
        parts: the difference, taken apart; the amounts add up to it.
        said: days, readings, rate, meter, weather, checks: each answered, also where nobody can say.
        days: the days that rose most, the most first.
        hours: the 24 hours of the day; empty where either bill's intervals are not at hand.
        hours_words: the same in a sentence.
        weather: temperatures and what they explain.
    """

    bill_id: UUID
    service_point_id: UUID
    headline: str
    against: str
    parts: tuple[Part, ...]
    said: tuple[Said, ...]
    days: tuple[DayRise, ...]
    hours: tuple[HourRise, ...]
    hours_words: str
    weather: CallWeather
