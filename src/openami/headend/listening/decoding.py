"""Verified pushes become columns: those of one layout thousands at a time, the others one by one.

A push that cannot be read is a refusal, never an exception: one bad meter must not stop a partition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from openami.contracts.deadletter import RefusalReason
from openami.contracts.event import DeviceEvent, event_identity
from openami.contracts.quality import RawQuality, Source
from openami.contracts.reading import I64, U64, UUIDS, ReadingBatch, RegisterBatch
from openami.headend.listening.envelope import Refusal
from openami.headend.listening.event_codes import event_kind
from openami.headend.profiles import (
    FastLayouts,
    PushColumns,
    PushKind,
    PushRows,
    UnknownProfileError,
    interpret,
    rows_of,
)
from openami.headend.profiles.model import Scale
from openami.kernel.obis import Obis
from openami.kernel.time import UnknownZoneError, epoch_s, zone_named
from openami.protocol import apdu
from openami.protocol.errors import PeerError

U8 = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
_Number = TypeVar("_Number", bound=np.generic)
EARLIEST_S, LATEST_S = 946_684_800, 4_102_444_800
"""2000-01-01 to 2100-01-01: a stamp outside is no clock, and would make a partition of its own in the store."""
_UNKNOWN_LAYOUT = frozenset({"not_a_push", "nothing_stored", "bad_layout"})
AHEAD_S = 86_400
"""A stamp further ahead of our clock than a day is kept and marked: the meter's clock cannot be trusted."""


