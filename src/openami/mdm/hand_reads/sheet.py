"""A reader's sheet: many reads in one file, each answered by itself. Pure.

``at,value,meter,road`` with optional ``mark,channel``. ``value`` is what the display shows, in the declared unit.
``at`` is an instant with its offset, or a day, which is the local midnight of the place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from openami.contracts.channel import CHANNEL_BY_NAME, Channel
from openami.kernel.time import NaiveInstantError, require_utc
from openami.mdm.hand_reads.read import MAX_MARK, HandReadError, Road
from openami.mdm.importing.errors import FileRefusedError
from openami.mdm.importing.rows import table_rows

MAX_READS = 100_000
"""Far above a day's routes of a large utility; more is a file of another kind."""
UNITS = {"wh": 1, "kwh": 1000}
_COLUMNS = ("at", "value", "meter", "road", "mark", "channel")
_COUNT = re.compile(r"\d{1,12}(\.\d{1,3})?")


@dataclass(frozen=True, slots=True)
class SheetRead:
    """One line of a sheet that can be read.

    Args:
        line: of the file, from 1.
        serial: the meter's.
        at: an instant, or a local day.
        value: counts [Wh].
        road: how it came.
        mark: the reader's code, the photo's digest.
        channel: of which register.
    """

    line: int
    serial: str
    at: datetime | date
    value: int
    road: Road
    mark: str
    channel: Channel


@dataclass(frozen=True, slots=True)
class SheetRefusal:
    """One line of a sheet that cannot be read, and why."""

    line: int
    reason: str


def parse_sheet(octets: bytes, *, unit: str) -> list[SheetRead | SheetRefusal]:
    """Read a sheet.

    Args:
        octets: UTF-8 text with a header line.
        unit: ``Wh`` or ``kWh``, of every value.

    Returns:
        One entry for each line, in order.

    Raises:
        HandReadError: the unit is none of these, or the file is no such table.
    """
    factor = UNITS.get(unit.lower())
    if factor is None:
        raise HandReadError(f"{unit[:20]!r} is no unit of a sheet; declare Wh or kWh")
    try:
        rows = list(table_rows(octets, _COLUMNS, is_parquet=False, max_rows=MAX_READS))
    except FileRefusedError as error:
        raise HandReadError(f"the sheet: {error}") from error
    return list(_entries(rows, factor))


def _entries(rows: Sequence[tuple[int, list[str]]], factor: int) -> Iterator[SheetRead | SheetRefusal]:
    for line, (at, value, meter, road, mark, channel) in rows:
        try:
            yield SheetRead(
                line, _serial(meter), _when(at), _count(value, factor), _road(road), _mark(mark), _channel(channel)
            )
        except HandReadError as error:
            yield SheetRefusal(line, str(error))


def _serial(said: str) -> str:
    if not said or len(said) > 60 or not said.isprintable():
        raise HandReadError("no serial of a meter stands there")
    return said


def _when(said: str) -> datetime | date:
    try:
        return date.fromisoformat(said)
    except ValueError:
        pass
    try:
        return require_utc(datetime.fromisoformat(said))
    except (ValueError, OverflowError, NaiveInstantError) as error:
        raise HandReadError(f"{said[:40]!r} is no day and no instant with its offset") from error


def _count(said: str, factor: int) -> int:
    if not said.isascii() or not _COUNT.fullmatch(said):
        raise HandReadError(f"{said[:40]!r} is no count of a register")
    counts = Decimal(said) * factor
    if counts != int(counts):
        raise HandReadError(f"{said[:40]!r} is finer than a Wh")
    return int(counts)


def _road(said: str) -> Road:
    roads = [r.value for r in Road if r is not Road.ESTIMATE]
    if said not in roads:
        raise HandReadError(f"{said[:40]!r} is no road; there are {', '.join(roads)}")
    return Road(said)


def _mark(said: str) -> str:
    if len(said) > MAX_MARK or not said.isprintable():
        raise HandReadError(f"a mark is at most {MAX_MARK} printable letters")
    return said


def _channel(said: str) -> Channel:
    if said and said not in CHANNEL_BY_NAME:
        raise HandReadError(f"{said[:40]!r} is no channel")
    return CHANNEL_BY_NAME[said or "delivered"]
