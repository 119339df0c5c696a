"""Where keys stand for the console: figures by the portal's own role, acts over the desks of the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from openami.app.people.desk import Decided
from openami.app.keys.key_desk import KeyDesk
from openami.app.keys.rekey_desk import RekeyDesk
from openami.app.web.two_person import desk_act, order_view, require_seen
from openami.headend.keeping.rekey import Cause, Rekey, RekeyProgress, RekeyStep
from openami.kernel.clock import Clock
from openami.kernel.ids import SystemTitle
from openami.kernel.time import epoch_s
from openami.portal.ports import RefusedError
from openami.portal.views.key import (
    CauseView,
    IncidentView,
    KeyLevel,
    KeysView,
    LeakView,
    LeftOverView,
    LevelCountView,
    MeterKeysView,
    ResidualView,
    RetriedView,
)
from openami.portal.views.two_person import TwoPersonOrderView
from openami.security.access.role import Principal
from openami.security.adapters.vault.marks import incidents, residual
from openami.security.adapters.vault.status import read_meters, read_status
from openami.security.keys.level import SecurityLevel
from openami.security.keys.marks import IncidentProgress, Residual
from openami.security.keys.status import MeterKeys

SHOWN = 200
_LEVELS: Mapping[SecurityLevel, tuple[KeyLevel, str]] = {
    SecurityLevel.COMPROMISED: (KeyLevel.COMPROMISED, "Leaked, and no newer keys are proved: takes no switching"),
    SecurityLevel.NONE: (KeyLevel.NONE, "No keys in use"),
    SecurityLevel.FACTORY: (KeyLevel.FACTORY, "Still the maker's keys: takes no switching"),
    SecurityLevel.SECURED: (KeyLevel.SECURED, "Keys made here, and proved"),
}
_CAUSES: Mapping[Cause, str] = {
    Cause.COMPROMISED: "Keys that leaked",
    Cause.COUNTER: "Counters that are half used up",
    Cause.FACTORY: "The maker's keys, at a meter's first word",
    Cause.ORDERED: "Ordered by people",
    Cause.AGE: "Keys of a year",
}
_STEPS: Mapping[RekeyStep, str] = {
    RekeyStep.DUE: "waits for its turn",
    RekeyStep.UNCERTAIN: "has the old keys or the new ones; its next word tells",
    RekeyStep.DONE: "done",
    RekeyStep.FAILED: "failed",
}


@dataclass(frozen=True, slots=True)
class KeyPages:
    """Implements :class:`~openami.portal.console_ports.KeyDesk`.

    Args:
        portal: connected as ``openami_portal``: it sees states and ages, never a key.
        changes: changes of keys and their orders.
        vault: where leaks are marked.
        real: the host's clock.
    """

    portal: AsyncEngine
    changes: RekeyDesk
    vault: KeyDesk
    real: Clock

    @desk_act
    async def keys(self, principal: Principal) -> KeysView:
        """Return where keys stand, how their changes go, orders and incidents."""
        now = self.real.now()
        async with self.portal.begin() as connection:
            status = await read_status(connection)
            worst = await read_meters(connection, level=None, limit=SHOWN)
            leaks = await incidents(connection)
            left = await residual(connection, limit=SHOWN)
        standing = await self.changes.standing()
        return KeysView(
            as_of=epoch_s(now),
            meters=status.meters,
            levels=[
                LevelCountView(level=level, words=words, meters=status.levels.get(number, 0))
                for number, (level, words) in _LEVELS.items()
            ],
            without_master=status.without_master,
            oldest_active_at=epoch_s(status.oldest_active_at) if status.oldest_active_at else None,
            left_to_rewrap=status.left_to_rewrap,
            spoiled=status.spoiled,
            is_ordered=standing.is_ordered,
            per_hour=standing.policy.per_hour,
            causes=[_cause(cause, progress) for cause, progress in standing.progress.items()],
            left_over=[_left_over(job) for job in await self.changes.left_over(limit=SHOWN)],
            incidents=[_incident(one) for one in leaks],
            residual=[_residual(one) for one in left],
            worst=[_meter(one) for one in worst],
            orders=[order_view(order, principal, now=now) for order in await self.changes.orders()],
        )

    @desk_act
    async def order(
        self, principal: Principal, system_titles: Sequence[str] | None, *, days: float, reason: str
    ) -> TwoPersonOrderView:
        """Order that keys change."""
        person = Decided(principal)
        if system_titles is None:
            order = await self.changes.order_all(person, reason=reason, days=days)
        else:
            order = await self.changes.order_named(person, _titles(system_titles), reason=reason, days=days)
        return order_view(order, principal, now=self.real.now())

    @desk_act
    async def approve(self, principal: Principal, order_id: UUID, *, digest: str) -> TwoPersonOrderView:
        """Approve an order as it was seen: it never changes, so what is compared is what is approved."""
        seen = next((o for o in await self.changes.orders() if o.subject.order_id == order_id), None)
        if seen is None:
            raise RefusedError("there is no such order of keys")
        require_seen(seen, digest)
        return order_view(
            await self.changes.approve(Decided(principal), order_id), principal, now=self.real.now()
        )

    @desk_act
    async def withdraw(self, principal: Principal, order_id: UUID) -> None:
        """Let nothing more begin by an order."""
        await self.changes.withdraw(Decided(principal), order_id)

    @desk_act
    async def retry(self, principal: Principal, system_title: str | None) -> RetriedView:
        """Begin failed changes anew."""
        title = None if system_title is None else SystemTitle.from_hex(system_title)
        return RetriedView(jobs=await self.changes.retry(Decided(principal), title))

    @desk_act
    async def leak(
        self, principal: Principal, system_titles: Sequence[str], *, masters: bool, reason: str
    ) -> LeakView:
        """Mark keys as leaked."""
        titles = sorted(_titles(system_titles), key=lambda title: title.octets)
        incident, meters = await self.vault.compromise(Decided(principal), titles, reason=reason, masters=masters)
        return LeakView(incident_id=incident, meters=meters)


def _titles(said: Sequence[str]) -> set[SystemTitle]:
    return {SystemTitle.from_hex(one) for one in said}


def _cause(cause: Cause, progress: RekeyProgress) -> CauseView:
    return CauseView(
        cause=cause.value,
        words=_CAUSES[cause],
        due=progress.due,
        uncertain=progress.uncertain,
        done=progress.done,
        failed=progress.failed,
        left_over=progress.left_over,
    )


def _left_over(job: Rekey) -> LeftOverView:
    return LeftOverView(
        meter_id=job.meter_id,
        system_title=str(job.title),
        cause=_CAUSES[job.cause],
        step=_STEPS[job.step],
        words=job.words,
        tries=job.tries,
        since=int(job.since_s),
        next_at=int(job.not_before_s) if job.is_open else None,
    )


def _incident(one: IncidentProgress) -> IncidentView:
    return IncidentView(
        incident_id=one.incident.incident_id,
        reason=one.incident.reason,
        marked_at=epoch_s(one.incident.marked_at),
        meters=one.meters,
        renewed=one.renewed,
    )


def _residual(one: Residual) -> ResidualView:
    if not one.has_master:
        words = "It has no master key: exchange the meter."
    elif one.master:
        words = "Its master key leaked: it needs another one, or a visit."
    else:
        words = "New keys wait for its proof." if one.is_new_kept else "Waits for its turn."
    return ResidualView(
        meter_id=one.meter_id, system_title=str(one.system_title), since=epoch_s(one.since), words=words
    )


def _meter(one: MeterKeys) -> MeterKeysView:
    return MeterKeysView(
        meter_id=one.meter_id,
        system_title=str(one.system_title),
        profile=one.profile,
        level=_LEVELS[one.level][0],
        generation=one.generation,
        active_at=epoch_s(one.active_at) if one.active_at else None,
        is_new_waiting=one.new_generation is not None,
        has_master=one.master_generation is not None,
    )
