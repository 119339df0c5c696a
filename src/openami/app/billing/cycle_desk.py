"""Where people see which bills are due, close them, and hold the bills of a place: each act logged, under a sign-in."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time
from uuid import UUID, uuid4

from openami.app.billing.bill_room import SCOPE, bill_room
from openami.app.people.desk import Act, Actor, acting
from openami.app.settings import Settings
from openami.billing.api import Bill, CloseReport
from openami.billing.cycle.due import Due, due_bills
from openami.billing.cycle.place import Planned
from openami.billing.cycle.ports import PlaceHold
from openami.kernel.errors import OpenAmiError
from openami.kernel.time import require_utc, zone_named
from openami.security.access.policy import Action, Kind
from openami.security.access.scope import Purpose

MOST_REASON = 500


class CycleRefusedError(OpenAmiError):
    """A hold or a look is refused; the text says why."""


@dataclass(frozen=True, slots=True)
class DueGroup:
    """Bills that are due of one group and read day.

    Args:
        bill_group, read_on: of the calendar; None for days that no read day ends.
        bills: how many.
        held: how many of them wait already.
        initial, final: how many begin or end an account.
    """

    bill_group: int | None
    read_on: date | None
    bills: int
    held: int
    initial: int
    final: int


class CycleDesk:
    """Acts on the billing cycle of one installation.

    Args:
        settings: of the home.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def due(self, person: Actor, *, on: date | None = None) -> tuple[list[DueGroup], Due]:
        """Return the bills that are due now, or would be on a day, by read day and group; the plan itself beside them.

        Args:
            person: who asks.
            on: local day of the utility; None for now.

        Raises:
            SignInRefusedError, AccessDeniedError, AuditUnavailableError: see :func:`openami.app.people.desk.acting`.
        """
        async with bill_room(self._settings) as billing:
            run = billing.run
            found = await due_bills(run.meters, run.book, run.setting.calendar, run.setting.rules, self._at(on))
            named = frozenset(u.service_point_id for u in found.unplanned)
            note = "" if on is None else on.isoformat()
            act = Act(Kind.BILLING, "bills.due", note, Action.READ, Purpose.OPERATIONS, named)
            async with acting(self._settings, person, act):
                return grouped(found), found

    async def run(self, person: Actor, *, everywhere: bool = False) -> CloseReport:
        """Close what is due now, held bills too; what the worker does by itself.

        Args:
            person: who asks.
            everywhere: whether to look at every place, and count those that the short way missed.

        Raises:
            As :meth:`due`.
        """
        act = Act(Kind.BILLING, "bills.run", "all places" if everywhere else "", Action.CHANGE, Purpose.OPERATIONS)
        async with acting(self._settings, person, act), bill_room(self._settings) as billing:
            return await billing.close_due(self._settings.clock().now(), everywhere=everywhere)

    async def show(self, person: Actor, bill_id: UUID) -> Bill:
        """Return one bill with its lines.

        Raises:
            As :meth:`due`; CycleRefusedError: there is none.
        """
        async with bill_room(self._settings) as billing:
            bill = await billing.bill(SCOPE, bill_id)
            named = frozenset() if bill is None else frozenset({bill.service_point_id})
            act = Act(Kind.BILLING, "bills.show", f"bill {bill_id}", Action.READ, Purpose.OPERATIONS, named)
            async with acting(self._settings, person, act):
                if bill is None:
                    raise CycleRefusedError(f"no bill has the number {bill_id}")
                return bill

    async def hold(self, person: Actor, service_point_id: UUID, reason: str) -> PlaceHold:
        """Let the bills of a place wait until the hold is lifted.

        Raises:
            As :meth:`due`; UnknownRecordError: no such place; CycleRefusedError: no reason is given.
        """
        words = words_of(reason)
        note = f"hold: {words}"
        act = Act(Kind.BILLING, "bills.hold", note, Action.CHANGE, Purpose.OPERATIONS, frozenset({service_point_id}))
        async with acting(self._settings, person, act) as who, bill_room(self._settings) as billing:
            await billing.meters.service_point(SCOPE, service_point_id)
            row = PlaceHold(uuid4(), service_point_id, words, str(who.user_id), self._settings.clock().now())
            await billing.book.cycle.hold_place(row)
            return row

    async def lift(self, person: Actor, service_point_id: UUID, reason: str) -> int:
        """Lift the holds of a place; returns how many.

        Raises:
            As :meth:`due`; CycleRefusedError: no reason is given, or nothing is held there.
        """
        words = words_of(reason)
        note = f"lift: {words}"
        act = Act(Kind.BILLING, "bills.lift", note, Action.CHANGE, Purpose.OPERATIONS, frozenset({service_point_id}))
        async with acting(self._settings, person, act) as who, bill_room(self._settings) as billing:
            at = self._settings.clock().now()
            lifted = await billing.book.cycle.lift(service_point_id, by=str(who.user_id), reason=words, at=at)
            if not lifted:
                raise CycleRefusedError(f"no hold of {service_point_id} is in force")
            return lifted

    def _at(self, on: date | None) -> datetime:
        if on is None:
            return self._settings.clock().now()
        return require_utc(datetime.combine(on, time(12), zone_named(self._settings.zone)))


def grouped(due: Due) -> list[DueGroup]:
    """Return what is due by read day and group, those without a read day last."""
    rows: dict[tuple[date, int], list[Planned]] = {}
    for one in due.planned:
        key = (date.max, 0) if one.cycle is None else (one.cycle.read_on, one.cycle.bill_group)
        rows.setdefault(key, []).append(one)
    found = []
    for (read_on, group), bills in sorted(rows.items()):
        kinds = Counter(b.kind.value for b in bills)
        held = sum(b.span.first in due.held.get(b.service_point_id, ()) for b in bills)
        has_day = read_on != date.max
        found.append(
            DueGroup(group if has_day else None, read_on if has_day else None, len(bills), held, kinds["initial"],
                     kinds["final"])
        )  # fmt: skip
    return found


def words_of(reason: str) -> str:
    """Return a person's reason as it is kept.

    Raises:
        CycleRefusedError: it is none, is too long, or holds what steers a terminal.
    """
    words = reason.strip()
    if not words or len(words) > MOST_REASON or not words.isprintable():
        raise CycleRefusedError(f"a reason of 1 to {MOST_REASON} letters is needed, without any name")
    return words
