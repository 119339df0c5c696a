"""What a customer asks about rates, from the store: compare, what would have to be true, and the wish for another."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np

from openami.billing.compare.assumption import Assumption
from openami.billing.compare.breakeven import BreakEven
from openami.billing.compare.comparison import Comparison, compare_rates
from openami.billing.compare.eligible import barred, size_of
from openami.billing.compare.ports import FactsOfPlaces, PlaceFacts, PlaceRates, ShadowBook, WishBook
from openami.billing.compare.protection import Protection, ShadowEntry
from openami.billing.compare.several import assumed_by_rate, solved
from openami.billing.compare.wish import Wish, WishRefusedError
from openami.billing.rating.terms import BillTerms
from openami.billing.rating.usage import I64, BillSpan, Usage, calendar_months
from openami.billing.tariff.model import OPEN_SUFFIX, RateSchedule, opened
from openami.contracts.channel import Channel
from openami.contracts.quality import QualityState
from openami.kernel.time import Period, local_date, local_midnight, zone_named
from openami.mdm.api import IntervalSeries, MeterData
from openami.security.access.scope import Scope

MONTHS = 12


@dataclass(frozen=True, slots=True, eq=False)
class RatesOfPlace:
    """Every rate at one place.

    Args:
        comparison: what each would have cost.
        present: code of the rate that the customer is on; None where there is none.
        usage: what was priced, by rate code: assumed habits differ by rate.
        zone: of the place.
        terms: what each bill was made with beside intervals, by span.
        assumptions: labels of what was assumed; empty where everything was measured.
    """

    comparison: Comparison
    present: str | None
    usage: Mapping[str, Usage]
    zone: ZoneInfo
    terms: Mapping[BillSpan, BillTerms]
    assumptions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Question:
    """One customer's data, read once."""

    service_point_id: UUID
    usage: Usage
    spans: list[BillSpan]
    zone: ZoneInfo
    present: str | None
    schedules: list[RateSchedule]
    facts: PlaceFacts


