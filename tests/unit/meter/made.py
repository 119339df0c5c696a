"""A virtual meter at work and short ways to ask it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from openami.kernel.ids import SystemTitle
from openami.kernel.obis import Obis
from openami.kernel.time import epoch_s
from openami.meter.clock import MeterClock
from openami.meter.counters import InvocationCounters, MemoryCounterStore
from openami.meter.gasp import GaspRadio
from openami.meter.meter import VirtualMeter
from openami.meter.objects.model import Client
from openami.meter.registers import DEFAULT_CAPACITY_WH, MJ_PER_WH, RegisterBank
from openami.meter.sealing import MeterIdentity
from openami.meter.state import DeviceState
from openami.protocol.apdu import DataNotification, decode
from openami.protocol.association.ports import AccessRefusedError, ActionRefusedError
from openami.protocol.axdr import Data, octet_string
from openami.protocol.cosem import date_time_from_utc, decode_date_time
from openami.protocol.cosem.reference import (
    ActionResult,
    AttributeRef,
    CaptureObject,
    DataAccessResult,
    MethodRef,
    RangeSelection,
    Selection,
)
from openami.protocol.envelope.sealed import parse_sealed_header
from openami.protocol.envelope.wrapper import parse_wrapper
from openami.security.suites.gcm import open_sealed

ZONE = ZoneInfo("America/Chicago")
NOON = datetime(2026, 7, 1, 17, tzinfo=UTC)
VOLTS = 2402
IDENTITY = MeterIdentity(
    SystemTitle(b"OAM\x00\x00\x00\x00\x07"), bytes(range(16)), bytes(range(16, 32)), bytes(range(32, 48))
)
CLOCK = CaptureObject(8, Obis.from_text("0.0.1.0.0.255"), 2)
MANAGEMENT, READER, PUBLIC = Client.MANAGEMENT, Client.READER, Client.PUBLIC


def meter(
    now: datetime = NOON, *, state: DeviceState | None = None, gasps: GaspRadio | None = None, drift_ppm: int = 0
) -> VirtualMeter:
    bank = RegisterBank(
        np.array([1_000 * MJ_PER_WH]), np.array([20 * MJ_PER_WH]), np.array([DEFAULT_CAPACITY_WH], dtype=np.int64)
    )
    counters = InvocationCounters(MemoryCounterStore(1))
    clock = MeterClock(now, drift_ppm)
    return VirtualMeter(IDENTITY, bank, counters, clock, ZONE, now, state=state or DeviceState(), gasps=gasps)


def run(one: VirtualMeter, *, hours: float, power_mw: int = 1_000_000, voltage_dv: int | None = VOLTS) -> list[bytes]:
    return one.advance(one.now + timedelta(hours=hours), power_mw=power_mw, voltage_dv=voltage_dv)


def read(
    one: VirtualMeter, class_id: int, name: str, attribute: int = 2, *, client: int = READER,
    selection: Selection | None = None,
) -> Data:  # fmt: skip
    return one.device.read(client, AttributeRef(class_id, Obis.from_text(name), attribute), selection)


def write(
    one: VirtualMeter, class_id: int, name: str, attribute: int, value: Data, *, client: int = MANAGEMENT
) -> DataAccessResult:
    try:
        one.device.write(client, AttributeRef(class_id, Obis.from_text(name), attribute), None, value)
    except AccessRefusedError as refused:
        return refused.result
    return DataAccessResult.SUCCESS


def call(
    one: VirtualMeter, class_id: int, name: str, method: int, parameter: Data | None = None, *, client: int = MANAGEMENT
) -> ActionResult:
    try:
        one.device.invoke(client, MethodRef(class_id, Obis.from_text(name), method), parameter)
    except ActionRefusedError as refused:
        return refused.result
    return ActionResult.SUCCESS


def at(instant: datetime, *, deviation_minutes: int = 0) -> Data:
    return octet_string(date_time_from_utc(instant, deviation_minutes=deviation_minutes).encode())


def between(start: datetime, end: datetime, *columns: CaptureObject) -> RangeSelection:
    return RangeSelection(CLOCK, at(start), at(end), columns)


def rows(buffer: Data) -> list[list[int]]:
    """Return rows as numbers, clocks in seconds since the epoch."""
    return [[plain(v) for v in row.elements] for row in buffer.elements]


def plain(value: Data) -> int:
    if value.octets is not None:
        return epoch_s(decode_date_time(value.octets).to_utc())
    assert value.integer is not None
    return value.integer


def opened(frame: bytes, identity: MeterIdentity = IDENTITY) -> tuple[int, DataNotification]:
    """Return source port and notification of a sealed frame."""
    header, apdu = parse_wrapper(frame)
    body = apdu[parse_sealed_header(apdu).body_offset :]
    plaintext = open_sealed(
        identity.title.octets, body, key=identity.encryption_key, auth_key=identity.authentication_key
    )
    notification = decode(plaintext)
    assert isinstance(notification, DataNotification)
    return header.source_port, notification


def pushed(frames: Sequence[bytes]) -> list[tuple[str, list[list[int]]]]:
    """Return the push setup and the rows of each frame."""
    found = []
    for frame in frames:
        setup, table = opened(frame)[1].body.elements
        assert setup.octets is not None
        found.append((str(Obis(setup.octets)), rows(table)))
    return found
