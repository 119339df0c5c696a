"""The one step at which CT x PT x constant meets counts: installations cut where their multiplier changes.

Raw readings and register reads are kept as the meter counted. Within a segment there is one factor, and validation's
load, which alone lays counts out as energy, multiplies by it once. Source: research on utility practice; DESIGN.md 4.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from openami.contracts.channel import CHANNELS, Channel
from openami.kernel.time import epoch_s
from openami.mdm.registry.facts import Fact, FactKind, ReadingKind
from openami.mdm.registry.records import InstalledMeter


def segments(installed: Sequence[InstalledMeter], channel: Channel) -> list[InstalledMeter]:
    """Return the installations cut where their multiplier changes, as one channel sees them.

    Each piece has the factor of the channel as its multiplier, the channel's own register form as its meter's, and the
    reads taken at its ends. Pieces of one installation keep its id and lie together, by start.
    """
    return [piece for one in installed for piece in _pieces(one, channel)]


def _pieces(one: InstalledMeter, channel: Channel) -> list[InstalledMeter]:
    i, form = one.installation, one.meter.registers.get(channel)
    meter = one.meter if form is None else replace(one.meter, resolution_wh=form.resolution, capacity_wh=form.capacity)
    base = i.multiplier if CHANNELS[channel].is_energy else 1
    steps = [s for s in i.steps if i.end is None or s.start < i.end]
    if not steps and base == i.multiplier:
        return [one if form is None else InstalledMeter(i, meter)]
    before = [s for s in steps if s.start <= i.start]
    factor = before[-1].factors.of(channel) if before else base
    after = [s for s in steps if s.start > i.start]
    starts = [i.start, *(s.start for s in after)]
    factors = [factor, *(s.factors.of(channel) for s in after)]
    reads = [i.in_reads, *(s.reads for s in after)]
    ends, end_reads = [*starts[1:], i.end], [*reads[1:], i.out_reads]
    return [
        InstalledMeter(
            replace(i, start=start, end=end, multiplier=factor, in_reads=first, out_reads=last, steps=()), meter
        )
        for start, end, factor, first, last in zip(starts, ends, factors, reads, end_reads, strict=True)
    ]


def by_network(installed: Sequence[InstalledMeter], facts: Sequence[Fact]) -> list[InstalledMeter]:
    """Return the installations without the time in which the network did not read the place.

    Args:
        installed: installations.
        facts: how places are read; other facts are ignored.
    """
    apart: dict[UUID, list[Fact]] = {}
    for fact in facts:
        if fact.kind is FactKind.READING and fact.value != ReadingKind.INTERVAL.name.lower():
            apart.setdefault(fact.service_point_id, []).append(fact)
    if not apart:
        return list(installed)
    found = []
    for one in installed:
        pieces = [one]
        for fact in apart.get(one.installation.service_point_id, ()):
            pieces = [kept for piece in pieces for kept in _without(piece, fact)]
        found += pieces
    return found


def _without(one: InstalledMeter, fact: Fact) -> list[InstalledMeter]:
    i, kept = one.installation, []
    if (fact.end is not None and fact.end <= i.start) or (i.end is not None and i.end <= fact.start):
        return [one]
    if i.start < fact.start:
        kept.append(replace(one, installation=replace(i, end=fact.start, out_reads={})))
    if fact.end is not None and (i.end is None or fact.end < i.end):
        kept.append(replace(one, installation=replace(i, start=fact.end, in_reads={})))
    return kept


class Factors:
    """The multiplier of one channel of each meter at each instant, for screens that show single counts.

    Args:
        installed: installations of the meters.
        channel: whose factor.
    """

    def __init__(self, installed: Sequence[InstalledMeter], channel: Channel) -> None:
        self._steps: dict[UUID, list[tuple[int, int]]] = {}
        for piece in segments(installed, channel):
            i = piece.installation
            self._steps.setdefault(i.meter_id, []).append((epoch_s(i.start), i.multiplier))
        for steps in self._steps.values():
            steps.sort()

    def at(self, meter_id: UUID, at_s: int) -> int:
        """Return the factor from that instant on, or that of the meter's first day for one before it."""
        steps = self._steps[meter_id]
        return next((factor for start, factor in reversed(steps) if start <= at_s), steps[0][1])
