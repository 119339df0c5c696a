"""What forbids a disconnection: holds, payments, weather, and nobody there to reconnect. By reason, from dated data.

A safety disconnection passes all of it, and so does every reconnection. Where it cannot be told whether a block binds,
it binds: without a forecast nobody is cut off in the cold.

Source: 20 CSR 4240-13.050 and 13.055, RSMo 393.109, as dated in ``data/missouri.toml``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from openami.headend.switching.order import (
    CLOSED_BY_ONE,
    NEEDS_TWO_TO_CLOSE,
    NO_LIMIT_W,
    SwitchAction,
    SwitchItem,
    SwitchReason,
    SwitchSubject,
)
from openami.kernel.time import Period

MAX_FORECAST_AGE = timedelta(hours=24)
"""An older forecast is none."""
FORECAST_STEP = timedelta(hours=3)
"""A forecast says something of each such span, or it has a hole."""
_HOUR = timedelta(hours=1)


class BlockCode(StrEnum):
    """Why a meter is not switched, as far as anybody but the customer room hears it.

    HOLD says that the customer room holds this place, not why: a medical hold, a dispute and any other look the same.
    """

    PAID = "paid"
    HOLD = "hold"
    OTHER_CUSTOMER = "other_customer"
    MOVED = "moved"
    WEATHER = "weather"
    NO_FORECAST = "no_forecast"
    NO_STAFF = "no_staff"
    CUT_FOR_SAFETY = "cut_for_safety"


@dataclass(frozen=True, slots=True)
class Stop:
    """A word of the customer room about one place.

    Args:
        code: PAID, HOLD or OTHER_CUSTOMER.
        reasons: the reasons that it stops.
        period: real time for which it holds.
        orders_before: it stops orders that were made before this alone; None for any order.
    """

    code: BlockCode
    reasons: frozenset[SwitchReason]
    period: Period
    orders_before: datetime | None = None

    def binds(self, reason: SwitchReason, *, made_at: datetime, now: datetime) -> bool:
        """Tell whether it stops an order that was made at an instant for this reason."""
        if reason not in self.reasons or not self.period.holds(now):
            return False
        return self.orders_before is None or made_at < self.orders_before


@dataclass(frozen=True, slots=True)
class ForecastHour:
    """What is foreseen for an instant [degrees Fahrenheit]; the heat index is None where nobody gives one."""

    at: datetime
    temperature_f: float
    heat_index_f: float | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """A weather forecast of the area.

    Args:
        issued_at: when it was made.
        hours: what it says, in order of time.
    """

    issued_at: datetime
    hours: tuple[ForecastHour, ...] = ()


@dataclass(frozen=True, slots=True)
class WeatherRule:
    """No disconnection in a season while the forecast says so.

    Args:
        name: as staff know it.
        reasons: which it binds.
        in_force: days on which it is law.
        season: first and last day of the season as (month, day), both included; may run over the new year.
        look_ahead: how far the forecast is looked at.
        below_f: it binds where less than this is foreseen; None for no such bound.
        from_f: it binds where this or more is foreseen.
        heat_index_from_f: likewise for the heat index.
    """

    name: str
    reasons: frozenset[SwitchReason]
    in_force: tuple[date, date]
    season: tuple[tuple[int, int], tuple[int, int]]
    look_ahead: timedelta
    below_f: float | None = None
    from_f: float | None = None
    heat_index_from_f: float | None = None

    def in_season(self, day: date) -> bool:
        """Tell whether a local day lies in the season of a rule in force."""
        first, last = self.season
        here = (day.month, day.day)
        inside = first <= here <= last if first <= last else here >= first or here <= last
        return inside and self.in_force[0] <= day < self.in_force[1]

    def binds(self, hour: ForecastHour) -> bool:
        """Tell whether what is foreseen for an hour forbids it."""
        warm = hour.temperature_f
        return (
            (self.below_f is not None and warm < self.below_f)
            or (self.from_f is not None and warm >= self.from_f)
            or (
                self.heat_index_from_f is not None
                and hour.heat_index_f is not None
                and hour.heat_index_f >= self.heat_index_from_f
            )
        )


@dataclass(frozen=True, slots=True)
class StaffRule:
    """Disconnections only when somebody could reconnect.

    Args:
        name: as staff know it.
        reasons: which it binds.
        in_force: days on which it is law.
        weekdays: 0 Monday to 6 Sunday, on which there is staff.
        hours: local times of day, half-open.
        holidays: days without staff.
        next_day: whether there must be staff on the day after, too.
    """

    name: str
    reasons: frozenset[SwitchReason]
    in_force: tuple[date, date]
    weekdays: frozenset[int]
    hours: tuple[time, time]
    holidays: frozenset[date] = frozenset()
    next_day: bool = True

    def binds(self, local: datetime) -> bool:
        """Tell whether an instant, in local time, is none at which a customer may be cut off."""
        today = local.date()
        if not self.in_force[0] <= today < self.in_force[1]:
            return False
        tomorrow = today + timedelta(days=1)
        there = self._staffed(today) and (not self.next_day or self._staffed(tomorrow))
        return not (there and self.hours[0] <= local.time() < self.hours[1])

    def _staffed(self, day: date) -> bool:
        return day.weekday() in self.weekdays and day not in self.holidays


@dataclass(frozen=True, slots=True)
class HoldRule:
    """Which reasons a hold of a kind stops. The kinds are the customer room's own words."""

    kind: str
    reasons: frozenset[SwitchReason]
    in_force: tuple[date, date]


