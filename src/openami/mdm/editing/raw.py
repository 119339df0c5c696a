"""Decisions about where readings belong: a wrong clock, crossed channels, register reads that are not to be believed.

They are applied to a copy of what was loaded; the store's rows stay as they came. A register read belongs to the span
whose end it closes: reads after a span's start up to and including its end. Crossed channels are put right first, since
what a stamp or a rejection speaks of is the channel as it should be. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import numpy as np

from openami.contracts.channel import Channel
from openami.contracts.reading import UUIDS, RegisterBatch
from openami.kernel.time import epoch_s
from openami.mdm.editing.decision import SWAPPED, Decision, DecisionKind, Target
from openami.mdm.ports import Values
from openami.mdm.registry.records import InstalledMeter
from openami.mdm.vee.grid import BOOLS, I64

_REJECTING = frozenset({DecisionKind.REJECT_RAW, DecisionKind.REJECT_READS})
_FAR_S = 2**62


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """Rows of one channel: readings and register reads, those of one meter together."""

    readings: Values
    registers: RegisterBatch


@dataclass(frozen=True, slots=True)
class _Hung:
    """A target with one meter that hung there in it, from when to when [s]."""

    decision: Decision
    meter_id: UUID
    since_s: int
    until_s: int


def reach_s(decisions: Sequence[Decision]) -> int:
    """Return how far beyond a window rows must be loaded, for stamps that belong inside it [s]."""
    return max((abs(d.shift_s) for d in decisions if d.kind is DecisionKind.SHIFT_CLOCK), default=0)


def swapping(decisions: Sequence[Decision]) -> frozenset[UUID]:
    """Return the places whose channels are swapped somewhere: their other channel must be loaded too."""
    return frozenset(t.service_point_id for d in decisions if d.kind is DecisionKind.SWAP_CHANNELS for t in d.targets)


def corrected(
    loaded: Loaded,
    other: Loaded | None,
    installed: Sequence[InstalledMeter],
    channel: Channel,
    decisions: Sequence[Decision],
) -> Loaded:
    """Return what was loaded as decisions say that it must be read.

    Args:
        loaded: rows of the channel.
        other: rows of the channel that it is swapped with, where :func:`swapping` names a place.
        installed: which meters hung where.
        channel: of the rows.
        decisions: in force, in any order.
    """
    hung = list(_hung(decisions, installed, channel))
    crossed = [h for h in hung if h.decision.kind is DecisionKind.SWAP_CHANNELS]
    if crossed and other is not None:
        loaded = _swapped(loaded, other, crossed, channel)
    by_reading, by_read = _runs(loaded.readings.meter_id), _runs(loaded.registers.meter_id)
    start, at = loaded.readings.start.copy(), loaded.registers.at.copy()
    kept = np.ones(len(at), bool)
    for one in hung:
        readings, reads = by_reading.get(one.meter_id.bytes), by_read.get(one.meter_id.bytes)
        if one.decision.kind is DecisionKind.SHIFT_CLOCK:
            if readings is not None:
                start[readings] += np.where(_within(start[readings], one), one.decision.shift_s, 0)
            if reads is not None:
                at[reads] += np.where(_within(at[reads] - 1, one), one.decision.shift_s, 0)
        elif one.decision.kind in _REJECTING and reads is not None:
            kept[reads] &= ~_within(at[reads] - 1, one)
    return Loaded(replace(loaded.readings, start=start), _rows(replace(loaded.registers, at=at), kept))


def swapped_ends(installed: Sequence[InstalledMeter], decisions: Sequence[Decision]) -> list[InstalledMeter]:
    """Return installations with the installer's reads of delivered and received exchanged where they were crossed."""
    spans: dict[UUID, list[Target]] = {}
    for decision in decisions:
        if decision.kind is DecisionKind.SWAP_CHANNELS:
            for target in decision.targets:
                spans.setdefault(target.service_point_id, []).append(target)
    return [_with_swapped_ends(one, spans.get(one.installation.service_point_id, ())) for one in installed]


def _with_swapped_ends(one: InstalledMeter, spans: Sequence[Target]) -> InstalledMeter:
    i = one.installation
    in_reads, out_reads = i.in_reads, i.out_reads
    if any(t.period.start <= i.start <= t.period.end for t in spans):
        in_reads = _crossed(in_reads)
    if i.end is not None and any(t.period.start <= i.end <= t.period.end for t in spans):
        out_reads = _crossed(out_reads)
    return replace(one, installation=replace(i, in_reads=in_reads, out_reads=out_reads)) if spans else one


def _crossed(reads: Mapping[Channel, int]) -> dict[Channel, int]:
    return {SWAPPED.get(channel, channel): value for channel, value in reads.items()}


