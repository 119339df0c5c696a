"""Master data records: their kinds, the fields of each, and how a field is read. Flat files and CIM make the same ones.

A field is an id, an instant, a whole number or a word. None of them has room for a person: an id has no spaces, and a
kind takes no field that is not in its list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from openami.contracts.channel import CHANNEL_BY_NAME, CHANNELS, Channel
from openami.kernel.time import UnknownZoneError, zone_named

Value = str | int | datetime | tuple[Channel, ...]
MAX_ID = 64
FIRST_YEAR, LAST_YEAR = 1971, 2199
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}")


class RecordKind(StrEnum):
    """What a record says."""

    PREMISE = "premise"
    SERVICE_POINT = "service_point"
    METER = "meter"
    INSTALL = "install"
    REMOVE = "remove"
    EXCHANGE = "exchange"
    MULTIPLIER = "multiplier"
    START = "start"
    STOP = "stop"
    STATE = "state"
    RATE = "rate"
    BILL_GROUP = "bill_group"
    MUNICIPALITY = "municipality"
    CUSTOMER_CLASS = "customer_class"


class FieldError(ValueError):
    """A field cannot be read; the text says what may stand there. Becomes a rejected record."""


@dataclass(frozen=True, slots=True)
class MasterRecord:
    """One record, every field read.

    Args:
        kind: what it says.
        id: the sender's number of the record, by which it is acknowledged.
        line: where it stands in the message.
        values: by field name; optional fields that were empty are absent.
    """

    kind: RecordKind
    id: str
    line: int
    values: Mapping[str, Value]

    def text(self, name: str) -> str:
        """Return a text field; empty where it is absent."""
        return str(self.values.get(name, ""))

    def whole(self, name: str, default: int = 0) -> int:
        """Return a number; the default where it is absent."""
        value = self.values.get(name, default)
        assert isinstance(value, int)
        return value

    def instant(self, name: str) -> datetime:
        """Return an instant; the kind's required ones are there."""
        value = self.values[name]
        assert isinstance(value, datetime)
        return value

    def channels(self) -> tuple[Channel, ...]:
        """Return a meter's channels."""
        value = self.values["channels"]
        assert isinstance(value, tuple)
        return value


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """A record that is not taken.

    Args:
        kind: as it was written, cut.
        id: the sender's number, or empty where it has none.
        line: where it stands.
        code: a stable word for machines: ``field``, ``unknown``, ``overlap``, ``missing_read``, ``conflict`` ...
        reason: for people; names the field and the mend.
    """

    kind: str
    id: str
    line: int
    code: str
    reason: str


def identifier(text: str) -> str:
    """Return an id of another system.

    Raises:
        FieldError: it has spaces or other marks that ids do not have.
    """
    if not _ID.fullmatch(text):
        raise FieldError(f"{text[:20]!r} is not an id: 1 to {MAX_ID} letters, digits and . _ : / -")
    return text


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise FieldError(f"{text[:30]!r} is not an ISO 8601 time") from error
    if found.tzinfo is None:
        raise FieldError(f"{text[:30]!r} has no offset: write one, for example -06:00 or Z")
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise FieldError(f"the year {found.year} is not {FIRST_YEAR} to {LAST_YEAR}")
    return found.astimezone(UTC)


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal()) or len(text) > 18 or not low <= int(text) <= high:
            raise FieldError(f"{text[:20]!r} is not a whole number from {low} to {high}")
        return int(text)

    return read


def _zone(text: str) -> str:
    try:
        return zone_named(text).key
    except UnknownZoneError as error:
        raise FieldError(str(error)) from error


def _channels(text: str) -> tuple[Channel, ...]:
    names = text.split("+")
    unknown = [n for n in names if n not in CHANNEL_BY_NAME]
    if unknown or len(set(names)) != len(names):
        known = ", ".join(s.name for s in CHANNELS.values())
        raise FieldError(f"channels {text[:40]!r} are not some of {known} with + between")
    return tuple(CHANNEL_BY_NAME[n] for n in names)


