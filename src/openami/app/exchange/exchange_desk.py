"""Where messages of other systems meet the platform: opens the rooms, reads a message, has it taken, answers it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from openami.app.billing.billing_setting import bill_setting
from openami.app.billing.rate_files import home_rates
from openami.app.devices.registry_desk import RegistryWork
from openami.app.engines.rooms import room_database
from openami.app.people.desk import Act, Person, acting
from openami.app.settings import Settings
from openami.billing.adapters.book_postgres import PostgresBillBook
from openami.billing.api import Billing, RateOverlapError
from openami.kernel.time import EVER
from openami.mdm.adapters.exchange_postgres import PostgresExchangeBook
from openami.mdm.adapters.exchange_sent_postgres import PostgresSentBook
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.registry_validation import PostgresBook
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.api import MeterData
from openami.mdm.exchange.acknowledgement import Acknowledgement, Answer, flat_acknowledgement
from openami.mdm.exchange.cim import parse_cim, reply_text
from openami.mdm.exchange.errors import MessageRefusedError
from openami.mdm.exchange.flat import parse_flat
from openami.mdm.exchange.message import Message
from openami.mdm.exchange.ports import IdKind, KeptRecord, Span
from openami.mdm.exchange.record import MasterRecord, RejectedRecord
from openami.mdm.exchange.taking import MasterData
from openami.mdm.registry.desk import RegistryDesk, Store
from openami.mdm.registry.errors import RegistryError
from openami.mdm.registry.facts import FactEntry
from openami.security.access.policy import Kind
from openami.security.access.scope import Purpose, system_scope

SCOPE = system_scope(process="exchange", purpose=Purpose.IMPORT)


@dataclass(frozen=True, slots=True)
class BillingSide:
    """Implements :class:`~openami.mdm.exchange.ports.Biller` on billing's face."""

    work: RegistryWork

    async def count(self, spans: Sequence[Span]) -> int:
        """See the port."""
        bills = set()
        for point, first, last in spans:
            bills |= {b.bill_id for b in await self.work.billing.issued_at([point], first, last)}
        return len(bills)

    async def enter_rates(self, entries: Sequence[FactEntry], *, at: datetime) -> None:
        """See the port."""
        try:
            await self.work.put_on_rates(entries, at=at)
        except RateOverlapError as error:
            raise RegistryError(f"billing refuses the rate: {error}") from error


@dataclass(frozen=True, slots=True)
class Rooms:
    """The rooms that an exchange needs, open."""

    data: MeterData
    billing: Billing
    book: PostgresExchangeBook
    sent: PostgresSentBook
    settings: Settings

    @property
    def master_data(self) -> MasterData:
        """What takes messages of master data."""
        desk = RegistryDesk(self.data.registry, Store(self.data.store, self.data.store), SCOPE)
        return MasterData(desk, self.book, BillingSide(RegistryWork(self.data.registry, self.billing)), uuid4)


@asynccontextmanager
async def rooms_of(settings: Settings) -> AsyncIterator[Rooms]:
    """Hold the rooms open for the length of the block."""
    async with AsyncExitStack() as stack:
        mdm = await stack.enter_async_context(room_database(settings, "openami_mdm"))
        own = await stack.enter_async_context(room_database(settings, "openami_billing"))
        store = SocketStore(settings.home.store_socket)
        stack.push_async_callback(store.close)
        data = MeterData(registry=PostgresRegistry(mdm), store=store, book=PostgresBook(mdm))
        rates, setting = home_rates(settings.home), bill_setting(settings)
        billing = Billing(meters=data, book=PostgresBillBook(own), rates=rates, setting=setting)
        yield Rooms(data, billing, PostgresExchangeBook(mdm), PostgresSentBook(mdm), settings)


def parse_message(octets: bytes, *, zone: str) -> Message:
    """Read a message of master data of either form.

    Raises:
        MessageRefusedError: it cannot be taken as a whole.
    """
    return parse_cim(octets, zone=zone) if octets.lstrip()[:1] == b"<" else parse_flat(octets)


