"""The checker of the law of conservation. It knows SQL and the calendar, and nothing of the program it checks.

The law, for each service point and energy channel: the latest versions of the local days, added up, equal what the
registers of the meters that hung there advanced between the installer's reads and the midnight reads; what a register
lost by rolling over is given back by its capacity. A quarter-hour that is labeled MISSING is a named gap: it may hold
whatever the registers leave over, and nothing else may.

Sources: PostgreSQL schema ``mdm`` (who hung where, installers' reads) and the tables ``reading_raw``,
``register_read`` and ``reading_day`` of the interval store.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

TOLERANCE_WH = 1
MAX_POWER_W = 48_000
"""A register that advances faster did not; taking the difference modulo the capacity would hide it."""
MISSING, ESTIMATED = 2, 1
CHANNELS = {1: "delivered", 2: "received"}
QUARTER_S = 900

Query = Callable[[str], Iterable[dict[str, Any]]]
"""Runs SQL on the interval store."""

INSTALLATIONS = """
    select i.service_point_id::text as place, i.meter_id::text as meter, p.zone, m.capacity_wh,
           extract(epoch from lower(i.period))::bigint as start_s,
           extract(epoch from upper(i.period))::bigint as end_s,
           (select jsonb_object_agg(r.channel, r.value) from mdm.installation_read r
             where r.installation_id = i.id and r.kind = 'in') as in_reads,
           (select jsonb_object_agg(r.channel, r.value) from mdm.installation_read r
             where r.installation_id = i.id and r.kind = 'out') as out_reads
      from mdm.installation i
      join mdm.meter m on m.id = i.meter_id
      join mdm.service_point p on p.id = i.service_point_id
     where not m.is_virtual
     order by place, start_s
"""
READS = """
    select lower(hex(meter_id)) as meter, channel, toInt64(toUnixTimestamp(at)) as at_s, any(value) as value
      from register_read final where channel in (1, 2) group by meter, channel, at_s order by meter, channel, at_s
"""
DAYS = """
    select lower(hex(service_point_id)) as place, channel, toString(local_day) as day,
           toInt64(toUnixTimestamp(argMax(start_utc, version))) as start_s, argMax(arraySum(values), version) as wh,
           argMax(length(values), version) as intervals, argMax(countEqual(quality, 2), version) as missing,
           argMax(countEqual(quality, 1), version) as estimated
      from reading_day where channel in (1, 2) group by place, channel, local_day order by place, channel, day
"""
RAW = """
    select lower(hex(meter_id)) as meter, uniqExact(start) as intervals, toInt64(toUnixTimestamp(min(start))) as first_s
      from reading_raw where channel = 1 group by meter
