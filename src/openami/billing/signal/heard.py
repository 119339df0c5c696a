"""What a bill hears of the signals that its rate follows, and from when to when nothing is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from openami.billing.rating.terms import BillTerms, EventPeriod, PriceSeries
from openami.billing.rating.usage import BillSpan
from openami.billing.signal.statement import SYSTEM, SignalBook, SignalKind, Statement
from openami.billing.tariff.model import RateSchedule
from openami.kernel.time import Period

Followed = tuple[SignalKind, str]
"""A signal that a rate follows."""
_WORDS = {
    SignalKind.EVENTS: "whether there was an event of {}",
    SignalKind.PRICES: "the prices of {}",
    SignalKind.PEAKS: "when the {} peaked",
}


@dataclass(frozen=True, slots=True)
class Heard:
    """What is known of the signals of one bill.

    Args:
        events, prices, peaks: as the terms of a bill take them.
        sources: where they come from, in words.
        lacks: what is not known of which time; empty where all is.
    """

    events: tuple[EventPeriod, ...] = ()
    prices: tuple[PriceSeries, ...] = ()
    peaks: tuple[datetime, ...] = ()
    sources: tuple[str, ...] = ()
    lacks: str = ""

    def into(self, terms: BillTerms) -> BillTerms:
        """Return terms with what was heard; a rate that follows nothing leaves them as they are."""
        if self == _NOTHING:
            return terms
        return replace(terms, events=self.events, prices=self.prices, coincident=self.peaks, sources=self.sources)


_NOTHING = Heard()


def followed_by(schedule: RateSchedule, span: BillSpan) -> list[Followed]:
    """Return the signals that a rate follows on a day of a bill."""
    found: list[Followed] = []
    for version in schedule.versions:
        begins, ends = version.effective_from, version.effective_to
        if (begins is not None and begins >= span.end) or (ends is not None and ends <= span.first):
            continue
        found += [(SignalKind.EVENTS, e.signal) for e in version.events]
        found += [(SignalKind.PRICES, p.signal) for p in version.periods if p.signal]
        if any(d.coincident is not None for d in version.demand):
            found.append((SignalKind.PEAKS, SYSTEM))
    return list(dict.fromkeys(found))


async def heard_of(book: SignalBook, schedule: RateSchedule, span: BillSpan, zone: ZoneInfo) -> Heard:
    """Return what a bill of a rate hears; a rate that follows no signal asks nobody.

    Args:
        book: statements.
        schedule: the rate.
        span: the bill's days.
        zone: of the place.
    """
    followed = followed_by(schedule, span)
    if not followed:
        return _NOTHING
    period = span.period(zone)
    return heard_from(followed, period, await book.over([name for _, name in followed], period))


def heard_from(followed: Sequence[Followed], period: Period, statements: Sequence[Statement]) -> Heard:
    """Return what statements say of signals in a time.

    Args:
        followed: the signals.
        period: of the bill.
        statements: the newest first: of one instant the newest counts.
    """
    found, lacks = Heard(), []
    for kind, name in followed:
        left = [period]
        for one in (s for s in statements if (s.kind, s.signal) == (kind, name)):
            told = [p for part in left if (p := part.intersection(one.period)) is not None]
            left = [rest for part in left for rest in _without(part, one.period)]
            if told:
                found = _added(found, one, told, period)
        lacks += [f"{_WORDS[kind].format(name)} {_between(gap)}" for gap in left]
    words = f"it is not known {'; '.join(lacks)}" if lacks else ""
    return replace(
        found, events=tuple(sorted(found.events, key=lambda e: (e.start, e.signal))), peaks=tuple(sorted(found.peaks)),
        lacks=words,
    )  # fmt: skip


def _added(found: Heard, one: Statement, told: Sequence[Period], period: Period) -> Heard:
    """Add what a statement says of the parts of a bill that no newer one speaks of."""
    source = f"{one.kind.value} of {one.signal}: {one.source}, entered {one.entered_at.date().isoformat()}"
    events = tuple(EventPeriod(one.signal, *_told(e, part, period)) for e in one.events for part in told
                   if e.intersection(part) is not None)  # fmt: skip
    return Heard(
        (*found.events, *events),
        (*found.prices, *((_cut(one, period),) if one.prices else ())),
        (*found.peaks, *(i for i in one.instants if any(p.start <= i < p.end for p in told))),
        tuple(dict.fromkeys((*found.sources, source))),
    )


def _told(event: Period, part: Period, period: Period) -> tuple[datetime, datetime]:
    """Return from when to when an event was, by a statement that is asked about a part of a bill alone.

    It is cut where a newer statement begins to speak, not where the bill ends.
    """
    start = event.start if part.start == period.start else max(event.start, part.start)
    return start, event.end if part.end == period.end else min(event.end, part.end)


def _cut(one: Statement, period: Period) -> PriceSeries:
    """Return the prices that hold on an instant of a bill: it keeps no others."""
    step = timedelta(seconds=one.interval_s)
    skipped = max(0, (period.start - one.period.start) // step)
    last = min(len(one.prices), -((one.period.start - period.end) // step))
    return PriceSeries(one.signal, one.period.start + skipped * step, one.interval_s, one.prices[skipped:last])


def _without(part: Period, taken: Period) -> list[Period]:
    """Return what is left of a time where another is taken out."""
    if part.intersection(taken) is None:
        return [part]
    edges = [(part.start, min(part.end, taken.start)), (max(part.start, taken.end), part.end)]
    return [Period(a, b) for a, b in edges if a < b]


def _between(gap: Period) -> str:
    return f"from {gap.start.isoformat()} to {gap.end.isoformat()}"
