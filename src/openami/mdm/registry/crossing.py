"""Two crossed meters change places for a time: the pieces of their installations. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid5

from openami.contracts.channel import Channel
from openami.mdm.registry.change import EndReads, SwapPlaces, channels_to_read
from openami.mdm.registry.errors import MissingReadError, RegistryError
from openami.mdm.registry.records import Installation, InstalledMeter


@dataclass(frozen=True, slots=True)
class Crossing:
    """What a swap makes.

    Args:
        since, until: the period for which places change; None for good.
        pieces: installations in place of the two; the first of each meter keeps its id.
    """

    since: datetime
    until: datetime | None
    pieces: tuple[Installation, ...]


def crossing_period(first: Installation, second: Installation, change: SwapPlaces) -> tuple[datetime, datetime | None]:
    """Return from when to when two installations change places.

    Raises:
        RegistryError: they do not hang side by side then, or where it should end is not plain.
    """
    since = change.since or max(first.start, second.start)
    ends = {first.end, second.end}
    until = change.until
    if until is None and len(ends) > 1:
        gone = min(e for e in ends if e is not None)
        raise RegistryError(
            f"crossed meters: one of them was taken down at {gone.isoformat()}, the other later or not yet; say until "
            "when they were crossed"
        )
    until = until or first.end
    for one in (first, second):
        starts_late = one.start > since
        ends_early = one.end is not None and (until is None or one.end < until)
        if starts_late or ends_early:
            raise RegistryError(
                f"crossed meters: meter {one.meter_id} does not hang at its place from {since.isoformat()} to "
                f"{'now on' if until is None else until.isoformat()} without a break"
            )
    if until is not None and until <= since:
        raise RegistryError("crossed meters: the crossing would end at or before its start")
    return since, until


def crossed(first: InstalledMeter, second: InstalledMeter, change: SwapPlaces) -> Crossing:
    """Return the installations after two meters changed places.

    Raises:
        RegistryError: they do not hang side by side, hang at one place, or have multipliers that a swap would mix up.
        MissingReadError: an installation is cut where no read of a register is given.
    """
    a, b = first.installation, second.installation
    if a.service_point_id == b.service_point_id:
        raise RegistryError("crossed meters: both hang at the same service point")
    if a.multiplier != b.multiplier or a.steps or b.steps:
        raise RegistryError(
            "crossed meters: their multipliers differ or change; correct the multipliers first, then the places"
        )
    since, until = crossing_period(a, b, change)
    pieces = [
        *_pieces(first, b.service_point_id, since, until, change),
        *_pieces(second, a.service_point_id, since, until, change),
    ]
    return Crossing(since, until, tuple(pieces))


def cuts(first: Installation, second: Installation, change: SwapPlaces) -> list[tuple[UUID, datetime]]:
    """Return the (meter, instant) at which a swap needs register reads."""
    since, until = crossing_period(first, second, change)
    return [
        (one.meter_id, instant)
        for one in (first, second)
        for instant in (since, until)
        if instant is not None and one.start < instant and instant != one.end
    ]


def _pieces(
    one: InstalledMeter, elsewhere: UUID, since: datetime, until: datetime | None, change: SwapPlaces
) -> list[Installation]:
    i = one.installation
    edges = [i.start, *(e for e in (since, until) if e is not None and e > i.start and e != i.end), i.end]
    made: list[Installation] = []
    for number, start in enumerate(edges[:-1]):
        assert start is not None, "only the last edge may be open"
        end = edges[number + 1]
        is_swapped = start >= since and (until is None or start < until)
        opening = None if number == 0 else _reads(one, start, change)
        closing = None if end == i.end else _reads(one, end, change)
        made.append(
            replace(
                i,
                id=i.id if number == 0 else uuid5(i.id, f"crossed from {start.isoformat()}"),
                service_point_id=elsewhere if is_swapped else i.service_point_id,
                start=start,
                end=end,
                in_reads=i.in_reads if opening is None else {c: r.value for c, r in opening.items()},
                out_reads=i.out_reads if closing is None else {c: r.value for c, r in closing.items()},
                estimated_in=i.estimated_in if opening is None else _estimated(opening),
                estimated_out=i.estimated_out if closing is None else _estimated(closing),
            )
        )
    return made


def _reads(one: InstalledMeter, instant: datetime | None, change: SwapPlaces) -> EndReads:
    assert instant is not None, "an open end is never a cut"
    reads = change.reads.get((one.meter.id, instant), {})
    missing = [c.name.lower() for c in channels_to_read(one.meter) if c not in reads]
    if missing:
        raise MissingReadError(
            f"meter {one.meter.serial}: no register read of {', '.join(missing)} at {instant.isoformat()}, where its "
            "installation is cut"
        )
    return reads


def _estimated(reads: EndReads) -> frozenset[Channel]:
    return frozenset(c for c, r in reads.items() if r.estimated_because)