class RateQuestions:
    """Questions and wishes of customers about rates.

    Args:
        meters: validated usage.
        rates: what billing knows.
        facts: what bills are made with, and when reads are due.
        wishes: where wishes are kept.
        shadows: where first-year ledgers are kept.
    """

    def __init__(
        self,
        *,
        meters: MeterData,
        rates: PlaceRates,
        facts: FactsOfPlaces,
        wishes: WishBook,
        shadows: ShadowBook,
    ) -> None:
        self._meters = meters
        self._rates = rates
        self._facts = facts
        self._wishes = wishes
        self._shadows = shadows

    @property
    def rates(self) -> Mapping[str, RateSchedule]:
        """Every rate that can be chosen, by code."""
        return self._rates.rates

    async def compare(
        self, scope: Scope, service_point_id: UUID, now: datetime, *, assumptions: Sequence[Assumption] = ()
    ) -> RatesOfPlace:
        """Compare every rate on the place's own intervals of the last twelve whole months.

        Raises:
            ScopeError: outside the scope.
            StoreError: the store did not answer.
        """
        asked = await self._question(scope, service_point_id, now)
        return await asyncio.to_thread(_compared, asked, tuple(assumptions))

    async def break_even(
        self, scope: Scope, service_point_id: UUID, now: datetime
    ) -> tuple[tuple[BillSpan, ...], list[BreakEven]]:
        """Return the days compared, and what would have to be true for each other rate.

        Nothing is said without a present rate or enough of a month.

        Raises:
            ScopeError: outside the scope.
            StoreError: the store did not answer.
        """
        return await asyncio.to_thread(_solved, await self._question(scope, service_point_id, now))

    async def next_read(self, scope: Scope, service_point_id: UUID, now: datetime) -> date:
        """Return the local day of the next billing read.

        Raises:
            ScopeError: outside the scope.
        """
        zone = zone_named((await self._meters.service_point(scope, service_point_id)).zone)
        return await self._facts.next_read_day(service_point_id, local_date(now, zone))

    async def wish_of(self, scope: Scope, service_point_id: UUID, now: datetime) -> Wish | None:
        """Return the newest wish of a place, if it is of this customer's time: an earlier customer's is theirs."""
        found = await self._wishes.newest(scope, service_point_id)
        is_theirs = found is not None and await self._is_own(scope, service_point_id, found.asked_at, now)
        return found if is_theirs else None

    async def protection_of(
        self, scope: Scope, service_point_id: UUID, now: datetime
    ) -> tuple[Protection, list[ShadowEntry]] | None:
        """Return the newest first-year protection of a place with its ledger, if it is of this customer's time."""
        found = await self._shadows.of_place(scope, service_point_id)
        if found is None:
            return None
        guard, entries = found
        zone = zone_named((await self._meters.service_point(scope, service_point_id)).zone)
        begun = local_midnight(guard.first_day, zone)
        is_theirs = await self._is_own(scope, service_point_id, begun, now)
        return (guard, entries) if is_theirs else None

    async def ask(
        self, scope: Scope, service_point_id: UUID, rate_code: str, now: datetime, *, by: UUID, wish_id: UUID
    ) -> Wish:
        """Record a wish; the rate begins with the next billing read.

        Args:
            scope: of whoever asks.
            service_point_id: where.
            rate_code: the rate wanted.
            now: domain time.
            by: the account.
            wish_id: names the wish.

        Raises:
            WishRefusedError: no such rate, it is the present one, or the customer cannot be on it.
            ScopeError: outside the scope.
        """
        zone = zone_named((await self._meters.service_point(scope, service_point_id)).zone)
        today = local_date(now, zone)
        if not _holds(scope, service_point_id, now):
            raise WishRefusedError("You are no longer a customer at this place.")
        present = await self._rates.rate_of(service_point_id, today)
        wanted = self._rates.rates.get(rate_code)
        if present is None or wanted is None:
            raise WishRefusedError("There is no such rate to choose here.")
        if _code(present) == rate_code:
            raise WishRefusedError(f"You are on {wanted.name} already.")
        first_day = await self._facts.next_read_day(service_point_id, today)
        if reason := await self.barred(scope, service_point_id, wanted, first_day, now):
            raise WishRefusedError(f"{wanted.name} cannot be chosen here: {reason}.")
        wish = Wish(wish_id, service_point_id, rate_code, _code(present), first_day, now, by)
        await self._wishes.ask(scope, wish)
        return wish

    async def barred(self, scope: Scope, service_point_id: UUID, wanted: RateSchedule, day: date, now: datetime) -> str:
        """Return why a place cannot be on a rate from a day on; empty where nothing known stands against it.

        Raises:
            ScopeError: outside the scope.
            StoreError: the store did not answer.
        """
        asked = await self._question(scope, service_point_id, now)
        facts = await self._facts.facts(service_point_id, [BillSpan(day, day + timedelta(days=1))])
        return barred(wanted, day, facts, size_of(asked.usage, asked.spans, asked.zone))

    async def withdraw(self, scope: Scope, service_point_id: UUID, now: datetime, *, by: UUID) -> Wish:
        """Take the open wish back.

        Raises:
            WishRefusedError: none is open.
            ScopeError: outside the scope.
        """
        if not _holds(scope, service_point_id, now):
            raise WishRefusedError("You are no longer a customer at this place.")
        found = await self._wishes.withdraw(scope, service_point_id, by=by, at=now)
        if found is None:
            raise WishRefusedError("There is no open wish for another rate here.")
        return found

    async def _question(self, scope: Scope, service_point_id: UUID, now: datetime) -> _Question:
        zone = zone_named((await self._meters.service_point(scope, service_point_id)).zone)
        end = local_date(now, zone).replace(day=1)
        first = _months_before(end, MONTHS)
        spans = calendar_months(first, end)
        period = Period(local_midnight(first, zone), local_midnight(end, zone))
        schedules = [_reaching(s, first) for s in self._rates.rates.values()]
        needs_received = any(v.export is not None for s in schedules for v in s.versions)
        usage, present, facts = await asyncio.gather(
            self._usage(scope, service_point_id, period, now, needs_received=needs_received),
            self._rates.rate_of(service_point_id, local_date(now, zone)),
            self._facts.facts(service_point_id, spans),
        )
        # The rate of today is the next customer's where this one has moved out.
        is_here = _holds(scope, service_point_id, now)
        code = None if present is None or not is_here else _code(present)
        return _Question(service_point_id, usage, spans, zone, code, schedules, facts)

    async def _own(self, scope: Scope, place: UUID, period: Period, now: datetime) -> tuple[Period, ...]:
        """Return the parts of a period that may be told to a customer: staff speak to whoever holds the place now."""
        parts = scope.granted(place, period)
        return parts if scope.periods is not None else await self._facts.of_present(place, period, now)

    async def _is_own(self, scope: Scope, place: UUID, at: datetime, now: datetime) -> bool:
        return bool(await self._own(scope, place, Period(at, at + timedelta(seconds=1)), now))

    async def _usage(
        self, scope: Scope, service_point_id: UUID, period: Period, now: datetime, *, needs_received: bool
    ) -> Usage:
        parts = await self._own(scope, service_point_id, period, now)
        channels = (Channel.DELIVERED, Channel.RECEIVED) if needs_received else (Channel.DELIVERED,)
        found = [
            await asyncio.gather(*(self._meters.intervals(scope, service_point_id, c, p) for c in channels))
            for p in parts
        ]
        return joined_usage(found)