"""


@dataclass(frozen=True, slots=True)
class Account:
    """One service point and channel between its first register count and its last.

    Args:
        place: service point.
        channel: ``delivered`` or ``received``.
        meters: how many hung there.
        register_wh: what the registers advanced.
        days_wh: sum of the latest versions of the days.
        days: how many days that is.
        gaps: quarter-hours that are labeled MISSING.
        faults: what makes the account wrong, in words.
    """

    place: str
    channel: str
    meters: int
    register_wh: int
    days_wh: int
    days: int
    gaps: int
    faults: tuple[str, ...]

    @property
    def difference_wh(self) -> int:
        """What the days lack."""
        return self.register_wh - self.days_wh


@dataclass(slots=True)
class Scenario:
    """What happened in the time checked, as far as SQL can see it."""

    meters: int = 0
    lost_intervals: int = 0
    estimated_intervals: int = 0
    rollovers: int = 0
    exchanges: int = 0
    short_days: int = 0
    long_days: int = 0
    first_day: str = "9999"
    last_day: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """All accounts, and what the meters went through."""

    accounts: list[Account]
    scenario: Scenario

    @property
    def failures(self) -> list[Account]:
        """Accounts that do not balance."""
        return [a for a in self.accounts if a.faults]

    def table(self, accounts: Iterable[Account]) -> str:
        """Return accounts as text."""
        titles = ("registers Wh", "days Wh", "lack Wh")
        lines = [f"{'service point':<14}{'channel':<11}meters  days{titles[0]:>15}{titles[1]:>15}{titles[2]:>9}"]
        lines += [
            f"{a.place[:8]:<14}{a.channel:<11}{a.meters:>6}{a.days:>6}{a.register_wh:>15}{a.days_wh:>15}"
            f"{a.difference_wh:>9}  {'; '.join(a.faults)}"
            for a in accounts
        ]
        return "\n".join(lines)


def check(postgres: str, store: Query) -> Verdict:
    """Return every account of an installation.

    Args:
        postgres: connection string of the master data.
        store: runs SQL on the interval store.
    """
    with psycopg.connect(postgres) as connection:
        cursor = connection.cursor(row_factory=psycopg.rows.dict_row)
        installations = cursor.execute(INSTALLATIONS).fetchall()
    reads: dict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
    for row in store(READS):
        reads[row["meter"], int(row["channel"])].append((int(row["at_s"]), int(row["value"])))
    days: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for row in store(DAYS):
        days[row["place"], int(row["channel"])].append(row)
    raw = {row["meter"]: int(row["intervals"]) for row in store(RAW)}
    places: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in installations:
        places[row["place"]].append(row)
    scenario = Scenario(meters=len(installations))
    accounts = []
    for place, hung in places.items():
        scenario.exchanges += len(hung) - 1
        for channel, name in CHANNELS.items():
            mine = days[place.replace("-", ""), channel]
            accounts.append(_account(place, channel, name, hung, reads, mine, scenario))
        _note_losses(hung, raw, days[place.replace("-", ""), 1], scenario)
    return Verdict(accounts, scenario)


def _account(
    place: str,
    channel: int,
    name: str,
    hung: list[dict[str, Any]],
    reads: dict[tuple[str, int], list[tuple[int, int]]],
    days: list[dict[str, Any]],
    scenario: Scenario,
) -> Account:
    faults: list[str] = []
    register_wh, end_s = 0, 0
    # A day counts once it has a version; the account ends with the last midnight read that such a day reaches.
    known_until_s = max((int(d["start_s"]) + int(d["intervals"]) * QUARTER_S for d in days), default=None)
    for one in hung:
        counts = _counts(one, channel, reads[one["meter"].replace("-", ""), channel], known_until_s)
        if not counts:
            continue
        end_s = max(end_s, counts[-1][0])
        for (from_s, earlier), (to_s, later) in pairwise(counts):
            advance = (later - earlier) % int(one["capacity_wh"])
            scenario.rollovers += later < earlier
            if advance > MAX_POWER_W * (to_s - from_s) / 3600 + 1:
                faults.append(f"a register advances {advance} Wh in {(to_s - from_s) / 3600:.2f} h")
            register_wh += advance
    inside = [d for d in days if int(d["start_s"]) < end_s]
    days_wh, gaps = sum(int(d["wh"]) for d in inside), sum(int(d["missing"]) for d in inside)
    if channel == 1:
        faults += _holes(inside, hung, end_s)
    lack = register_wh - days_wh
    if abs(lack) > TOLERANCE_WH and not (gaps and 0 < lack <= gaps * MAX_POWER_W * QUARTER_S / 3600):
        faults.append(f"the days lack {lack} Wh")
    return Account(place, name, len(hung), register_wh, days_wh, len(inside), gaps, tuple(faults))


def _counts(
    one: dict[str, Any], channel: int, own: list[tuple[int, int]], known_until_s: int | None
) -> list[tuple[int, int]]:
    """Return (instant, count) of one meter while it hung there: the installer's reads at both ends, its own between."""
    key = str(channel)
    start_s, end_s = int(one["start_s"]), one["end_s"]
    first = [(start_s, int(one["in_reads"][key]))] if key in (one["in_reads"] or {}) else []
    if end_s is not None:
        last = [(int(end_s), int(one["out_reads"][key]))] if key in (one["out_reads"] or {}) else []
        return [*first, *[(t, v) for t, v in own if start_s < t < int(end_s)], *last]
    if known_until_s is None:
        return []
    return [*first, *[(t, v) for t, v in own if start_s < t <= known_until_s]]


def _holes(inside: list[dict[str, Any]], hung: list[dict[str, Any]], end_s: int) -> list[str]:
    """Return local days without any version, and days of a wrong length."""
    zone = ZoneInfo(hung[0]["zone"])
    there = {d["day"]: int(d["intervals"]) for d in inside}
    day = datetime.fromtimestamp(int(hung[0]["start_s"]), UTC).astimezone(zone).date()
    faults = []
    while (begin_s := _midnight_s(day, zone)) < end_s:
        length = (_midnight_s(day + timedelta(days=1), zone) - begin_s) // QUARTER_S
        if there.get(day.isoformat()) != length:
            faults.append(f"{day} has {there.get(day.isoformat(), 'no')} quarter-hours, not {length}")
        day += timedelta(days=1)
    return faults


def _midnight_s(day: date, zone: ZoneInfo) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


def _note_losses(
    hung: list[dict[str, Any]], raw: dict[str, int], days: list[dict[str, Any]], scenario: Scenario
) -> None:
    came = sum(raw.get(one["meter"].replace("-", ""), 0) for one in hung)
    scenario.lost_intervals += max(0, sum(int(d["intervals"]) for d in days) - came)
    scenario.estimated_intervals += sum(int(d["estimated"]) for d in days)
    if days:
        scenario.first_day = min(scenario.first_day, days[0]["day"])
        scenario.last_day = max(scenario.last_day, days[-1]["day"])
    lengths = [int(d["intervals"]) for d in days]
    scenario.short_days = max(scenario.short_days, lengths.count(92))
    scenario.long_days = max(scenario.long_days, lengths.count(100))


def embedded_store(folder: str) -> Query:
    """Return what runs SQL on the folder of a stopped store."""
    # Loaded by name: the engine gives no types, and whether a checker sees that depends on how it was installed.
    connection = import_module("chdb").connect(folder)

    def query(sql: str) -> Iterable[dict[str, Any]]:
        text = str(connection.query(sql, "JSONEachRow"))
        return [json.loads(line) for line in text.splitlines() if line]

    return query


def main(postgres: str, folder: str) -> None:
    """Print the verdict as one JSON document: a process of its own, so that nothing of the program is loaded."""
    verdict = check(postgres, embedded_store(folder))
    document = {
        "accounts": [asdict(a) for a in verdict.accounts],
        "scenario": asdict(verdict.scenario),
        "loaded": sorted(m for m in sys.modules if m.partition(".")[0] == "openami"),
    }
    sys.stdout.write(json.dumps(document) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
