"""From the store's rows and the registry's installations to what the kernel takes. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from uuid import UUID

import numpy as np

from openami.contracts.channel import CHANNELS, Channel
from openami.contracts.day import DayTable, day_number
from openami.contracts.quality import Method, QualityState, RawQuality
from openami.contracts.reading import UUIDS, RegisterBatch, uuid_column
from openami.kernel.time import Period, epoch_s
from openami.mdm.ports import Values
from openami.mdm.registry.records import InstalledMeter
from openami.mdm.registry.segments import segments
from openami.mdm.store.ids import IdIndex
from openami.mdm.vee.brackets import Brackets, Chains, Reads, RegisterFault, brackets_of
from openami.mdm.vee.decided import Decided
from openami.mdm.vee.grid import BOOLS, I64, Grid
from openami.mdm.vee.matrix import U16, Matrix, placed
from openami.mdm.vee.outcome import Coverage, Statement
from openami.mdm.vee.rules.seen import Places

_REFERENCES = (QualityState.ACTUAL, QualityState.VERIFIED, QualityState.EDITED, QualityState.OUTAGE_ZERO)
"""States of values that estimates may refer to."""
_ANY_VOLTAGE = 10_000_000
_FAR = 2**56
"""Beyond what any meter measures, and so small that a day's intervals of it still add up."""
NO_PLACES = Places()


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """All that the kernel needs to know of S service points on one grid.

    Args:
        points: (S,) the service point of each row.
        matrix, coverage, brackets, limit: see :func:`openami.mdm.vee.kernel.validated`.
        faults: registers that cannot be.
        has_data: (S,) a reading or a register read came.
        decided: what people decided about cells; None for nothing.
        said: what their decisions have to say themselves.
        places: what the registry says of the points.
    """

    points: Sequence[UUID]
    matrix: Matrix
    coverage: Coverage
    brackets: Brackets
    limit: I64
    faults: list[RegisterFault]
    has_data: BOOLS
    decided: Decided | None = None
    said: tuple[Statement, ...] = ()
    places: Places = NO_PLACES


def inputs_of(
    grid: Grid,
    points: Sequence[UUID],
    installed: Sequence[InstalledMeter],
    channel: Channel,
    *,
    readings: Values,
    registers: RegisterBatch,
    until: datetime,
) -> Inputs:
    """Lay readings and reads out by service point.

    Args:
        grid: the columns.
        points: S service points, in the order of rows.
        installed: their installations; those of other points are ignored.
        channel: what is validated.
        readings: raw rows, those of one meter together.
        registers: register reads, those of one meter together.
        until: nothing is expected after this instant.
    """
    row_of = {point: row for row, point in enumerate(points)}
    mine = segments([i for i in installed if i.installation.service_point_id in row_of], channel)
    chains = _chains(mine, row_of, until)
    by_meter: dict[UUID, list[int]] = {}
    for index, one in enumerate(mine):
        by_meter.setdefault(one.meter.id, []).append(index)
    chain = _chain_of(readings.meter_id, readings.start, by_meter, chains)
    held = chain >= 0
    rows = _Rows(chain[held], readings.start[held], readings.value[held], readings.quality[held])
    lengths = np.array([one.meter.interval_s for one in mine], dtype=np.int64)
    if (lengths < grid.interval_s).any():
        rows = _gathered(grid, rows, lengths, is_energy=CHANNELS[channel].is_energy)
    matrix = placed(
        grid,
        len(points),
        row=chains.row[rows.chain],
        start_s=rows.start_s,
        value=multiplied(rows.value, chains.multiplier[rows.chain]),
        quality=rows.quality,
    )
    reads = _reads(mine, channel, registers, by_meter, chains)
    brackets, faults = brackets_of(grid, chains, reads)
    has_data: BOOLS = np.asarray(matrix.present.any(axis=1))
    has_data[chains.row[np.unique(reads.chain)]] = True
    return Inputs(
        points, matrix, _coverage(grid, len(points), chains), brackets, limits_of(grid, len(points), chains, channel),
        faults, has_data,
    )  # fmt: skip


