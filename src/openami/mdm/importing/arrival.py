"""Bring a file of known meters in: rows into the store, then the days they fall in onto validation's queue."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from openami.kernel.time import Period, instant_from_epoch_s
from openami.mdm.importing.file import ImportedFile
from openami.mdm.importing.known import KnownRows, RejectedMeter, known_rows, touched_days
from openami.mdm.ports import IntervalStore
from openami.mdm.registry.ports import Registry
from openami.mdm.validation.ports import ValidationBook


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came of a file.

    Args:
        readings, registers: rows written.
        meters: how many meters they are of.
        rejected: meters that were not taken.
        days: service point days asked to be validated again.
        unassigned: meters that hang nowhere in the time of the file: their rows wait for an installation.
    """

    readings: int
    registers: int
    meters: int
    rejected: tuple[RejectedMeter, ...]
    days: int
    unassigned: int


async def bring_in(
    found: ImportedFile,
    octets: bytes,
    *,
    registry: Registry,
    store: IntervalStore,
    book: ValidationBook,
    at: datetime,
    write: bool = True,
) -> Arrival:
    """Write the rows of meters that the registry knows. Every step may be repeated: nothing is counted twice.

    Args:
        found: the parsed file.
        octets: the same file's octets: they name it.
        registry: who hangs where.
        store: of readings.
        book: validation's queue.
        at: domain time.
        write: False only says what would come of it.

    Raises:
        StoreError: the store refused or did not answer; repeating mends it.
    """
    digest = sha256(octets).digest()
    serials = {s.name for s in found.series} | {r.name for r in found.registers}
    meters = {m.serial: m for m in await registry.meters_of_serials(serials)}
    whole = _whole(found)
    installed = (
        await registry.installed(None, whole, meters=[m.id for m in meters.values()]) if meters and whole else []
    )
    rows = known_rows(found, meters, installed, message_id=int.from_bytes(digest[:8], "big"))
    zones = {p.id: p.zone for p in await registry.service_points({i.installation.service_point_id for i in installed})}
    days = touched_days(rows.touched, installed, zones)
    if write:
        await _write(rows, days, f"file-{digest.hex()[:32]}", store=store, book=book, at=at)
    hanging = {i.installation.meter_id for i in installed}
    return Arrival(
        len(rows.readings), len(rows.registers), len(rows.touched), rows.rejected,
        sum((last - first).days + 1 for _, first, last in days), len(rows.touched.keys() - hanging),
    )  # fmt: skip


async def _write(
    rows: KnownRows,
    days: list[tuple[UUID, date, date]],
    token: str,
    *,
    store: IntervalStore,
    book: ValidationBook,
    at: datetime,
) -> None:
    if len(rows.readings):
        await store.write_readings(rows.readings, token=token)
    if len(rows.registers):
        await store.write_registers(rows.registers, token=f"{token}-registers")
    spans: dict[tuple[date, date], set[UUID]] = defaultdict(set)
    for point, first, last in days:
        spans[first, last].add(point)
    for (first, last), points in spans.items():
        await book.ask(points, first, last, reason="file", at=at)


def _whole(found: ImportedFile) -> Period | None:
    """Return the time that the file's rows lie in, a second wider on both sides; None where there are none."""
    firsts = [int(s.start_s[0]) for s in found.series] + [int(r.at_s[0]) for r in found.registers]
    lasts = [int(s.start_s[-1]) for s in found.series] + [int(r.at_s[-1]) for r in found.registers]
    if not firsts:
        return None
    second = timedelta(seconds=1)
    return Period(instant_from_epoch_s(min(firsts)) - second, instant_from_epoch_s(max(lasts)) + second)
