"""The CSV that utilities hand out beside Green Button: some lines of prose, then one line per interval.

``TYPE,DATE,START TIME,END TIME,USAGE,UNITS,COST,NOTES`` with local wall time, so a zone must be named. Column names
vary (``USAGE (kWh)``, ``IMPORT (kWh)``, ``EXPORT (kWh)``); we read them by name. Name and address lines are not kept.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from openami.contracts.channel import Channel
from openami.contracts.quality import RawQuality
from openami.kernel.finding import Finding, Severity
from openami.mdm.importing.errors import FileRefusedError
from openami.mdm.importing.file import MAX_ROWS, ImportedFile, ImportedSeries, SkippedSeries, in_order, whole_wh
from openami.mdm.importing.localtime import LocalStamps, is_in_gap, require_year
from openami.mdm.importing.table import UNITS, energy, interval_of

MAX_PREAMBLE_LINES = 30
_DATES = ("%Y-%m-%d", "%m/%d/%Y", "%m/%d/%y", "%d-%b-%Y")
_TIMES = ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M%p")


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where the columns are; -1 is absent."""

    line: int
    kind: int
    date: int
    start: int
    end: int
    units: int
    notes: int
    values: tuple[tuple[int, Channel, str], ...]


def is_utility_csv(octets: bytes) -> bool:
    """Tell whether one of the first lines is the header of such a file."""
    try:
        _find_header(_lines(octets[:65_536]))
    except FileRefusedError:
        return False
    return True


def parse_utility_csv(octets: bytes, *, zone: ZoneInfo | None) -> ImportedFile:
    """Read a utility's interval CSV.

    Raises:
        FileRefusedError: a line cannot be read, or no zone is named; the whole file is refused.
    """
    if zone is None:
        raise FileRefusedError(0, "the file holds local times: name its zone (--tz)")
    lines = _lines(octets)
    columns = _find_header(lines)
    findings: list[Finding] = []
    skipped: dict[str, int] = {}
    table: dict[Channel, list[tuple[int, Decimal, int, int]]] = {c: [] for _, c, _ in columns.values}
    stamps = LocalStamps(zone)
    lengths: set[int] = set()
    for line, row in lines:
        if not any(c.strip() for c in row):
            continue
        if line > MAX_ROWS:
            raise FileRefusedError(line, f"over {MAX_ROWS} lines")
        kind = _cell(row, columns.kind)
        if "gas" in kind.lower() or "water" in kind.lower():
            skipped[kind[:40]] = skipped.get(kind[:40], 0) + 1
            continue
        start = _stamp(_cell(row, columns.date), _cell(row, columns.start), line)
        if is_in_gap(start, zone):
            _gap(row, columns, start, line, findings)
            continue
        lengths.add(_length_s(row, columns, start, line))
        second = stamps.epoch_s(start, line)
        for place, channel, unit in columns.values:
            text = _cell(row, place).replace(",", "")
            if text:
                factor = _factor(_cell(row, columns.units) or unit, line)
                quality = RawQuality.ESTIMATED_AT_SOURCE if "estimat" in _cell(row, columns.notes).lower() else 0
                table[channel].append((second, energy(text, line, factor), int(quality), line))
    series = tuple(_one(c, rows, lengths, findings) for c, rows in table.items() if rows)
    left = tuple(SkippedSeries(k, n, "not electricity") for k, n in skipped.items())
    return ImportedFile("greenbutton-csv", series, left, tuple(findings))


def _lines(octets: bytes) -> Iterator[tuple[int, list[str]]]:
    text = octets.decode("utf-8-sig", errors="replace")
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise FileRefusedError(reader.line_num, f"not CSV: {str(error)[:80]}") from error


