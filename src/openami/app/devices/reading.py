"""Associate with one meter and read it: clock, registers, a stretch of a profile. Any meter of the standard objects.

Knows no platform: the way to the meter and its keys are arguments.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from openami.headend.profiles.columns import captured_objects, list_request, scale_said
from openami.headend.profiles.model import Scale
from openami.kernel.obis import Obis
from openami.protocol.association.client import ClientAssociation, ClientSettings
from openami.protocol.association.drive import drive_async
from openami.protocol.association.protection import Protection
from openami.protocol.association.steps import Steps
from openami.protocol.axdr import Data, octet_string
from openami.protocol.cosem import date_time_from_utc, decode_date_time
from openami.protocol.cosem.datetime import DATE_TIME_OCTETS
from openami.protocol.cosem.profile_buffer import clock_column_of, expand_rows
from openami.protocol.cosem.reference import AttributeRef, CaptureObject, RangeSelection
from openami.protocol.errors import PeerError

CLOCK = CaptureObject(8, Obis.from_text("0.0.1.0.0.255"), 2)
REGISTER_CLASS, PROFILE_CLASS = 3, 7
VALUE, SCALER_UNIT, PERIOD = 2, 3, 4
T = TypeVar("T")
Cell = int | float | str | datetime | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to read.

    Args:
        registers: registers, each with scaler and unit.
        profile: a profile; None for none.
        start, end: captured from and to, both included, UTC.
    """

    registers: tuple[Obis, ...]
    profile: Obis | None = None
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a meter said.

    Args:
        title: its system title; None where nothing was protected.
        clock: its clock, UTC.
        registers: value and scale of each register; not shown.
        columns: what the profile captures.
        rows: its rows, stamps in UTC; not shown.
    """

    title: bytes | None
    clock: datetime
    registers: Mapping[Obis, tuple[int, Scale]] = field(repr=False)
    columns: tuple[CaptureObject, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = field(default=(), repr=False)


async def read_meter(
    settings: ClientSettings,
    wanted: Wanted,
    *,
    protection: Protection | None,
    exchange: Callable[[bytes], Awaitable[bytes]],
    challenge: bytes,
) -> Reading:
    """Associate, read, release.

    Args:
        settings: what the client proposes and insists on.
        wanted: what to read.
        protection: keys and counters; None for the public client.
        exchange: the way to the meter.
        challenge: fresh random octets, 16 to 64.

    Raises:
        PeerError, AssociationRefusedError, AccessRefusedError, ServiceRefusedError: the meter says no, or nonsense.
    """
    association = ClientAssociation(settings)

    async def run(steps: Steps[T]) -> T:
        return await drive_async(steps, sealing=protection, exchange=exchange)

    negotiated = await run(association.associate(challenge=challenge if settings.mechanism else None))
    clock = _instant(await run(association.read(AttributeRef(CLOCK.class_id, CLOCK.instance, CLOCK.attribute))))
    registers: dict[Obis, tuple[int, Scale]] = {}
    for name in wanted.registers:
        value = (await run(association.read(AttributeRef(REGISTER_CLASS, name, VALUE)))).integer
        if value is None:
            raise PeerError("bad_value", f"the value of {name} is no number", 0)
        registers[name] = (
            value,
            scale_said(await run(association.read(AttributeRef(REGISTER_CLASS, name, SCALER_UNIT)))),
        )
    columns: tuple[CaptureObject, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    if wanted.profile is not None:
        columns = captured_objects(await run(association.read(list_request(wanted.profile))))
        period_s = (await run(association.read(AttributeRef(PROFILE_CLASS, wanted.profile, PERIOD)))).integer or 0
        buffer = await run(association.read(AttributeRef(PROFILE_CLASS, wanted.profile, VALUE), _between(wanted)))
        stamps = clock_column_of(columns)
        full = expand_rows(buffer, clock_column=stamps, capture_period_s=period_s)
        rows = tuple(tuple(_cell(value, is_stamp=i == stamps) for i, value in enumerate(row)) for row in full)
    await run(association.release())
    return Reading(negotiated.peer_title, clock, registers, columns, rows)


def _between(wanted: Wanted) -> RangeSelection | None:
    if wanted.start is None or wanted.end is None:
        return None
    start, end = (octet_string(date_time_from_utc(instant).encode()) for instant in (wanted.start, wanted.end))
    return RangeSelection(CLOCK, start, end)


def _instant(value: Data) -> datetime:
    if value.octets is None or len(value.octets) != DATE_TIME_OCTETS:
        raise PeerError("bad_value", "a clock that is no date-time", 0)
    return decode_date_time(value.octets).to_utc()


def _cell(value: Data, *, is_stamp: bool) -> Cell:
    if is_stamp and value.octets is not None:
        return _instant(value)
    if value.integer is not None:
        return value.integer
    return value.octets.hex() if value.octets is not None else None