def _compared(asked: _Question, assumptions: tuple[Assumption, ...]) -> RatesOfPlace:
    size, last = size_of(asked.usage, asked.spans, asked.zone), asked.spans[-1].last
    unheard = asked.facts.unheard
    against = {s.code: barred(s, last, asked.facts, size) or unheard.get(s.code, "") for s in asked.schedules}
    against = {code: words for code, words in against.items() if words}
    usage = assumed_by_rate(asked.schedules, asked.usage, asked.spans, asked.zone, assumptions)
    found = compare_rates(
        asked.schedules, asked.usage, asked.spans, asked.zone,
        present=asked.present, ineligible=against, terms=asked.facts.terms, changed=usage if assumptions else None,
    )  # fmt: skip
    return RatesOfPlace(found, asked.present, usage, asked.zone, asked.facts.terms, tuple(a.label for a in assumptions))


def _solved(asked: _Question) -> tuple[tuple[BillSpan, ...], list[BreakEven]]:
    compared = _compared(asked, ())
    found = compared.comparison
    return found.spans, solved(found, asked.present, compared.usage, asked.zone)


def _reaching(schedule: RateSchedule, first: date) -> RateSchedule:
    """Return the rate, its first prices applied to older days where it is younger than the first day compared."""
    begins = schedule.versions[0].effective_from
    if begins is None or begins <= first:
        return schedule
    return replace(opened(schedule), code=schedule.code)


def _holds(scope: Scope, service_point_id: UUID, at: datetime) -> bool:
    return bool(scope.granted(service_point_id, Period(at, at + timedelta(seconds=1))))


def _code(schedule: RateSchedule) -> str:
    return schedule.code.removesuffix(OPEN_SUFFIX)


def joined_usage(found: Sequence[Sequence[IntervalSeries]]) -> Usage:
    """Return delivered intervals with what was received in each; missing and negative ones are left out."""
    if not found:
        return Usage(np.zeros(0, np.int64), np.zeros(0, np.int64), 900)
    start, value, quality = _columns([part[0] for part in found])
    received = None
    if len(found[0]) > 1:
        sent_start, sent, sent_quality = _columns([part[1] for part in found])
        there = (sent_quality != QualityState.MISSING) & (sent >= 0)
        received = np.zeros(len(start), np.int64)
        at = np.searchsorted(start, sent_start[there])
        fits = at < len(start)
        fits[fits] = start[at[fits]] == sent_start[there][fits]
        received[at[fits]] = sent[there][fits]
    good = (quality != QualityState.MISSING) & (value >= 0)
    return Usage(
        start[good], value[good], found[0][0].interval_s, quality[good] == QualityState.ESTIMATED,
        None if received is None else received[good],
    )  # fmt: skip


def _columns(series: Sequence[IntervalSeries]) -> tuple[I64, I64, np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    return (
        np.concatenate([s.start_s for s in series]),
        np.concatenate([s.value for s in series]),
        np.concatenate([s.quality for s in series]),
    )


def _months_before(day: date, months: int) -> date:
    number = day.year * 12 + day.month - 1 - months
    return date(number // 12, number % 12 + 1, 1)
