"""NEM12 interval files of the Australian market: 200 names a register, 300 is one local day, 400 its qualities.

The market's days are in a named zone without daylight saving (market time, UTC+10), so a zone is optional.
Suffix E is energy to the customer, B energy from the customer; reactive suffixes (Q, K) are left aside.

Source: AEMO, Meter Data File Format Specification NEM12 & NEM13.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo

from openami.contracts.channel import Channel
from openami.contracts.quality import RawQuality
from openami.kernel.finding import Finding
from openami.kernel.time import epoch_s
from openami.mdm.importing.errors import FileRefusedError
from openami.mdm.importing.file import MAX_ROWS, ImportedFile, SkippedSeries, in_order, whole_wh
from openami.mdm.importing.localtime import require_year
from openami.mdm.importing.table import UNITS, energy

MARKET_ZONE = timezone(timedelta(hours=10))
_CHANNELS = {"E": Channel.DELIVERED, "B": Channel.RECEIVED}
_QUALITY = {
    "A": RawQuality.GOOD,
    "E": RawQuality.ESTIMATED_AT_SOURCE,
    "S": RawQuality.ESTIMATED_AT_SOURCE,
    "F": RawQuality.EDITED_AT_SOURCE,
    "N": RawQuality.DATA_NOT_VALID,
}


@dataclass(slots=True)
class _Register:
    """One 200 record and the days that follow it."""

    name: str
    suffix: str
    unit: str
    interval_s: int
    line: int
    rows: list[tuple[int, Decimal, int, int]]

    @property
    def per_day(self) -> int:
        return 86_400 // self.interval_s


def parse_nem12(octets: bytes, *, zone: ZoneInfo | None = None) -> ImportedFile:
    """Read a NEM12 file.

    Raises:
        FileRefusedError: a record cannot be read; the whole file is refused.
    """
    registers: list[_Register] = []
    reader = csv.reader(io.StringIO(octets.decode("utf-8-sig", errors="replace"), newline=""))
    try:
        for row in reader:
            _take(row, reader.line_num, registers, zone or MARKET_ZONE)
    except csv.Error as error:
        raise FileRefusedError(reader.line_num, f"not CSV: {str(error)[:80]}") from error
    findings: list[Finding] = []
    series, skipped = [], []
    for register in registers:
        channel = _CHANNELS.get(register.suffix[:1])
        if channel is None or register.unit.lower() not in UNITS:
            reason = f"suffix {register.suffix[:4]} in {register.unit[:8]} is not energy in kWh"
            skipped.append(SkippedSeries(register.name, len(register.rows), reason, register.line))
            continue
        wh = whole_wh([r[1] * UNITS[register.unit.lower()] for r in register.rows])
        rows = [(r[0], int(v), r[2], r[3]) for r, v in zip(register.rows, wh, strict=True)]
        if rows:
            series.append(in_order(register.name, channel, rows, interval_s=register.interval_s, findings=findings))
    return ImportedFile("nem12", tuple(series), tuple(skipped), tuple(findings))


def _take(row: list[str], line: int, registers: list[_Register], zone: tzinfo) -> None:
    kind = row[0].strip() if row else ""
    if kind == "200":
        registers.append(_register(row, line))
    elif kind in {"300", "400"}:
        if not registers or (kind == "400" and not registers[-1].rows):
            raise FileRefusedError(line, f"a {kind} record before what it belongs to")
        if kind == "300":
            _day(row, line, registers[-1], zone)
        else:
            _qualities(row, line, registers[-1])
        if sum(len(r.rows) for r in registers) > MAX_ROWS:
            raise FileRefusedError(line, f"over {MAX_ROWS} intervals")
    elif kind not in {"", "100", "500", "900"}:
        raise FileRefusedError(line, f"record {kind[:10]!r} is not NEM12")


def _register(row: list[str], line: int) -> _Register:
    if len(row) < 9 or row[8].strip() not in {"5", "15", "30"}:
        raise FileRefusedError(line, "a 200 record needs nine fields and an interval of 5, 15 or 30 minutes")
    meter = f"{row[6].strip() or 'meter'} {row[4].strip()}"[:80]
    return _Register(meter, row[4].strip().upper(), row[7].strip(), int(row[8]) * 60, line, [])


def _day(row: list[str], line: int, register: _Register, zone: tzinfo) -> None:
    count = register.per_day
    if len(row) < count + 3:
        raise FileRefusedError(line, f"a day of {register.interval_s} s intervals has {count} values")
    try:
        midnight = datetime.strptime(row[1].strip(), "%Y%m%d").replace(tzinfo=zone)
    except ValueError as error:
        raise FileRefusedError(line, f"{row[1][:12]!r} is not a date") from error
    require_year(midnight, line)
    bits = _bits(row[2 + count], line)
    start = epoch_s(midnight)
    for index in range(count):
        value = energy(row[2 + index].strip(), line, 1)
        register.rows.append((start + index * register.interval_s, value, bits, line))


def _qualities(row: list[str], line: int, register: _Register) -> None:
    count = register.per_day
    first, last = (row[i].strip() if i < len(row) else "" for i in (1, 2))
    if not (first.isdecimal() and last.isdecimal() and 1 <= int(first[:4]) <= int(last[:4]) <= count):
        raise FileRefusedError(line, "a 400 record needs a first and a last interval of the day")
    bits = _bits(row[3] if len(row) > 3 else "", line)
    base = len(register.rows) - count
    for index in range(base + int(first) - 1, base + int(last)):
        second, value, _, at = register.rows[index]
        register.rows[index] = (second, value, bits, at)


def _bits(text: str, line: int) -> int:
    word = text.strip().upper()[:1]
    if word == "V":
        return int(RawQuality.GOOD)
    if word not in _QUALITY:
        raise FileRefusedError(line, f"quality {text[:6]!r} is not A, E, F, N, S or V")
    return int(_QUALITY[word])
