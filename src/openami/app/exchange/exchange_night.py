"""Reconciliation with another system: our snapshot from the registry, theirs from a file, every difference counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from openami.app.exchange.exchange_desk import Rooms, rooms_of
from openami.app.settings import Settings
from openami.contracts.channel import Channel
from openami.kernel.time import Period
from openami.mdm.adapters.exchange_sent_postgres import PostgresSentBook
from openami.mdm.exchange.ports import IdKind
from openami.mdm.exchange.reconcile import Reconciliation, flat_reconciliation, reconciled
from openami.mdm.exchange.sent import SentCounts
from openami.mdm.exchange.snapshot import COLUMNS, Snapshot, parse_snapshot
from openami.mdm.registry.facts import Fact, FactKind
from openami.mdm.registry.records import ServicePointStatus
from openami.mdm.registry.segments import segments
from openami.mdm.registry.timeline import value_at

_MOMENT = timedelta(seconds=1)
_FACTS = {"rate": FactKind.RATE, "state": FactKind.SERVICE, "reading": FactKind.READING}


@dataclass(frozen=True, slots=True)
class Night:
    """What one reconciliation found.

    Args:
        partner, snapshot: whose, and its number.
        at: the instant that was compared.
        found: the differences.
        waiting: records of theirs that were rejected or held and not mended.
        reads: bills sent in the last 45 days, by what was answered.
        text: the differences as a file.
    """

    partner: str
    snapshot: str
    at: datetime
    found: Reconciliation
    waiting: int
    reads: SentCounts
    text: str

    @property
    def row(self) -> dict[str, object]:
        """What ``--json`` prints and the history keeps."""
        reads = {n: getattr(self.reads, n) for n in ("sent", "taken", "rejected", "unanswered")}
        return {
            "partner": self.partner, "snapshot": self.snapshot, "at": self.at.isoformat(), "ours": self.found.ours,
            "theirs": self.found.theirs, "equal": self.found.equal, "differences": len(self.found.differences),
            "counts": dict(self.found.counts), "records_waiting": self.waiting,
            "reads": reads,
        }  # fmt: skip

    @property
    def is_clean(self) -> bool:
        """Whether nothing differs and nothing waits."""
        return not (self.found.differences or self.waiting or self.reads.rejected or self.reads.unanswered)


async def reconcile(settings: Settings, octets: bytes) -> Night:
    """Compare another system's snapshot with the registry, keep what was found, and return it.

    Raises:
        MessageRefusedError: the snapshot is not whole.
    """
    theirs = parse_snapshot(octets)
    now = settings.clock().now()
    async with rooms_of(settings) as rooms:
        ours = await our_snapshot(rooms, theirs.sender, theirs.at)
        found = reconciled(ours, theirs)
        waiting = len(await rooms.book.open(theirs.sender, limit=100_000))
        today = now.date()
        reads = await rooms.sent.counts(theirs.sender, today - timedelta(days=45), today + timedelta(days=1))
        text = flat_reconciliation(found, snapshot=theirs.id, at=now.isoformat())
        night = Night(theirs.sender, theirs.id, theirs.at, found, waiting, reads, text)
        await rooms.sent.keep_reconciliation(uuid4(), night.row, found.differences, at=now)
    return night


async def our_snapshot(rooms: Rooms, partner: str, at: datetime) -> Snapshot:
    """Return what the registry believes now of an instant, with the partner's names, or our own where it has none."""
    registry = rooms.data.registry
    names = {kind: await rooms.book.names(partner, kind) for kind in IdKind}
    points = [p for p in await registry.service_points(at=at) if p.status is not ServicePointStatus.RETIRED]
    facts: dict[UUID, list[Fact]] = defaultdict(list)
    for fact in await registry.facts.of(None, Period(at, at + _MOMENT)):
        facts[fact.service_point_id].append(fact)
    premises, meters = await rooms.book.premises(), await _meters(rooms, at)
    places = {}
    for point in points:
        name = names[IdKind.SERVICE_POINT].get(point.id, str(point.id))
        meter, multiplier = meters.get(point.id, ("", ""))
        places[name] = {
            "premise": _name(names[IdKind.PREMISE], premises.get(point.id)), "meter": meter, "multiplier": multiplier,
            "account": _name(names[IdKind.ACCOUNT], _account(facts[point.id], at)),
            "bill_group": str(point.bill_group),
            **{f: _at(facts[point.id], kind, at) for f, kind in _FACTS.items()},
        }  # fmt: skip
    return Snapshot("openami", f"snapshot-{at:%Y%m%dT%H%M%S}", at, COLUMNS, places)


async def _meters(rooms: Rooms, at: datetime) -> dict[UUID, tuple[str, str]]:
    """Return serial number and energy multiplier of the meter at each place, virtual ones left out."""
    installed = await rooms.data.registry.installed(None, Period(at, at + _MOMENT))
    found = {}
    for one in segments([i for i in installed if not i.meter.is_virtual], Channel.DELIVERED):
        i = one.installation
        if i.start <= at and (i.end is None or at < i.end):
            found[i.service_point_id] = (one.meter.serial, str(i.multiplier))
    return found


def _at(facts: list[Fact], kind: FactKind, at: datetime) -> str:
    return value_at([f for f in facts if f.kind is kind], at) or ""


def _account(facts: list[Fact], at: datetime) -> UUID | None:
    value = _at(facts, FactKind.ACCOUNT, at)
    return UUID(value) if value else None


def _name(names: Mapping[UUID, str], mine: UUID | None) -> str:
    return "" if mine is None else names.get(mine, str(mine))


async def history(settings: Settings, partner: str | None, *, limit: int) -> list[dict[str, object]]:
    """Return what the last reconciliations found, newest first."""
    async with rooms_of(settings) as rooms:
        book: PostgresSentBook = rooms.sent
        return await book.reconciliations(partner, limit=limit)
