"""What is done in a session for each kind of request: steps of a client association, and what comes of the values.

Generators, like the association's own: no link, no key, no clock of ours but as an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from openami.contracts.channel import CHANNELS
from openami.contracts.event import DeviceEvent, event_identity
from openami.headend.keeping.answer import Answer, Figure, read_within, reading_batch, register_batch, within
from openami.headend.keeping.clock_watch import Band, ClockPolicy, ClockReading, should_set
from openami.headend.keeping.request import Request, RequestKind
from openami.headend.profiles import EventRow, MeterProfile, PushObject, RegisterRow
from openami.headend.profiles.columns import ColumnSheet, disagreements, scale_said
from openami.headend.profiles.model import ReadableProfile
from openami.headend.profiles.rows import channel_count
from openami.headend.session.column_read import read_columns
from openami.headend.session.pulled import DAILY_PROFILE, LOAD_PROFILE, event_logs, pulled_rows
from openami.kernel.errors import OpenAmiError
from openami.kernel.obis import Obis
from openami.kernel.quantity import scaled
from openami.kernel.time import QUARTER_HOUR_S, epoch_s, instant_from_epoch_s
from openami.protocol.association.client import ClientAssociation
from openami.protocol.association.ports import AccessRefusedError
from openami.protocol.association.steps import Steps
from openami.protocol.axdr import Data, octet_string
from openami.protocol.cosem import DATE_TIME_OCTETS, date_time_from_utc, decode_date_time
from openami.protocol.cosem.reference import AttributeRef, CaptureObject, RangeSelection
from openami.protocol.errors import PeerError, UsageError

CLOCK = Obis.from_text("0.0.1.0.0.255")
VOLTAGE = Obis.from_text("1.0.12.7.0.255")
CLOCK_CLASS, PROFILE_CLASS, REGISTER_CLASS = 8, 7, 3
VALUE, SCALER_UNIT = 2, 3
_CLOCK_COLUMN = CaptureObject(CLOCK_CLASS, CLOCK, VALUE)
SET_MARGIN_S = 15.0
"""The command to set a clock may take this much longer on the way than was foreseen."""
MAX_CLOCK_ERROR_S = 86_400
"""A register read by a clock that is further off is of no known instant: a lost clock begins years ago."""
MAX_EVENTS = 2_000
"""Entries taken from all logs of a meter in one request: more is a log that fills itself."""


@dataclass(frozen=True, slots=True)
class Circumstance:
    """What an operation needs to know beside the request.

    Args:
        profile: the meter's.
        zone: the meter's.
        now_s: gives domain time as the operation goes on [s since the epoch].
        clock: bands of the clock watch.
        spent: is told how many exchanges the session needed, however it ended.
    """

    profile: MeterProfile
    zone: ZoneInfo
    now_s: Callable[[], float]
    clock: ClockPolicy
    spent: Callable[[int], None] = lambda _: None


class NotNowError(OpenAmiError):
    """The meter answers, and what is to be done must wait a little."""


def crosses_quarter(shown_s: float, right_s: float) -> bool:
    """Tell whether a quarter-hour lies between what a clock shows and what it should, or nearer than a margin."""
    low, high = sorted((shown_s, right_s))
    return (low - SET_MARGIN_S) // QUARTER_HOUR_S != (high + SET_MARGIN_S) // QUARTER_HOUR_S


def needs_management(kind: RequestKind) -> bool:
    """Tell whether a request needs the rights of the management client: reading does not."""
    return kind in {RequestKind.CLOCK, RequestKind.FIRMWARE}


def perform(client: ClientAssociation, request: Request, around: Circumstance) -> Steps[Answer]:
    """Do what a request asks for over an open association.

    Raises:
        PeerError: an answer is not what it should be.
        AccessRefusedError: the meter does not give it.
        UsageError: a kind that is not done in one session.
    """
    operation = _OPERATIONS.get(request.kind)
    if operation is None:
        raise UsageError(f"{request.kind.value} is not done in one session")
    return operation(client, request, around)


def _profile(client: ClientAssociation, read: ReadableProfile, from_s: int, to_s: int) -> Steps[Data]:
    selection = RangeSelection(_CLOCK_COLUMN, _stamp(from_s), _stamp(to_s))
    return (yield from client.read(AttributeRef(PROFILE_CLASS, read.obis, VALUE), selection))


def _intervals(client: ClientAssociation, request: Request, around: Circumstance) -> Steps[Answer]:
    read = _readable(around.profile, LOAD_PROFILE)
    # Rows are stamped at their end and both ends of a range are included.
    buffer = yield from _profile(client, read, request.from_s + 1, request.to_s)
    rows = within(request, pulled_rows(buffer, read, around.profile, zone=around.zone).intervals)
    count = "1 interval" if len(rows) == 1 else f"{len(rows)} intervals"
    return Answer(readings=reading_batch(request, rows), words=f"read {count}")


def _midnights(client: ClientAssociation, request: Request, around: Circumstance) -> Steps[Answer]:
    read = _readable(around.profile, DAILY_PROFILE)
    buffer = yield from _profile(client, read, request.from_s, request.to_s - 1)
    rows = read_within(request, pulled_rows(buffer, read, around.profile, zone=around.zone).registers)
    return Answer(registers=register_batch(request, rows), words=f"read {len(rows)} register values")


def _registers(client: ClientAssociation, request: Request, around: Circumstance) -> Steps[Answer]:
    registers = [(obis, channel) for obis, channel in around.profile.registers.items() if obis.octets[1] == 0]
    wanted = [(AttributeRef(CLOCK_CLASS, CLOCK, VALUE), None)]
    wanted += [(AttributeRef(REGISTER_CLASS, obis, VALUE), None) for obis, _ in registers]
    wanted += [(AttributeRef(REGISTER_CLASS, obis, SCALER_UNIT), None) for obis, _ in registers]
    clock, *values = yield from client.read_many(wanted)
    if not isinstance(clock, Data):
        raise AccessRefusedError(clock)
    at = decode_date_time(_octets(clock)).to_utc(around.zone)
    rows = []
    for (obis, channel), value, worth in zip(registers, values, values[len(registers) :], strict=False):
        # What the meter says of its register comes before what its profile says.
        scale = scale_said(worth) if isinstance(worth, Data) else around.profile.scale_of(obis)
        raw = value.integer if isinstance(value, Data) else None
        count = channel_count(PushObject(obis, raw, raw, scale), channel)
        if count is not None:
            rows.append(RegisterRow(at, channel, count))
    figures = tuple(_figure(row) for row in rows)
    if abs(epoch_s(at) - around.now_s()) > MAX_CLOCK_ERROR_S:
        # Nobody knows when it was read by that clock; the person sees it, and no bill is made of it.
        return Answer(figures=figures, words=f"read; its clock shows {at:%Y-%m-%d %H:%M} UTC, so nothing of it is kept")
    return Answer(registers=register_batch(request, rows), figures=figures, words="the meter gave its registers")


def _figure(row: RegisterRow) -> Figure:
    spec = CHANNELS[row.channel]
    return Figure(spec.name, float(scaled(row.value, spec.power_of_ten)), spec.unit.symbol)


def _ping(client: ClientAssociation, _request: Request, around: Circumstance) -> Steps[Answer]:
    value = yield from client.read(AttributeRef(REGISTER_CLASS, VOLTAGE, VALUE))
    if value.integer is None:
        raise PeerError("bad_content", "a voltage that is no number", 0)
    scale = around.profile.scale_of(VOLTAGE)
    volts = float(scaled(value.integer, scale.scaler if scale is not None else -1))
    return Answer(figures=(Figure("voltage", volts, "V"),), words=f"the meter answers and has {volts:.1f} V")


def _clock(client: ClientAssociation, _request: Request, around: Circumstance) -> Steps[Answer]:
    """Read the clock; set it where the bands say so, and read it again."""
    reading = yield from _read_clock(client, around)
    error_s, band = reading.error_s, around.clock.band(reading.error_s)
    if should_set(reading, around.clock):
        way_s = reading.doubt_s
        if crosses_quarter(reading.shown_s, around.now_s() + way_s):
            # Set over a quarter-hour the meter would capture an interval twice, or not at all.
            raise NotNowError("the clock is off and too near a quarter-hour to be set")
        right = date_time_from_utc(instant_from_epoch_s(round(around.now_s() + way_s)))
        yield from client.write(AttributeRef(CLOCK_CLASS, CLOCK, VALUE), octet_string(right.encode()))
        reading = yield from _read_clock(client, around)
        words = f"the clock was {error_s:+.0f} s off and was set; it is now {reading.error_s:+.0f} s off"
        return Answer(clock=reading, words=words)
    words = f"the clock is {error_s:+.0f} s off"
    if band is Band.HOLD:
        words += ": too far to be set by a machine, a person decides"
    return Answer(clock=reading, words=words)


def _read_clock(client: ClientAssociation, around: Circumstance) -> Steps[ClockReading]:
    asked_at_s = around.now_s()
    value = yield from client.read(AttributeRef(CLOCK_CLASS, CLOCK, VALUE))
    shown = decode_date_time(_octets(value)).to_utc(around.zone)
    return ClockReading(shown.timestamp(), asked_at_s, around.now_s())


def _events(client: ClientAssociation, request: Request, around: Circumstance) -> Steps[Answer]:
    entries: list[EventRow] = []
    for read in event_logs(around.profile):
        try:
            buffer = yield from _profile(client, read, request.from_s, request.to_s)
        except AccessRefusedError:
            # A model may lack a log that its family has.
            continue
        entries += pulled_rows(buffer, read, around.profile, zone=around.zone).events
        if len(entries) > MAX_EVENTS:
            raise PeerError("too_long", f"over {MAX_EVENTS} events", 0)
    events = tuple(_event(request, around.profile, entry) for entry in entries)
    return Answer(events=events, words=f"read {len(events)} events")


def _columns(client: ClientAssociation, request: Request, around: Circumstance) -> Steps[Answer]:
    """Ask what the columns of each profile are worth; one that the meter has not, or not for us, is left out."""
    sheets: list[ColumnSheet] = []
    for read in around.profile.reads.values():
        try:
            sheet = yield from read_columns(
                client,
                read.obis,
                meter_id=request.meter_id,
                read_at=instant_from_epoch_s(int(around.now_s())),
                request_id=request.request_id,
            )
        except AccessRefusedError:
            continue
        sheets.append(sheet)
    differs = disagreements(around.profile, sheets)
    words = f"read the columns of {len(sheets)} profiles"
    if differs:
        words += f"; its profile file says otherwise of {', '.join(sorted(str(obis) for obis in differs))}"
    return Answer(columns=tuple(sheets), words=words)


def _event(request: Request, profile: MeterProfile, row: EventRow) -> DeviceEvent:
    identity = event_identity(request.meter_id, log=row.log, code=row.code, at=row.at)
    return DeviceEvent(
        identity, request.meter_id, profile.event(row.log, row.code), row.at, profile.name, row.log, row.code
    )


def _readable(profile: MeterProfile, name: str) -> ReadableProfile:
    read = profile.reads.get(name)
    if read is None:
        raise UsageError(f"meter profile {profile.name} says no {name} that can be read")
    return read


def _stamp(seconds: int) -> Data:
    return octet_string(date_time_from_utc(instant_from_epoch_s(seconds)).encode())


def _octets(value: Data) -> bytes:
    octets = value.octets or b""
    if len(octets) != DATE_TIME_OCTETS:
        raise PeerError("bad_date_time", "a clock that is no date-time", 0)
    return octets


def with_traffic(answer: Answer, *, octets: int, exchanges: int) -> Answer:
    """Return the answer with what it cost on the way."""
    return replace(answer, octets=octets, exchanges=exchanges)


_OPERATIONS: Mapping[RequestKind, Callable[[ClientAssociation, Request, Circumstance], Steps[Answer]]] = {
    RequestKind.INTERVALS: _intervals,
    RequestKind.MIDNIGHT_REGISTERS: _midnights,
    RequestKind.READ_NOW: _registers,
    RequestKind.PING: _ping,
    RequestKind.CLOCK: _clock,
    RequestKind.EVENTS: _events,
    RequestKind.COLUMNS: _columns,
}
"""Firmware is not among them: it goes by its campaign."""
