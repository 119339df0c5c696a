"""Shipment files: the keys a factory hands over with its meters.

Two shapes are read. A JSON document ``{"shipment_id", "made_at", "maker", "profile", "meters": [...]}``, or JSON lines
whose first line is the same without ``meters`` and whose other lines are one meter each. A meter is ``{"system_title",
"serial", "encryption_key", "authentication_key"}`` and may name ``master_key`` (without it the meter's keys are for
life), ``profile``, ``zone`` (IANA, for a meter whose clock has no deviation) and ``meter_id`` (UUID, where the registry
has issued one already).

A file is taken whole or not at all; each thing wrong with it is a finding that names its line. Nothing here shows
a key.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from openami.kernel.errors import OpenAmiError
from openami.kernel.finding import Finding, Severity
from openami.kernel.ids import BadSystemTitleError, SystemTitle
from openami.kernel.time import NaiveInstantError, UnknownZoneError, require_utc, zone_named
from openami.security.keys.context import KeyUse
from openami.security.keys.secret import Secret
from openami.security.keys.weak import reason_key_is_weak

MAX_SHIPMENT_OCTETS = 512 * 1024 * 1024
"""About 1.5 million meters; a larger order comes as several shipments."""
MAX_TEXT = 80


class ShipmentError(OpenAmiError):
    """A shipment file cannot be taken; the text and the findings say where and why, and show no key."""

    def __init__(self, text: str, findings: tuple[Finding, ...] = ()) -> None:
        super().__init__(text)
        self.findings = findings


@dataclass(frozen=True, slots=True)
class ShippedMeter:
    """One meter of a shipment.

    Args:
        line: ``line 7`` or ``meters[6]``, for reports.
        system_title: its DLMS name.
        serial: the maker's serial number as printed on the meter.
        encryption_key, authentication_key: 16 octets each, random, this meter's alone.
        master_key: the key that new keys are sent under; None for a meter whose keys cannot be changed.
        profile: name of its meter profile.
        zone: IANA zone of a clock without deviation; None for the installation's zone.
        meter_id: id that the registry has issued; None for a new one.
    """

    line: str
    system_title: SystemTitle
    serial: str
    encryption_key: Secret
    authentication_key: Secret
    profile: str
    zone: str | None = None
    meter_id: UUID | None = None
    master_key: Secret | None = None

    def each_key(self) -> tuple[tuple[KeyUse, Secret], ...]:
        """Return every key of the meter with what it is for."""
        pair = ((KeyUse.ENCRYPTION, self.encryption_key), (KeyUse.AUTHENTICATION, self.authentication_key))
        return pair if self.master_key is None else (*pair, (KeyUse.MASTER, self.master_key))


@dataclass(frozen=True, slots=True)
class Shipment:
    """A whole shipment, every line of it sound by itself."""

    shipment_id: str
    made_at: datetime
    maker: str
    meters: tuple[ShippedMeter, ...]


@dataclass(slots=True)
class _Reader:
    """Gathers findings while meters are read."""

    profile: str
    findings: list[Finding] = field(default_factory=list)
    titles: dict[SystemTitle, str] = field(default_factory=dict)
    keys: dict[Secret, str] = field(default_factory=dict)

    def refuse(self, rule: str, line: str, why: str, *, serial: str | None = None) -> None:
        evidence = {"why": why} if serial is None else {"why": why, "serial": serial}
        self.findings.append(Finding(rule, Severity.FAIL, line, evidence=evidence))

    def meter(self, row: Any, line: str) -> ShippedMeter | None:
        """Read one meter; None with a finding where it is not sound."""
        if not isinstance(row, dict):
            self.refuse("bad_line", line, "not a JSON object")
            return None
        try:
            meter = ShippedMeter(
                line=line,
                system_title=SystemTitle.from_hex(_text(row, "system_title")),
                serial=_text(row, "serial"),
                encryption_key=_key(row, "encryption_key"),
                authentication_key=_key(row, "authentication_key"),
                profile=_text(row, "profile") if "profile" in row else self.profile,
                zone=zone_named(_text(row, "zone")).key if row.get("zone") else None,
                meter_id=UUID(_text(row, "meter_id")) if row.get("meter_id") else None,
                master_key=_key(row, "master_key") if "master_key" in row else None,
            )
        except (BadSystemTitleError, UnknownZoneError, ShipmentError) as error:
            self.refuse("bad_field", line, str(error))
            return None
        except ValueError:
            self.refuse("bad_field", line, "meter_id is not a UUID")
            return None
        self._check_keys(meter)
        earlier = self.titles.setdefault(meter.system_title, line)
        if earlier != line:
            self.refuse(
                "duplicate_title", line, f"system title {meter.system_title} is also at {earlier}", serial=meter.serial
            )
        return meter

    def _check_keys(self, meter: ShippedMeter) -> None:
        for use, key in meter.each_key():
            name = f"{use}_key"
            weak = reason_key_is_weak(key)
            if weak:
                self.refuse("weak_key", meter.line, f"{name}: {weak}", serial=meter.serial)
                continue
            place = f"{name} at {meter.line}, serial {meter.serial}"
            earlier = self.keys.setdefault(key, place)
            if earlier != place:
                self.refuse("duplicate_key", meter.line, f"{name} equals {earlier}", serial=meter.serial)


def parse_shipment(octets: bytes) -> Shipment:
    """Read a shipment.

    Raises:
        ShipmentError: anything in it is wrong; ``findings`` lists each line.
    """
    if len(octets) > MAX_SHIPMENT_OCTETS:
        raise ShipmentError(f"the file has {len(octets)} octets, the limit is {MAX_SHIPMENT_OCTETS}")
    head, rows = _head_and_rows(octets)
    try:
        shipment_id, maker = _text(head, "shipment_id"), _text(head, "maker")
        made_at = require_utc(datetime.fromisoformat(_text(head, "made_at")))
        reader = _Reader(_text(head, "profile"))
    except NaiveInstantError as error:
        raise ShipmentError(f"made_at: {error}") from error
    except ValueError as error:
        raise ShipmentError("made_at is not an ISO 8601 instant") from error
    meters = tuple(m for line, row in rows if (m := reader.meter(row, line)) is not None)
    if reader.findings:
        raise ShipmentError(
            f"shipment {shipment_id}: {len(reader.findings)} things wrong, first at {reader.findings[0].subject}: "
            f"{reader.findings[0].evidence['why']}; nothing was taken",
            tuple(reader.findings),
        )
    if not meters:
        raise ShipmentError(f"shipment {shipment_id} holds no meter")
    return Shipment(shipment_id, made_at, maker, meters)


def _head_and_rows(octets: bytes) -> tuple[dict[str, Any], list[tuple[str, Any]]]:
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ShipmentError(f"not UTF-8 at offset {error.start}") from None
    whole = _document(text)
    if whole is not None and "meters" in whole:
        meters = whole["meters"]
        if not isinstance(meters, list):
            raise ShipmentError("meters is not a list")
        return whole, [(f"meters[{i}]", row) for i, row in enumerate(meters)]
    rows = [(f"line {n}", _line(line, n)) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not rows or not isinstance(rows[0][1], dict):
        raise ShipmentError("the file is neither a JSON document with meters nor JSON lines with a head line")
    return rows[0][1], rows[1:]


def _document(text: str) -> dict[str, Any] | None:
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return whole if isinstance(whole, dict) else None


def _line(text: str, number: int) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        # The JSON error would quote the line, and the line may hold a key.
        raise ShipmentError(f"line {number} is not JSON") from None


def _text(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value or len(value) > MAX_TEXT:
        raise ShipmentError(f"{name} is missing or not a text of 1 to {MAX_TEXT} characters")
    return value


def _key(row: dict[str, Any], name: str) -> Secret:
    try:
        return Secret(bytes.fromhex(_text(row, name)))
    except ValueError:
        raise ShipmentError(f"{name} is not hexadecimal") from None
