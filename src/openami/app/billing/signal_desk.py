"""Where people state what happened to the signals that rates follow, and see what was stated.

A statement prices bills. So it is looked at before it counts, and what prices the bills of many customers needs two
people: an order carries the file, and whoever approves it approves exactly these octets.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from uuid import UUID, uuid4, uuid5

from openami.app.billing.bill_room import bill_room
from openami.app.engines.rooms import room_database
from openami.app.orders.order_desk import approve_or_resume, make_order, withdraw_order
from openami.app.people.desk import Act, Actor, acting
from openami.app.settings import Settings, real_now
from openami.billing.api import Billing
from openami.billing.correction.effect import CorrectionLimits
from openami.billing.rating.usage import BillSpan
from openami.billing.signal.document import parse_statements
from openami.billing.signal.heard import followed_by
from openami.billing.signal.statement import Statement
from openami.kernel.errors import OpenAmiError
from openami.kernel.time import Period
from openami.security.access.order import (
    MAX_TEXT_OCTETS,
    Order,
    OrderKind,
    OrderSubject,
    digest_of_items,
    good_approvals,
)
from openami.security.access.policy import Action, Kind
from openami.security.access.scope import Purpose
from openami.security.adapters.order_postgres import PostgresOrders

MOST_SHOWN = 200
WINDOW = timedelta(days=14)
MARK_LETTERS = 12
DAY = timedelta(days=1)


class SignalRefusedError(OpenAmiError):
    """A statement is refused; the text says why."""


@dataclass(frozen=True, slots=True)
class Stating:
    """What a file would state, and whom that concerns.

    Args:
        rows: statements.
        over: kept statements of the same signals and times, whose place they would take.
        places: service points on a rate that follows one of the signals, in the time that is stated.
        second: why a second person must approve; None where one is enough.
        digest: of the file.
    """

    rows: tuple[Statement, ...]
    over: tuple[Statement, ...]
    places: int
    second: str | None
    digest: bytes

    @property
    def mark(self) -> str:
        """A short mark of all that was answered; accepting asks for the same."""
        told = [self.digest.hex(), str(self.places), *sorted(str(o.statement_id) for o in self.over)]
        return sha256("\n".join(told).encode()).hexdigest()[:MARK_LETTERS]


@dataclass(frozen=True, slots=True)
class Stated:
    """What became of a file: its statements count, or they wait by an order."""

    stating: Stating
    order: Order | None = None


class SignalDesk:
    """Statements of one installation.

    Args:
        settings: of the home.
        limits: how many customers' bills one person may decide about alone.
    """

    def __init__(self, settings: Settings, limits: CorrectionLimits | None = None) -> None:
        self._settings = settings
        self._limits = limits or CorrectionLimits()

    async def look(self, octets: bytes, name: str) -> Stating:
        """Return what a file would state; nothing is kept.

        Args:
            octets: the file.
            name: of the file.

        Raises:
            TariffError: the file cannot be read; the place is named.
            SignalRefusedError: no rate follows such a signal: a mistyped name would never be heard.
        """
        async with bill_room(self._settings) as billing:
            return await self._looked_at(billing, octets, name)

    async def load(self, person: Actor, octets: bytes, name: str, *, mark: str) -> Stated:
        """Keep the statements of a file that was looked at, or let them wait for a second person.

        Args:
            person: who says so.
            octets: the file.
            name: of the file, for the log.
            mark: of what :meth:`look` answered.

        Raises:
            SignInRefusedError, AccessDeniedError, AuditUnavailableError: see :func:`openami.app.people.desk.acting`.
            OrderRefusedError, OrdersUnavailableError: the order was not kept.
            As :meth:`look`; SignalRefusedError: what it would do is not what was looked at.
        """
        async with bill_room(self._settings) as billing:
            found = await self._looked_at(billing, octets, name)
            if mark != found.mark:
                raise SignalRefusedError(f"{name}: {mark} is not the mark of what this states now: look again")
            act = Act(Kind.BILLING, "rates.signals", f"{len(found.rows)} statements of {name[:60]}, mark {mark}")
            if found.second is None:
                async with acting(self._settings, person, act) as who:
                    await billing.book.signals.enter(self._read(octets, by=who.user_id, of=uuid4()))
                return Stated(found)
            now, items = real_now().replace(microsecond=0), [found.digest]
            action = f"state {len(found.rows)} signals, for {found.places} places"
            subject = OrderSubject(
                uuid4(), OrderKind.SIGNALS, action, _ascii(found.rows[0].source), digest_of_items(items),
                Period(now, now + WINDOW),
            )  # fmt: skip
            return Stated(found, await make_order(self._settings, person, act, subject, items, document=octets))

    async def approve(self, person: Actor, order_id: UUID) -> list[Statement]:
        """Approve what another person stated, and let it count; returns the statements.

        Raises:
            As :meth:`load`; nothing waits, this person approved it before, or a rate no longer follows the signal.
        """
        order = await self._order(order_id)
        async with bill_room(self._settings) as billing:
            await self._looked_at(billing, order.document, f"order {order_id}")
            order = await approve_or_resume(self._settings, person, Kind.BILLING, "rates.signals.approve", order)
            if not good_approvals(order, now=real_now()):
                raise SignalRefusedError("it was withdrawn, or the approvals came too far apart: state it anew")
            rows = self._read(order.document, by=order.requester, of=order_id)
            await billing.book.signals.enter(rows)
            return rows

    async def withdraw(self, person: Actor, order_id: UUID) -> None:
        """Take back what waits.

        Raises:
            As :meth:`load`; it counts already.
        """
        if good_approvals(await self._order(order_id), now=real_now()):
            raise SignalRefusedError("two people stated it, so it counts: state what is right over it")
        await withdraw_order(self._settings, person, Kind.BILLING, "rates.signals.withdraw", order_id)

    async def orders(self, person: Actor) -> list[Order]:
        """Return orders of statements, the newest first. Raises as :meth:`load` does of the person."""
        act = Act(Kind.BILLING, "rates.signals.orders", "", Action.READ, Purpose.OPERATIONS)
        async with acting(self._settings, person, act), room_database(self._settings, "openami_access") as engine:
            return list(await PostgresOrders(engine).newest(OrderKind.SIGNALS))

    async def newest(self, person: Actor) -> list[Statement]:
        """Return what was stated last, the newest first. Raises as :meth:`load` does of the person."""
        async with bill_room(self._settings) as billing:
            act = Act(Kind.BILLING, "rates.signals.list", "", Action.READ, Purpose.OPERATIONS)
            async with acting(self._settings, person, act):
                return await billing.book.signals.newest(MOST_SHOWN)

    async def _order(self, order_id: UUID) -> Order:
        """Return an order of statements, which is for exactly the file that it carries.

        Raises:
            SignalRefusedError: it is of another kind, or for another file.
        """
        async with room_database(self._settings, "openami_access") as engine:
            order = await PostgresOrders(engine).order(order_id)
        signed = digest_of_items([sha256(order.document).digest()])
        if order.subject.kind is not OrderKind.SIGNALS or order.subject.items_digest != signed:
            raise SignalRefusedError(f"order {order_id} is not one of signals")
        return order

    async def _looked_at(self, billing: Billing, octets: bytes, name: str) -> Stating:
        rows = self._read(octets, by=None, of=uuid4())
        known = {
            *(("events", e.signal) for r in billing.rates.values() for v in r.versions for e in v.events),
            *(("prices", p.signal) for r in billing.rates.values() for v in r.versions for p in v.periods),
            ("peaks", "system"),
        }
        for one in rows:
            if (one.kind.value, one.signal) not in known:
                raise SignalRefusedError(f"{name}: no rate of this home follows {one.kind.value} of {one.signal!r}")
        whole = Period(min(r.period.start for r in rows), max(r.period.end for r in rows))
        kept = await billing.book.signals.over(sorted({r.signal for r in rows}), whole)
        over = tuple(k for k in kept if any(_is_over(r, k) for r in rows))
        places, most = await _places(billing, rows), self._limits.customers
        second = f"it prices bills of {places:,} customers, the limit is {most:,}" if places > most else None
        return Stating(tuple(rows), over, places, second, sha256(octets).digest())

    def _read(self, octets: bytes, *, by: UUID | None, of: UUID) -> list[Statement]:
        """Return the statements of a file; an order's are the same however often they are entered."""
        names, at = iter(range(len(octets))), self._settings.clock().now()
        return parse_statements(octets, at=at, by=str(by or ""), new_id=lambda: uuid5(of, str(next(names))))


