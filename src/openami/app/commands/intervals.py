"""What ``bill`` and ``compare`` share: reading rate files, interval files and cycle files from the command line."""

from __future__ import annotations

import csv
import itertools
from dataclasses import replace
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from openami.billing.rating import BillSpan, Usage, UsageError, calendar_months
from openami.billing.tariff import RateSchedule, TariffError, parse_rate
from openami.billing.tariff.model import opened
from openami.contracts.channel import Channel
from openami.contracts.quality import RawQuality
from openami.kernel.errors import MisuseError
from openami.kernel.time import zone_named
from openami.mdm.importing import FileRefusedError, ImportedSeries, parse_file
from openami.mdm.importing.file import MAX_OCTETS
from openami.mdm.importing.localtime import FIRST_YEAR, LAST_YEAR

_ESTIMATED = int(RawQuality.ESTIMATED_AT_SOURCE | RawQuality.EDITED_AT_SOURCE)


def octets_of(path: Path) -> bytes:
    """Return a file's octets.

    Raises:
        MisuseError: it cannot be read.
        FileRefusedError: it is over the limit.
    """
    try:
        # A device or a pipe has no size to ask for: what comes is counted.
        with path.open("rb") as source:
            octets = source.read(MAX_OCTETS + 1)
    except OSError as error:
        raise MisuseError(f"{path}: {error.strerror or 'cannot be read'}") from error
    if len(octets) > MAX_OCTETS:
        raise FileRefusedError(0, f"{path}: over {MAX_OCTETS} octets")
    return octets


def day_of(text: str, option: str) -> date:
    """Return a day given on the command line.

    Raises:
        MisuseError: it is not YYYY-MM-DD, or no year that readings have.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise MisuseError(f"{option} {text[:40]!r} is not a date: YYYY-MM-DD") from error
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise MisuseError(f"{option} {text}: the year is not {FIRST_YEAR} to {LAST_YEAR}")
    return day


def load_rate(path: Path) -> tuple[RateSchedule, list[str]]:
    """Return the rate of a file, and notes. A file is one rate; asked for, it is applied before its first day too.

    Raises:
        TariffError: a clause cannot be billed.
    """
    try:
        schedule = parse_rate(octets_of(path), code=path.stem)
    except TariffError as error:
        raise TariffError(f"{path.name}: {error.clause}", error.reason) from error
    first = schedule.versions[0]
    if first.effective_from is None:
        return schedule, []
    every_day = replace(opened(schedule), code=schedule.code, name=schedule.name)
    return every_day, [f"{schedule.name}: in force from {first.effective_from}; earlier days are priced as if it were"]


def load_usage(path: Path, *, zone: ZoneInfo, unit: str, meter: str | None) -> Usage:
    """Return delivered (and received) energy of one meter from an interval file of any format.

    Raises:
        FileRefusedError: the file cannot be read.
        UsageError: it holds no such meter, several, or net intervals alone.
    """
    found = parse_file(octets_of(path), zone=zone, unit=unit)
    names = sorted({s.name for s in found.series})
    if meter is not None and meter not in names:
        raise UsageError(f"{path.name} holds no meter {meter!r}; it holds {names[:10]}")
    chosen = [s for s in found.series if meter is None or s.name == meter]
    delivered = [s for s in chosen if s.channel is Channel.DELIVERED]
    received = [s for s in chosen if s.channel is Channel.RECEIVED]
    if not delivered:
        raise UsageError(f"{path.name} holds no delivered energy; net intervals alone cannot be billed")
    if len(delivered) > 1 or len(received) > 1:
        raise UsageError(f"{path.name} holds several series ({names[:10]}): name one with --meter")
    return _usage(delivered[0], received[0] if received else None)


def load_usages(path: Path, *, zone: ZoneInfo) -> dict[str, Usage]:
    """Return delivered (and received) energy of every meter of an interval file, by its name.

    Raises:
        FileRefusedError: the file cannot be read.
        UsageError: a meter has delivered energy twice, or no meter has any.
    """
    found = parse_file(octets_of(path), zone=zone, unit="Wh").series
    received = {s.name: s for s in found if s.channel is Channel.RECEIVED}
    usage: dict[str, Usage] = {}
    for series in found:
        if series.channel is Channel.DELIVERED:
            if series.name in usage:
                raise UsageError(f"{path.name} holds delivered energy of {series.name[:40]!r} twice")
            usage[series.name] = _usage(series, received.get(series.name))
    if not usage:
        raise UsageError(f"{path.name} holds no delivered energy; net intervals alone cannot be billed")
    return usage


def _usage(delivered: ImportedSeries, received: ImportedSeries | None) -> Usage:
    estimated = (delivered.quality & _ESTIMATED) != 0
    other = None
    if received is not None:
        other = np.zeros(len(delivered.start_s), np.int64)
        place = np.searchsorted(delivered.start_s, received.start_s)
        place = np.minimum(place, len(other) - 1)
        same = delivered.start_s[place] == received.start_s
        other[place[same]] = received.value[same]
    return Usage(delivered.start_s, delivered.value, delivered.interval_s, estimated, other)


def load_spans(first: date, end: date, cycle: Path | None) -> list[BillSpan]:
    """Return the bills' days: calendar months of ``[first, end)``, or the rows of a cycle file within it.

    A cycle file is CSV: ``from,to`` for each bill (``to`` is the next bill's first day), or one column of edges.

    Raises:
        MisuseError: the span is empty or the cycle file cannot be read.
    """
    if end <= first:
        raise MisuseError(f"--to {end} is not after --from {first}: the last day billed is the one before --to")
    if cycle is None:
        return calendar_months(first, end)
    rows = _cycle_rows(cycle)
    if all(len(r) == 1 for r in rows):
        edges = sorted(r[0] for r in rows)
        rows = [[a, b] for a, b in itertools.pairwise(edges)]
    try:
        spans = sorted(BillSpan(max(r[0], first), min(r[1], end)) for r in rows if r[0] < end and r[1] > first)
    except UsageError as error:
        raise MisuseError(f"{cycle}: {error}") from error
    if not spans:
        raise MisuseError(f"{cycle} holds no bill between {first} and {end}")
    for before, after in itertools.pairwise(spans):
        if after.first < before.end:
            raise MisuseError(f"{cycle}: the bills from {before.first} and {after.first} overlap")
    return spans


def _cycle_rows(cycle: Path) -> list[list[date]]:
    rows: list[list[date]] = []
    text = octets_of(cycle).decode("utf-8-sig", errors="replace")
    for number, row in enumerate(csv.reader(text.splitlines()), start=1):
        cells = [c.strip() for c in row if c.strip()]
        if not cells or (number == 1 and not cells[0][:1].isdecimal()):
            continue
        try:
            rows.append([date.fromisoformat(c) for c in cells[:2]])
        except ValueError as error:
            raise MisuseError(f"{cycle} line {number}: dates are YYYY-MM-DD") from error
    if not rows:
        raise MisuseError(f"{cycle} holds no dates")
    return rows


def zone_of(name: str) -> ZoneInfo:
    """Return the zone named on the command line.

    Raises:
        MisuseError: no such zone.
    """
    from openami.kernel.time import UnknownZoneError

    try:
        return zone_named(name)
    except UnknownZoneError as error:
        raise MisuseError(f"--tz: {error}") from error
