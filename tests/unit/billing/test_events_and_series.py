"""Critical-peak events and price series: inputs of a bill that a rate only names."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.billing.rating import BillSpan, BillTerms, LineKind, Usage, UsageError, determinants, rate
from openami.billing.rating.reference import determinants_by_hand
from openami.billing.rating.terms import EventPeriod, PriceSeries
from openami.billing.tariff import RateSchedule, Tariff, TariffError
from openami.billing.tariff.price import Block, BlockScope, EventPrice, PricePeriod, Window
from openami.billing.tariff.season import Season

ZONE = ZoneInfo("America/Chicago")
D = Decimal
DAY = BillSpan(date(2026, 7, 15), date(2026, 7, 16))
SPLIT = ((Window(0, 900, 0), Window(900, 1140, 1), Window(1140, 1440, 0)),) * 8
CRITICAL = Tariff(
    (
        PricePeriod("Off", (Block(D("0.05")),)),
        PricePeriod("On", (Block(D("0.20")),)),
        PricePeriod("Event", (Block(D(1)),)),
    ),
    (Season("year", frozenset(range(1, 13)), SPLIT),),
    events=(EventPrice("Critical peak", "CPP", {1: 2}),),
)
SERIES = Tariff(
    (PricePeriod("All", (Block(D("0.03")),), "RTP", D("1.10")),),
    (Season("year", frozenset(range(1, 13)), ((Window(0, 1440, 0),),) * 8),),
)


def _usage(interval_s: int = 900) -> Usage:
    period = DAY.period(ZONE)
    starts = np.arange(period.start_s, period.end_s, interval_s, dtype=np.int64)
    return Usage(starts, np.full(len(starts), interval_s, np.int64), interval_s)


def _at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 7, 15, hour, minute, tzinfo=ZONE)


def _lines(tariff: Tariff, terms: BillTerms, usage: Usage | None = None) -> list[tuple[str | None, Decimal, Decimal]]:
    schedule, given = RateSchedule("x", "X", "", "USD", (tariff,)), usage or _usage()
    found = determinants(schedule, given, [DAY], ZONE, terms)[0]
    by_hand = determinants_by_hand(schedule, given, DAY, ZONE, terms)
    assert (found.energy_wh, found.signal_amounts) == (by_hand.energy_wh, by_hand.signal_amounts)
    lines = rate(schedule, found, terms).lines
    return [(x.period, x.quantity, x.exact_amount) for x in lines if x.kind is LineKind.ENERGY]


def test_an_event_takes_the_place_of_the_price_it_names_and_of_no_other() -> None:
    # 17:00 to 20:00: two hours are on-peak, the third is not replaced. 3.6 kWh an hour.
    terms = BillTerms(events=(EventPeriod("CPP", _at(17), _at(20)), EventPeriod("other", _at(15), _at(16))))
    assert _lines(CRITICAL, terms) == [
        ("Off", D(72), D("3.6")), ("On", D("7.2"), D("1.44")), ("Event", D("7.2"), D("7.2")),
    ]  # fmt: skip


def test_of_two_events_at_once_the_first_of_the_rate_has_the_hour() -> None:
    dearer = PricePeriod("Dearer", (Block(D(2)),))
    events = (*CRITICAL.events, EventPrice("Emergency", "EMG", {1: 3}))
    both = replace(CRITICAL, periods=(*CRITICAL.periods, dearer), events=events)
    terms = BillTerms(events=(EventPeriod("EMG", _at(15), _at(17)), EventPeriod("CPP", _at(16), _at(18))))
    assert {period: kwh for period, kwh, _ in _lines(both, terms)} == {
        "Off": D(72), "On": D("3.6"), "Event": D("7.2"), "Dearer": D("3.6"),
    }  # fmt: skip


def test_without_an_event_its_price_is_no_line() -> None:
    assert [period for period, _, _ in _lines(CRITICAL, BillTerms())] == ["Off", "On"]


def test_an_interval_across_the_edge_of_an_event_is_refused_where_its_price_would_change() -> None:
    terms = BillTerms(events=(EventPeriod("CPP", _at(17, 5), _at(18)),))
    with pytest.raises(TariffError, match=r"events\[Critical peak\].*crosses the edge"):
        _lines(CRITICAL, terms)
    early = BillTerms(events=(EventPeriod("CPP", _at(8, 5), _at(9)),))
    assert [period for period, _, _ in _lines(CRITICAL, early)] == ["Off", "On"]


def test_a_price_of_events_fills_the_blocks_of_the_season_where_its_ladder_is_the_same() -> None:
    blocks = (Block(D("0.1"), D(50)), Block(D("0.2")))
    event = (Block(D(1), D(50)), Block(D(2)))
    periods = (PricePeriod("Off", blocks), PricePeriod("On", blocks), PricePeriod("Event", event))
    tiers = replace(CRITICAL, scope=BlockScope.RUNNING, periods=periods)
    terms = BillTerms(events=(EventPeriod("CPP", _at(15), _at(16)),))
    # 50 kWh are gone 13 h 53 min after midnight: the event at 15:00 is in the second block.
    assert [x for x in _lines(tiers, terms) if x[0] == "Event"] == [("Event", D("3.6"), D("7.2"))]


def _series(hours: int, price: str = "0.10", start: datetime | None = None) -> PriceSeries:
    begins = start or DAY.period(ZONE).start
    return PriceSeries("RTP", begins, 3600, tuple(D(price) + D(n) / 1000 for n in range(hours)))


def test_energy_follows_a_series_beside_the_price_of_its_own() -> None:
    # 3.6 kWh an hour at 10.0 to 12.3 cents: 3.6 x (24 x 0.10 + 276/1000) x 1.10.
    lines = _lines(SERIES, BillTerms(prices=(_series(24),)))
    assert lines == [("All", D("86.4"), D("2.592")), ("All", D("86.4"), D("10.59696"))]


def test_two_series_of_one_signal_may_follow_each_other() -> None:
    begins = DAY.period(ZONE).start
    parts = (_series(20), PriceSeries("RTP", begins + timedelta(hours=20), 3600, _series(24).prices[20:]))
    assert _lines(SERIES, BillTerms(prices=parts)) == _lines(SERIES, BillTerms(prices=(_series(24),)))


@pytest.mark.parametrize(
    ("terms", "interval_s", "words"),
    [
        (BillTerms(), 900, "no price of RTP"),
        (BillTerms(prices=(_series(23),)), 900, "2026-07-16T04:00"),
        (BillTerms(prices=(_series(24),)), 7200, "crosses two prices"),
    ],
    ids=["no series", "an hour short", "intervals longer than prices"],
)
def test_an_interval_without_one_price_is_refused(terms: BillTerms, interval_s: int, words: str) -> None:
    with pytest.raises(TariffError, match=words):
        determinants(RateSchedule("x", "X", "", "USD", (SERIES,)), _usage(interval_s), [DAY], ZONE, terms)


def test_events_and_series_without_a_zone_are_refused() -> None:
    with pytest.raises(UsageError):
        EventPeriod("CPP", datetime(2026, 7, 15, 15), _at(16))  # noqa: DTZ001 - what is refused
    with pytest.raises(UsageError):
        EventPeriod("CPP", _at(16), _at(16))
    with pytest.raises(UsageError):
        PriceSeries("RTP", datetime(2026, 7, 15, tzinfo=UTC), 0, (D(1),))
