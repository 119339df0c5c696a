"""Sorts events of meters into calls and counts. Pure.

An event that tells of tampering calls people by itself: one alert a meter, kind and day, whatever else happens. All
others are counted by kind and hour, and a mass of one kind is one alert for each power of ten that it reaches. So a
storm of noise is a few lines with numbers, and an opened cover stands beside them as its own.

Events that our own work causes by the thousand (keys and firmware that we sent, clocks that we set) are counted, too.

Source: requirement R5.1 (what calls people, within five minutes); the numbers are ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from openami.contracts.event import DeviceEvent, EventKind
from openami.security.watch.alert import Alert

CALLS: Mapping[EventKind, str] = {
    EventKind.COVER_OPENED: "its cover was opened",
    EventKind.TERMINAL_OPENED: "its terminal cover was opened",
    EventKind.MODULE_COVER_OPENED: "the cover of its communication module was opened",
    EventKind.MODULE_REMOVED: "its communication module was taken out",
    EventKind.MAGNET: "a strong magnet is near it",
    EventKind.CURRENT_REVERSED: "current flows through it the wrong way",
    EventKind.CURRENT_BYPASSED: "current flows past it",
    EventKind.CURRENT_OPEN: "one of its current circuits is open",
    EventKind.NEUTRAL_DISTURBED: "its neutral is disturbed",
    EventKind.EARTH_LOADED: "current returns by the earth",
    EventKind.SINGLE_WIRE: "only one wire of its two carries current",
    EventKind.FRAUD_SUSPECTED: "it suspects fraud",
    EventKind.MBUS_FRAUD_SUSPECTED: "a device behind it suspects fraud",
    EventKind.AUTHENTICATION_FAILED: "somebody failed to sign in to it",
    EventKind.REPLAY_SEEN: "somebody sent it an old message again",
    EventKind.LOG_CLEARED: "one of its logs was cleared",
    EventKind.CONNECTED_MANUALLY: "its switch was closed by hand",
    EventKind.DISCONNECTED_MANUALLY: "its switch was opened by hand",
}
"""Each of these is an alert of its own."""
FIRST_MASS = 100
"""So many events of one kind in an hour are a mass; the next alerts come at ten times as many, and again."""
HOUR_S = 3600
MASS = "event_mass"
_NAMESPACE = UUID("4a4b6f0e-7a2e-4c55-9a0c-6d0e6f1b2c93")


@dataclass(frozen=True, slots=True)
class EventHour:
    """Events of one kind that came in one hour.

    Args:
        hour_s: when the hour began, by when the events came, real time, seconds since the epoch.
        kind: what.
    """

    hour_s: int
    kind: EventKind


def counts_of(events: Iterable[DeviceEvent], *, now: datetime) -> Counter[EventHour]:
    """Return how many events of each kind came.

    Args:
        events: as they came.
        now: real time. The meters' own stamps may say anything.
    """
    hour_s = int(now.timestamp()) // HOUR_S * HOUR_S
    return Counter(EventHour(hour_s, event.kind) for event in events)


def calls_of(events: Iterable[DeviceEvent], *, now: datetime, title_of: Callable[[UUID], str]) -> list[Alert]:
    """Return the alerts of events that call people by themselves, each once.

    Args:
        events: as they came.
        now: real time.
        title_of: returns a meter's system title, hexadecimal; empty where it is not known.
    """
    found: dict[UUID, Alert] = {}
    for event in events:
        words = CALLS.get(event.kind)
        if words is None:
            continue
        # By the meter's own day: what it tells again, pushed and read from its log, is one alert.
        alert_id = uuid5(_NAMESPACE, f"{event.meter_id} {event.kind} {event.at.date()}")
        if alert_id in found:
            continue
        title = title_of(event.meter_id)
        text = f"Meter {title or event.meter_id}: {words}, at {event.at.isoformat(timespec='minutes')} by its clock."
        found[alert_id] = Alert(alert_id, now, event.kind.value, text, device=title)
    return list(found.values())


def mass_of(hour: EventHour, total: int, *, now: datetime) -> Alert | None:
    """Return the alert of a mass of events of one kind; None where there are few, or as many as was said before.

    Args:
        hour: which.
        total: how many there are now.
        now: real time.
    """
    step = FIRST_MASS
    if hour.kind in CALLS or total < step:
        return None
    while total >= 10 * step:
        step *= 10
    name = hour.kind.value.replace("_", " ")
    words = f"{step:,} events '{name}' within an hour, and more: {total:,} by now."
    return Alert(uuid5(_NAMESPACE, f"{hour.kind} {hour.hour_s} {step}"), now, MASS, words)
