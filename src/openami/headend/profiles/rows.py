"""Named objects become rows for columns: intervals by their start, register reads, events.

DLMS stamps an interval at its end; here, and nowhere else, that becomes the start.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from openami.contracts.channel import CHANNELS, Channel
from openami.headend.profiles.interpret import BODY_OFFSET, Push, PushObject, PushRow
from openami.headend.profiles.model import MeterProfile, PushKind, log_of_alarm
from openami.headend.profiles.registry import profile_of
from openami.kernel.obis import Obis
from openami.protocol.cosem import CosemDateTime
from openami.protocol.errors import PeerError

STATUS_OBIS = Obis.from_text("0.0.96.10.1.255")
EVENT_CODE_OBIS = Obis.from_text("0.0.96.11.0.255")
EVENT_LOG_OBIS = Obis.from_text("0.0.99.98.0.255")
MAX_COUNT = 2**63 - 1
MAX_STATUS = 0xFFFF
"""The quality column has 16 bits."""
CHANNEL_BY_INTERVAL = {s.interval_obis: s.channel for s in CHANNELS.values()}
MAX_ALARM_BITS = 128
"""Width of the widest register or status word whose bits are events."""


@dataclass(frozen=True, slots=True)
class IntervalRow:
    """One interval of one meter; values in the counts of their channel."""

    start: datetime
    interval_s: int
    status: int
    values: tuple[tuple[Channel, int], ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class RegisterRow:
    """What a register showed, in the counts of its channel."""

    at: datetime
    channel: Channel
    value: int = field(repr=False)


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event: when, in which log (below 0: alarm register or status word), which code (or bit)."""

    at: datetime
    log: int
    code: int


@dataclass(frozen=True, slots=True)
class PushRows:
    """All that a push puts into columns; usually one of the three is filled."""

    intervals: tuple[IntervalRow, ...] = ()
    registers: tuple[RegisterRow, ...] = ()
    events: tuple[EventRow, ...] = ()


def rows_of(push: Push, *, zone: ZoneInfo | None = None) -> PushRows:
    """Return the rows of a push.

    Args:
        push: from :func:`openami.headend.profiles.interpret`.
        zone: the meter's zone, used only where a stamp has no deviation.

    Raises:
        PeerError: a stamp that names no instant (``no_zone``: give the zone), or a value its channel cannot hold.
    """
    profile = profile_of(push.profile)
    if push.kind is PushKind.LOAD_PROFILE:
        return PushRows(intervals=tuple(_interval(r, push.interval_s, profile, zone) for r in push.rows))
    if push.kind is PushKind.EVENTS:
        return PushRows(events=tuple(_event(r, zone) for r in push.rows))
    return PushRows(
        registers=tuple(read for row in push.rows for read in _registers(row, profile, zone)),
        events=tuple(event for row in push.rows for event in _alarms(row, profile, zone)),
    )


def _instant(clock: CosemDateTime | None, zone: ZoneInfo | None) -> datetime:
    if clock is None:
        raise PeerError("no_time", "registers without any date-time", BODY_OFFSET)
    return clock.to_utc(zone, offset=BODY_OFFSET)


def count_shift(item: PushObject, channel: Channel) -> int | None:
    """Return the power of ten from a raw number to the channel's counts; None where the unit is another or unknown."""
    spec = CHANNELS[channel]
    if item.raw is None or item.scale is None or item.scale.unit != spec.unit:
        return None
    return item.scale.scaler - spec.power_of_ten


def channel_count(item: PushObject, channel: Channel) -> int | None:
    """Return the value in the channel's counts; None where its worth is not known or not of the channel's unit.

    Raises:
        PeerError: finer than the channel's counts, or too large.
    """
    shift = count_shift(item, channel)
    if item.raw is None or shift is None:
        return None
    value: int
    rest: int
    value, rest = (item.raw * 10**shift, 0) if shift >= 0 else divmod(item.raw, 10**-shift)
    if rest:
        raise PeerError("too_fine", f"{item.obis} is finer than its channel's counts", BODY_OFFSET)
    if abs(value) > MAX_COUNT:
        raise PeerError("too_large", f"{item.obis} does not fit 64 bits", BODY_OFFSET)
    return value


def interval_channel(obis: Obis, profile: MeterProfile) -> Channel | None:
    """Return the channel that an object of a load profile is the interval value of."""
    return profile.intervals.get(obis) or CHANNEL_BY_INTERVAL.get(obis)


def _interval(row: PushRow, interval_s: int, profile: MeterProfile, zone: ZoneInfo | None) -> IntervalRow:
    status, values = 0, []
    for item in row.objects:
        if item.obis == STATUS_OBIS:
            status = item.raw or 0
            if not 0 <= status <= MAX_STATUS:
                raise PeerError("bad_status", f"a status of {status}", BODY_OFFSET)
        elif item.obis is not None:
            channel = interval_channel(item.obis, profile)
            count = channel_count(item, channel) if channel else None
            if channel is not None and count is not None:
                values.append((channel, count))
    start = _instant(row.clock, zone) - timedelta(seconds=interval_s)
    return IntervalRow(start, interval_s, status, tuple(values))


def _event(row: PushRow, zone: ZoneInfo | None) -> EventRow:
    numbers = {item.obis: item.raw or 0 for item in row.objects}
    return EventRow(_instant(row.clock, zone), numbers[EVENT_LOG_OBIS], numbers[EVENT_CODE_OBIS])


def event_meaning(item: PushObject, row: PushRow, profile: MeterProfile) -> str | None:
    """Return what the code or the alarm bits of an object mean in our words; None for any other object."""
    if item.obis == EVENT_CODE_OBIS and item.raw is not None:
        log = next((o.raw for o in row.objects if o.obis == EVENT_LOG_OBIS), None)
        return profile.event(log or 0, item.raw).value
    if item.obis is None or item.obis not in profile.alarms:
        return None
    log = log_of_alarm(item.obis)
    return ", ".join(profile.event(log, bit).value for bit in _set_bits(item)) or None


def _set_bits(item: PushObject) -> tuple[int, ...]:
    # Registers are unsigned; a negative number would have every bit set.
    raw = max(item.raw or 0, 0)
    return item.bits or tuple(i for i in range(MAX_ALARM_BITS) if raw >> i & 1)


def _alarms(row: PushRow, profile: MeterProfile, zone: ZoneInfo | None) -> list[EventRow]:
    """Return an event for each bit that is set in an alarm register or status word, listed in the profile or not."""
    found: list[tuple[int, int]] = []
    for item in row.objects:
        if item.obis is not None and item.obis in profile.alarms:
            log = log_of_alarm(item.obis)
            found += [(log, bit) for bit in _set_bits(item)]
    return [EventRow(_instant(row.clock, zone), log, bit) for log, bit in found]


def _registers(row: PushRow, profile: MeterProfile, zone: ZoneInfo | None) -> list[RegisterRow]:
    found = []
    for item in row.objects:
        channel = profile.register_channel(item.obis) if item.obis else None
        count = channel_count(item, channel) if channel else None
        if channel is not None and count is not None:
            found.append((channel, count))
    # A push without registers needs no date: nothing of it goes into a column.
    return [RegisterRow(_instant(row.clock, zone), channel, count) for channel, count in found]
