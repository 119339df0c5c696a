"""The bodies that our own meter pushes (maker ``OAM``, profile ``oam-1``), built here and read back here.

Each body is ``structure{push setup logical name octet-string(6), array of rows}``; a row is a structure that begins
with an octet-string(12) clock in UTC with deviation 0. ``docs/protocol/push-layouts.md`` shows every octet.
A push names no person and no place: the system title in the sealed header is its only name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from openami.kernel.obis import Obis
from openami.protocol.axdr import Data, array, octet_string, structure, u8, u16, u32
from openami.protocol.cosem import date_time_from_utc

PROFILE = "oam-1"
LOAD_PROFILE_PUSH = Obis.from_text("0.1.25.9.0.255")
REGISTER_PUSH = Obis.from_text("0.2.25.9.0.255")
EVENT_PUSH = Obis.from_text("0.4.25.9.0.255")
INTERVAL_S = 900
MAX_REGISTER_WH = 0xFFFF_FFFF
"""A register of 32 bits rolls over to 0 after this."""


@dataclass(frozen=True, slots=True)
class LoadProfileRow:
    """One captured interval.

    Args:
        end: the instant at which the interval ended.
        status: profile status bits (``contracts.quality.RawQuality``, low octet).
        delivered_wh: energy to the customer in the interval [Wh].
        received_wh: energy from the customer in the interval [Wh].
        voltage_dv: average voltage [0.1 V].
    """

    end: datetime
    status: int
    delivered_wh: int
    received_wh: int
    voltage_dv: int


@dataclass(frozen=True, slots=True)
class RegisterRow:
    """What the two registers showed at an instant [Wh], 0 to 2**32 - 1."""

    at: datetime
    delivered_wh: int
    received_wh: int


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event: when, in which event log (e of 0.0.99.98.e.255), and its code."""

    at: datetime
    log: int
    code: int


def _clock(instant: datetime) -> Data:
    return octet_string(date_time_from_utc(instant).encode())


def _body(push_setup: Obis, rows: Iterable[Data]) -> Data:
    return structure(octet_string(push_setup.octets), array(*rows))


def load_profile_body(rows: Iterable[LoadProfileRow]) -> Data:
    """Return the body of a load-profile push."""
    return _body(
        LOAD_PROFILE_PUSH,
        (
            structure(_clock(r.end), u8(r.status), u32(r.delivered_wh), u32(r.received_wh), u16(r.voltage_dv))
            for r in rows
        ),
    )


def register_body(rows: Iterable[RegisterRow]) -> Data:
    """Return the body of a register push."""
    return _body(REGISTER_PUSH, (structure(_clock(r.at), u32(r.delivered_wh), u32(r.received_wh)) for r in rows))


def event_body(rows: Iterable[EventRow]) -> Data:
    """Return the body of an event push."""
    return _body(EVENT_PUSH, (structure(_clock(r.at), u8(r.log), u8(r.code)) for r in rows))
