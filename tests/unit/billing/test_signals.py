"""Statements of signals: what a bill hears, what is missing, that the newest word counts, and what files may say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from openami.billing.rating.terms import BillTerms, EventPeriod, PriceSeries
from openami.billing.rating.usage import BillSpan
from openami.billing.signal.document import content_of, parse_statements, with_content
from openami.billing.signal.heard import followed_by, heard_from, heard_of
from openami.billing.signal.statement import SYSTEM, SignalBook, SignalError, SignalKind, Statement
from openami.billing.tariff import TariffError, shipped_rates
from openami.billing.tariff.demand import CoincidentRule
from openami.billing.tariff.model import RateSchedule
from openami.kernel.errors import OpenAmiError
from openami.kernel.time import Period

CHICAGO = ZoneInfo("America/Chicago")
JUNE = BillSpan(date(2026, 6, 1), date(2026, 7, 1))
MONTH = JUNE.period(CHICAGO)
NOW = datetime(2026, 7, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


def said(kind: SignalKind, start: datetime, end: datetime, **more: object) -> Statement:
    named = {"signal": SYSTEM if kind is SignalKind.PEAKS else "peak"} | more
    return Statement(uuid4(), kind, period=Period(start, end), source="the operator", entered_at=NOW, **named)  # type: ignore[arg-type]


def at(day: int, hour: int) -> datetime:
    return datetime(2026, 6, day, hour, tzinfo=CHICAGO)


PEAKS = [(SignalKind.PEAKS, SYSTEM)]
EVENTS = [(SignalKind.EVENTS, "peak")]


def test_a_bill_hears_the_peaks_within_its_days_and_their_source() -> None:
    whole = said(SignalKind.PEAKS, MONTH.start - 48 * HOUR, MONTH.end, instants=(at(1, 0) - HOUR, at(17, 16)))
    heard = heard_from(PEAKS, MONTH, [whole])
    assert (heard.peaks, heard.lacks) == ((at(17, 16),), "")
    terms = heard.into(BillTerms())
    assert terms.coincident == (at(17, 16),)
    assert terms.sources == ("peaks of system: the operator, entered 2026-07-02",)


def test_what_nobody_stated_is_said_from_when_to_when() -> None:
    until = said(SignalKind.EVENTS, MONTH.start, at(20, 0))
    after = said(SignalKind.EVENTS, at(22, 0), MONTH.end)
    assert heard_from(EVENTS, MONTH, [until, after]).lacks == (
        "it is not known whether there was an event of peak from 2026-06-20T05:00:00+00:00 to 2026-06-22T05:00:00+00:00"
    )
    assert heard_from(EVENTS, MONTH, []).lacks.endswith("from 2026-06-01T05:00:00+00:00 to 2026-07-01T05:00:00+00:00")


def test_of_one_time_the_newest_statement_counts_and_the_rest_of_the_older_stays() -> None:
    old = said(
        SignalKind.EVENTS, MONTH.start, MONTH.end, events=(Period(at(3, 14), at(3, 18)), Period(at(15, 14), at(15, 18)))
    )
    new = said(SignalKind.EVENTS, at(15, 0), at(16, 0), events=(Period(at(15, 15), at(15, 19)),))
    heard = heard_from(EVENTS, MONTH, [new, old])
    assert heard.events == (EventPeriod("peak", at(3, 14), at(3, 18)), EventPeriod("peak", at(15, 15), at(15, 19)))
    none = said(SignalKind.EVENTS, at(15, 0), at(16, 0))
    assert heard_from(EVENTS, MONTH, [none, old]).events == (EventPeriod("peak", at(3, 14), at(3, 18)),)


def test_an_event_that_a_newer_statement_speaks_of_in_part_holds_for_the_rest_of_it_alone() -> None:
    old = said(SignalKind.EVENTS, MONTH.start, MONTH.end, events=(Period(at(15, 14), at(15, 18)),))
    later = said(SignalKind.EVENTS, at(15, 16), at(16, 0))
    assert heard_from(EVENTS, MONTH, [later, old]).events == (EventPeriod("peak", at(15, 14), at(15, 16)),)
    earlier = said(SignalKind.EVENTS, at(15, 0), at(15, 15))
    assert heard_from(EVENTS, MONTH, [earlier, old]).events == (EventPeriod("peak", at(15, 15), at(15, 18)),)


def test_an_event_over_the_edge_of_a_bill_is_heard_by_both_bills() -> None:
    one = said(
        SignalKind.EVENTS, MONTH.start - HOUR, MONTH.end, events=(Period(MONTH.start - HOUR, MONTH.start + HOUR),)
    )
    assert len(heard_from(EVENTS, MONTH, [one]).events) == 1
    assert heard_from(EVENTS, Period(MONTH.start + HOUR, MONTH.end), [one]).events == ()


def test_a_bill_keeps_the_prices_of_its_own_time_alone() -> None:
    prices = tuple(Decimal(n) / 1000 for n in range(32 * 24))
    one = said(SignalKind.PRICES, MONTH.start - 24 * HOUR, MONTH.start + 31 * 24 * HOUR, interval_s=3600, prices=prices)
    heard = heard_from([(SignalKind.PRICES, "peak")], MONTH, [one])
    assert heard.prices == (PriceSeries("peak", MONTH.start, 3600, prices[24 : 24 + 30 * 24]),)
    assert heard.lacks == ""


class Silent:
    """A book that must not be asked."""

    async def over(self, *_asked: object) -> list[Statement]:
        raise AssertionError("a rate without signals asks nobody")


async def test_a_rate_that_follows_nothing_asks_nobody_and_leaves_terms_alone() -> None:
    plain = shipped_rates()["ameren-mo-smart"]
    book: SignalBook = Silent()  # type: ignore[assignment]
    terms = BillTerms(municipality="Alton")
    assert (await heard_of(book, plain, JUNE, CHICAGO)).into(terms) is terms


def test_a_rate_follows_what_its_versions_in_force_name() -> None:
    plain = shipped_rates()["ameren-mo-ultimate"]
    version = plain.versions[-1]
    demand = tuple(replace(d, coincident=CoincidentRule.HIGHEST) for d in version.demand)
    rate = RateSchedule("x", "X", "", "USD", (replace(version, effective_from=JUNE.end, demand=demand),))
    assert followed_by(rate, JUNE) == []
    assert followed_by(rate, BillSpan(JUNE.first, date(2026, 7, 2))) == [(SignalKind.PEAKS, SYSTEM)]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"instants": (MONTH.end,)}, "before the end"),
        ({"instants": (at(9, 1), at(9, 1))}, "each once"),
        ({"instants": (MONTH.start - HOUR,)}, "within the time"),
        ({"signal": "mine"}, "of the signal 'system'"),
        ({"signal": ""}, "are needed"),
    ],
)
def test_a_statement_that_cannot_be_is_refused(more: dict[str, object], words: str) -> None:
    with pytest.raises(SignalError, match=words):
        said(SignalKind.PEAKS, MONTH.start, MONTH.end, **more)


def test_events_do_not_overlap_and_prices_fill_their_time() -> None:
    with pytest.raises(SignalError, match="do not overlap"):
        said(SignalKind.EVENTS, MONTH.start, MONTH.end, events=(Period(at(3, 1), at(3, 3)), Period(at(3, 2), at(3, 4))))
    with pytest.raises(SignalError, match="do not fill"):
        said(SignalKind.PRICES, MONTH.start, MONTH.end, interval_s=3600, prices=(Decimal(1),))


FILE = """
format = "openami-signals/1"
source = "the operator's report of July"
[[peaks]]
first = 2026-06-01T00:00:00-05:00
end = 2026-07-01T00:00:00-05:00
at = [2026-06-17T16:00:00-05:00]
[[events]]
signal = "critical"
first = 2026-06-01T00:00:00-05:00
end = 2026-07-01T00:00:00-05:00
events = [{start = 2026-06-17T14:00:00-05:00, end = 2026-06-17T18:00:00-05:00}]
[[prices]]
signal = "day_ahead"
first = 2026-06-01T00:00:00-05:00
interval_s = 3600
prices = ["0.031", "-0.002"]
"""


def parsed(text: str) -> list[Statement]:
    return parse_statements(text.encode(), at=NOW, by="someone", new_id=uuid4)


def test_a_file_states_events_prices_and_peaks_and_is_kept_as_it_was_read() -> None:
    read = parsed(FILE)
    assert {s.kind for s in read} == set(SignalKind)
    prices = next(s for s in read if s.kind is SignalKind.PRICES)
    assert (prices.period.end, prices.prices[1]) == (at(1, 2), Decimal("-0.002"))
    for one in read:
        row = {
            "statement_id": one.statement_id, "kind": one.kind.value, "signal": one.signal, "source": one.source,
            "first_at": one.period.start, "end_at": one.period.end, "content": content_of(one),
            "entered_at": one.entered_at, "entered_by": one.entered_by,
        }  # fmt: skip
        assert with_content(row) == one


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("openami-signals/1", "openami-signals/9", "format"),
        ('source = "the operator\'s report of July"', "", "source"),
        ("at = [2026-06-17T16:00:00-05:00]", "at = [2026-06-17T16:00:00]", r"peaks\[0\].at\[0\].*offset"),
        ("at = [2026-06-17T16:00:00-05:00]", 'at = ["soon"]', "no instant"),
        ("at = [2026-06-17T16:00:00-05:00]", "at = []\nwho = 1", "who"),
        ("end = 2026-07-01T00:00:00-05:00", "end = 2026-06-01T00:00:00-05:00", "holds no time"),
        ("end = 2026-07-01T00:00:00-05:00", "end = 2126-07-01T00:00:00-05:00", "mistyped year"),
        ('prices = ["0.031", "-0.002"]', 'prices = ["a lot"]', "not a decimal"),
        ("interval_s = 3600", "interval_s = 1", "60 to"),
        ("[[prices]]", FILE[FILE.index("[[peaks]]") : FILE.index("[[events]]")] + "[[prices]]", "same signal and time"),
        (FILE[FILE.index("[[peaks]]") :], "", "states nothing"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_is_refused_by_its_place(old: str, new: str, words: str) -> None:
    with pytest.raises(OpenAmiError, match=words):
        parsed(FILE.replace(old, new, 1))


def test_a_file_that_is_too_long_is_not_read() -> None:
    with pytest.raises(TariffError, match="the limit"):
        parse_statements(b"#" * 5_000_000, at=NOW, by="", new_id=uuid4)
