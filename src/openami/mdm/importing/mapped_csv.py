"""Any CSV of intervals or register reads, by a mapping that declares what its columns mean."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from openami.contracts.channel import Channel
from openami.contracts.quality import RawQuality
from openami.kernel.finding import Finding, Severity
from openami.mdm.importing.clock import DeclaredClock, parsed_stamp
from openami.mdm.importing.errors import FileRefusedError
from openami.mdm.importing.file import (
    MAX_ROWS,
    ImportedFile,
    ImportedRegister,
    ImportedSeries,
    SkippedSeries,
    in_order,
    register_of,
    whole_wh,
)
from openami.mdm.importing.mapping import ColumnMapping, Kind, Marks
from openami.mdm.importing.table import UNITS, energy

MAX_METERS = 200_000
_Key = tuple[str, Channel]


@dataclass(slots=True)
class _Group:
    """Rows of one channel of one meter: instant, value, quality, line."""

    clock: DeclaredClock
    rows: list[tuple[int, Decimal, int, int]] = field(default_factory=list)
    multiplier: int = 0


def parse_mapped_csv(octets: bytes, mapping: ColumnMapping) -> ImportedFile:
    """Read a CSV file by its mapping.

    Raises:
        FileRefusedError: a line cannot be read by what is declared; the whole file is refused.
    """
    reader = _Reader(mapping)
    for line, cells in _lines(octets, mapping):
        reader.take(line, cells)
    return reader.file()


def _lines(octets: bytes, mapping: ColumnMapping) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileRefusedError(octets[: error.start].count(b"\n") + 1, "not UTF-8 text") from error
    if len(mapping.delimiter) != 1:
        raise FileRefusedError(0, f"the mapping's delimiter {mapping.delimiter[:5]!r} is not one character")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mapping.delimiter, strict=True)
    try:
        header = [h.strip() for h in next(reader, [])]
        _check(header, mapping)
        for row in reader:
            if reader.line_num > MAX_ROWS:
                raise FileRefusedError(reader.line_num, f"over {MAX_ROWS} rows: cut the file by day")
            if any(c.strip() for c in row):
                if len(row) != len(header):
                    raise FileRefusedError(reader.line_num, f"has {len(row)} cells, the header {len(header)}")
                yield reader.line_num, dict(zip(header, (c.strip() for c in row), strict=True))
    except (csv.Error, ValueError) as error:
        raise FileRefusedError(reader.line_num, f"not CSV: {str(error)[:80]}") from error


def _check(header: Sequence[str], mapping: ColumnMapping) -> None:
    wanted = (
        mapping.meter_column, mapping.time_column, mapping.second_column, mapping.value_column, mapping.channel_column,
        mapping.multiplier_column, mapping.quality_column, mapping.clock.repeated_column,
    )  # fmt: skip
    for name in wanted:
        if name and name not in header:
            raise FileRefusedError(1, f"the mapping names the column {name!r}, the file has none of that name")
        if name and header.count(name) > 1:
            raise FileRefusedError(1, f"the column {name!r} is there {header.count(name)} times")


class _Reader:
    """Takes line after line and sorts them into channels of meters."""

    def __init__(self, mapping: ColumnMapping) -> None:
        self._map = mapping
        self._groups: dict[_Key, _Group] = {}
        self._findings: list[Finding] = []
        self._estimated: dict[_Key, int] = {}
        self._blank = 0

    def take(self, line: int, cells: dict[str, str]) -> None:
        """Take one line.

        Raises:
            FileRefusedError: it cannot be read by what is declared.
        """
        m = self._map
        key = self._key(line, cells)
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) >= MAX_METERS:
                raise FileRefusedError(line, f"over {MAX_METERS} meters and channels: cut the file")
            group = self._groups[key] = _Group(DeclaredClock(m.clock, is_ending=m.marks is Marks.ENDING))
        text = cells[m.value_column]
        if not text:
            self._blank += 1
            return
        value = energy(text, line, UNITS[m.unit])
        second = group.clock.epoch_s(self._stamp(line, cells), line, pass_word=cells.get(m.clock.repeated_column, ""))
        if second is None:
            self._skipped(value, line)
            return
        if m.marks is Marks.ENDING:
            second -= m.interval_s
        self._multiplier(group, line, cells)
        bits = self._bits(line, cells)
        if m.kind is Kind.REGISTERS and bits & RawQuality.ESTIMATED_AT_SOURCE:
            self._estimated[key] = self._estimated.get(key, 0) + 1
            return
        group.rows.append((second, value, bits, line))

    def file(self) -> ImportedFile:
        """Return what was taken; a channel whose rows contradict each other is refused alone."""
        if self._blank:
            self._findings.append(Finding("no_value", Severity.WARN, "file", None, {"rows_count": self._blank}))
        series: list[ImportedSeries] = []
        registers: list[ImportedRegister] = []
        refused: list[SkippedSeries] = []
        for (name, channel), group in self._groups.items():
            if not group.rows:
                continue
            try:
                if self._map.kind is Kind.REGISTERS:
                    registers.append(self._register(name, channel, group))
                else:
                    series.append(self._series(name, channel, group))
            except FileRefusedError as error:
                refused.append(SkippedSeries(name, len(group.rows), error.cause, error.line))
        reason = "estimated register reads cannot stand for what a register showed"
        skipped = tuple(SkippedSeries(n, count, reason) for (n, _), count in self._estimated.items())
        found = (tuple(series), skipped, tuple(self._findings), tuple(registers), tuple(refused))
        return ImportedFile("mapped", *found)

    def _key(self, line: int, cells: dict[str, str]) -> _Key:
        m = self._map
        name = cells[m.meter_column] if m.meter_column else m.meter_name
        if not name or len(name) > 80:
            raise FileRefusedError(line, "names no meter" if not name else "the meter's name is over 80 characters")
        if m.channel is not None:
            return name, m.channel
        word = cells[m.channel_column]
        if word not in m.channels:
            raise FileRefusedError(line, f"channel {word[:20]!r} is not among the mapping's channels")
        return name, m.channels[word]

    def _stamp(self, line: int, cells: dict[str, str]) -> datetime:
        m = self._map
        text = cells[m.time_column]
        if m.second_column:
            text = f"{text} {cells[m.second_column]}"
        return parsed_stamp(text, m.form, line)

    def _skipped(self, value: Decimal, line: int) -> None:
        if self._map.clock.skipped_hour == "refuse" or value != 0:
            reason = "stands in the hour that the clock skips in spring"
            raise FileRefusedError(
                line, f"{reason}, and yet holds energy" if value else f"{reason}: declare skipped_hour"
            )
        self._findings.append(Finding("skipped_hour", Severity.WARN, f"line {line}"))

    def _multiplier(self, group: _Group, line: int, cells: dict[str, str]) -> None:
        m = self._map
        found = m.multiplier
        if m.multiplier_column:
            text = cells[m.multiplier_column]
            if not text.isdecimal() or not 1 <= int(text[:8]) <= 1_000_000:
                raise FileRefusedError(line, f"multiplier {text[:12]!r} is not a whole number from 1 to 1,000,000")
            found = int(text)
        if group.multiplier not in {0, found}:
            raise FileRefusedError(
                line, f"the multiplier changes from {group.multiplier} to {found}: one file for each"
            )
        group.multiplier = found

    def _bits(self, line: int, cells: dict[str, str]) -> int:
        m = self._map
        if not m.quality_column:
            return 0
        word = cells[m.quality_column]
        if word not in m.quality:
            raise FileRefusedError(
                line, f"quality {word[:20]!r} is not among the mapping's words: declare what it means"
            )
        return m.quality[word]

    def _series(self, name: str, channel: Channel, group: _Group) -> ImportedSeries:
        group.rows.sort(key=lambda r: r[0])
        wh = whole_wh([r[1] for r in group.rows])
        rows = [(r[0], int(v), r[2], r[3]) for r, v in zip(group.rows, wh, strict=True)]
        found = in_order(
            name, channel, rows, interval_s=self._map.interval_s, findings=self._findings, may_be_negative=True
        )
        applied = self._map.multiplier_applied
        return replace(found, multiplier=1 if applied else group.multiplier, multiplier_applied=applied)

    def _register(self, name: str, channel: Channel, group: _Group) -> ImportedRegister:
        rows = [(at, int(value), line) for at, value, _, line in group.rows]
        applied = self._map.multiplier_applied
        return register_of(
            name, channel, rows, multiplier=1 if applied else group.multiplier, multiplier_applied=applied
        )
