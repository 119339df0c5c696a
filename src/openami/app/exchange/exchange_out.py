"""Messages of billing reads: made, kept before they are handed out, handed out again, and what is answered to them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from openami.app.exchange.exchange_desk import Rooms, rooms_of
from openami.app.exchange.exchange_reads import Wanted, billing_reads, message_number, of_cycle
from openami.app.people.desk import Act, Actor, acting
from openami.app.settings import Settings
from openami.kernel.time import zone_named
from openami.mdm.exchange.acknowledgement import Acknowledgement, Answer, Result
from openami.mdm.exchange.billing_reads import BillingRead, ReadState, flat_reads
from openami.mdm.exchange.cim import asked_text, parse_asking
from openami.mdm.exchange.errors import MessageRefusedError
from openami.mdm.exchange.ports import IdKind
from openami.mdm.exchange.record import RejectedRecord
from openami.mdm.exchange.requests import ReadRequest, parse_answers, parse_request
from openami.mdm.exchange.sent import SentRecord
from openami.mdm.exporting.cim_reads import cim_reads
from openami.security.access.policy import Action, Kind

FORMS = ("flat", "cim")


@dataclass(frozen=True, slots=True)
class OutFile:
    """A message of ours.

    Args:
        receiver, message: whose and which.
        text: the file.
        states: how many bills are actual, with estimated intervals, estimated, held.
        rejected: requests that could not be answered.
    """

    receiver: str
    message: str
    text: str
    states: dict[str, int]
    rejected: tuple[Answer, ...] = ()


@asynccontextmanager
async def handing_out(
    settings: Settings, person: Actor | None, query: str, note: str, places: Collection[UUID]
) -> AsyncIterator[None]:
    """Hold a person for the length of an export that is decided and in the log of every place; None is the schedule's.

    Raises:
        SignInRefusedError, AccessDeniedError, AuditUnavailableError: see :func:`openami.app.people.desk.acting`.
    """
    if person is None:
        yield
        return
    act = Act(Kind.BILL, query, note, action=Action.EXPORT, service_points=frozenset(places))
    async with acting(settings, person, act):
        yield


async def by_cycle(
    settings: Settings, person: Actor | None, receiver: str, bill_group: int, first: date, end: date, *,
    form: str = "flat",
) -> OutFile:  # fmt: skip
    """Make the billing reads of a bill group's cycle. Raises as :func:`handing_out`."""
    async with rooms_of(settings) as rooms:
        wanted = await of_cycle(rooms, receiver, bill_group, first, end)
        note = f"bill group {bill_group}, {first} to {end}, for {receiver}"
        places = {w.service_point_id for w in wanted}
        async with handing_out(settings, person, "exchange.reads", note, places):
            reads = await billing_reads(rooms, wanted)
            return await keep(rooms, receiver, f"cycle-{bill_group}", reads, form=form)


async def by_request(settings: Settings, person: Actor | None, octets: bytes, *, form: str = "flat") -> OutFile:
    """Answer a request for billing reads.

    Raises:
        MessageRefusedError: the request as a whole cannot be taken.
        As :func:`handing_out`.
    """
    is_cim = octets.lstrip()[:1] == b"<"
    request = parse_asking(octets, zone=zone_named(settings.zone)) if is_cim else parse_request(octets)
    async with rooms_of(settings) as rooms:
        names = {r.service_point for r in request.records if isinstance(r, ReadRequest)}
        points = await places(rooms, request.sender, names)
        wanted, rejected = [], []
        for record in request.records:
            if isinstance(record, RejectedRecord):
                rejected.append(Answer.rejecting(record))
            elif record.service_point not in points:
                reason = f"service point {record.service_point} is not known"
                rejected.append(Answer("bill", record.id, record.line, Result.REJECTED, "unknown", reason))
            else:
                place = points[record.service_point]
                wanted.append(Wanted(place, record.service_point, record.first, record.end))
        reply = Reply(request.id, tuple(rejected)) if is_cim else None
        note, places_of = f"request {request.id} of {request.sender}", {w.service_point_id for w in wanted}
        async with handing_out(settings, person, "exchange.answer", note, places_of):
            reads = await billing_reads(rooms, list(dict.fromkeys(wanted)))
            found = await keep(rooms, request.sender, "answer", reads, form="cim" if is_cim else form, reply=reply)
        return OutFile(found.receiver, found.message, found.text, found.states, tuple(rejected))


async def places(rooms: Rooms, sender: str, names: set[str]) -> dict[str, UUID]:
    """Return service points by what the sender calls them, or by our own id."""
    found = await rooms.book.ids(sender, IdKind.SERVICE_POINT, names)
    own = {}
    for name in names - found.keys():
        try:
            own[UUID(name)] = name
        except ValueError:
            continue
    there = await rooms.data.registry.service_points(set(own))
    return found | {own[p.id]: p.id for p in there}


@dataclass(frozen=True, slots=True)
class Reply:
    """To which message of theirs ours is the reply, and what of it could not be answered."""

    message: str
    rejected: tuple[Answer, ...]


async def keep(
    rooms: Rooms, receiver: str, kind: str, reads: list[BillingRead], *, form: str, reply: Reply | None = None
) -> OutFile:
    """Write a message and keep it, so that it can be sent again as it is."""
    at = rooms.settings.clock().now()
    message = message_number(kind, at)
    if reply is not None:
        text = asked_text(reads, reply.rejected, sender=receiver, message=reply.message, at=at)
    else:
        text = cim_reads(reads) if form == "cim" else flat_reads(reads, message=message, at=at)
    await rooms.sent.note(receiver, message, reads, text, form=form, at=at)
    states = {s.value: sum(r.state is s for r in reads) for s in ReadState}
    return OutFile(receiver, message, text, states)


async def resend(settings: Settings, person: Actor | None, receiver: str, message: str) -> str:
    """Return a message as it was sent.

    Raises:
        MessageRefusedError: none of that number was sent.
        As :func:`handing_out`.
    """
    async with rooms_of(settings) as rooms:
        text = (await rooms.sent.file(receiver, message))[1]
        places = await rooms.sent.places(receiver, message)
        async with handing_out(settings, person, "exchange.resend", f"{message} of {receiver}", places):
            return text


async def acknowledged(settings: Settings, octets: bytes) -> tuple[Acknowledgement, list[str]]:
    """Keep what another system answered; returns it, and records that our message did not hold.

    Raises:
        MessageRefusedError: the answer cannot be read, or no such message was sent.
    """
    told = parse_answers(octets)
    async with rooms_of(settings) as rooms:
        at = settings.clock().now()
        strange = await rooms.sent.answered(told.sender, told.message, told.answers, at=at)
    return Acknowledgement(told.sender, told.message, at, told.answers), strange


async def unanswered(settings: Settings, receiver: str, *, limit: int) -> list[SentRecord]:
    """Return bills that were rejected or not answered, oldest first."""
    async with rooms_of(settings) as rooms:
        return await rooms.sent.open(receiver, limit=limit)


def check_form(form: str) -> str:
    """Return a form of messages, or refuse.

    Raises:
        MessageRefusedError: there is none of that name.
    """
    if form not in FORMS:
        raise MessageRefusedError(0, f"form {form[:20]!r}: one of {', '.join(FORMS)}")
    return form