def multiplied(counts: I64, factor: I64) -> I64:
    """Return counts times factors of 1 or more; what leaves 64 bits stays at their end, where it is out of range.

    >>> multiplied(np.array([5, 2**62]), np.array([4, 4])).tolist() == [20, 2**63 - 4]
    True
    """
    most = np.iinfo(np.int64).max // factor
    return np.asarray(np.clip(counts, -most, most) * factor)


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Readings, each with the installation that it falls in. All (n,)."""

    chain: I64
    start_s: I64
    value: I64
    quality: U16


def _gathered(grid: Grid, rows: _Rows, lengths: I64, *, is_energy: bool) -> _Rows:
    """Return the readings with those of shorter intervals put together to whole ones of the grid.

    An interval of which a part did not come is left out: it did not come. Averages stay averages.

    Args:
        grid: the columns.
        rows: readings.
        lengths: (C,) interval length of each installation's meter [s].
        is_energy: whether intervals add up.
    """
    parts = grid.interval_s // lengths[rows.chain]
    inside = (rows.start_s >= grid.edge_s[0]) & (rows.start_s < grid.edge_s[-1])
    fine = np.flatnonzero((parts > 1) & inside)
    begin = grid.start_s[grid.floor_column(rows.start_s[fine])]
    fine, begin = (a[(rows.start_s[fine] - begin) % lengths[rows.chain[fine]] == 0] for a in (fine, begin))
    # Of two readings of one instant the last stands.
    order = np.lexsort((fine, rows.start_s[fine], rows.chain[fine]))
    fine, begin = fine[order], begin[order]
    chain, start = rows.chain[fine], rows.start_s[fine]
    last = np.append((chain[1:] != chain[:-1]) | (start[1:] != start[:-1]), np.ones(min(len(fine), 1), bool))
    fine, begin, chain = fine[last], begin[last], chain[last]
    head = np.flatnonzero(
        np.append(np.ones(min(len(fine), 1), bool), (chain[1:] != chain[:-1]) | (begin[1:] != begin[:-1]))
    )
    plain = np.flatnonzero(parts == 1)
    if not len(head):
        return _Rows(rows.chain[plain], rows.start_s[plain], rows.value[plain], rows.quality[plain])
    whole = np.diff(np.append(head, len(fine))) == parts[fine[head]]
    value = np.add.reduceat(np.clip(rows.value[fine], -_FAR, _FAR), head)
    return _Rows(
        np.append(rows.chain[plain], chain[head][whole]),
        np.append(rows.start_s[plain], begin[head][whole]),
        np.append(rows.value[plain], (value if is_energy else value // parts[fine[head]])[whole]),
        np.append(rows.quality[plain], np.bitwise_or.reduceat(rows.quality[fine], head)[whole]),
    )


def with_versions(grid: Grid, inputs: Inputs, versions: DayTable) -> Inputs:
    """Return inputs in which days with a version are read from it: what was measured and is not in question.

    Args:
        grid: the columns.
        inputs: without readings on those days.
        versions: days of these service points and others.
    """
    row = IdIndex(uuid_column(list(inputs.points))).rows_of(versions.service_point_id)
    day = versions.local_day.astype(np.int64) - day_number(grid.first)
    inside = (row >= 0) & (day >= 0) & (day < grid.days) & (versions.interval_s == grid.interval_s)
    length = np.diff(versions.offsets)
    inside[inside] = length[inside] == np.diff(grid.day_at)[day[inside]]
    row, day, length, begin = row[inside], day[inside], length[inside], versions.offsets[:-1][inside]
    offsets = np.cumsum(length) - length
    step = np.arange(int(length.sum())) - np.repeat(offsets, length)
    at, cell = np.repeat(begin, length) + step, np.repeat(row * grid.columns + grid.day_at[day], length) + step
    matrix = inputs.matrix
    read = np.isin(versions.method[at], (Method.MEASURED, Method.POWER_FAIL_ZERO, Method.MANUAL))
    sound = read & np.isin(versions.quality[at], _REFERENCES)
    matrix.values.ravel()[cell] = np.where(sound, versions.values[at], 0)
    matrix.present.ravel()[cell] = sound
    # A day with a power failure is no like day.
    dark = np.isin(versions.quality[at], (QualityState.OUTAGE_ZERO, QualityState.PARTIAL))
    matrix.flags.ravel()[cell] = np.where(dark, np.uint16(RawQuality.POWER_DOWN), np.uint16(0))
    inputs.has_data[row] = True
    return inputs


def standing_still(registers: RegisterBatch, period: Period) -> set[UUID]:
    """Return meters with a read at both ends of the period and the same value at every read.

    Args:
        registers: reads by (meter, instant).
        period: the span, between local midnights.
    """
    found = set()
    for lo, hi in _meter_runs(registers.meter_id):
        value, at = registers.value[lo:hi], registers.at[lo:hi]
        if at[0] == period.start_s and at[-1] == period.end_s and (value == value[0]).all():
            found.add(UUID(bytes=bytes(registers.meter_id[lo])))
    return found


def _meter_runs(ids: UUIDS) -> Iterator[tuple[int, int]]:
    """Yield where each run of one meter's rows begins and ends."""
    if len(ids):
        halves = np.ascontiguousarray(ids).view(np.uint64).reshape(-1, 2)
        fresh = np.flatnonzero((halves[1:] != halves[:-1]).any(axis=1)) + 1
        yield from pairwise([0, *fresh.tolist(), len(ids)])