@dataclass(frozen=True, slots=True)
class SwitchRules:
    """The rules of one jurisdiction.

    Args:
        name: of the jurisdiction.
        weather, staff, holds: its rules.
    """

    name: str
    weather: tuple[WeatherRule, ...] = ()
    staff: tuple[StaffRule, ...] = ()
    holds: tuple[HoldRule, ...] = ()

    def stopped_by(self, kind: str, day: date) -> frozenset[SwitchReason]:
        """Return the reasons that a hold of this kind stops on a local day."""
        found = [r.reasons for r in self.holds if r.kind == kind and r.in_force[0] <= day < r.in_force[1]]
        return frozenset().union(*found)


@dataclass(frozen=True, slots=True)
class SwitchFacts:
    """What is known of one meter of an order at the moment when it would be switched.

    Args:
        hangs_at: the service point where the meter hangs now; None where it hangs nowhere.
        stops: what the customer room says of the place.
        last_cut: the reason of the last disconnection of this meter; None where it never was.
        forecast: of the area; None where there is none.
    """

    hangs_at: UUID | None
    stops: Sequence[Stop] = field(default=())
    last_cut: SwitchReason | None = None
    forecast: Forecast | None = None


def block_of(
    item: SwitchItem,
    subject: SwitchSubject,
    facts: SwitchFacts,
    *,
    rules: SwitchRules,
    zone: ZoneInfo,
    made_at: datetime,
    now: datetime,
    domain_now: datetime,
) -> BlockCode | None:
    """Return why a meter of an order may not be switched now; None where it may.

    Args:
        item: the meter.
        subject: action and reason.
        facts: what is known.
        rules: of the jurisdiction.
        zone: of the place.
        made_at: when the order was made, real time.
        now: real time: orders, payments and holds are by it.
        domain_now: the installation's time, UTC: weather and office hours are by it.
    """
    if facts.hangs_at != item.service_point_id:
        return BlockCode.MOVED
    if subject.action is SwitchAction.RECONNECT:
        unsafe = subject.reason in CLOSED_BY_ONE and facts.last_cut in NEEDS_TWO_TO_CLOSE
        return BlockCode.CUT_FOR_SAFETY if unsafe else None
    if subject.reason is SwitchReason.SAFETY or (subject.limit_w == NO_LIMIT_W):
        return None
    binding = {s.code for s in facts.stops if s.binds(subject.reason, made_at=made_at, now=now)}
    for code in (BlockCode.PAID, BlockCode.OTHER_CUSTOMER, BlockCode.HOLD):
        if code in binding:
            return code
    local = domain_now.astimezone(zone)
    if any(subject.reason in r.reasons and r.binds(local) for r in rules.staff):
        return BlockCode.NO_STAFF
    return _weather(subject.reason, facts.forecast, rules, local.date(), domain_now)


def _weather(
    reason: SwitchReason, forecast: Forecast | None, rules: SwitchRules, today: date, now: datetime
) -> BlockCode | None:
    for rule in rules.weather:
        if reason not in rule.reasons or not rule.in_season(today):
            continue
        if forecast is None or not covers(forecast, now, rule.look_ahead):
            return BlockCode.NO_FORECAST
        near = [h for h in forecast.hours if now - FORECAST_STEP < h.at < now + rule.look_ahead]
        if any(rule.binds(hour) for hour in near):
            return BlockCode.WEATHER
    return None


def covers(forecast: Forecast, now: datetime, look_ahead: timedelta) -> bool:
    """Tell whether a forecast is fresh and says something of every span until then."""
    if not timedelta() <= now - forecast.issued_at + _HOUR <= MAX_FORECAST_AGE + _HOUR:
        return False
    at = now - FORECAST_STEP
    for hour in forecast.hours:
        if hour.at - at > 2 * FORECAST_STEP:
            return at >= now + look_ahead
        at = max(at, hour.at)
    return at + FORECAST_STEP >= now + look_ahead
