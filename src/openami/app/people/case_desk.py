"""Where people look at cases, preview their one fix, carry it out, or close them: each act under their own sign-in."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from openami.app.engines.rooms import room_database
from openami.app.people.desk import Act, Actor, acting
from openami.app.readings.editing_desk import EditingDesk, Kept, look
from openami.app.settings import Settings
from openami.mdm.adapters.case_postgres import PostgresCases
from openami.mdm.editing.case import OpenItem
from openami.mdm.editing.casebook import Case, fold
from openami.mdm.editing.decision import DecisionKind, DecisionRefusedError
from openami.mdm.editing.editor import Place, Proposal, Wish
from openami.mdm.editing.limits import EditLimits
from openami.mdm.editing.ports import DecisionState
from openami.mdm.editing.seam import stretches
from openami.security.access.policy import Kind


class CaseDesk:
    """Acts of people on cases of one installation.

    Args:
        settings: of the home.
        limits: what one person may change alone.
    """

    def __init__(self, settings: Settings, limits: EditLimits | None = None) -> None:
        self._settings = settings
        self.editing = EditingDesk(settings, limits)

    async def cases(self, person: Actor, *, is_open: bool | None = True, limit: int = 200) -> list[Case]:
        """Return cases, a logged look; no place is named in them.

        Raises:
            SignInRefusedError, AccessDeniedError, AuditUnavailableError: see :func:`openami.app.people.desk.acting`.
        """
        async with (
            acting(self._settings, person, look("cases", frozenset(), "cases")),
            room_database(self._settings, "openami_mdm") as engine,
        ):
            return await PostgresCases(engine).cases(is_open=is_open, limit=limit)

    async def case(self, person: Actor, case_id: UUID) -> tuple[Case, list[OpenItem]]:
        """Return a case with the items that are still open, a logged look. Raises as :meth:`cases`."""
        async with room_database(self._settings, "openami_mdm") as engine:
            cases = PostgresCases(engine)
            case, items = await cases.case(case_id), await cases.items(case_id)
            places = frozenset(i.service_point_id for i in items)
            async with acting(self._settings, person, look("cases.case", places, f"case {case_id}")):
                return case, items

    async def preview(self, person: Actor, case_id: UUID, *, reason: str = "") -> Proposal:
        """Return what the case's fix would do.

        Raises:
            DecisionRefusedError: the case is closed, empty, or wants no decision about readings.
            As :meth:`cases`.
        """
        case, items = await self.case(person, case_id)
        wish = self._wish(case, items, reason)
        if wish.kind is DecisionKind.SHIFT_CLOCK:
            async with room_database(self._settings, "openami_mdm") as engine:
                periods = await PostgresCases(engine).periods(case_id)
            places = [Place(*key, span) for key, found in sorted(periods.items()) for span in stretches(found)]
            wish = replace(wish, places=tuple(places), at_seams=True)
        return await self.editing.preview(person, wish)

    async def fix(self, person: Actor, proposal: Proposal) -> Kept:
        """Carry the previewed fix out: one decision for all of the case. It closes when that is in force.

        Raises:
            DecisionRefusedError: it is no proposal of a case's fix, or the case was closed meanwhile.
        """
        case_id = proposal.decision.case_id
        if case_id is None:
            raise DecisionRefusedError("this proposal is of no case")
        async with room_database(self._settings, "openami_mdm") as engine:
            cases = PostgresCases(engine)
            if (await cases.case(case_id)).closed_at is not None:
                raise DecisionRefusedError(f"case {case_id} is closed already")
            kept = await self.editing.decide(person, proposal)
            if kept.state is DecisionState.IN_FORCE:
                await cases.close(
                    case_id, by=proposal.decision.by, reason=proposal.decision.reason, decision_id=kept.decision_id,
                    at=self.editing.now(),
                )  # fmt: skip
            else:
                await cases.await_decision(case_id, kept.decision_id)
        return kept

    async def close(self, person: Actor, case_id: UUID, *, reason: str) -> None:
        """Close a case without a fix; findings that are still open go back to the worklist one by one."""
        act = Act(Kind.VEE, "cases.close", f"case {case_id}: {reason}")
        async with (
            acting(self._settings, person, act) as who,
            room_database(self._settings, "openami_mdm") as engine,
        ):
            done = await PostgresCases(engine).close(
                case_id, by=who.user_id, reason=reason, decision_id=None, at=self.editing.now()
            )
        if not done:
            raise DecisionRefusedError(f"there is no open case {case_id}")

    async def approve(self, person: Actor, decision_id: UUID) -> None:
        """Approve the decision that waits to close a case, and close it. Raises as the worklist's approval."""
        head = await self.editing.approve(person, decision_id)
        case_id = head.decision.case_id
        if case_id is not None and head.state is DecisionState.IN_FORCE:
            async with room_database(self._settings, "openami_mdm") as engine:
                by = head.decision.approved_by or head.decision.by
                await PostgresCases(engine).close(
                    case_id, by=by, reason=head.decision.reason, decision_id=decision_id, at=self.editing.now()
                )

    async def fold(self, person: Actor) -> int:
        """Fold open findings into cases now; the worker does it by itself as well."""
        act = Act(Kind.VEE, "cases.fold")
        async with acting(self._settings, person, act), room_database(self._settings, "openami_mdm") as engine:
            return await fold(PostgresCases(engine), self.editing.now())

    @staticmethod
    def _wish(case: Case, items: list[OpenItem], reason: str) -> Wish:
        if case.closed_at is not None:
            raise DecisionRefusedError(f"case {case.id} is closed")
        if case.fix.kind is None:
            raise DecisionRefusedError(f"case {case.id}: {case.fix.words}")
        if not items:
            raise DecisionRefusedError(f"case {case.id} has no open finding left")
        places = tuple(
            Place(i.service_point_id, i.channel, i.period)
            for i in sorted(items, key=lambda i: (i.service_point_id.bytes, i.channel, i.first))
            if i.period is not None
        )
        words = reason.strip() or f"case: {case.title}"
        rules = (case.rule,) if case.fix.kind is DecisionKind.ACCEPT else ()
        return replace(Wish(case.fix.kind, words, places, rules=rules, case_id=case.id), shift_s=case.fix.shift_s)
