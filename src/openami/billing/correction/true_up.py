"""True-up: which estimated bills lie between two actual reads now, and on which reads they are made again.

The bills since the last actual read are one run: each is made again on the reads that are apportioned between the two
actual ones, at its own rate, and what they come to more or less is one true-up. Nothing is written here, and no bill
that is out is altered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from openami.billing.bill.making import SCOPE
from openami.billing.bill.record import Bill
from openami.billing.bill.true_up import Weighed, is_unsure, settled_reads
from openami.billing.correction.ports import Settled
from openami.billing.correction.record import Cause, CauseKind
from openami.billing.jurisdiction import Apportion, Jurisdiction
from openami.contracts.channel import Channel
from openami.contracts.day import day_number
from openami.contracts.reading import uuids_of
from openami.kernel.time import Period, local_date, zone_named
from openami.mdm.api import EndOfRead, MeterData, ReadPiece

_Days = Mapping[tuple[UUID, int], int]
_Key = tuple[UUID, str]
_Part = tuple[Bill, ReadPiece]


class BillsInForce(Protocol):
    """What is asked of the book."""

    async def bills_of(self, service_points: Collection[UUID]) -> list[Bill]:
        """Return the bills in force of these places, by place and first day."""
        ...


@dataclass(frozen=True, slots=True)
class RunsOfEstimates:
    """Implements :class:`~openami.billing.correction.ports.Settling`.

    Args:
        meters: registers and validated days.
        book: bills in force.
        rules: of the jurisdiction: by what a difference is shared out.
    """

    meters: MeterData
    book: BillsInForce
    rules: Jurisdiction

    async def of(self, bills: Sequence[Bill]) -> dict[UUID, Settled]:
        """See the port."""
        places = {b.service_point_id for b in bills if has_unsure_end(b)}
        if not places:
            return {}
        chains = [b for b in await self.book.bills_of(places) if b.reads]
        found: dict[UUID, Settled] = {}
        for channel in (Channel.DELIVERED, Channel.RECEIVED):
            runs = runs_of(chains, channel)
            if runs:
                await self._settle(runs, channel, found)
        wanted = {b.bill_id for b in bills}
        return {i: s for i, s in found.items() if i in wanted}

    async def _settle(
        self, runs: Mapping[_Key, list[list[_Part]]], channel: Channel, found: dict[UUID, Settled]
    ) -> None:
        parts = [p for some in runs.values() for run in some for p in run]
        first = min(p.begin.at for _, p in parts)
        last = max(p.end.at for _, p in parts) + AHEAD
        points = {b.service_point_id for b, _ in parts}
        actual = await self.meters.actual_reads(SCOPE, points, Period(first, last), channel)
        days = await self._days([b for b, _ in parts], channel)
        for key, some in runs.items():
            for run in some:
                zone = zone_named(run[0][0].zone)
                apportion = self.rules.on(run[0][0].span.last).true_up.apportion
                weighed = _weighed(run, apportion, days)
                reads = settled_reads(weighed, actual.get(key, ()), zone)
                for bill, piece in run:
                    _note(found, bill, piece, reads, actual.get(key, ()))

    async def _days(self, bills: Sequence[Bill], channel: Channel) -> _Days:
        """Return what validated days hold now, of places with intervals, by place and day number [Wh]."""
        measured = [b for b in bills if any(b.day_versions)]
        if not measured:
            return {}
        points = sorted({b.service_point_id for b in measured})
        first, last = min(b.span.first for b in measured), max(b.span.last for b in measured)
        totals = await self.meters.daily_totals(SCOPE, points, channel, first, last)
        owners = uuids_of(totals.service_point_id)
        return {
            (p, n): t for p, n, t in zip(owners, totals.local_day.tolist(), totals.total.tolist(), strict=True)
        }  # fmt: skip


AHEAD = timedelta(days=400)
"""So long after the last estimated end an actual read still settles it."""


def has_unsure_end(bill: Bill) -> bool:
    """Tell whether a bill opens or closes on a read that nobody took."""
    return any(is_unsure(e) for p in bill.reads for e in (p.begin, p.end))


def runs_of(chains: Sequence[Bill], channel: Channel) -> dict[_Key, list[list[_Part]]]:
    """Return the pieces of each meter that hang together by estimated ends, by place and serial number.

    A bill that was made while the one before it was settled opens on the estimate of old: it hangs on that one still,
    and is settled on the read on which that one closes now.

    Args:
        chains: bills in force, by place and first day.
        channel: which register.
    """
    found: dict[_Key, list[list[_Part]]] = defaultdict(list)
    for bill in chains:
        for piece in bill.reads:
            if piece.channel is not channel:
                continue
            some = found[bill.service_point_id, piece.meter]
            last = some[-1][-1][1].end if some else None
            if last is not None and last.at == piece.begin.at and (is_unsure(last) or is_unsure(piece.begin)):
                some[-1].append((bill, piece))
            else:
                some.append([(bill, piece)])
    kept = {
        key: [run for run in some if any(is_unsure(e) for _, p in run for e in (p.begin, p.end))]
        for key, some in found.items()
    }
    return {key: some for key, some in kept.items() if some}


def true_up_cause(old: Bill, made: Bill, settled: Settled | None, causes: Mapping[Cause, int]) -> Cause | None:
    """Return the cause of a bill whose estimate is settled; None where a person or the registry is behind the change.

    Args:
        old: in force.
        made: again, from what is known now.
        settled: what settles its estimated ends.
        causes: why its days changed, as far as days did.
    """
    if any(c.kind is not CauseKind.READINGS for c in causes):
        return None
    if settled is not None:
        day = local_date(settled.by.at, zone_named(old.zone)).isoformat()
        return Cause(CauseKind.TRUE_UP, day, f"an actual register read of {day} after estimated ones")
    is_replaced = bool(old.estimated_wh) and (made.estimated_wh or 0) < (old.estimated_wh or 0)
    if is_replaced and causes and old.reading_state == made.reading_state:
        key = max(causes).key
        return Cause(CauseKind.TRUE_UP, f"intervals/{key}", f"measured intervals that came by {key} for estimated ones")
    return None


def _weighed(run: Sequence[_Part], apportion: Apportion, days: _Days) -> list[Weighed]:
    """Return what each piece of a run weighs, in counts of its register; nothing where every day counts alike."""
    if all(any(b.day_versions) for b, _ in run):
        return [Weighed(p, _held_wh(b, p, days) // p.multiplier, is_measured=True) for b, p in run]
    estimates = [p.usage_wh for _, p in run]
    if apportion is Apportion.DAYS or None in estimates:
        return [Weighed(p, 0) for _, p in run]
    return [Weighed(p, (wh or 0) // p.multiplier) for (_, p), wh in zip(run, estimates, strict=True)]


def _held_wh(bill: Bill, piece: ReadPiece, days: _Days) -> int:
    """Return what validated days hold between a piece's reads [Wh]."""
    zone = zone_named(bill.zone)
    first, end = local_date(piece.begin.at, zone), local_date(piece.end.at, zone)
    return sum(days.get((bill.service_point_id, n), 0) for n in range(day_number(first), day_number(end)))


def _note(
    found: dict[UUID, Settled],
    bill: Bill,
    piece: ReadPiece,
    reads: Mapping[datetime, EndOfRead],
    actual: Sequence[EndOfRead],
) -> None:
    """Add what settles the ends of one piece to what is known of its bill."""
    key = piece.meter, piece.channel
    begin = reads.get(piece.begin.at) if is_unsure(piece.begin) else None
    end = reads.get(piece.end.at) if is_unsure(piece.end) else None
    if begin is None and end is None:
        return
    settled_at = piece.end.at if end is not None else piece.begin.at
    by = next((a for a in actual if a.at >= settled_at), piece.end)
    known = found.get(bill.bill_id, Settled({}, {}, by))
    found[bill.bill_id] = Settled(
        {**known.opens_on, **({} if begin is None else {key: begin})},
        {**known.closes_on, **({} if end is None else {key: end})},
        max(known.by, by, key=lambda r: r.at),
    )
