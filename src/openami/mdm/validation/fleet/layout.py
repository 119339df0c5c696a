"""Blocks of the store as matrices: each reading goes to its cell, in whatever order it comes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from openami.contracts.channel import CHANNELS, Channel
from openami.contracts.reading import I64
from openami.mdm.validation.fleet.ports import Block, ReadBlock, group_rows, offsets_of
from openami.mdm.validation.fleet.roster import Roster
from openami.mdm.validation.load import multiplied
from openami.mdm.vee.brackets import Chains, Reads
from openami.mdm.vee.grid import BOOLS, Grid, grid_of
from openami.mdm.vee.matrix import U16, Matrix


def laid_out(grid: Grid, block: Block, row: I64, roster: Roster, channel: Channel) -> tuple[Matrix, BOOLS]:
    """Return the readings of one channel as a matrix, and the rows that the careful road must lay out.

    Those are rows in which an interval has two readings that differ, or a reading starts where no interval does.

    Args:
        grid: one local day.
        block: readings.
        row: (G,) row of each group's meter, or -1.
        roster: S meters.
        channel: what to lay out.
    """
    return all_laid_out(grid, block, row, roster, [channel])[channel]


def all_laid_out(
    grid: Grid, block: Block, row: I64, roster: Roster, channels: Sequence[Channel]
) -> dict[Channel, tuple[Matrix, BOOLS]]:
    """Return what :func:`laid_out` does, of several channels."""
    shape = (len(channels), len(roster), grid.columns)
    values, present, flags = np.zeros(shape, np.int64), np.zeros(shape, bool), np.zeros(shape, np.uint16)
    which = np.full(256, -1, np.int64)
    which[list(channels)] = np.arange(len(channels))
    # Rows of all channels, one below the other; -1 for what is not asked for.
    of_channel = which[block.channel]
    line = np.where((of_channel >= 0) & (row >= 0), of_channel * len(roster) + row, -1)
    unclear = _placed(grid, block, line, values.reshape(-1, grid.columns), present.reshape(-1, grid.columns))
    _flagged(grid, block, line, flags.reshape(-1, grid.columns))
    none, no_days = np.zeros(shape[1:], bool), np.zeros((len(roster), grid.days), np.int64)
    found = {}
    for k, channel in enumerate(channels):
        counts = values[k]
        if CHANNELS[channel].is_energy and (roster.multiplier != 1).any():
            counts = multiplied(counts, roster.multiplier[:, None])
        found[channel] = Matrix(counts, present[k], flags[k], none, none, no_days), unclear.reshape(shape[:2])[k]
    return found


def around_of(grid: Grid) -> Grid:
    """Return a day with the day before and the day after: a register that went wrong next door matters too."""
    day = timedelta(days=1)
    return grid_of(grid.zone, grid.first - day, grid.last + day, grid.interval_s)


def chains_of(grid: Grid, roster: Roster) -> Chains:
    """Return one chain a meter over the grid."""
    count = len(roster)
    start, end = (np.full(count, int(s), np.int64) for s in (grid.edge_s[0], grid.edge_s[-1]))
    # Each hung there before and after, so that a read at either midnight belongs to it.
    return Chains(np.arange(count), start, end, roster.capacity, roster.resolution, roster.multiplier, roster.limit_w)


def reads_of(block: ReadBlock, row: I64, channel: Channel, count: int) -> tuple[Reads, BOOLS]:
    """Return the register reads of one channel, and the rows in which two reads of one instant differ.

    Args:
        block: register reads.
        row: (G,) row of each group's meter, or -1.
        channel: what to take.
        count: number of rows.
    """
    of = group_rows(block.offsets)
    kept = ((block.channel == channel) & (row >= 0))[of]
    chain, at, value = row[of[kept]], block.at[kept].astype(np.int64), block.value[kept]
    order = np.lexsort((at, chain))
    a, b = order[:-1], order[1:]
    again = (chain[a] == chain[b]) & (at[a] == at[b])
    unclear = np.zeros(count, bool)
    unclear[chain[a[again & (value[a] != value[b])]]] = True
    return Reads(chain, at, value, np.zeros(len(chain), bool)), unclear


def _placed(grid: Grid, block: Block, line: I64, values: I64, present: BOOLS) -> BOOLS:
    """Place every reading of a known line (G,) in matrices (L, N); return which lines are unclear (L,)."""
    length = np.diff(block.offsets)
    unclear = np.zeros(len(values), bool)
    # A day's intervals are as long as each other. What lies before the first wraps around and is far behind the last.
    since, step = block.start - np.uint32(grid.start_s[0]), np.uint32(grid.interval_s)
    column = since // step
    fits = (column * step == since) & (column < grid.columns)
    known = line >= 0
    if known.all() and fits.all():
        cell = np.repeat(line * grid.columns, length) + column
        values.ravel()[cell], present.ravel()[cell] = block.value, True
    else:
        of = group_rows(block.offsets)
        unclear[line[np.unique(of[~fits & known[of]])]] = True
        kept = np.flatnonzero(fits & known[of])
        cell = line[of[kept]] * grid.columns + column[kept]
        values.ravel()[cell], present.ravel()[cell] = block.value[kept], True
    # A line with fewer cells than readings has some twice.
    came = np.bincount(line[known], length[known], minlength=len(values)).astype(np.int64)
    twice = np.flatnonzero(np.count_nonzero(present, axis=1) < came)
    if len(twice):
        is_twice = np.zeros(len(values), bool)
        is_twice[twice] = True
        groups = np.flatnonzero(known & is_twice[np.maximum(line, 0)])
        unclear[line[groups[_disagree(grid, block, line, groups)]]] = True
    return unclear


def _disagree(grid: Grid, block: Block, line: I64, groups: I64) -> BOOLS:
    """Tell which groups have a reading that another of its interval contradicts, or may by its flags."""
    length = np.diff(block.offsets)[groups]
    of = np.repeat(np.arange(len(groups)), length)
    at = np.repeat(block.offsets[groups] - offsets_of(length)[:-1], length) + np.arange(len(of))
    column, rest = np.divmod(block.start[at].astype(np.int64) - int(grid.start_s[0]), grid.interval_s)
    fits = (rest == 0) & (column >= 0) & (column < grid.columns)
    of, at, column = of[fits], at[fits], column[fits]
    cell, value = line[groups[of]] * grid.columns + column, block.value[at]
    order = np.argsort(cell, kind="stable")
    again = cell[order[1:]] == cell[order[:-1]]
    differ = again & (value[order[1:]] != value[order[:-1]])
    # Which of two flags stands is not in these columns either.
    flagged = (np.diff(block.flag_offsets)[groups] > 0)[of[order[1:]]]
    bad = np.zeros(len(groups), bool)
    bad[of[order[1:][differ | (again & flagged)]]] = True
    return bad


def _flagged(grid: Grid, block: Block, line: I64, flags: U16) -> None:
    """Set the flags of the few readings that have any."""
    of = group_rows(block.flag_offsets)
    column, rest = np.divmod(block.flag_start.astype(np.int64) - int(grid.start_s[0]), grid.interval_s)
    fits = (rest == 0) & (column >= 0) & (column < grid.columns) & (line[of] >= 0)
    flags[line[of[fits]], column[fits]] = block.flag[fits]
