"""Where people look at the ledger, check it, accrue, level a customer's bills and balance a cycle's energy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from uuid import UUID

from openami.app.billing.bill_calendar import billing_calendar
from openami.app.billing.correction_desk import CorrectionDesk
from openami.app.people.desk import Act, Actor, acting
from openami.app.settings import Settings
from openami.billing.ledger.audit import LedgerAudit
from openami.billing.ledger.conservation import EnergyBalance
from openami.billing.ledger.entry import Entry
from openami.billing.ledger.levels import LevelChange, Levels
from openami.billing.ledger.trial import Standing
from openami.contracts.channel import Channel
from openami.kernel.errors import MisuseError
from openami.kernel.time import Period, local_midnight, zone_named
from openami.mdm.api import MeterData
from openami.mdm.ports import MeterSpan
from openami.security.access.policy import Action, Kind
from openami.security.access.scope import Purpose, system_scope

SMALL_GROUP = 15
"""Places: the energy of fewer together says much of each, so that looking at it is a look at them."""
_SCOPE = system_scope(process="balance", purpose=Purpose.BILLING)


@dataclass(frozen=True, slots=True)
class CycleBalance:
    """The energy of one bill group's cycle.

    Args:
        bill_group: number; 0 for meters that hang nowhere.
        first, end: local days ``[first, end)``.
        places: service points.
        balance: see there.
    """

    bill_group: int
    first: date
    end: date
    places: int
    balance: EnergyBalance


class LedgerDesk:
    """Acts of people on the ledger of one installation.

    Args:
        settings: of the home.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._desk = CorrectionDesk(settings)

    async def show(self, person: Actor, place: UUID) -> tuple[list[Entry], dict[UUID, list[Standing]]]:
        """Return the entries of a place and what stands on each agreement's accounts, a logged look.

        Raises:
            SignInRefusedError, AccessDeniedError, AuditUnavailableError: see :func:`openami.app.people.desk.acting`.
        """
        async with acting(self._settings, person, _look("ledger", "entries", place)), self._desk.room() as room:
            entries = await room.ledger.of_place(place)
            agreements = sorted({e.agreement_id for e in entries})
            return entries, {a: await room.ledger.standings(agreement_id=a) for a in agreements}

    async def check(self, person: Actor) -> LedgerAudit:
        """Check the whole ledger; no place is named."""
        async with acting(self._settings, person, _look("ledger.check", "check")), self._desk.room() as room:
            return await room.ledger.audit()

    async def journal(self, person: Actor, first: date, end: date) -> list[Standing]:
        """Return what was booked on each account on days ``[first, end)``: for the general ledger."""
        note = f"journal of {first} to {end}"
        async with acting(self._settings, person, _look("ledger.journal", note)), self._desk.room() as room:
            return await room.ledger.standings(first=first, end=end)

    async def accrue(self, person: Actor, month: date) -> int:
        """Accrue what was earned and not billed at a month's end; again does nothing.

        Raises:
            MisuseError: the month is not over.
        """
        month_end = (month.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
        if month_end >= self._desk.today():
            raise MisuseError(f"{month:%Y-%m} is not over yet")
        act = Act(Kind.BILLING, "ledger.accrue", f"month end {month_end}")
        async with acting(self._settings, person, act), self._desk.room() as room:
            return await room.accrual.month_end(month_end, at=self._desk.now())

    async def budget(self, person: Actor, place: UUID, what: str, *, reason: str) -> LevelChange:
        """Begin, review or stop budget billing for whoever was billed last at a place.

        Raises:
            BudgetRefusedError: it cannot be.
            As :meth:`show`.
        """
        act = Act(Kind.BILLING, f"ledger.budget.{what}", reason, service_points=frozenset({place}))
        async with acting(self._settings, person, act) as who, self._desk.room() as room:
            levels = Levels(room.ledger, room.book)
            work = {"begin": levels.begin, "review": levels.review, "stop": levels.stop}[what]
            now, today = self._desk.now(), self._desk.today()
            return await work(place, today=today, at=now, by=who.user_id, reason=reason)

    async def balance(self, person: Actor, month: date, *, bill_group: int | None = None) -> list[CycleBalance]:
        """Return the energy of a cycle, group by group, and for all groups that of meters that hang nowhere.

        Args:
            person: who asks; the places of a group that is small are named.
            month: the revenue month.
            bill_group: one alone; None for all.
        """
        async with self._desk.room() as room:
            points = await room.meters.registry.service_points(None, at=self._desk.now())
            members: dict[int, list[UUID]] = {} if bill_group is None else {bill_group: []}
            for point in points:
                if bill_group in {None, point.bill_group}:
                    members.setdefault(point.bill_group, []).append(point.id)
            named = frozenset(p for mine in members.values() if len(mine) < SMALL_GROUP for p in mine)
            look = Act(Kind.BILLING, "bills.balance", f"cycle {month:%Y-%m}", action=Action.READ, service_points=named)
            found = []
            async with acting(self._settings, person, look):
                for group, mine in sorted(members.items()):
                    span = self.span(group, month)
                    if span is not None:
                        balance = await room.energy.balance(mine, *span)
                        found.append(CycleBalance(group, *span, len(mine), balance))
                if bill_group is None and found:
                    first, end = min(f.first for f in found), max(f.end for f in found)
                    loose, meters = await self._loose(room.meters, first, end)
                    found.append(
                        CycleBalance(0, first, end, meters, EnergyBalance(metered_wh=loose, unassigned_wh=loose))
                    )
            return found

    def span(self, bill_group: int, month: date) -> tuple[date, date] | None:
        """Return the local days of a group's cycle; None where the calendar knows none."""
        calendar = billing_calendar(self._settings)
        begin = month.replace(day=1)
        days = calendar.read_days(bill_group, begin - timedelta(days=62), begin + timedelta(days=62))
        for before, found in pairwise(days):
            if found.revenue_month == begin:
                return before.read_on, found.read_on
        return None

    async def _loose(self, meters: MeterData, first: date, end: date) -> tuple[int, int]:
        """Return energy of meters that hang nowhere [counts], and how many there are."""
        zone = zone_named(self._settings.zone)
        period = Period(local_midnight(first, zone), local_midnight(end, zone))
        seen = await meters.unassigned(_SCOPE, period)
        spans: Sequence[MeterSpan] = [MeterSpan(r.meter_id, r.meter_id, period) for r in seen]
        if not spans:
            return 0, 0
        values = await meters.store.values(_SCOPE, spans, Channel.DELIVERED, period)
        return int(values.value.sum()), len(spans)


def _look(query: str, note: str, place: UUID | None = None) -> Act:
    places = frozenset[UUID]() if place is None else frozenset({place})
    return Act(Kind.BILLING, query, note, action=Action.READ, service_points=places)
