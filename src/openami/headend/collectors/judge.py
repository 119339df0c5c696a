"""Judges collectors by the gateway's words: pure, asked every few seconds.

A collector is *suspect* when it missed three heartbeats. So that a storm does not look like many thefts, a silence is
held to be an outage where the collector's last report said that its mains were away, or where a good part of the
fleet fell silent within the same quarter of an hour; it is still shown, as a warning.

Source: requirements R5.1 and R5.2; the numbers are ours.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import cos, hypot, radians

from openami.contracts.health import CollectorWord, HealthReport, LinkPresence
from openami.headend.collectors.finding import CollectorRule, Condition
from openami.kernel.finding import Severity

HEARTBEAT_MS = 30_000
SILENT_AFTER_MS = 3 * HEARTBEAT_MS
RETURN_WITHIN_MS = 300_000
"""How long collectors may take to come back to a gateway that started anew: they spread themselves."""
TOLD_WITHIN_MS = 2 * 900_000 + 60_000
"""A gateway says every word again after a quarter of an hour: two of them missing is a silence of its own."""
TOGETHER_MS = 900_000
WIDESPREAD_SHARE = 0.2
WIDESPREAD_LEAST = 3
LINGER_MS = 86_400_000
"""An opened door is shown for a day, also when it was closed again."""
MOVED_M = 200.0
"""What a receiver between tall houses may be wrong by, and some."""
WARN_DAYS = 60
FAIL_DAYS = 14
CLOCK_WARN_MS = 60_000
REFUSED_WARN = 10
"""A meter that sends in the clear, or a bad line behind a collector that does not check it."""
REFUSED_FAIL = 1_000
METERS_PER_DEGREE = 111_320.0


@dataclass(frozen=True, slots=True)
class Home:
    """Where a collector was put up, by its first report or as a person said since.

    Args:
        latitude_e7, longitude_e7: 1e-7 degree; both 0 where it does not know.
        cell: the mobile network's cell; 0 for none.
    """

    latitude_e7: int
    longitude_e7: int
    cell: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one collector: the newest word, and its home once it has one."""

    word: CollectorWord
    home: Home | None


def judge(fleet: Mapping[int, Standing], *, now_ms: int, stolen: Mapping[int, int] | None = None) -> list[Condition]:
    """Return everything that is wrong with collectors now.

    Args:
        fleet: by number of the collector.
        now_ms: real time, milliseconds since the epoch.
        stolen: by number of a collector that people reported stolen, when they did, real time.
    """
    silent = _silent(fleet, now_ms)
    since = sorted(silent.values())
    found = [_stolen(number, at_ms, fleet.get(number)) for number, at_ms in sorted((stolen or {}).items())]
    for collector_id, standing in sorted(fleet.items()):
        if collector_id in silent:
            found.append(_silence(standing.word, silent[collector_id], since, len(fleet)))
        report = standing.word.report
        found += _door(standing.word, now_ms)
        found += _refused(standing.word, now_ms)
        if report is not None:
            found += _place(standing.word, report, standing.home)
            found += _upkeep(standing.word, report, now_ms)
    return found


def distance_m(home: Home, report: HealthReport) -> float:
    """Return how far a report is from home [m], flat: right to a percent within some kilometres.

    >>> round(distance_m(Home(387_000_000, 0, 0), HealthReport(0, 0, 0, 387_010_000, 0, 0, 0, 0, 0)))
    111
    """
    north = (report.latitude_e7 - home.latitude_e7) / 1e7
    east = (report.longitude_e7 - home.longitude_e7) / 1e7 * cos(radians(home.latitude_e7 / 1e7))
    return hypot(north, east) * METERS_PER_DEGREE


def _silent(fleet: Mapping[int, Standing], now_ms: int) -> dict[int, int]:
    """Return since when collectors are silent, those that are."""
    newest_run: dict[int, int] = {}
    for standing in fleet.values():
        word = standing.word
        newest_run[word.gateway_id] = max(word.gateway_since_ms, newest_run.get(word.gateway_id, 0))
    silent = {}
    for collector_id, standing in fleet.items():
        word = standing.word
        run_ms = newest_run[word.gateway_id]
        left_behind = word.gateway_since_ms < run_ms and now_ms - run_ms >= RETURN_WITHIN_MS
        untold = now_ms - word.told_at_ms >= TOLD_WITHIN_MS
        gone = word.presence is LinkPresence.GONE and now_ms - word.heard_at_ms >= SILENT_AFTER_MS
        if gone or left_behind or untold:
            silent[collector_id] = word.heard_at_ms
    return silent


