"""Attack A33: a storm of events hides no tampering. What calls by itself does; the rest is counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from openami.contracts.event import DeviceEvent, EventKind, event_identity
from openami.headend.events.tally import CALLS, FIRST_MASS, EventHour, calls_of, counts_of, mass_of

NOW = datetime(2026, 7, 1, 14, 20, tzinfo=UTC)
pytestmark = pytest.mark.attack("A33")


def event(meter: int, kind: EventKind, *, at: datetime = NOW, code: int = 1) -> DeviceEvent:
    meter_id = UUID(int=meter)
    return DeviceEvent(event_identity(meter_id, log=0, code=code, at=at), meter_id, kind, at, "oam-1", 0, code)


def title_of(meter_id: UUID) -> str:
    return f"4f414d{meter_id.int:010x}"


def test_one_opened_cover_in_a_storm_of_ten_thousand_calls_by_itself() -> None:
    storm = [event(n, EventKind.UNDERVOLTAGE) for n in range(10_000)]
    storm.insert(7_777, event(4_711, EventKind.COVER_OPENED))
    (call,) = calls_of(storm, now=NOW, title_of=title_of)
    assert (call.rule, call.device) == ("cover_opened", title_of(UUID(int=4_711)))
    assert "its cover was opened" in call.words
    hour = datetime(2026, 7, 1, 14, tzinfo=UTC)
    counts = counts_of(storm, now=NOW)
    assert counts == {
        EventHour(int(hour.timestamp()), EventKind.UNDERVOLTAGE): 10_000,
        EventHour(int(hour.timestamp()), EventKind.COVER_OPENED): 1,
    }


def test_ten_thousand_covers_are_ten_thousand_calls_and_each_meter_calls_once_a_day() -> None:
    storm = [event(n, EventKind.COVER_OPENED) for n in range(10_000)]
    calls = calls_of(storm * 2, now=NOW, title_of=title_of)
    assert len({c.alert_id for c in calls}) == len(calls) == 10_000
    again = calls_of([event(1, EventKind.COVER_OPENED, code=9)], now=NOW + timedelta(hours=2), title_of=title_of)
    assert again[0].alert_id in {c.alert_id for c in calls}
    tomorrow = calls_of([event(1, EventKind.COVER_OPENED, at=NOW + timedelta(days=1))], now=NOW, title_of=title_of)
    assert tomorrow[0].alert_id not in {c.alert_id for c in calls}


@pytest.mark.parametrize("kind", EventKind)
def test_a_mass_is_one_call_for_each_power_of_ten_and_never_one_of_what_calls_by_itself(kind: EventKind) -> None:
    hour = EventHour(0, kind)
    said = [mass_of(hour, total, now=NOW) for total in range(0, 12_000, 7)]
    ids = [a.alert_id for a in said if a is not None]
    assert len(set(ids)) == (0 if kind in CALLS else 3)
    assert mass_of(hour, FIRST_MASS - 1, now=NOW) is None
    other = mass_of(EventHour(3_600, kind), 500, now=NOW)
    assert other is None or other.alert_id not in ids


def test_tampering_is_what_calls_and_what_we_do_ourselves_by_the_thousand_is_counted() -> None:
    for kind in (EventKind.COVER_OPENED, EventKind.MAGNET, EventKind.CURRENT_REVERSED, EventKind.MODULE_REMOVED):
        assert kind in CALLS
    for kind in (EventKind.KEY_CHANGED, EventKind.FIRMWARE_ACTIVATED, EventKind.CLOCK_ADJUSTED, EventKind.POWER_DOWN):
        assert kind not in CALLS
