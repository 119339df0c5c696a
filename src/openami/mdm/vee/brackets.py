"""Brackets: spans of the grid whose energy the registers know.

Reads of one installation form a chain. Consecutive reads give an edge (from, to, energy), rollover resolved by the
meter's capacity. Edges that share an interval, as at an exchange in the middle of a quarter-hour, become one bracket,
so that the shared interval is filled by what both meters' registers say.

A read that makes the register run backwards or faster than the meter can is left out with a finding, unless all later
reads agree with it: then the register was set, and the span across has no known energy.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from openami.mdm.vee.bracket import Brackets
from openami.mdm.vee.grid import BOOLS, I64, Grid

__all__ = ["Brackets", "Chains", "Reads", "RegisterFault", "brackets_of", "no_chains", "no_reads"]


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
        is_end: (R,) taken by the installer at a start or end: kept where it is, even between grid edges.
    """

    chain: I64
    at_s: I64
    value: I64
    is_end: BOOLS


@dataclass(frozen=True, slots=True, eq=False)
class _Edges:
    """Consecutive reads of a chain: from, to, energy before the multiplier, and how far the reads were off them [s]."""

    chain: I64
    start_s: I64
    end_s: I64
    energy: I64
    off_start_s: I64
    off_end_s: I64

    def at(self, index: I64 | BOOLS) -> _Edges:
        return _Edges(*(getattr(self, f.name)[index] for f in fields(self)))

    def with_rows(self, rows: list[tuple[int, ...]]) -> _Edges:
        more = np.array(rows, dtype=np.int64).reshape(-1, 6)
        return _Edges(*(np.append(getattr(self, f.name), more[:, k]) for k, f in enumerate(fields(self))))


@dataclass(frozen=True, slots=True)
class RegisterFault:
    """A register read that cannot be, or a register that was set to another value."""

    row: int
    lo: int
    hi: int
    rule: str
    earlier_value: int
    value: int


def brackets_of(grid: Grid, chains: Chains, reads: Reads) -> tuple[Brackets, list[RegisterFault]]:
    """Return the brackets inside the grid, and the reads that were left out.

    Reads outside the grid are ignored, and so are reads between grid edges, unless an installer took them or their
    meter is never read at an edge: then each stands at its nearest edge, and the bracket knows how far off it was.
    """
    reads, off_s = _usable(grid, reads)
    same = reads.chain[1:] == reads.chain[:-1]
    edges = _Edges(
        reads.chain[1:][same], reads.at_s[:-1][same], reads.at_s[1:][same],
        _advance(chains, reads.chain[1:][same], reads.value[:-1][same], reads.value[1:][same]),
        off_s[:-1][same], off_s[1:][same],
    )  # fmt: skip
    seconds = edges.end_s + edges.off_end_s - edges.start_s - edges.off_start_s
    bad = (edges.energy < 0) | (edges.energy > _most(chains, edges.chain, seconds))
    faults: list[RegisterFault] = []
    if bad.any():
        spoiled = np.unique(edges.chain[bad])
        edges = edges.at(~np.isin(edges.chain, spoiled))
        for one in spoiled.tolist():
            rows, found = _mended(grid, chains, reads, off_s, one)
            faults += found
            edges = edges.with_rows(rows)
    return _merged(grid, chains, edges), faults


def no_brackets() -> Brackets:
    """Return no brackets."""
    none = np.zeros(0, np.int64)
    return Brackets(none, none, none, none, none)


def no_chains() -> Chains:
    """Return chains of no installation."""
    none = np.zeros(0, np.int64)
    return Chains(none, none, none, none, none, none, none)


def no_reads() -> Reads:
    """Return no reads."""
    none = np.zeros(0, np.int64)
    return Reads(none, none, none, np.zeros(0, bool))


