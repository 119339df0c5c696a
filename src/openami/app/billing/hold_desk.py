"""Where people see bills that wait, why, and let one pass: each act under their own sign-in and in the log."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from openami.app.billing.bill_room import SCOPE, bill_room
from openami.app.billing.cycle_desk import words_of
from openami.app.people.desk import Act, Actor, acting
from openami.app.settings import Settings
from openami.billing.api import Bill, Billing, BillState
from openami.billing.bill.hold import RELEASABLE
from openami.billing.cycle.blocked import Blocked, blocked
from openami.billing.cycle.due import places
from openami.billing.cycle.place import Place
from openami.billing.cycle.plan import plan
from openami.billing.cycle.ports import Release
from openami.kernel.errors import OpenAmiError
from openami.kernel.time import local_date, zone_named
from openami.security.access.policy import Action, Kind
from openami.security.access.scope import Purpose

MOST_HELD = 1000


class ReleaseRefusedError(OpenAmiError):
    """A bill cannot pass; the text says why and what would free it."""


@dataclass(frozen=True, slots=True)
class HeldBills:
    """Bills that wait, the longest first; ``is_cut`` where there are more."""

    bills: tuple[Bill, ...]
    is_cut: bool


class HoldDesk:
    """Acts on waiting bills of one installation.

    Args:
        settings: of the home.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def held(self, person: Actor, *, owner: str = "", bill_group: int | None = None) -> HeldBills:
        """Return bills that wait.

        Raises:
            SignInRefusedError, AccessDeniedError, AuditUnavailableError: see :func:`openami.app.people.desk.acting`.
        """
        async with bill_room(self._settings) as billing:
            found = await billing.book.cycle.held(owner=owner, bill_group=bill_group, limit=MOST_HELD + 1)
            shown = found[:MOST_HELD]
            named = frozenset(b.service_point_id for b in shown)
            act = Act(Kind.BILLING, "bills.held", f"{len(shown)} bills", Action.READ, Purpose.OPERATIONS, named)
            async with acting(self._settings, person, act):
                return HeldBills(tuple(shown), len(found) > MOST_HELD)

    async def release(self, person: Actor, bill_id: UUID, reason: str) -> Bill:
        """Let a held bill pass its hold with the next run.

        Args:
            person: who says so.
            bill_id: which bill.
            reason: why, without any name.

        Raises:
            As :meth:`held`; ReleaseRefusedError: it does not wait, or lacks what no reason replaces;
            CycleRefusedError: no reason is given.
        """
        words = words_of(reason)
        async with bill_room(self._settings) as billing:
            bill = await billing.bill(SCOPE, bill_id)
            named = frozenset() if bill is None else frozenset({bill.service_point_id})
            act = Act(Kind.BILLING, "bills.release", f"bill {bill_id}: {words}", Action.CHANGE,
                      Purpose.OPERATIONS, named)  # fmt: skip
            async with acting(self._settings, person, act) as who:
                if bill is None or bill.state is not BillState.HELD or bill.hold is None:
                    raise ReleaseRefusedError(f"no bill of the number {bill_id} waits")
                if bill.hold.code not in RELEASABLE:
                    raise ReleaseRefusedError(f"no reason replaces what it lacks: {bill.hold.action}")
                await billing.book.cycle.release(
                    Release(
                        bill.service_point_id, bill.span.first, bill.hold.code, words, str(who.user_id),
                        self._settings.clock().now(), bill.account_id,
                    )
                )  # fmt: skip
                return bill

    async def not_billed(self, person: Actor, service_point_id: UUID) -> Blocked:
        """Return why a place is not billed, or that it is.

        Raises:
            As :meth:`held`; UnknownRecordError: there is no such place.
        """
        async with bill_room(self._settings) as billing:
            named = frozenset({service_point_id})
            act = Act(Kind.BILLING, "bills.not_billed", "", Action.READ, Purpose.OPERATIONS, named)
            async with acting(self._settings, person, act):
                return await not_billed(billing, service_point_id, self._settings)


async def not_billed(billing: Billing, service_point_id: UUID, settings: Settings) -> Blocked:
    """Return why a place is not billed: from its plan, its bills and the calendar."""
    point = await billing.meters.service_point(SCOPE, service_point_id)
    now = settings.clock().now()
    today = local_date(now, zone_named(point.zone))
    setting = billing.setting
    known = await places(billing.meters, billing.book, [service_point_id])
    place = known[0] if known else Place(service_point_id, point.zone, point.bill_group, (), ())
    issued = await billing.book.cycle.issued_spans([service_point_id])
    place = replace(place, issued=issued.get(service_point_id, {}))
    due = plan(place, setting.calendar, setting.rules, today)
    bills = await billing.bills(SCOPE, service_point_id)
    return blocked(place, due, bills, setting.calendar, now, today)
