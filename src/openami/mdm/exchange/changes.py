"""A record as a change of the registry: ids resolved, reads that could not be taken estimated by the desk.

Each kind has one function. What it refuses is a reason for the sender; it never changes anything itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid5

from openami.contracts.channel import Channel
from openami.mdm.exchange.record import MasterRecord, RecordKind
from openami.mdm.registry.change import (
    Change,
    ChangeMultiplier,
    EndRead,
    EnterFacts,
    Exchange,
    Hang,
    channels_to_read,
)
from openami.mdm.registry.desk import RegistryDesk, TakenReads, Unreadable
from openami.mdm.registry.errors import UnknownRecordError
from openami.mdm.registry.facts import Fact, FactEntry, FactKind
from openami.mdm.registry.multiplier import Multiplier
from openami.mdm.registry.records import Meter

INSTALLATIONS = UUID("4a9c2c52-1d0a-4a5b-9a2b-6f1f9a7c3e21")
_READS = {Channel.DELIVERED: "delivered", Channel.RECEIVED: "received"}
_PLACE_FACTS = {
    "bill_group": FactKind.BILL_GROUP, "transformer": FactKind.TRANSFORMER, "feeder": FactKind.FEEDER,
    "cell": FactKind.CELL, "phase": FactKind.PHASE, "calendar": FactKind.CALENDAR, "reading": FactKind.READING,
    "interconnection_w": FactKind.INTERCONNECTION, "municipality": FactKind.MUNICIPALITY,
    "customer_class": FactKind.CUSTOMER_CLASS,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Known:
    """What the records of a message name, by the sender's names.

    Args:
        points: our service points.
        accounts: our accounts; an account is an id and nothing more.
        meters: by serial number.
        new_premises: names that nobody had used before this message.
    """

    points: Mapping[str, UUID]
    accounts: Mapping[str, UUID]
    meters: dict[str, Meter]
    new_premises: frozenset[str] = frozenset()

    def point(self, record: MasterRecord) -> UUID:
        """Return the service point of a record, or refuse."""
        name = record.text("service_point")
        if name not in self.points:
            raise UnknownRecordError(f"service point {name} is not known: send its service_point record first")
        return self.points[name]

    def meter(self, serial: str) -> Meter:
        """Return a meter, or refuse."""
        if serial not in self.meters:
            raise UnknownRecordError(f"meter {serial} is not known: send its meter record first")
        return self.meters[serial]


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes the change of a record.

    Args:
        desk: estimates what could not be read.
        known: what the message names.
        sender: whose records: with a record's number it names the installation that the record makes.
        new_id: where ids of new meters come from.

    One maker serves one record: it remembers what it asked.
    """

    desk: RegistryDesk
    known: Known
    sender: str
    new_id: Callable[[], UUID]
    _facts: dict[UUID, list[Fact]] = field(default_factory=dict, repr=False)

    async def facts_of(self, point: UUID) -> list[Fact]:
        """Return what is believed of a place, asked once."""
        if point not in self._facts:
            self._facts[point] = await self.desk.registry.facts.of([point])
        return self._facts[point]

    async def change(self, record: MasterRecord) -> Change:
        """Return the change of a record.

        Raises:
            RegistryError: what it names is not known, or a read is missing.
        """
        makers: dict[RecordKind, Callable[[MasterRecord], Awaitable[Change]]] = {
            RecordKind.SERVICE_POINT: self._place,
            RecordKind.INSTALL: self._install,
            RecordKind.REMOVE: self._remove,
            RecordKind.EXCHANGE: self._exchange,
            RecordKind.MULTIPLIER: self._multiplier,
            RecordKind.START: self._start,
            RecordKind.STOP: self._stop,
            RecordKind.STATE: self._fact(FactKind.SERVICE, "state"),
            RecordKind.RATE: self._fact(FactKind.RATE, "rate"),
            RecordKind.BILL_GROUP: self._fact(FactKind.BILL_GROUP, "bill_group"),
            RecordKind.MUNICIPALITY: self._fact(FactKind.MUNICIPALITY, "municipality"),
            RecordKind.CUSTOMER_CLASS: self._fact(FactKind.CUSTOMER_CLASS, "customer_class"),
        }
        return await makers[record.kind](record)

    def installation_id(self, record: MasterRecord) -> UUID:
        """Return the id of the installation that a record makes: the same record again makes the same one."""
        return uuid5(INSTALLATIONS, f"{self.sender}/{record.id}")

    async def _place(self, record: MasterRecord) -> Change:
        point, at = self.known.point(record), record.instant("at")
        given = [(kind, record.text(name)) for name, kind in _PLACE_FACTS.items() if record.text(name)]
        return EnterFacts(tuple([await self._entry(point, kind, value, at) for kind, value in given]))

    def _fact(self, kind: FactKind, name: str) -> Callable[[MasterRecord], Awaitable[Change]]:
        async def make(record: MasterRecord) -> Change:
            point = self.known.point(record)
            return EnterFacts((await self._entry(point, kind, record.text(name), record.instant("at")),))

        return make

    async def _entry(self, point: UUID, kind: FactKind, value: str, at: datetime) -> FactEntry:
        """Return a fact that holds until the next one of its kind that is entered already."""
        later = [f.start for f in await self.facts_of(point) if f.kind is kind and f.start > at]
        return FactEntry(point, kind, value, at, min(later, default=None))

    async def _start(self, record: MasterRecord) -> Change:
        account, rate = self.known.accounts[record.text("account")], record.text("rate") or None
        entries = await self.desk.start(self.known.point(record), account=account, rate=rate, at=record.instant("at"))
        return EnterFacts(tuple(entries))

    async def _stop(self, record: MasterRecord) -> Change:
        return EnterFacts(tuple(await self.desk.stop(self.known.point(record), at=record.instant("at"))))

    async def _install(self, record: MasterRecord) -> Change:
        return await self._hang(record, record.instant("at"))

    async def _hang(self, record: MasterRecord, at: datetime) -> Hang:
        meter = self.known.meter(record.text("meter"))
        # Nothing is known of a meter before it hung: its first read is read, or is the sender's own estimate.
        because = record.text("in_estimated")
        taken = _taken(record, "in", meter)
        reads = {c: EndRead(r, because) for c, r in taken.items() if isinstance(r, int)}
        return Hang(self.installation_id(record), self.known.point(record), meter.id, at, reads, _factors(record))

    async def _remove(self, record: MasterRecord) -> Change:
        meter = self.known.meter(record.text("meter"))
        return await self.desk.take_down(meter.serial, record.instant("at"), _taken(record, "out", meter))

    async def _exchange(self, record: MasterRecord) -> Change:
        old = self.known.meter(record.text("old_meter"))
        between = {c: record.whole(f"between_{n}_wh", -1) for c, n in _READS.items()}
        new = await self._hang(record, record.instant("at"))
        found: Exchange = await self.desk.exchange(
            old.serial, new, removed_at=record.instant("removed_at"), out=_taken(record, "out", old),
            between_wh={c: v for c, v in between.items() if v >= 0},
        )  # fmt: skip
        return found

    async def _multiplier(self, record: MasterRecord) -> Change:
        meter = self.known.meter(record.text("meter"))
        reads = {c: record.whole(f"in_{n}_wh") for c, n in _READS.items() if f"in_{n}_wh" in record.values}
        return ChangeMultiplier(meter.id, record.instant("at"), _factors(record), reads)


def _factors(record: MasterRecord) -> Multiplier:
    return Multiplier(record.whole("ct", 1), record.whole("pt", 1), record.whole("constant", 1))


def _taken(record: MasterRecord, side: str, meter: Meter) -> TakenReads:
    """Return the reads of a record at one end; a channel without one is unreadable where the record says why."""
    because = record.text(f"{side}_estimated")
    taken: dict[Channel, int | Unreadable] = {}
    for channel in channels_to_read(meter):
        field = f"{side}_{_READS.get(channel, '')}_wh"
        if field in record.values:
            taken[channel] = record.whole(field)
        elif because:
            taken[channel] = Unreadable(because)
    return taken