def _usable(grid: Grid, reads: Reads) -> tuple[Reads, I64]:
    """Return reads at edges (or by installers), by (chain, instant), one for each, and how far off they were [s]."""
    inside = (reads.at_s >= grid.edge_s[0]) & (reads.at_s <= grid.edge_s[-1])
    place = np.minimum(np.searchsorted(grid.edge_s, reads.at_s), len(grid.edge_s) - 1)
    at_edge = inside & (grid.edge_s[place] == reads.at_s)
    never = np.ones(int(reads.chain.max(initial=-1)) + 1, bool)
    never[reads.chain[at_edge & ~reads.is_end]] = False
    astray = inside & ~at_edge & ~reads.is_end & never[reads.chain]
    after = np.maximum(place, 1)
    earlier, later = grid.edge_s[after - 1], grid.edge_s[after]
    near = np.where(later - reads.at_s < reads.at_s - earlier, later, earlier)
    at_s, off_s = np.where(astray, near, reads.at_s), np.where(astray, reads.at_s - near, 0)
    # Of two reads of one instant the installer's stands, else the one nearest to it: lexsort puts it last.
    order = np.flatnonzero(inside & (at_edge | reads.is_end | astray))
    order = order[np.lexsort((-np.abs(off_s[order]), reads.is_end[order], at_s[order], reads.chain[order]))]
    chain, at = reads.chain[order], at_s[order]
    last = np.ones(len(order), bool)
    last[:-1] = (chain[1:] != chain[:-1]) | (at[1:] != at[:-1])
    order = order[last]
    return Reads(reads.chain[order], at_s[order], reads.value[order], reads.is_end[order]), off_s[order]


def _advance(chains: Chains, chain: I64, earlier: I64, later: I64) -> I64:
    """Return how far the register went, through a rollover where the capacity is known."""
    capacity = chains.capacity[chain]
    difference = later - earlier
    rolled = np.where((difference < 0) & (capacity > 0), difference + capacity, difference)
    return np.asarray(rolled, dtype=np.int64)


def _most(chains: Chains, chain: I64, seconds: I64) -> I64:
    """Return the most that a register can advance in a time."""
    return -(-chains.limit_w[chain] * seconds // 3600) + chains.resolution[chain]


def _mended(
    grid: Grid, chains: Chains, reads: Reads, off_s: I64, chain: int
) -> tuple[list[tuple[int, ...]], list[RegisterFault]]:
    """Walk one chain that holds an impossible read; return its possible edges and its faults."""
    mine = np.flatnonzero(reads.chain == chain)
    at, value, off = reads.at_s[mine].tolist(), reads.value[mine].tolist(), off_s[mine].tolist()

    def advance(a: int, b: int) -> int | None:
        index = np.array([chain])
        energy = int(_advance(chains, index, np.array([value[a]]), np.array([value[b]]))[0])
        most = int(_most(chains, index, np.array([at[b] + off[b] - at[a] - off[a]]))[0])
        return energy if 0 <= energy <= most else None

    edges: list[tuple[int, ...]] = []
    faults: list[RegisterFault] = []
    good = 0
    for b in range(1, len(at)):
        energy = advance(good, b)
        if energy is not None:
            edges.append((chain, at[good], at[b], energy, off[good], off[b]))
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


def _merged(grid: Grid, chains: Chains, edges: _Edges) -> Brackets:
    """Return edges as brackets; edges of a row that share an interval become one."""
    row, multiplier = chains.row[edges.chain], chains.multiplier[edges.chain]
    lo, hi = grid.floor_column(edges.start_s), grid.ceiling_edge(edges.end_s)
    order = np.lexsort((hi, lo, row))
    row, lo, hi, multiplier = row[order], lo[order], hi[order], multiplier[order]
    edges = edges.at(np.asarray(order, np.int64))
    resolution = chains.resolution[edges.chain]
    tolerance = resolution * multiplier
    slack = np.where(resolution > 1, tolerance, 0)
    counts = edges.energy * multiplier
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
        # Each register of an exchange may mislead on its own.
        tolerance=np.add.reduceat(tolerance, at),
        slack=np.add.reduceat(slack, at),
        off_lo_s=edges.off_start_s[at],
        off_hi_s=edges.off_end_s[np.append(at[1:], len(order)) - 1],
    )
