"""Our own interval table: ``start,value`` with optional ``channel,quality,meter``, as CSV or Parquet.

``start`` is ISO 8601 with an offset, or naive with a zone named; ``value`` in Wh unless another unit is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np

from openami.contracts.channel import CHANNEL_BY_NAME, Channel
from openami.contracts.quality import QualityState, RawQuality
from openami.kernel.finding import Finding
from openami.mdm.importing.errors import FileRefusedError
from openami.mdm.importing.file import MAX_ABS_VALUE, MAX_ROWS, ImportedFile, ImportedSeries, in_order, whole_wh
from openami.mdm.importing.localtime import LocalStamps, require_year
from openami.mdm.importing.rows import Row, table_rows

UNITS = {"wh": 1, "kwh": 1000, "mwh": 1_000_000}
QUALITY_WORDS = {
    "": RawQuality.GOOD,
    "actual": RawQuality.GOOD,
    "estimated": RawQuality.ESTIMATED_AT_SOURCE,
    "edited": RawQuality.EDITED_AT_SOURCE,
    "questionable": RawQuality.DATA_NOT_VALID,
    "outage_zero": RawQuality.POWER_DOWN,
    "verified": RawQuality.GOOD,
    "partial": RawQuality.GOOD,
    "derived": RawQuality.EDITED_AT_SOURCE,
    "forecast": RawQuality.ESTIMATED_AT_SOURCE,
}
COLUMNS = ("start", "value", "channel", "quality", "meter")


def parse_csv(octets: bytes, *, zone: ZoneInfo | None, unit: str = "Wh") -> ImportedFile:
    """Read an interval table from CSV.

    Args:
        octets: UTF-8 text with a header line.
        zone: of naive stamps.
        unit: ``Wh``, ``kWh`` or ``MWh``.

    Raises:
        FileRefusedError: any line cannot be read; the whole file is refused.
    """
    rows = table_rows(octets, COLUMNS, is_parquet=False, max_rows=MAX_ROWS)
    return ImportedFile("csv", *_series(rows, zone, unit))


def parse_parquet(octets: bytes, *, zone: ZoneInfo | None, unit: str = "Wh") -> ImportedFile:
    """Read an interval table from Parquet; ``start`` may be text or a timestamp with a zone.

    Raises:
        FileRefusedError: the file or a row cannot be read.
    """
    return ImportedFile(
        "parquet", *_series(table_rows(octets, COLUMNS, is_parquet=True, max_rows=MAX_ROWS), zone, unit)
    )


def _series(
    rows: Iterator[Row], zone: ZoneInfo | None, unit: str
) -> tuple[tuple[ImportedSeries, ...], tuple[()], tuple[Finding, ...]]:
    factor = UNITS.get(unit.lower())
    if factor is None:
        raise FileRefusedError(0, f"unit {unit[:20]!r}: one of Wh, kWh, MWh")
    groups: dict[tuple[str, Channel], list[tuple[int, Decimal, int, int]]] = {}
    stamps: dict[tuple[str, Channel], LocalStamps] = {}
    for line, (start, *rest) in rows:
        value, channel_name, quality, meter = map(str, rest)
        group = (meter[:80], channel_named(channel_name, line))
        stamp = stamps.setdefault(group, LocalStamps(zone))
        second = stamp.epoch_s(moment(start, line), line)
        groups.setdefault(group, []).append((second, energy(value, line, factor), quality_bits(quality, line), line))
    findings: list[Finding] = []
    found = [_one(name, channel, table, findings) for (name, channel), table in groups.items()]
    return tuple(found), (), tuple(findings)


def _one(
    name: str, channel: Channel, table: list[tuple[int, Decimal, int, int]], findings: list[Finding]
) -> ImportedSeries:
    table.sort(key=lambda r: r[0])
    wh = whole_wh([r[1] for r in table])
    rows = [(r[0], int(v), r[2], r[3]) for r, v in zip(table, wh, strict=True)]
    return in_order(name, channel, rows, interval_s=interval_of([r[0] for r in table], table[0][3]), findings=findings)


def interval_of(starts: Sequence[int], line: int) -> int:
    """Return the smallest step between starts [s]; one reading alone is a quarter-hour.

    Raises:
        FileRefusedError: the step is not 60 to 86,400 s.
    """
    steps = np.diff(np.unique(np.array(starts, dtype=np.int64)))
    interval = int(steps.min()) if len(steps) else 900
    if not 60 <= interval <= 86_400:
        raise FileRefusedError(line, f"intervals of {interval} s; 60 to 86,400 s can be imported")
    return interval


def moment(start: object, line: int) -> datetime:
    """Return a cell as a datetime, with or without an offset.

    Raises:
        FileRefusedError: it is not one.
    """
    if isinstance(start, datetime):
        require_year(start, line)
        return start
    text = str(start)
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise FileRefusedError(line, f"{text[:40]!r} is not an ISO 8601 time") from error
    require_year(found, line)
    return found


MAX_DIGITS = 40
_PLAIN = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]{1,9})?")


def energy(text: str, line: int, factor: int) -> Decimal:
    """Return a cell as energy in Wh.

    Raises:
        FileRefusedError: it is not a number that energy can be.
    """
    if _PLAIN.fullmatch(text):
        # Nearly every cell: its digits alone say that it is a number, finite and within what energy can be.
        return Decimal(text) * factor
    try:
        value = Decimal(text[: MAX_DIGITS + 1]) * factor
    except (ArithmeticError, ValueError) as error:
        raise FileRefusedError(line, "the value is not a number") from error
    fine = value.is_finite() and int(value.as_tuple().exponent) >= -MAX_DIGITS and len(text) <= MAX_DIGITS
    if not fine or abs(value) > MAX_ABS_VALUE:
        raise FileRefusedError(line, "the value is outside what an interval's energy can be")
    return value


def channel_named(text: str, line: int) -> Channel:
    """Return the channel of a name; empty is delivered.

    Raises:
        FileRefusedError: no such channel.
    """
    found = CHANNEL_BY_NAME.get(text.lower() or "delivered")
    if found is None or found is Channel.VOLTAGE:
        raise FileRefusedError(line, f"channel {text[:20]!r}: one of delivered, received, net")
    return found


def quality_bits(text: str, line: int) -> int:
    """Return a quality word (or our state's number) as raw quality bits.

    Raises:
        FileRefusedError: no such quality.
    """
    word = text.strip().lower()
    if word.isdecimal() and len(word) < 4 and int(word) in set(QualityState):
        word = QualityState(int(word)).name.lower()
    if word not in QUALITY_WORDS:
        raise FileRefusedError(line, f"quality {text[:20]!r}: one of {sorted(w for w in QUALITY_WORDS if w)}")
    return int(QUALITY_WORDS[word])
