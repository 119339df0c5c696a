"""Blocks of the store as matrices: a plain day is copied row by row, the rest placed reading by reading. Pure."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from openami.contracts.channel import CHANNELS, Channel
from openami.contracts.reading import I64
from openami.mdm.validation.fleet.ports import Block, ReadBlock, group_rows, offsets_of
from openami.mdm.validation.fleet.roster import Roster
from openami.mdm.validation.load import multiplied
from openami.mdm.vee.brackets import Chains, Reads
from openami.mdm.vee.grid import BOOLS, DAY_S, Grid, grid_of
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
    shape = (len(roster), grid.columns)
    values, present, flags = np.zeros(shape, np.int64), np.zeros(shape, bool), np.zeros(shape, np.uint16)
    unclear = np.zeros(len(roster), bool)
    groups = np.flatnonzero((block.channel == channel) & (row >= 0))
    date = block.start[block.offsets[groups]] // DAY_S
    for day in np.unique(date).tolist():
        columns = np.flatnonzero(grid.start_s // DAY_S == day)
        mine = groups[date == day]
        odd = _copied(grid, block, row, mine, columns, values=values, present=present)
        if len(odd):
            unclear[row[odd[_placed(grid, block, row, odd, values=values, present=present)]]] = True
    _flagged(grid, block, row, groups, flags)
    if CHANNELS[channel].is_energy and (roster.multiplier != 1).any():
        values = multiplied(values, roster.multiplier[:, None])
    none = np.zeros(shape, bool)
    return Matrix(values, present, flags, none, none, np.zeros((len(roster), grid.days), np.int64)), unclear


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


def _copied(grid: Grid, block: Block, row: I64, groups: I64, columns: I64, *, values: I64, present: BOOLS) -> I64:
    """Copy groups that hold each of the columns once; return the others."""
    begin, length = block.offsets[groups], np.diff(block.offsets)[groups]
    is_full = length == len(columns)
    full, begin = groups[is_full], begin[is_full]
    cell = begin[:, None] + np.arange(len(columns))
    in_order = (block.start[cell] == grid.start_s[columns].astype(np.uint32)).all(axis=1)
    at, span = row[full[in_order]], slice(int(columns[0]), int(columns[-1]) + 1)
    values[at, span] = block.value[cell if in_order.all() else cell[in_order]]
    present[at, span] = True
    others, cell = full[~in_order], cell[~in_order]
    is_once = _scattered(grid, block, row[others], cell, columns, values=values, present=present)
    return np.concatenate([groups[~is_full], others[~is_once]])


def _scattered(grid: Grid, block: Block, row: I64, cell: I64, columns: I64, *, values: I64, present: BOOLS) -> BOOLS:
    """Copy groups (G, n) that hold each of n columns once, in any order; return which those are.

    What the store has not merged yet comes part after part: each in order, a day of it in pieces.
    """
    # What lies before the first column wraps around and is far behind the last.
    since = block.start[cell] - np.uint32(grid.start_s[columns[0]])
    column, rest = np.divmod(since, np.uint32(grid.interval_s))
    fits = ((rest == 0) & (column < len(columns))).all(axis=1)
    hit = np.zeros(cell.shape, bool)
    hit[np.flatnonzero(fits)[:, None], column[fits]] = True
    is_once = np.asarray(hit.all(axis=1))
    at = row[is_once]
    values[at[:, None], column[is_once].astype(np.int64) + columns[0]] = block.value[cell[is_once]]
    present[at, int(columns[0]) : int(columns[-1]) + 1] = True
    return is_once


def _placed(grid: Grid, block: Block, row: I64, groups: I64, *, values: I64, present: BOOLS) -> BOOLS:
    """Place the readings of groups one by one; return which groups cannot be."""
    length = np.diff(block.offsets)[groups]
    of = np.repeat(np.arange(len(groups)), length)
    at = np.repeat(block.offsets[groups] - offsets_of(length)[:-1], length) + np.arange(len(of))
    since = block.start[at].astype(np.int64) - int(grid.start_s[0])
    column, rest = np.divmod(since, grid.interval_s)
    fits = (rest == 0) & (column >= 0) & (column < grid.columns)
    bad = np.zeros(len(groups), bool)
    bad[of[~fits]] = True
    of, at, column = of[fits], at[fits], column[fits]
    cell, value = row[groups[of]] * grid.columns + column, block.value[at]
    values.ravel()[cell], present.ravel()[cell] = value, True
    order = np.argsort(cell, kind="stable")
    again = cell[order[1:]] == cell[order[:-1]]
    differ = again & (value[order[1:]] != value[order[:-1]])
    # Which of two flags stands is not in these columns either.
    flagged = (np.diff(block.flag_offsets)[groups] > 0)[of[order[1:]]]
    bad[of[order[1:][differ | (again & flagged)]]] = True
    return bad


def _flagged(grid: Grid, block: Block, row: I64, groups: I64, flags: U16) -> None:
    """Set the flags of the few readings that have any."""
    wanted = np.zeros(len(row), bool)
    wanted[groups] = True
    of = group_rows(block.flag_offsets)
    mine = wanted[of]
    column, rest = np.divmod(block.flag_start[mine].astype(np.int64) - int(grid.start_s[0]), grid.interval_s)
    fits = (rest == 0) & (column >= 0) & (column < grid.columns)
    flags[row[of[mine][fits]], column[fits]] = block.flag[mine][fits]
