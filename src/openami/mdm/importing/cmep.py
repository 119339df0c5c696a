"""CMEP files (California Metering Exchange Protocol): record MEPMD01, intervals or register reads of one channel.

Fourteen fields, then triplets of stamp, quality and value. The protocol fixes UTC and stamps that end their interval;
sample files of a maker whose registers are beside the intervals confirm both. Quality letters are not used alike (``A``
is adjusted in the protocol and actual at some makers), so only ``R`` and ``R0`` (raw), ``E`` and ``E0`` (estimated) and
``N`` (none) are known without a mapping; any other is refused until a mapping declares it. Names of customers in a file
are not kept.

Source: CMEP record layouts as published by the California utilities; files of two makers.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta, timezone
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
from openami.mdm.importing.mapping import ClockRule
from openami.mdm.importing.table import energy

FIELDS = 14
"""Fields before the first triplet."""
_TYPE, _METER, _PURPOSE, _COMMODITY, _UNITS, _CONSTANT, _INTERVAL, _COUNT = 0, 7, 8, 9, 10, 11, 12, 13
_PURPOSES = {"OK", "RESEND", "HISTORY"}
_UNITS_OF: dict[str, tuple[Channel, bool]] = {
    name + suffix: (channel, bool(suffix))
    for name, channel in {
        "KWH": Channel.DELIVERED, "GKWH": Channel.RECEIVED, "NKWH": Channel.NET, "KVARH": Channel.REACTIVE_DELIVERED,
        "GKVARH": Channel.REACTIVE_RECEIVED,
    }.items()
    for suffix in ("", "REG")
}  # fmt: skip
_QUALITY = {
    "R": int(RawQuality.GOOD), "R0": int(RawQuality.GOOD),
    "E": int(RawQuality.ESTIMATED_AT_SOURCE), "E0": int(RawQuality.ESTIMATED_AT_SOURCE),
}  # fmt: skip
_UTC = ClockRule(timezone(timedelta(0)))
_KWH = 1000
_Key = tuple[str, Channel, bool, int, int]


@dataclass(frozen=True, slots=True)
class CmepRules:
    """What a mapping declares beyond the protocol.

    Args:
        quality: words as raw quality bits, beside those that are known.
        clock: another clock than UTC.
        multiplier_applied: whether a calculation constant other than 1 is in interval values already; None where
            that is not declared.
    """

    quality: Mapping[str, int] = field(default_factory=dict)
    clock: ClockRule | None = None
    multiplier_applied: bool | None = None


def parse_cmep(octets: bytes, rules: CmepRules | None = None) -> ImportedFile:
    """Read a CMEP file.

    Raises:
        FileRefusedError: a record cannot be read, or means something that is not declared.
    """
    reader = _Reader(rules or CmepRules())
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileRefusedError(octets[: error.start].count(b"\n") + 1, "not UTF-8 text") from error
    rows = csv.reader(io.StringIO(text, newline=""))
    try:
        for row in rows:
            if any(c.strip() for c in row):
                reader.take(rows.line_num, [c.strip() for c in row])
    except csv.Error as error:
        raise FileRefusedError(rows.line_num, f"not CSV: {str(error)[:80]}") from error
    return reader.file()


class _Reader:
    """Takes record after record and joins those of one channel."""

    def __init__(self, rules: CmepRules) -> None:
        self._rules = rules
        self._groups: dict[_Key, list[tuple[int, Decimal, int, int]]] = {}
        self._skipped: dict[tuple[str, str], list[int]] = {}
        self._findings: Counter[str] = Counter()
        self._rows = 0

    def take(self, line: int, row: Sequence[str]) -> None:
        """Take one record.

        Raises:
            FileRefusedError: it cannot be read.
        """
        if row[_TYPE] != "MEPMD01":
            if not row[_TYPE].startswith("MEP"):
                raise FileRefusedError(line, f"record {row[_TYPE][:10]!r} is not CMEP")
            self._leave(row[_TYPE][:8], "of this record type nothing is read", 0, line)
            return
        triplets = _triplets(row, line)
        self._rows += len(triplets)
        if self._rows > MAX_ROWS:
            raise FileRefusedError(line, f"over {MAX_ROWS} readings: cut the file by day")
        meter = row[_METER]
        if not meter or len(meter) > 80:
            raise FileRefusedError(line, "names no meter, or one of over 80 characters")
        reason = _reason(row)
        if reason:
            self._leave(meter, reason, len(triplets), line)
            return
        channel, is_register = _UNITS_OF[row[_UNITS].upper()]
        constant = _constant(row[_CONSTANT], line)
        interval_s = 0 if is_register else _interval_s(row[_INTERVAL], line)
        if not is_register and constant != 1 and self._rules.multiplier_applied is None:
            cause = f"calculation constant {constant}: whether it is in the interval values is not declared"
            raise FileRefusedError(line, f"{cause}: write [value] multiplier_applied in a mapping")
        rows = self._groups.setdefault((meter, channel, is_register, interval_s, constant), [])
        self._read(rows, triplets, interval_s, line)

    def file(self) -> ImportedFile:
        """Return what was taken; a channel whose rows contradict each other is refused alone."""
        findings = [Finding(rule, Severity.WARN, "file", None, {"rows_count": n}) for rule, n in self._findings.items()]
        series: list[ImportedSeries] = []
        registers: list[ImportedRegister] = []
        refused: list[SkippedSeries] = []
        for key, rows in self._groups.items():
            if not rows:
                continue
            rows.sort(key=lambda r: r[0])
            try:
                if key[2]:
                    registers.append(self._register(key, rows))
                else:
                    series.append(self._series(key, rows, findings))
            except FileRefusedError as error:
                refused.append(SkippedSeries(key[0], len(rows), error.cause, error.line))
        skipped = [SkippedSeries(n, c[0], reason, c[1]) for (n, reason), c in self._skipped.items()]
        return ImportedFile("cmep", tuple(series), tuple(skipped), tuple(findings), tuple(registers), tuple(refused))

    def _series(self, key: _Key, rows: list[tuple[int, Decimal, int, int]], findings: list[Finding]) -> ImportedSeries:
        meter, channel, _, interval_s, constant = key
        wh = whole_wh([r[1] for r in rows])
        table = [(r[0], int(v), r[2], r[3]) for r, v in zip(rows, wh, strict=True)]
        found = in_order(meter, channel, table, interval_s=interval_s, findings=findings, may_be_negative=True)
        # Of a constant of 1 nothing has to be declared: a meter's own values and the customer's are then the same.
        applied = bool(self._rules.multiplier_applied)
        return replace(found, multiplier=1 if applied else constant, multiplier_applied=applied)

    def _register(self, key: _Key, rows: list[tuple[int, Decimal, int, int]]) -> ImportedRegister:
        reads = [(at, int(value), line) for at, value, _, line in rows]
        return register_of(key[0], key[1], reads, multiplier=key[4], multiplier_applied=False)

    def _leave(self, name: str, reason: str, readings: int, line: int) -> None:
        counted = self._skipped.setdefault((name, reason), [0, line])
        counted[0] += readings

    def _read(
        self, rows: list[tuple[int, Decimal, int, int]], triplets: Sequence[Sequence[str]], interval_s: int, line: int
    ) -> None:
        clock = DeclaredClock(self._rules.clock or _UTC, is_ending=True)
        last: int | None = None
        for text, flag, value in triplets:
            if text:
                last = clock.epoch_s(parsed_stamp(text, "%Y%m%d%H%M", line), line)
                if last is None:
                    raise FileRefusedError(line, f"{text[:12]} stands in the hour that the clock skips in spring")
            elif last is None or not interval_s:
                raise FileRefusedError(line, "a reading without a stamp has none before it to count from")
            else:
                last += interval_s
            self._one(rows, last - interval_s, flag, value, interval_s, line)

    def _one(
        self, rows: list[tuple[int, Decimal, int, int]], at: int, flag: str, value: str, interval_s: int, line: int
    ) -> None:
        if flag[:1] == "N" or not value:
            self._findings["no_value"] += 1
            return
        bits = self._rules.quality.get(flag, _QUALITY.get(flag))
        if bits is None:
            cause = f"quality {flag[:8]!r} is not declared: write it among [quality] words in a mapping"
            raise FileRefusedError(line, cause)
        if not interval_s and bits & RawQuality.ESTIMATED_AT_SOURCE:
            self._findings["estimated_register_left_aside"] += 1
            return
        rows.append((at, energy(value, line, _KWH), bits, line))


def _triplets(row: Sequence[str], line: int) -> list[Sequence[str]]:
    if len(row) < FIELDS:
        raise FileRefusedError(line, f"a MEPMD01 record has {FIELDS} fields before its readings; this has {len(row)}")
    if not row[_COUNT].isdecimal() or len(row[_COUNT]) > 7:
        raise FileRefusedError(line, "the count of readings is not a number")
    count, rest = int(row[_COUNT]), list(row[FIELDS:])
    while len(rest) > 3 * count and not rest[-1]:
        rest.pop()
    if len(rest) != 3 * count:
        raise FileRefusedError(line, f"says {count} readings and holds {len(rest) / 3:g}")
    return [rest[i : i + 3] for i in range(0, len(rest), 3)]


def _reason(row: Sequence[str]) -> str:
    """Why a record is left aside; empty where it is read."""
    if row[_COMMODITY].upper() != "E":
        return "not electricity"
    if row[_PURPOSE].upper() not in _PURPOSES:
        return f"its purpose {row[_PURPOSE][:10] or 'nothing'} is not data of a meter"
    if row[_UNITS].upper() not in _UNITS_OF:
        return f"its unit {row[_UNITS][:10] or 'nothing'} is not energy"
    return ""


def _constant(text: str, line: int) -> int:
    """Return the calculation constant: what register counts are to be multiplied by; nothing is 1."""
    if not text:
        return 1
    value = energy(text, line, 1)
    if value != int(value) or not 1 <= value <= 1_000_000:
        raise FileRefusedError(line, f"calculation constant {text[:12]!r} is not a whole number from 1 to 1,000,000")
    return int(value)


def _interval_s(text: str, line: int) -> int:
    """Return an interval's length from months, days, hours and minutes (MMDDhhmm)."""
    if len(text) != 8 or not text.isdecimal() or text[:2] != "00":
        raise FileRefusedError(line, f"interval {text[:10]!r} is not MMDDhhmm of at most a day")
    seconds = (int(text[2:4]) * 24 + int(text[4:6])) * 3600 + int(text[6:]) * 60
    if not 60 <= seconds <= 86_400:
        raise FileRefusedError(line, f"interval {text} is not one minute to a day")
    return seconds