def _hung(decisions: Sequence[Decision], installed: Sequence[InstalledMeter], channel: Channel) -> Iterator[_Hung]:
    """Yield the targets of the channel with the meters that hung there then, oldest decision first."""
    by_point: dict[UUID, list[tuple[Decision, Target]]] = {}
    for decision in sorted(decisions, key=lambda d: (d.at, d.id.bytes)):
        for target in _of_channel(decision, channel):
            by_point.setdefault(target.service_point_id, []).append((decision, target))
    for one in installed:
        i = one.installation
        since, until = epoch_s(i.start), epoch_s(i.end) if i.end is not None else _FAR_S
        for decision, target in by_point.get(i.service_point_id, ()):
            lo, hi = max(since, target.period.start_s), min(until, target.period.end_s)
            if lo < hi:
                yield _Hung(decision, i.meter_id, lo, hi)


def _of_channel(decision: Decision, channel: Channel) -> list[Target]:
    """Return the targets that concern a channel.

    Crossed channels concern both, whichever of them the person named. A clock is the meter's: it concerns every
    channel; where spans of several are named for a place, each obeys its own.
    """
    own = [t for t in decision.targets if t.channel is channel]
    if decision.kind is DecisionKind.SWAP_CHANNELS:
        return [t for t in decision.targets if channel in {t.channel, SWAPPED[t.channel]}]
    if decision.kind is not DecisionKind.SHIFT_CLOCK:
        return own
    named = {t.service_point_id for t in own}
    others = {(t.service_point_id, t.period.start_s): t for t in decision.targets if t.service_point_id not in named}
    return own + list(others.values())


def _within(at_s: I64, one: _Hung) -> BOOLS:
    return np.asarray((at_s >= one.since_s) & (at_s < one.until_s))


def _runs(ids: UUIDS) -> dict[bytes, slice]:
    """Return where each meter's rows stand."""
    if not len(ids):
        return {}
    halves = np.ascontiguousarray(ids).view(np.uint64).reshape(-1, 2)
    heads = np.flatnonzero(np.append(True, (halves[1:] != halves[:-1]).any(axis=1)))
    ends = np.append(heads[1:], len(ids))
    return {bytes(ids[a]): slice(int(a), int(b)) for a, b in zip(heads, ends, strict=True)}


def _swapped(loaded: Loaded, other: Loaded, crossed: Sequence[_Hung], channel: Channel) -> Loaded:
    """Return the rows without those of the crossed spans, with the other channel's rows of these spans."""
    mine, theirs = _crossed_rows(loaded, crossed), _crossed_rows(other, crossed)
    a, b = loaded.readings, other.readings
    order = _order(a.meter_id, b.meter_id, a.start, b.start, ~mine[0], theirs[0])
    readings = Values(
        _joined(a.meter_id, b.meter_id, ~mine[0], theirs[0])[order],
        _joined(a.start, b.start, ~mine[0], theirs[0])[order],
        _joined(a.value, b.value, ~mine[0], theirs[0])[order],
        _joined(a.quality, b.quality, ~mine[0], theirs[0])[order],
    )
    r, s = loaded.registers, other.registers
    order = _order(r.meter_id, s.meter_id, r.at, s.at, ~mine[1], theirs[1])
    registers = RegisterBatch(
        _joined(r.meter_id, s.meter_id, ~mine[1], theirs[1])[order],
        np.full(len(order), channel, np.uint8),
        _joined(r.at, s.at, ~mine[1], theirs[1])[order],
        _joined(r.value, s.value, ~mine[1], theirs[1])[order],
        _joined(r.source, s.source, ~mine[1], theirs[1])[order],
        _joined(r.message_id, s.message_id, ~mine[1], theirs[1])[order],
    )
    return Loaded(readings, registers)


def _crossed_rows(loaded: Loaded, crossed: Sequence[_Hung]) -> tuple[BOOLS, BOOLS]:
    readings, reads = np.zeros(len(loaded.readings), bool), np.zeros(len(loaded.registers), bool)
    by_reading, by_read = _runs(loaded.readings.meter_id), _runs(loaded.registers.meter_id)
    for one in crossed:
        if (rows := by_reading.get(one.meter_id.bytes)) is not None:
            readings[rows] |= _within(loaded.readings.start[rows], one)
        if (rows := by_read.get(one.meter_id.bytes)) is not None:
            reads[rows] |= _within(loaded.registers.at[rows] - 1, one)
    return readings, reads


def _joined(a: np.ndarray, b: np.ndarray, from_a: BOOLS, from_b: BOOLS) -> np.ndarray:
    return np.concatenate([a[from_a], b[from_b]])


def _order(a_id: UUIDS, b_id: UUIDS, a_s: I64, b_s: I64, from_a: BOOLS, from_b: BOOLS) -> I64:
    """Return the order by (meter, instant), so that one meter's rows stand together again."""
    ids = np.ascontiguousarray(_joined(a_id, b_id, from_a, from_b)).view(np.uint64).reshape(-1, 2)
    return np.lexsort((_joined(a_s, b_s, from_a, from_b), ids[:, 1], ids[:, 0]))


def _rows(registers: RegisterBatch, rows: BOOLS) -> RegisterBatch:
    return RegisterBatch(
        registers.meter_id[rows],
        registers.channel[rows],
        registers.at[rows],
        registers.value[rows],
        registers.source[rows],
        registers.message_id[rows],
    )