def _chains(installed: Sequence[InstalledMeter], row_of: Mapping[UUID, int], until: datetime) -> Chains:
    def column(values: list[int]) -> I64:
        return np.array(values, dtype=np.int64)

    end = epoch_s(until)
    ends = [(i.installation.start, i.installation.end or until) for i in installed]
    return Chains(
        row=column([row_of[i.installation.service_point_id] for i in installed]),
        # Rounded up to a second, so that a read of the very instant still belongs.
        start_s=column([epoch_s(a) for a, _ in ends]),
        end_s=column([min(end, epoch_s(b)) for _, b in ends]),
        capacity=column([i.meter.capacity_wh or 0 for i in installed]),
        resolution=column([i.meter.resolution_wh for i in installed]),
        multiplier=column([i.installation.multiplier for i in installed]),
        limit_w=column([i.meter.max_power_w for i in installed]),
    )


def _chain_of(
    ids: UUIDS, at_s: I64, by_meter: Mapping[UUID, list[int]], chains: Chains, *, at_end: bool = False
) -> I64:
    """Return the installation that each row falls in, or, at its end, the one that ends right there; -1 for none."""
    chain = np.full(len(ids), -1, np.int64)
    for lo, hi in _meter_runs(ids):
        for index in by_meter.get(UUID(bytes=bytes(ids[lo])), ()):
            at = at_s[lo:hi]
            inside = (at >= chains.start_s[index]) & (at < chains.end_s[index])
            if at_end:
                inside = at == chains.end_s[index]
            chain[lo:hi][inside] = index
    return chain


def _reads(
    installed: Sequence[InstalledMeter],
    channel: Channel,
    registers: RegisterBatch,
    by_meter: Mapping[UUID, list[int]],
    chains: Chains,
) -> Reads:
    """Return the meters' own reads and the installers'."""
    # A read right between two segments of one meter closes the one and opens the other.
    open_here = _chain_of(registers.meter_id, registers.at, by_meter, chains)
    ends_here = _chain_of(registers.meter_id, registers.at, by_meter, chains, at_end=True)
    chain = np.concatenate([open_here, ends_here])
    at_s, value = np.tile(registers.at, 2), np.tile(registers.value, 2)
    held = chain >= 0
    by_hand = [
        (index, epoch_s(instant), reads[channel])
        for index, one in enumerate(installed)
        for instant, reads in (
            (one.installation.start, one.installation.in_reads),
            (one.installation.end, one.installation.out_reads),
        )
        if instant is not None and channel in reads
    ]
    extra = np.array(by_hand, dtype=np.int64).reshape(-1, 3)
    return Reads(
        chain=np.concatenate([chain[held], extra[:, 0]]),
        at_s=np.concatenate([at_s[held], extra[:, 1]]),
        value=np.concatenate([value[held], extra[:, 2]]),
        is_end=np.concatenate([np.zeros(int(held.sum()), bool), np.ones(len(extra), bool)]),
    )


def _coverage(grid: Grid, series: int, chains: Chains) -> Coverage:
    whole, touched = np.zeros((series, grid.columns), bool), np.zeros((series, grid.columns), bool)
    edge = grid.edge_s
    bounds = zip(
        chains.row.tolist(),
        np.searchsorted(edge, chains.start_s, "left").tolist(),
        (np.searchsorted(edge, chains.end_s, "right") - 1).tolist(),
        (np.searchsorted(edge, chains.start_s, "right") - 1).tolist(),
        np.searchsorted(edge, chains.end_s, "left").tolist(),
        strict=True,
    )
    for row, whole_lo, whole_hi, touch_lo, touch_hi in bounds:
        whole[row, whole_lo : max(whole_hi, 0)] = True
        touched[row, max(touch_lo, 0) : touch_hi] = True
    return Coverage(whole, touched)


def limits_of(grid: Grid, series: int, chains: Chains, channel: Channel) -> I64:
    """Return the most that an interval of each row can hold."""
    if not CHANNELS[channel].is_energy:
        return np.full(series, _ANY_VOLTAGE, np.int64)
    limit = np.zeros(series, np.int64)
    most = -(-chains.limit_w * grid.interval_s // 3600) * chains.multiplier
    np.maximum.at(limit, chains.row, most)
    return limit
