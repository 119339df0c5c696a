"""Brackets: spans of the grid whose energy the registers know.

Reads of one installation form a chain. Consecutive reads give an edge (from, to, energy), rollover resolved by the
meter's capacity. Edges that share an interval, as at an exchange in the middle of a quarter-hour, become one bracket,
so that the shared interval is filled by what both meters' registers say.

A read that makes the register run backwards or faster than the meter can is left out with a finding, unless all later
reads agree with it: then the register was set, and the span across has no known energy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from openami.mdm.vee.grid import BOOLS, I64, Grid


@dataclass(frozen=True, slots=True, eq=False)
class Chains:
    """What is known of each installation. All columns have one length C.

    Args:
        row: (C,) row of the matrix that the installation belongs to.
        start_s, end_s: (C,) installed from, until; seconds since the epoch.
        capacity: (C,) count at which the register rolls over; 0 where unknown.
        resolution: (C,) counts that the register resolves.
        multiplier: (C,) applied to counts.
        limit_w: (C,) the most that the meter can measure, in counts an hour, before the multiplier.
    """

    row: I64
    start_s: I64
    end_s: I64
    capacity: I64
    resolution: I64
    multiplier: I64
    limit_w: I64


@dataclass(frozen=True, slots=True, eq=False)
class Reads:
    """Register reads. All columns have one length R.

    Args:
        chain: (R,) index into the chains.
        at_s: (R,) instant of the read.
        value: (R,) what the register showed, before the multiplier.
        is_end: (R,) taken by the installer at a start or end: kept even between grid edges.
    """

    chain: I64
    at_s: I64
    value: I64
    is_end: BOOLS


@dataclass(frozen=True, slots=True, eq=False)
class Brackets:
    """Disjoint spans of known energy, by (row, lo). All columns have one length B.

    Args:
        row, lo, hi: (B,) the span is columns lo to hi (exclusive) of the row.
        energy: (B,) counts after the multiplier.
        tolerance: (B,) counts by which truncation of the register may mislead.
    """

    row: I64
    lo: I64
    hi: I64
    energy: I64
    tolerance: I64

    def kept(self, mask: BOOLS) -> Brackets:
        """Return the brackets of a mask (B,)."""
        return Brackets(self.row[mask], self.lo[mask], self.hi[mask], self.energy[mask], self.tolerance[mask])

    def holding(self, row: I64, column: I64, columns: int) -> I64:
        """Return the bracket that holds each cell, or -1; ``columns`` is the width of the grid."""
        if not len(self.row):
            return np.full(len(row), -1, np.int64)
        stride = columns + 1
        at = np.searchsorted(self.row * stride + self.lo, row * stride + column, side="right") - 1
        inside = (at >= 0) & (self.row[at] == row) & (column < self.hi[at])
        return np.where(inside, at, -1)


@dataclass(frozen=True, slots=True)
class RegisterFault:
    """A register read that cannot be, or a register that was set to another value."""

    row: int
    lo: int
    hi: int
    rule: str
    earlier_value: int
    value: int


_Edge = tuple[int, int, int, int]
"""Chain, from, to, energy before the multiplier."""


def brackets_of(grid: Grid, chains: Chains, reads: Reads) -> tuple[Brackets, list[RegisterFault]]:
    """Return the brackets inside the grid, and the reads that were left out.

    Reads outside the grid are ignored, and so are reads between grid edges unless an installer took them.
    """
    reads = _usable(grid, reads)
    same = reads.chain[1:] == reads.chain[:-1]
    chain, start, end = reads.chain[1:][same], reads.at_s[:-1][same], reads.at_s[1:][same]
    energy = _advance(chains, chain, reads.value[:-1][same], reads.value[1:][same])
    bad = (energy < 0) | (energy > _most(chains, chain, end - start))
    faults: list[RegisterFault] = []
    if bad.any():
        spoiled = np.unique(chain[bad])
        keep = ~np.isin(chain, spoiled)
        chain, start, end, energy = chain[keep], start[keep], end[keep], energy[keep]
        for one in spoiled.tolist():
            edges, found = _mended(grid, chains, reads, one)
            faults += found
            if edges:
                extra = np.array(edges, dtype=np.int64)
                chain, start = np.append(chain, extra[:, 0]), np.append(start, extra[:, 1])
                end, energy = np.append(end, extra[:, 2]), np.append(energy, extra[:, 3])
    return _merged(grid, chains, chain, start, end, energy), faults


def no_chains() -> Chains:
    """Return chains of no installation."""
    none = np.zeros(0, np.int64)
    return Chains(none, none, none, none, none, none, none)


def no_reads() -> Reads:
    """Return no reads."""
    none = np.zeros(0, np.int64)
    return Reads(none, none, none, np.zeros(0, bool))


def _usable(grid: Grid, reads: Reads) -> Reads:
    """Return the reads in the grid at edges (or by installers), by (chain, instant), one for each instant."""
    inside = (reads.at_s >= grid.edge_s[0]) & (reads.at_s <= grid.edge_s[-1])
    place = np.minimum(np.searchsorted(grid.edge_s, reads.at_s), len(grid.edge_s) - 1)
    keep = inside & ((grid.edge_s[place] == reads.at_s) | reads.is_end)
    # Of two reads of one instant the installer's stands: lexsort puts it last.
    order = np.flatnonzero(keep)
    order = order[np.lexsort((reads.is_end[order], reads.at_s[order], reads.chain[order]))]
    chain, at = reads.chain[order], reads.at_s[order]
    last = np.ones(len(order), bool)
    last[:-1] = (chain[1:] != chain[:-1]) | (at[1:] != at[:-1])
    order = order[last]
    return Reads(reads.chain[order], reads.at_s[order], reads.value[order], reads.is_end[order])


def _advance(chains: Chains, chain: I64, earlier: I64, later: I64) -> I64:
    """Return how far the register went, through a rollover where the capacity is known."""
    capacity = chains.capacity[chain]
    difference = later - earlier
    rolled = np.where((difference < 0) & (capacity > 0), difference + capacity, difference)
    return np.asarray(rolled, dtype=np.int64)


def _most(chains: Chains, chain: I64, seconds: I64) -> I64:
    """Return the most that a register can advance in a time."""
    return -(-chains.limit_w[chain] * seconds // 3600) + chains.resolution[chain]


def _mended(grid: Grid, chains: Chains, reads: Reads, chain: int) -> tuple[list[_Edge], list[RegisterFault]]:
    """Walk one chain that holds an impossible read; return its possible edges and its faults."""
    mine = np.flatnonzero(reads.chain == chain)
    at, value = reads.at_s[mine].tolist(), reads.value[mine].tolist()

    def advance(a: int, b: int) -> int | None:
        index = np.array([chain])
        energy = int(_advance(chains, index, np.array([value[a]]), np.array([value[b]]))[0])
        most = int(_most(chains, index, np.array([at[b] - at[a]]))[0])
        return energy if 0 <= energy <= most else None

    edges: list[_Edge] = []
    faults: list[RegisterFault] = []
    good = 0
    for b in range(1, len(at)):
        energy = advance(good, b)
        if energy is not None:
            edges.append((chain, at[good], at[b], energy))
            good = b
            continue
        was_set = b + 1 < len(at) and advance(good, b + 1) is None and advance(b, b + 1) is not None
        rule = "register_set" if was_set else "register_implausible"
        lo = int(grid.floor_column(np.array([at[good]]))[0])
        hi = int(grid.ceiling_edge(np.array([at[b]]))[0])
        faults.append(RegisterFault(int(chains.row[chain]), lo, hi, rule, value[good], value[b]))
        if was_set:
            good = b
    return edges, faults


def _merged(grid: Grid, chains: Chains, chain: I64, start: I64, end: I64, energy: I64) -> Brackets:
    """Return edges as brackets; edges of a row that share an interval become one."""
    row, multiplier = chains.row[chain], chains.multiplier[chain]
    lo, hi = grid.floor_column(start), grid.ceiling_edge(end)
    order = np.lexsort((hi, lo, row))
    row, lo, hi = row[order], lo[order], hi[order]
    counts = (energy * multiplier)[order]
    tolerance = (chains.resolution[chain] * multiplier)[order]
    if not len(order):
        return Brackets(row, lo, hi, counts, tolerance)
    # Keys rise with the row, so that one running maximum serves all rows.
    key_lo, key_hi = row * (grid.columns + 1) + lo, row * (grid.columns + 1) + hi
    reach = np.maximum.accumulate(key_hi)
    fresh = np.ones(len(order), bool)
    fresh[1:] = (row[1:] != row[:-1]) | (key_lo[1:] >= reach[:-1])
    at = np.flatnonzero(fresh)
    return Brackets(
        row=row[at],
        lo=lo[at],
        hi=np.maximum.reduceat(hi, at),
        energy=np.add.reduceat(counts, at),
        tolerance=np.maximum.reduceat(tolerance, at),
    )
