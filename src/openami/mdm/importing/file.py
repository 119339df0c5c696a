"""What an imported file holds: series of whole Wh by channel, what was left aside and why, and findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from openami.contracts.channel import Channel
from openami.kernel.finding import Finding, Severity
from openami.mdm.importing.errors import FileRefusedError

MAX_OCTETS = 64 * 1024 * 1024
"""About fifteen years of quarter-hours in the wordiest format."""
MAX_ROWS = 2_000_000
"""As many rows as one reading batch may hold."""
MAX_ABS_VALUE = 2**52
_EXACT = 2**62
"""Below it sums of a column fit its integers."""


@dataclass(frozen=True, slots=True, eq=False)
class ImportedSeries:
    """Intervals of one channel of one meter.

    Args:
        name: the meter's or series' name in the file; no person's.
        channel: what was measured.
        interval_s: length of every interval [s].
        start_s: (n,) int64, rising, seconds since the epoch.
        value: (n,) int64 in Wh (varh for reactive channels); negative on NET, and where a head-end says so.
        quality: (n,) uint16 :class:`~openami.contracts.quality.RawQuality` bits.
        first_line, last_line: where in the file.
        multiplier: what the values are yet to be multiplied by, as the file says; 1 where it says nothing.
        multiplier_applied: whether the values are what the customer used, after every multiplier; so they are in
            files for customers. A meter's own values are before its multiplier, which validation applies once.
    """

    name: str
    channel: Channel
    interval_s: int
    start_s: npt.NDArray[np.int64]
    value: npt.NDArray[np.int64]
    quality: npt.NDArray[np.uint16]
    first_line: int = 0
    last_line: int = 0
    multiplier: int = 1
    multiplier_applied: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class ImportedRegister:
    """Register reads of one channel of one meter.

    Args:
        name: the meter's name in the file.
        channel: what the register counts.
        at_s: (n,) int64, rising, seconds since the epoch.
        value: (n,) int64 what the display showed, in Wh (varh), before the multiplier; a fraction is cut off.
        first_line: where in the file.
        multiplier: as for a series.
        multiplier_applied: as for a series; a register read is before its multiplier unless the file says otherwise.
    """

    name: str
    channel: Channel
    at_s: npt.NDArray[np.int64]
    value: npt.NDArray[np.int64]
    first_line: int = 0
    multiplier: int = 1
    multiplier_applied: bool = False


@dataclass(frozen=True, slots=True)
class SkippedSeries:
    """A series that is read but not imported: another commodity, power instead of energy, a register."""

    name: str
    readings: int
    reason: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """A whole file.

    Args:
        format: ``greenbutton``, ``greenbutton-csv``, ``csv``, ``nem12``, ``parquet``, ``cmep`` or ``mapped``.
        series: what is imported.
        skipped: what is not, with the reason.
        findings: statements about lines; none of them stops the import.
        registers: register reads that are imported.
        refused: series of head-ends' files whose rows contradict each other: that meter is not imported, others are.
    """

    format: str
    series: tuple[ImportedSeries, ...]
    skipped: tuple[SkippedSeries, ...] = ()
    findings: tuple[Finding, ...] = field(default=())
    registers: tuple[ImportedRegister, ...] = ()
    refused: tuple[SkippedSeries, ...] = ()

    @property
    def report(self) -> list[str]:
        """One line of text for each series, skipped series and finding."""
        lines = [
            f"lines {s.first_line}-{s.last_line}: {s.name or 'meter'} {s.channel.name.lower()}, "
            f"{len(s.start_s)} intervals of {s.interval_s} s"
            for s in self.series
        ]
        lines += [
            f"line {r.first_line}: {r.name or 'meter'} {r.channel.name.lower()}, {len(r.at_s)} register reads"
            for r in self.registers
        ]
        lines += [f"line {s.line}: {s.name}: {s.readings} readings not imported: {s.reason}" for s in self.skipped]
        lines += [f"{f.subject}: {f.rule}: {dict(f.evidence)}" for f in self.findings]
        return lines


def whole_wh(values: Sequence[Decimal | int], *, numerator: int = 1, denominator: int = 1) -> npt.NDArray[np.int64]:
    """Return ``values * numerator / denominator`` as whole Wh, the remainder carried on, so the sum stays true.

    >>> whole_wh([Decimal("0.4"), Decimal("0.4"), Decimal("0.4")]).tolist()
    [0, 1, 0]
    """
    decimals = [Decimal(v) for v in values]
    places = max((-int(d.as_tuple().exponent) for d in decimals), default=0)
    scale = 10 ** max(places, 0)
    whole = scale * denominator
    scaled = [int(d.scaleb(max(places, 0))) * numerator for d in decimals]
    if 2 * sum(map(abs, scaled)) + whole < _EXACT:
        total_at = np.cumsum(np.array(scaled, np.int64))
        after_at = (2 * total_at + whole) // (2 * whole)
        carried: npt.NDArray[np.int64] = np.diff(after_at, prepend=np.int64(0))
        return carried
    total = before = 0
    found = np.zeros(len(values), np.int64)
    for index, value in enumerate(scaled):
        total += value
        after = (2 * total + whole) // (2 * whole)
        found[index] = after - before
        before = after
    return found


def register_of(
    name: str, channel: Channel, rows: Sequence[tuple[int, int, int]], *, multiplier: int, multiplier_applied: bool
) -> ImportedRegister:
    """Sort register reads of (instant, value, line) by time; equal repeats are dropped.

    Raises:
        FileRefusedError: two reads of one instant differ, or a register shows less than nothing.
    """
    table: dict[int, tuple[int, int]] = {}
    for at, value, line in rows:
        if value < 0:
            raise FileRefusedError(line, "a register shows less than nothing")
        before = table.setdefault(at, (value, line))
        if before[0] != value:
            raise FileRefusedError(line, f"has the instant of line {before[1]} and another value")
    order = sorted(table)
    return ImportedRegister(
        name, channel, np.array(order, np.int64), np.array([table[a][0] for a in order], np.int64),
        min((line for _, _, line in rows), default=0), multiplier, multiplier_applied,
    )  # fmt: skip


def in_order(
    name: str,
    channel: Channel,
    rows: Sequence[tuple[int, int, int, int]],
    *,
    interval_s: int,
    findings: list[Finding],
    may_be_negative: bool = False,
) -> ImportedSeries:
    """Sort rows of (start, value, quality, line) by time; equal repeats are dropped with a finding.

    Args:
        name: of the meter or series.
        channel: what was measured.
        rows: start [s since the epoch], value, quality bits, line.
        interval_s: length of an interval [s].
        findings: added to.
        may_be_negative: a head-end hands on what a meter said, and validation judges it.

    Raises:
        FileRefusedError: two rows of one start differ, intervals overlap, or a value cannot be energy.
    """
    table = np.array(rows, dtype=np.int64).reshape(-1, 4)
    table = table[np.argsort(table[:, 0], kind="stable")]
    same = np.flatnonzero(np.diff(table[:, 0]) == 0)
    for index in same.tolist():
        if table[index, 1] != table[index + 1, 1]:
            raise FileRefusedError(
                int(table[index + 1, 3]), f"has the start of line {table[index, 3]} and another value"
            )
    if len(same):
        evidence = {"rows_count": len(same)}
        line = int(table[same[0] + 1, 3])
        findings.append(Finding("duplicate", Severity.WARN, f"line {line}", None, evidence))
        table = np.delete(table, same + 1, axis=0)
    steps = np.diff(table[:, 0])
    bad = np.flatnonzero(steps < interval_s)
    if len(bad):
        raise FileRefusedError(int(table[bad[0] + 1, 3]), "starts before the interval ahead of it ends")
    off_grid = int((steps % interval_s != 0).sum())
    if off_grid:
        findings.append(Finding("off_grid", Severity.WARN, name or "series", None, {"rows_count": off_grid}))
    value = table[:, 1]
    if channel is not Channel.NET and not may_be_negative and len(value) and int(value.min()) < 0:
        line = int(table[int(np.argmin(value)), 3])
        raise FileRefusedError(line, "negative energy on a channel that is not net")
    lines = table[:, 3]
    first, last = (int(lines.min()), int(lines.max())) if len(lines) else (0, 0)
    return ImportedSeries(
        name, channel, interval_s, table[:, 0].copy(), value.copy(), table[:, 2].astype(np.uint16), first, last
    )