def _is_over(one: Statement, kept: Statement) -> bool:
    same = (one.kind, one.signal) == (kept.kind, kept.signal)
    return same and one.period.intersection(kept.period) is not None


async def _places(billing: Billing, rows: Sequence[Statement]) -> int:
    """Return how many places are on a rate that follows one of the signals, in the time that is stated."""
    known = billing.run.rates
    asked = {code: _follows(billing, code, rows) for code in known}
    found = set()
    for row in await billing.book.assignments(None):
        spans = asked.get(row.rate_code, ())
        if any(first < (row.end_day or date.max) and row.first_day <= last for first, last in spans):
            found.add(row.service_point_id)
    return len(found)


def _follows(billing: Billing, code: str, rows: Collection[Statement]) -> list[tuple[date, date]]:
    """Return the days, a day wider for every zone, of the statements that a rate follows."""
    days = [(r.period.start.date() - DAY, r.period.end.date() + DAY, r) for r in rows]
    schedule = billing.run.rates[code]
    return [(a, b) for a, b, r in days if (r.kind, r.signal) in followed_by(schedule, BillSpan(a, b))]


def _ascii(words: str) -> str:
    """Return words as an order may carry them."""
    plain = words.encode("ascii", "replace").decode()[:MAX_TEXT_OCTETS]
    return "".join(c if c.isprintable() else " " for c in plain)
