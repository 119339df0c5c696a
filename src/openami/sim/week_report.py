"""What a simulated week shows: the meters' own truth against what the platform published, and the service levels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np

from openami.contracts.channel import Channel
from openami.headend.keeping.gaps import share_within, standing
from openami.headend.keeping.kept import register_level_rows
from openami.headend.keeping.levels import HORIZON_HOURS, WIDTH
from openami.headend.keeping.midnights import office_opens_s
from openami.kernel.time import epoch_s, local_midnight
from openami.sim.week import Week


@dataclass(frozen=True, slots=True)
class CellLevels:
    """Service levels of one cell: shares within 1, 6, 24, 72 hours, and billing reads by 07:00 of those due."""

    cell: str
    within: dict[int, float]
    expected: int
    due: int
    in_time: int


@dataclass(frozen=True, slots=True)
class WeekReport:
    """What the week shows.

    Args:
        captured: intervals that the meters hold, all channels together counted once.
        present: of these, published with the meter's own values.
        doubled: published more than once after replays have collapsed, in one source.
        conflicts: published with two values.
        strangers: published and held by no meter.
        pulled: present through a pull alone.
        cells: service levels.
        registers_held, registers_present: midnight reads.
    """

    captured: int
    present: int
    doubled: int
    conflicts: int
    strangers: int
    pulled: int
    cells: tuple[CellLevels, ...]
    registers_held: int
    registers_present: int


def report(week: Week) -> WeekReport:
    """Compare what was published with what the meters hold, and read the service levels."""
    captured = present = doubled = conflicts = pulled = held = reads_present = 0
    known = set()
    for one in week.world.meters:
        name = one.made.meter_id.bytes
        for row in one.meter.profile:
            start_s = epoch_s(row.end) - 900
            if not week.start_s <= start_s < week.end_s:
                continue
            captured += 1
            found = []
            for channel, value in (
                (Channel.DELIVERED, row.delivered_wh), (Channel.RECEIVED, row.received_wh),
                (Channel.VOLTAGE, row.voltage_dv),
            ):  # fmt: skip
                key = (name, int(channel), start_s)
                known.add(key)
                rows = week.disk.readings.get(key, {})
                sources = [source for source, _ in rows]
                doubled += len(sources) != len(set(sources))
                conflicts += len(set(rows.values())) > 1
                found.append(value in rows.values())
                if channel is Channel.DELIVERED and sources:
                    pulled += 1 not in sources
            present += all(found)
        for read in one.meter.daily:
            at_s = epoch_s(read.at)
            if week.start_s <= at_s < week.end_s:
                held += 1
                reads_present += read.delivered_wh in week.disk.registers.get(
                    (name, int(Channel.DELIVERED), at_s), set()
                )
    strangers = sum(1 for k in week.disk.readings if week.start_s <= k[2] < week.end_s and k not in known)
    return WeekReport(captured, present, doubled, conflicts, strangers, pulled, cell_levels(week), held, reads_present)


def cell_levels(week: Week) -> tuple[CellLevels, ...]:
    """Return the service levels by cell, over the whole days of the week."""
    headend = week.headend
    if headend is None:
        return ()
    memory = headend.keeper.memory
    sums: dict[int, np.ndarray[tuple[int], np.dtype[np.int64]]] = {}
    for (day, cell), counts in standing(memory.coverage, until_s=week.end_s).items():
        if week.start_s // 86_400 <= day < week.end_s // 86_400:
            sums[cell] = sums.get(cell, np.zeros(WIDTH, np.int64)) + counts
    registers = billing_reads(week)
    return tuple(
        CellLevels(
            memory.cell_name(cell),
            {hours: share_within(counts, hours) for hours in HORIZON_HOURS},
            int(counts[-1]),
            *registers.get(memory.cell_name(cell), (0, 0)),
        )
        for cell, counts in sorted(sums.items())
    )


def billing_reads(week: Week) -> dict[str, tuple[int, int]]:
    """Return (due, published by 07:00) of each cell's billing-window reads, from what was published."""
    found: dict[str, tuple[int, int]] = {}
    for hung in week.roster.hung:
        zone, held = ZoneInfo(hung.zone), {epoch_s(r.at) for r in week.world.by_title[hung.title].meter.daily}
        for day in hung.read_days:
            at_s = epoch_s(local_midnight(day, zone))
            # A meter without supply at midnight has no read of it.
            if not week.start_s <= at_s < week.end_s or at_s not in held:
                continue
            came_s = week.disk.register_came_s.get((hung.meter_id.bytes, int(Channel.DELIVERED), at_s))
            due, in_time = found.get(hung.cell, (0, 0))
            found[hung.cell] = due + 1, in_time + (came_s is not None and came_s <= office_opens_s(day, zone))
    return found


def told_by_the_headend(week: Week, days: tuple[date, ...]) -> int:
    """Return how many billing reads the head-end itself says came by 07:00, to hold against :func:`billing_reads`."""
    headend = week.headend
    if headend is None:
        return 0
    rows = register_level_rows(headend.keeper, now_s=week.end_s, days=14)
    return sum(r.in_time for r in rows if r.read_day in days)
