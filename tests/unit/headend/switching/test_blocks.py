"""Blocks bind by reason, from dated rules; safety and reconnections pass; what cannot be told binds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from openami.headend.switching.blocks import (
    BlockCode,
    Forecast,
    ForecastHour,
    Stop,
    SwitchFacts,
    block_of,
)
from openami.headend.switching.order import SwitchAction, SwitchItem, SwitchReason, SwitchSubject
from openami.headend.switching.rules_file import RulesDataError, parse_rules, rules_of
from openami.kernel.ids import SystemTitle
from openami.kernel.time import Period

ZONE = ZoneInfo("America/Chicago")
HOUR = timedelta(hours=1)
PLACE = UUID(int=5)
ITEM = SwitchItem(SystemTitle(b"OAM\x00\x00\x00\x00\x01"), PLACE)
WINTER = datetime(2026, 1, 13, 16, tzinfo=UTC)
"""A Tuesday, ten in the morning in St. Louis."""
SUMMER = datetime(2026, 7, 14, 15, tzinfo=UTC)
SPRING = datetime(2026, 4, 14, 15, tzinfo=UTC)
CUT = SwitchSubject(SwitchAction.DISCONNECT, SwitchReason.NON_PAYMENT)
RULES = rules_of()


def forecast(
    now: datetime, *, f: float = 60.0, at_h: int = 0, then_f: float | None = None, hours: int = 96
) -> Forecast:
    """Every hour alike, but one."""
    rows = [ForecastHour(now + n * HOUR, then_f if then_f is not None and n == at_h else f) for n in range(hours)]
    return Forecast(now - HOUR, tuple(rows))


def block(
    now: datetime,
    facts: SwitchFacts | None = None,
    *,
    subject: SwitchSubject = CUT,
    made_at: datetime | None = None,
) -> BlockCode | None:
    known = facts or SwitchFacts(PLACE, forecast=forecast(now))
    return block_of(
        ITEM, subject, known, rules=RULES, zone=ZONE, made_at=made_at or now - HOUR, now=now, domain_now=now
    )


@pytest.mark.parametrize("now", [WINTER, SUMMER, SPRING], ids=["winter", "summer", "spring"])
def test_nothing_binds_on_a_mild_working_day(now: datetime) -> None:
    assert block(now) is None


@pytest.mark.parametrize(
    ("now", "degrees", "at_h", "bound"),
    [
        pytest.param(WINTER, 31.9, 71, BlockCode.WEATHER, id="cold within 72 hours"),
        pytest.param(WINTER, 31.9, 73, None, id="cold after 72 hours"),
        pytest.param(WINTER, 32.0, 10, None, id="just not cold"),
        pytest.param(SUMMER, 95.0, 71, BlockCode.WEATHER, id="hot"),
        pytest.param(SUMMER, 94.9, 71, None, id="just not hot"),
        pytest.param(SPRING, 10.0, 1, None, id="out of season"),
        pytest.param(datetime(2026, 3, 31, 16, tzinfo=UTC), 20.0, 1, BlockCode.WEATHER, id="last day of the season"),
        pytest.param(datetime(2026, 4, 1, 16, tzinfo=UTC), 20.0, 1, None, id="the day after"),
        pytest.param(datetime(2024, 12, 3, 16, tzinfo=UTC), 20.0, 30, None, id="24 hours were law before"),
    ],
)
def test_weather_binds_as_far_ahead_as_the_law_of_that_day_says(
    now: datetime, degrees: float, at_h: int, bound: BlockCode | None
) -> None:
    assert block(now, SwitchFacts(PLACE, forecast=forecast(now, then_f=degrees, at_h=at_h))) is bound


def test_a_heat_index_binds_where_the_temperature_does_not() -> None:
    rows = forecast(SUMMER, f=90.0)
    hot = replace(rows, hours=(replace(rows.hours[0], heat_index_f=105.0), *rows.hours[1:]))
    assert block(SUMMER, SwitchFacts(PLACE, forecast=hot)) is BlockCode.WEATHER


@pytest.mark.parametrize(
    "known",
    [
        pytest.param(None, id="none"),
        pytest.param(replace(forecast(WINTER), issued_at=WINTER - 25 * HOUR), id="of yesterday"),
        pytest.param(replace(forecast(WINTER), issued_at=WINTER + 2 * HOUR), id="of the future"),
        pytest.param(forecast(WINTER, hours=60), id="too short"),
        pytest.param(Forecast(WINTER, forecast(WINTER).hours[:10] + forecast(WINTER).hours[30:]), id="with a hole"),
    ],
)
def test_without_a_forecast_nobody_is_cut_off_in_the_season(known: Forecast | None) -> None:
    assert block(WINTER, SwitchFacts(PLACE, forecast=known)) is BlockCode.NO_FORECAST
    assert block(SPRING, SwitchFacts(PLACE, forecast=None)) is None


@pytest.mark.parametrize(
    ("now", "bound"),
    [
        pytest.param(datetime(2026, 4, 14, 12, 59, tzinfo=UTC), BlockCode.NO_STAFF, id="before eight"),
        pytest.param(datetime(2026, 4, 14, 13, 0, tzinfo=UTC), None, id="eight"),
        pytest.param(datetime(2026, 4, 14, 21, 0, tzinfo=UTC), BlockCode.NO_STAFF, id="four"),
        pytest.param(datetime(2026, 4, 17, 15, 0, tzinfo=UTC), BlockCode.NO_STAFF, id="Friday"),
        pytest.param(datetime(2026, 4, 19, 15, 0, tzinfo=UTC), BlockCode.NO_STAFF, id="Sunday"),
        pytest.param(datetime(2026, 5, 25, 15, 0, tzinfo=UTC), BlockCode.NO_STAFF, id="a holiday"),
        pytest.param(datetime(2026, 9, 7, 15, 0, tzinfo=UTC) - timedelta(days=3), BlockCode.NO_STAFF, id="before one"),
    ],
)
def test_nobody_is_cut_off_when_nobody_could_reconnect(now: datetime, bound: BlockCode | None) -> None:
    assert block(now) is bound
    moved_out = SwitchSubject(SwitchAction.DISCONNECT, SwitchReason.MOVE_OUT)
    assert block(now, subject=moved_out) is None


def stop(code: BlockCode, *reasons: SwitchReason, before: datetime | None = None) -> SwitchFacts:
    period = Period(SPRING - 24 * HOUR, SPRING + 24 * HOUR)
    return SwitchFacts(PLACE, (Stop(code, frozenset(reasons), period, before),))


def test_a_payment_stops_orders_that_were_made_before_it() -> None:
    paid = stop(BlockCode.PAID, SwitchReason.NON_PAYMENT, before=SPRING)
    assert block(SPRING, paid, made_at=SPRING - HOUR) is BlockCode.PAID
    assert block(SPRING, paid, made_at=SPRING) is None


@pytest.mark.parametrize("kind", ["medical", "dispute", "critical_site", "payment_agreement"])
def test_a_hold_stops_its_reasons_and_says_no_more_than_that_it_holds(kind: str) -> None:
    stopped = RULES.stopped_by(kind, date(2026, 4, 14))
    assert SwitchReason.NON_PAYMENT in stopped
    assert SwitchReason.SAFETY not in stopped
    for reason in sorted(SwitchReason):
        if reason in {SwitchReason.PAID, SwitchReason.WRONG_CUT}:
            continue
        held = stop(BlockCode.HOLD, *stopped)
        subject = SwitchSubject(SwitchAction.DISCONNECT, reason)
        assert (block(SPRING, held, subject=subject) is BlockCode.HOLD) is (reason in stopped)


def test_a_hold_that_ended_stops_nothing() -> None:
    ended = Stop(BlockCode.HOLD, frozenset({SwitchReason.NON_PAYMENT}), Period(SPRING - 2 * HOUR, SPRING))
    assert block(SPRING, SwitchFacts(PLACE, (ended,))) is None


def test_a_safety_disconnection_passes_every_block() -> None:
    held = replace(stop(BlockCode.HOLD, *SwitchReason), forecast=None)
    safety = SwitchSubject(SwitchAction.DISCONNECT, SwitchReason.SAFETY)
    assert block(WINTER.replace(hour=4), held, subject=safety) is None


@pytest.mark.parametrize("subject", [CUT, SwitchSubject(SwitchAction.RECONNECT, SwitchReason.PAID)])
@pytest.mark.parametrize("hangs_at", [None, UUID(int=6)], ids=["nowhere", "elsewhere"])
def test_a_meter_that_hangs_elsewhere_now_is_not_switched(subject: SwitchSubject, hangs_at: UUID | None) -> None:
    assert block(SPRING, SwitchFacts(hangs_at), subject=subject) is BlockCode.MOVED


@pytest.mark.parametrize("reason", [SwitchReason.PAID, SwitchReason.WRONG_CUT])
def test_what_was_cut_for_safety_is_not_closed_because_a_bill_was_paid(reason: SwitchReason) -> None:
    subject = SwitchSubject(SwitchAction.RECONNECT, reason)
    for last in (SwitchReason.SAFETY, SwitchReason.THEFT):
        assert block(SPRING, SwitchFacts(PLACE, last_cut=last), subject=subject) is BlockCode.CUT_FOR_SAFETY
    held = replace(stop(BlockCode.HOLD, *SwitchReason), last_cut=SwitchReason.NON_PAYMENT)
    assert block(WINTER, held, subject=subject) is None
    by_two = SwitchSubject(SwitchAction.RECONNECT, SwitchReason.SAFETY)
    assert block(SPRING, SwitchFacts(PLACE, last_cut=SwitchReason.SAFETY), subject=by_two) is None


GOOD_HOLD = '[[hold]]\nkind = "a"\nsource = "b"\nfrom = 2025-01-01\nreasons = ["test"]\n'


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("x = 1", "unknown key"),
        ("not toml", "not TOML"),
        (GOOD_HOLD.replace('source = "b"\n', ""), "hold\\[1\\].source"),
        (GOOD_HOLD.replace("2025-01-01", '"soon"'), "no days in force"),
        (GOOD_HOLD.replace('["test"]', '["safety"]'), "safety passes"),
        (GOOD_HOLD.replace('["test"]', '["whim"]'), "not known"),
        (GOOD_HOLD.replace('["test"]', "[]"), "no list of reasons"),
        ('[[weather]]\nname = "a"\nsource = "b"\nfrom = 2025-01-01\nreasons = ["test"]\n', "no bound"),
        ('[[staff]]\nname = "a"\nhours = ["8", "16"]\nweekdays = ["day"]\n', "no weekdays"),
        ("#" * 200_001, "more than"),
    ],
)
def test_a_file_of_rules_that_cannot_be_used_names_the_place(text: str, word: str) -> None:
    assert parse_rules("mine", GOOD_HOLD).holds
    with pytest.raises(RulesDataError, match=word):
        parse_rules("mine", text)


def test_rules_that_do_not_come_with_us_are_named() -> None:
    for name in ("atlantis", "../data/missouri"):
        with pytest.raises(RulesDataError, match="no such rules"):
            rules_of(name)