def _word(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise FieldError(f"{text[:20]!r} is not one of {', '.join(words)}")
        return text

    return read


def _title(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{16}", text.lower()):
        raise FieldError(f"system title {text[:20]!r} is not 16 hexadecimal digits")
    return text.lower()


_READ = _whole(0, 10**15)
_FACTOR = _whole(1, 1_000_000)
ESTIMATE_REASONS = ("no_access", "display_dead", "meter_destroyed", "meter_missing", "read_lost", "other")
FIELDS: dict[str, Callable[[str], Value]] = {
    "premise": identifier,
    "service_point": identifier,
    "meter": identifier,
    "old_meter": identifier,
    "account": identifier,
    "rate": identifier,
    "transformer": identifier,
    "feeder": identifier,
    "cell": identifier,
    "calendar": identifier,
    "profile": identifier,
    "zone": _zone,
    "phase": _word("A", "B", "C", "AB", "BC", "CA", "ABC"),
    "reading": _word("interval", "drive_by", "by_hand", "customer"),
    "state": _word("active", "inactive", "disconnected"),
    "bill_group": _whole(1, 99),
    "municipality": identifier,
    "customer_class": identifier,
    "interconnection_w": _whole(1, 100_000_000),
    "system_title": _title,
    "interval_s": _whole(60, 86_400),
    "channels": _channels,
    "resolution_wh": _whole(1, 1_000_000),
    "capacity_wh": _whole(2, 10**15),
    "max_power_w": _whole(1, 10**9),
    "ct": _FACTOR,
    "pt": _FACTOR,
    "constant": _FACTOR,
    "at": _instant,
    "removed_at": _instant,
    "in_delivered_wh": _READ,
    "in_received_wh": _READ,
    "out_delivered_wh": _READ,
    "out_received_wh": _READ,
    "in_estimated": _word(*ESTIMATE_REASONS),
    "out_estimated": _word(*ESTIMATE_REASONS),
    "between_delivered_wh": _READ,
    "between_received_wh": _READ,
}
"""How each field is read. Reads are register counts in Wh, before the multiplier."""

_IN = ("in_delivered_wh", "in_received_wh", "in_estimated")
_OUT = ("out_delivered_wh", "out_received_wh", "out_estimated")
_FACTORS = ("ct", "pt", "constant")
_PLACE = ("bill_group", "transformer", "feeder", "cell", "phase", "calendar", "reading", "interconnection_w",
          "municipality", "customer_class")  # fmt: skip
KINDS: dict[RecordKind, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # kind: (required fields, optional fields)
    RecordKind.PREMISE: (("premise",), ()),
    RecordKind.SERVICE_POINT: (("service_point", "premise", "zone", "at"), _PLACE),
    RecordKind.METER: (
        ("meter", "interval_s", "channels", "max_power_w"),
        ("resolution_wh", "capacity_wh", "profile", "system_title"),
    ),
    RecordKind.INSTALL: (("service_point", "meter", "at"), (*_FACTORS, *_IN)),
    RecordKind.REMOVE: (("meter", "at"), _OUT),
    RecordKind.EXCHANGE: (
        ("service_point", "old_meter", "meter", "removed_at", "at"),
        (*_FACTORS, *_OUT, *_IN, "between_delivered_wh", "between_received_wh"),
    ),
    RecordKind.MULTIPLIER: (("meter", "at", *_FACTORS), _IN[:2]),
    RecordKind.START: (("service_point", "account", "at"), ("rate",)),
    RecordKind.STOP: (("service_point", "at"), ()),
    RecordKind.STATE: (("service_point", "state", "at"), ()),
    RecordKind.RATE: (("service_point", "rate", "at"), ()),
    RecordKind.BILL_GROUP: (("service_point", "bill_group", "at"), ()),
    RecordKind.MUNICIPALITY: (("service_point", "municipality", "at"), ()),
    RecordKind.CUSTOMER_CLASS: (("service_point", "customer_class", "at"), ()),
}


def record_of(kind: str, number: str, line: int, cells: Mapping[str, str]) -> MasterRecord | RejectedRecord:
    """Read one record.

    Args:
        kind: its kind as written.
        number: the sender's number of the record.
        line: where it stands.
        cells: texts by field name; empty ones are absent.

    Returns:
        The record, or why it is rejected.
    """
    try:
        known = RecordKind(kind)
    except ValueError:
        reason = f"record {kind[:20]!r} is not one of {', '.join(RecordKind)}"
        return RejectedRecord(kind[:20], number[:MAX_ID], line, "kind", reason)
    try:
        return MasterRecord(known, identifier(number), line, _values(known, cells))
    except FieldError as error:
        return RejectedRecord(known, number[:MAX_ID], line, "field", str(error))


def _values(kind: RecordKind, cells: Mapping[str, str]) -> dict[str, Value]:
    required, optional = KINDS[kind]
    given = {n: t for n, t in cells.items() if t}
    missing = [n for n in required if n not in given]
    if missing:
        raise FieldError(f"a {kind} record needs {', '.join(missing)}")
    strange = [n for n in given if n not in required and n not in optional]
    if strange:
        raise FieldError(f"a {kind} record has no {', '.join(strange)[:100]}")
    values = {}
    for name, text in given.items():
        try:
            values[name] = FIELDS[name](text)
        except FieldError as error:
            raise FieldError(f"{name}: {error}") from error
    return values