def _find_header(lines: Iterator[tuple[int, list[str]]]) -> _Columns:
    for line, row in lines:
        if line > MAX_PREAMBLE_LINES:
            break
        names = [c.strip().upper() for c in row]
        values = tuple(v for i, n in enumerate(names) if (v := _value_column(i, n)) is not None)
        if "DATE" in names and any(n in names for n in ("START TIME", "START")) and values:
            start = names.index("START TIME" if "START TIME" in names else "START")
            return _Columns(
                line, _index(names, "TYPE"), names.index("DATE"), start, _index(names, "END TIME", "END"),
                _index(names, "UNITS", "UNIT"), _index(names, "NOTES"), values,
            )  # fmt: skip
    raise FileRefusedError(0, "no header with DATE, START TIME and USAGE in the first lines")


def _value_column(index: int, name: str) -> tuple[int, Channel, str] | None:
    word = name.split("(", maxsplit=1)[0].strip()
    unit = name.partition("(")[2].rstrip(")").strip()
    channels = {
        "USAGE": Channel.DELIVERED, "CONSUMPTION": Channel.DELIVERED, "IMPORT": Channel.DELIVERED,
        "EXPORT": Channel.RECEIVED, "GENERATION": Channel.RECEIVED,
    }  # fmt: skip
    return (index, channels[word], unit) if word in channels else None


def _index(names: Sequence[str], *wanted: str) -> int:
    return next((names.index(w) for w in wanted if w in names), -1)


def _cell(row: Sequence[str], place: int) -> str:
    return row[place].strip() if 0 <= place < len(row) else ""


def _factor(unit: str, line: int) -> int:
    factor = UNITS.get(unit.lower() or "kwh")
    if factor is None:
        raise FileRefusedError(line, f"unit {unit[:20]!r}: one of Wh, kWh, MWh")
    return factor


def _stamp(day: str, clock: str, line: int) -> datetime:
    parts = [_parsed(day, _DATES), _parsed(clock, _TIMES)]
    if parts[0] is None or parts[1] is None:
        raise FileRefusedError(line, f"{day[:20]!r} {clock[:20]!r} is not a date and a time")
    require_year(parts[0], line)
    return datetime.combine(parts[0].date(), parts[1].time())


def _parsed(text: str, forms: Sequence[str]) -> datetime | None:
    for form in forms:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - local wall time; the zone is laid on by the caller
        except ValueError:
            continue
    return None


def _length_s(row: Sequence[str], columns: _Columns, start: datetime, line: int) -> int:
    """Length from the wall-clock ends; an end at or before its start is past midnight. ``00:14`` ends at ``00:15``."""
    if columns.end < 0:
        return 0
    end = _stamp(_cell(row, columns.date), _cell(row, columns.end), line)
    seconds = int((end - start) / timedelta(seconds=1)) % 86_400
    return seconds + 60 if seconds % 300 == 240 else seconds


def _gap(row: Sequence[str], columns: _Columns, start: datetime, line: int, findings: list[Finding]) -> None:
    """Some utilities write the skipped spring hour with zeros: drop those; energy there has no time to be in."""
    for place, _, _ in columns.values:
        text = _cell(row, place).replace(",", "")
        if text and energy(text, line, 1) != 0:
            raise FileRefusedError(line, f"{start.isoformat()} does not exist in this zone and yet holds energy")
    findings.append(Finding("skipped_hour", Severity.WARN, f"line {line}", None, {"start": start.isoformat()}))


def _one(
    channel: Channel, rows: list[tuple[int, Decimal, int, int]], lengths: set[int], findings: list[Finding]
) -> ImportedSeries:
    rows.sort(key=lambda r: r[0])
    stated = {n for n in lengths if n}
    interval = stated.pop() if len(stated) == 1 else interval_of([r[0] for r in rows], rows[0][3])
    wh = whole_wh([r[1] for r in rows])
    table = [(r[0], int(v), r[2], r[3]) for r, v in zip(rows, wh, strict=True)]
    return in_order("", channel, table, interval_s=interval, findings=findings)