async def take(
    settings: Settings, octets: bytes, *, accept_billed: Person | None = None
) -> tuple[Message, Acknowledgement]:
    """Take a message and return it with what is answered.

    Args:
        settings: of the home.
        octets: the message.
        accept_billed: whose word it is that records which alter issued bills are carried out too; None holds them.

    Raises:
        MessageRefusedError: it cannot be taken as a whole.
        SignInRefusedError, AccessDeniedError, AuditUnavailableError: see :func:`openami.app.people.desk.acting`.
    """
    message = parse_message(octets, zone=settings.zone)
    async with AsyncExitStack() as stack:
        rooms = await stack.enter_async_context(rooms_of(settings))
        if accept_billed is not None:
            note = f"message {message.id} of {message.sender}, issued bills or not"
            places = await _places_of(rooms, message.sender, message.records)
            act = Act(Kind.MASTER_DATA, "exchange.take", note, service_points=places)
            await stack.enter_async_context(acting(settings, accept_billed, act))
        at = settings.clock().now()
        return message, await rooms.master_data.take(message, at=at, accept_billed=accept_billed is not None)


def answer_text(message: Message, found: Acknowledgement) -> str:
    """Return an acknowledgement in the form in which the message came."""
    if message.form == "cim":
        return reply_text(found, noun=message.extra["noun"], correlation=message.extra["correlation"])
    return flat_acknowledgement(found)


async def waiting(settings: Settings, sender: str | None, *, limit: int) -> list[KeptRecord]:
    """Return records that were rejected or held and not accepted since, newest first."""
    async with rooms_of(settings) as rooms:
        return await rooms.book.open(sender, limit=limit)


async def release(settings: Settings, person: Person, sender: str, record: str) -> Answer:
    """Carry out a held record by a person's word, in the log.

    It alters what issued bills rest on, so it is a change of master data: no installer's, and seen by who lives there.

    Raises:
        SignInRefusedError, AccessDeniedError, AuditUnavailableError: see :func:`openami.app.people.desk.acting`.
        MessageRefusedError: no held record of this number waits.
        RegistryError: the registry refuses it now.
    """
    async with rooms_of(settings) as rooms:
        kept, places = await _held(rooms, sender, record)
        act = Act(Kind.MASTER_DATA, "exchange.release", f"{sender} {record}", service_points=places)
        async with acting(settings, person, act) as principal:
            if kept is None or kept.record is None:
                raise MessageRefusedError(0, f"no record {record} of {sender} is held")
            at = settings.clock().now()
            message = Message(sender, kept.message, kept.at, "flat", (), b"")
            return await rooms.master_data.release(sender, message, kept.record, at=at, by=str(principal.user_id))


async def _held(rooms: Rooms, sender: str, record: str) -> tuple[KeptRecord | None, frozenset[UUID]]:
    """Return a held record, None where none waits, and the places whose bills it may alter."""
    found = [k for k in await rooms.book.open(sender, limit=100_000) if k.answer.id == record]
    if not found or found[0].record is None or found[0].answer.result != "held":
        return None, frozenset()
    return found[0], await _places_of(rooms, sender, [found[0].record])


async def _places_of(rooms: Rooms, sender: str, records: Sequence[MasterRecord | RejectedRecord]) -> frozenset[UUID]:
    """Return the places that are known of records: those that they name, and where the meters hang or hung."""
    read = [r for r in records if isinstance(r, MasterRecord)]
    names = {name for r in read if (name := r.text("service_point"))}
    places = set((await rooms.book.ids(sender, IdKind.SERVICE_POINT, names)).values()) if names else set()
    serials = {serial for r in read for f in ("meter", "old_meter") if (serial := r.text(f))}
    if serials:
        meters = {m.id for m in await rooms.data.registry.meters_of_serials(serials)}
        installed = await rooms.data.registry.installed(None, EVER, meters=meters) if meters else []
        places |= {i.installation.service_point_id for i in installed}
    return frozenset(places)