def _stolen(collector_id: int, reported_ms: int, standing: Standing | None) -> Condition:
    """Say whether it is out, and whether it has tried to come in since."""
    word = standing.word if standing else None
    is_in = word is not None and word.presence is LinkPresence.OPEN
    evidence: dict[str, int | float | str] = {"is_in": int(is_in)}
    if word is not None and word.cause == "stolen":
        evidence["turned_away_ms"] = word.since_ms
    return Condition(collector_id, CollectorRule.STOLEN, Severity.FAIL, reported_ms, evidence)


def _silence(word: CollectorWord, since_ms: int, all_since: Sequence[int], fleet: int) -> Condition:
    together = bisect_right(all_since, since_ms + TOGETHER_MS) - bisect_left(all_since, since_ms - TOGETHER_MS)
    widespread = together >= max(WIDESPREAD_LEAST, WIDESPREAD_SHARE * fleet)
    on_backup = word.report is not None and word.report.is_on_backup_supply
    likely = "outage" if on_backup else "widespread" if widespread else "unknown"
    severity = Severity.FAIL if likely == "unknown" else Severity.WARN
    evidence: dict[str, int | float | str] = {"likely": likely, "silent_together": together, "cause": word.cause}
    return Condition(word.collector_id, CollectorRule.SILENT, severity, since_ms, evidence)


def _door(word: CollectorWord, now_ms: int) -> Iterator[Condition]:
    is_open = word.report is not None and word.report.is_enclosure_open
    if word.opened_at_ms and (is_open or now_ms - word.opened_at_ms < LINGER_MS):
        evidence: dict[str, int | float | str] = {"is_open_now": int(is_open)}
        yield Condition(word.collector_id, CollectorRule.ENCLOSURE_OPEN, Severity.FAIL, word.opened_at_ms, evidence)


def _refused(word: CollectorWord, now_ms: int) -> Iterator[Condition]:
    """A collector changes nothing in what it carries: who brings many frames that are damaged or in the clear lies."""
    if word.refused < REFUSED_WARN or now_ms - word.refused_at_ms >= LINGER_MS:
        return
    severity = Severity.FAIL if word.refused >= REFUSED_FAIL else Severity.WARN
    evidence: dict[str, int | float | str] = {"refused": word.refused, "set_aside": word.set_aside}
    yield Condition(word.collector_id, CollectorRule.BRINGS_REFUSED, severity, word.refused_at_ms, evidence)


def _place(word: CollectorWord, report: HealthReport, home: Home | None) -> Iterator[Condition]:
    if home is None:
        return
    is_placed = (home.latitude_e7, home.longitude_e7) != (0, 0) and report.has_position
    if is_placed and (away_m := distance_m(home, report)) > MOVED_M:
        evidence: dict[str, int | float | str] = {"distance_m": round(away_m)}
        yield Condition(word.collector_id, CollectorRule.MOVED, Severity.FAIL, word.heard_at_ms, evidence)
    if home.cell and report.cell and report.cell != home.cell:
        cells: dict[str, int | float | str] = {"cell": report.cell, "home_cell": home.cell}
        # Networks hand a standing collector from cell to cell at times: alone it is a warning.
        yield Condition(word.collector_id, CollectorRule.OTHER_CELL, Severity.WARN, word.heard_at_ms, cells)


def _upkeep(word: CollectorWord, report: HealthReport, now_ms: int) -> Iterator[Condition]:
    days = report.certificate_days_left - (now_ms - word.heard_at_ms) // 86_400_000
    if days < WARN_DAYS:
        severity = Severity.FAIL if days < FAIL_DAYS else Severity.WARN
        yield Condition(
            word.collector_id, CollectorRule.CERTIFICATE_ENDS, severity, word.heard_at_ms, {"days_left": days}
        )
    if abs(word.clock_offset_ms) >= CLOCK_WARN_MS:
        evidence: dict[str, int | float | str] = {"offset_s": round(word.clock_offset_ms / 1000)}
        yield Condition(word.collector_id, CollectorRule.CLOCK_OFF, Severity.WARN, word.heard_at_ms, evidence)