@dataclass(frozen=True, slots=True, eq=False)
class Pushes:
    """Verified and accepted pushes. Columns of one length n.

    Args:
        index: (n,) place of each in the input batch, for refusals.
        plaintexts: DataNotification APDUs, those of one length together: (places, (m, length) octets).
        meter_id: (n,) V16.
        message_id: (n,) number of the frame.
        dialects: ((profile, IANA zone of a clock without deviation), places) for each that occurs.
        said: by place, scales by the meter's own word that its profile file does not say.
    """

    index: I64
    plaintexts: Sequence[tuple[I64, U8]]
    meter_id: UUIDS
    message_id: U64
    dialects: Sequence[tuple[tuple[str, str], I64]]
    said: Mapping[int, Mapping[Obis, Scale]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class _Push:
    """One push for the generic path."""

    place: int
    index: int
    plaintext: bytes
    meter_id: UUID
    message_id: int
    profile: str
    zone: str
    said: Mapping[Obis, Scale] | None


@dataclass(frozen=True, slots=True)
class Decoded:
    """What pushes said."""

    readings: ReadingBatch
    registers: RegisterBatch
    events: list[DeviceEvent]
    refusals: list[Refusal]


@dataclass(slots=True)
class _Rows:
    """Rows of the generic path, gathered one by one: (place in Pushes, ...)."""

    intervals: list[tuple[int, int, int, int, int, int]] = field(default_factory=list)
    registers: list[tuple[int, int, int, int]] = field(default_factory=list)
    events: list[DeviceEvent] = field(default_factory=list)


def decode_pushes(pushes: Pushes, *, now_s: int, layouts: FastLayouts | None = None) -> Decoded:
    """Decode verified pushes.

    Args:
        pushes: what the windows accepted.
        now_s: domain time, seconds since the epoch.
        layouts: what earlier calls have learned; the answer is the same without it.
    """
    parts: list[PushColumns] = []
    refusals: list[Refusal] = []
    rows = _Rows()
    for push in sorted(_decode_fast(pushes, layouts or FastLayouts(), parts), key=lambda push: push.place):
        refusal = _decode_one(push, rows, now_s)
        if refusal is not None:
            refusals.append(refusal)
    readings = [_fast_readings(pushes, part, now_s) for part in parts if part.kind is PushKind.LOAD_PROFILE]
    registers = [_fast_registers(pushes, part) for part in parts if part.kind is PushKind.REGISTERS]
    return Decoded(
        ReadingBatch.concatenate([*readings, _slow_readings(pushes, rows)]),
        RegisterBatch.concatenate([*registers, _slow_registers(pushes, rows)]),
        rows.events,
        refusals,
    )


def _decode_fast(pushes: Pushes, layouts: FastLayouts, parts: list[PushColumns]) -> Iterator[_Push]:
    """Read in columns what can be, ``message`` being the place in ``pushes``, and yield the rest."""
    dialect = np.zeros(len(pushes.index), np.int64)
    for number, (_, places) in enumerate(pushes.dialects):
        dialect[places] = number
    # A layout is learned for a whole profile: who says otherwise of its own columns is read one by one.
    alone = np.isin(np.arange(len(dialect)), list(pushes.said))
    for places, octets in pushes.plaintexts:
        for number, ((profile, zone), _) in enumerate(pushes.dialects):
            here = np.flatnonzero(dialect[places] == number)
            if not len(here):
                continue
            mine = octets if len(here) == len(octets) else octets[here]
            apart = alone[places[here]]
            for at in _decode_group(places[here], mine, ~apart, (profile, zone), layouts, parts):
                place = int(places[here[at]])
                yield _Push(
                    place,
                    int(pushes.index[place]),
                    mine[at].tobytes(),
                    UUID(bytes=pushes.meter_id[place].tobytes()),
                    int(pushes.message_id[place]),
                    profile,
                    zone,
                    pushes.said.get(place),
                )


def _decode_group(
    places: I64,
    octets: U8,
    together: Mask,
    dialect: tuple[str, str],
    layouts: FastLayouts,
    parts: list[PushColumns],
) -> list[int]:
    """Read pushes of one length and profile in columns, where marked, and return the indexes of those that are left."""
    profile, zone = dialect
    try:
        known = _zone(zone)
    except UnknownZoneError:
        return list(range(len(octets)))
    index = np.flatnonzero(together)
    given = octets if together.all() else octets[index]
    found, left = layouts.decode(given, profile=profile, zone=known) if len(index) else ([], index)
    rest: list[int] = [*index[left].tolist(), *np.flatnonzero(~together).tolist()]
    for columns in found:
        within = np.logical_and.reduce((columns.stamp >= EARLIEST_S) & (columns.stamp < LATEST_S), axis=1)
        rest += index[columns.message[~within]].tolist()
        inside = columns if within.all() else columns.keep(within)
        parts.append(replace(inside, message=places[index[inside.message]]))
    return rest


def _fast_readings(pushes: Pushes, columns: PushColumns, now_s: int) -> ReadingBatch:
    quality = columns.status.copy()
    quality[columns.stamp > now_s + AHEAD_S] |= np.uint16(RawQuality.CLOCK_INVALID)
    meter_id, channel, value, message_id = _by_push(pushes, columns)
    return ReadingBatch(
        meter_id=meter_id,
        channel=channel,
        start=_for_each_channel(columns.stamp, columns),
        interval_s=np.full(len(value), columns.interval_s, np.uint32),
        value=value,
        quality=_for_each_channel(quality, columns),
        source=np.full(len(value), Source.PUSH, np.uint8),
        message_id=message_id,
    )


def _fast_registers(pushes: Pushes, columns: PushColumns) -> RegisterBatch:
    meter_id, channel, value, message_id = _by_push(pushes, columns)
    return RegisterBatch(
        meter_id=meter_id,
        channel=channel,
        at=_for_each_channel(columns.stamp, columns),
        value=value,
        source=np.full(len(value), Source.PUSH, np.uint8),
        message_id=message_id,
    )


def _by_push(pushes: Pushes, columns: PushColumns) -> tuple[UUIDS, U8, I64, U64]:
    """Return meter, channel, value and message of all rows: push after push, in each by channel and instant.

    That is the order of the store's key but for the meters, so the store has less to sort.
    """
    ordered = sorted(columns.values, key=lambda column: column[0])
    count, rows = columns.stamp.shape
    value: I64 = np.stack([v for _, v in ordered], axis=1).reshape(-1) if ordered else np.zeros(0, np.int64)
    channel = np.tile(np.repeat(np.array([c for c, _ in ordered], np.uint8), rows), count)
    each = len(ordered) * rows
    meter_id = np.repeat(pushes.meter_id[columns.message], each)
    return meter_id, channel, value, np.repeat(pushes.message_id[columns.message], each)


def _for_each_channel(column: npt.NDArray[_Number], columns: PushColumns) -> npt.NDArray[_Number]:
    """Return a (k, r) column of rows once for each channel, in the order of :func:`_by_push`."""
    return np.repeat(column[:, None, :], len(columns.values), axis=1).reshape(-1)


def _decode_one(push: _Push, rows: _Rows, now_s: int) -> Refusal | None:
    try:
        found = _read(push)
    except UnknownProfileError as error:
        return Refusal(push.index, RefusalReason.UNKNOWN_LAYOUT, str(error))
    except PeerError as error:
        unknown = error.code in _UNKNOWN_LAYOUT
        reason = RefusalReason.UNKNOWN_LAYOUT if unknown else RefusalReason.BAD_CONTENT
        return Refusal(push.index, reason, f"{error.code} at octet {error.offset}")
    except UnknownZoneError as error:
        return Refusal(push.index, RefusalReason.BAD_CONTENT, str(error))
    _gather(push, found, rows, now_s)
    return None


def _read(push: _Push) -> PushRows:
    """Return the rows of one push.

    Raises:
        PeerError: its octets or its content are not what they should be.
        UnknownProfileError: the meter's profile is none of ours.
        UnknownZoneError: the meter's zone is none.
    """
    notification = apdu.decode(push.plaintext)
    if not isinstance(notification, apdu.DataNotification):
        raise PeerError("not_a_push", f"a {type(notification).__name__}, not a push", 0)
    found = rows_of(interpret(notification, profile=push.profile, said=push.said), zone=_zone(push.zone))
    instants = [r.start for r in found.intervals] + [r.at for r in found.registers] + [r.at for r in found.events]
    if not instants:
        raise PeerError("nothing_stored", "a push of which nothing is stored", 0)
    if any(not EARLIEST_S <= epoch_s(at) < LATEST_S for at in instants):
        raise PeerError("stamp_outside_years_2000_to_2099", "no clock shows that", 0)
    return found


def _gather(push: _Push, found: PushRows, rows: _Rows, now_s: int) -> None:
    place = push.place
    for interval in found.intervals:
        start = epoch_s(interval.start)
        quality = interval.status | (RawQuality.CLOCK_INVALID if start > now_s + AHEAD_S else 0)
        rows.intervals += [(place, c, start, interval.interval_s, value, quality) for c, value in interval.values]
    rows.registers += [(place, r.channel, epoch_s(r.at), r.value) for r in found.registers]
    rows.events += [_event(push, event.at, event.log, event.code) for event in found.events]


def _event(push: _Push, at: datetime, log: int, code: int) -> DeviceEvent:
    event_id = event_identity(push.meter_id, log=log, code=code, at=at)
    kind = event_kind(push.profile, log, code)
    return DeviceEvent(event_id, push.meter_id, kind, at, push.profile, log, code)


def _slow_readings(pushes: Pushes, rows: _Rows) -> ReadingBatch:
    if not rows.intervals:
        return ReadingBatch.empty()
    place, channel, start, interval_s, value, quality = zip(*rows.intervals, strict=True)
    at = np.array(place, np.int64)
    return ReadingBatch(
        meter_id=pushes.meter_id[at],
        channel=np.array(channel, np.uint8),
        start=np.array(start, np.int64),
        interval_s=np.array(interval_s, np.uint32),
        value=np.array(value, np.int64),
        quality=np.array(quality, np.uint16),
        source=np.full(len(at), Source.PUSH, np.uint8),
        message_id=pushes.message_id[at],
    )


def _slow_registers(pushes: Pushes, rows: _Rows) -> RegisterBatch:
    if not rows.registers:
        return RegisterBatch.empty()
    place, channel, at_s, value = zip(*rows.registers, strict=True)
    at = np.array(place, np.int64)
    return RegisterBatch(
        meter_id=pushes.meter_id[at],
        channel=np.array(channel, np.uint8),
        at=np.array(at_s, np.int64),
        value=np.array(value, np.int64),
        source=np.full(len(at), Source.PUSH, np.uint8),
        message_id=pushes.message_id[at],
    )


@cache
def _zone(name: str) -> ZoneInfo:
    return zone_named(name)
