"""What the console's pages on devices, keys and orders need from the rooms. The wiring fills each port.

Every method may raise :class:`~openami.portal.ports.SourceUnavailableError`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol
from uuid import UUID

from openami.portal.views.collector import CollectorReportView, CollectorsView, Whereabouts
from openami.portal.views.gateway import GatewayView
from openami.portal.views.key import KeysView, LeakView, RetriedView
from openami.portal.views.readings import (
    CaseDetailView,
    CasesView,
    Decide,
    DecisionsView,
    DecisionView,
    KeptView,
    PreviewView,
    WhyView,
    WorklistView,
)
from openami.portal.views.switching import (
    AlertsView,
    ListTakenView,
    PlanSwitching,
    SwitchOrderDetailView,
    SwitchOrdersView,
    SwitchOrderView,
)
from openami.portal.views.two_person import TwoPersonOrderView
from openami.security.access.role import Principal


@dataclass(frozen=True, slots=True)
class WorklistQuery:
    """Filters of the worklist, as the address bar holds them; empty for all."""

    severity: str = ""
    rules: tuple[str, ...] = ()
    service_point_id: UUID | None = None
    cell: str = ""
    feeder: str = ""
    bill_before: date | None = None
    min_kwh: float = 0.0
    case_id: UUID | None = None
    with_cases: bool = False
    order: str = "pressing"
    limit: int = 100
    offset: int = 0


class CollectorDesk(Protocol):
    """Collectors, from the gateway's words and what was found in them."""

    async def collectors(self) -> CollectorsView:
        """Return every collector that is not retired, those that need a person first."""
        ...

    async def report(
        self, user_id: UUID, collector_id: int, whereabouts: Whereabouts, *, at: int | None, reason: str
    ) -> CollectorReportView:
        """Keep a person's report; the gateway is told within seconds.

        Raises:
            RefusedError: the report makes no sense.
        """
        ...


class GatewayDesk(Protocol):
    """The gateway's thresholds and what it keeps. Who acts has been let in and is in the log."""

    async def gateway(self, principal: Principal) -> GatewayView:
        """Return thresholds, kept commands, orders and words, as this person sees them."""
        ...

    async def release(self, principal: Principal, held_ids: Sequence[UUID], *, reason: str) -> TwoPersonOrderView:
        """Order that kept commands may pass. Raises RefusedError."""
        ...

    async def propose(self, principal: Principal, document: str, *, reason: str) -> TwoPersonOrderView:
        """Order other thresholds. Raises RefusedError: the text names the place and the mend."""
        ...

    async def approve(self, principal: Principal, order_id: UUID, *, digest: str) -> TwoPersonOrderView:
        """Approve an order whose digest this person has seen.

        Raises:
            RefusedError: it is not what they saw, is over, or has their approval already.
        """
        ...

    async def withdraw(self, principal: Principal, order_id: UUID) -> None:
        """Let an order do nothing any more. Raises RefusedError."""
        ...


class SwitchingDesk(Protocol):
    """Switching orders, and what people are called for. Who acts has been let in and is in the log."""

    async def orders(self, principal: Principal) -> SwitchOrdersView:
        """Return the newest orders, as this person sees them."""
        ...

    async def order(self, principal: Principal, order_id: UUID) -> SwitchOrderDetailView:
        """Return one order with its meters. Raises RefusedError: there is none."""
        ...

    async def plan(self, principal: Principal, wish: PlanSwitching) -> SwitchOrderView:
        """Make an order with the person's own approval. Raises RefusedError: it cannot be; the text says why."""
        ...

    async def take(self, principal: Principal, text: str) -> ListTakenView:
        """Take a signed list.

        Raises:
            RefusedError: no registered key signed it as it is, or it was taken before.
        """
        ...

    async def approve(self, principal: Principal, order_id: UUID, digest: str) -> SwitchOrderView:
        """Approve exactly what the person saw.

        Raises:
            RefusedError: it is another order now, it has ended, or this person has approved it before.
        """
        ...

    async def withdraw(self, principal: Principal, order_id: UUID) -> None:
        """Let nothing more of an order be done. Raises RefusedError: there is none that stands."""
        ...

    async def alerts(self) -> AlertsView:
        """Return alerts, those that nobody has seen to first."""
        ...

    async def seen(self, principal: Principal, alert_id: UUID) -> None:
        """Note that a person has seen to an alert. Raises RefusedError: there is none that nobody has seen to."""
        ...


class KeyDesk(Protocol):
    """Meters' keys: where they stand and how they change. Who acts has been let in and is in the log."""

    async def keys(self, principal: Principal) -> KeysView:
        """Return where keys stand, how their changes go, orders and incidents, as this person sees them."""
        ...

    async def order(
        self, principal: Principal, system_titles: Sequence[str] | None, *, days: float, reason: str
    ) -> TwoPersonOrderView:
        """Order new keys for these meters; None: for every meter as it becomes due. Raises RefusedError."""
        ...

    async def approve(self, principal: Principal, order_id: UUID, *, digest: str) -> TwoPersonOrderView:
        """Approve an order whose digest this person has seen. Raises RefusedError."""
        ...

    async def withdraw(self, principal: Principal, order_id: UUID) -> None:
        """Let nothing more begin by an order. Raises RefusedError."""
        ...

    async def retry(self, principal: Principal, system_title: str | None) -> RetriedView:
        """Begin failed changes anew, of one meter or of all. Raises RefusedError."""
        ...

    async def leak(self, principal: Principal, system_titles: Sequence[str], *, masters: bool, reason: str) -> LeakView:
        """Mark the keys of these meters as leaked, all of them or none. Raises RefusedError."""
        ...


class ReadingsDesk(Protocol):
    """What people look at and decide about readings. Who acts has been let in and is in the log.

    Every method may raise RefusedError: the text names the place and the mend.
    """

    async def worklist(self, asked: WorklistQuery) -> WorklistView:
        """Return a page of the worklist."""
        ...

    async def preview(self, principal: Principal, wish: Decide) -> PreviewView:
        """Return what a decision would do."""
        ...

    async def decide(self, principal: Principal, wish: Decide) -> KeptView:
        """Keep a decision that still does what its token says."""
        ...

    async def decisions(self, principal: Principal, service_point_id: UUID | None, *, state: str) -> DecisionsView:
        """Return decisions, newest first."""
        ...

    async def approve(self, principal: Principal, decision_id: UUID, digest: str) -> DecisionView:
        """Approve what waits of a decision, exactly as the person saw it."""
        ...

    async def withdraw(self, principal: Principal, decision_id: UUID) -> None:
        """Take back a decision that waits."""
        ...

    async def preview_undo(self, principal: Principal, decision_id: UUID) -> PreviewView:
        """Return what undoing would do."""
        ...

    async def undo(self, principal: Principal, decision_id: UUID, *, reason: str, token: str) -> KeptView:
        """Undo a decision as previewed."""
        ...

    async def places_of_decision(self, decision_id: UUID) -> frozenset[UUID]:
        """Return every place that a decision is about, for the log."""
        ...

    async def places_of_case(self, case_id: UUID) -> frozenset[UUID]:
        """Return every place of a case that is still open, for the log."""
        ...

    async def cases(self, *, is_open: bool) -> CasesView:
        """Return cases."""
        ...

    async def case(self, case_id: UUID) -> CaseDetailView:
        """Return one case with its places."""
        ...

    async def preview_case(self, principal: Principal, case_id: UUID) -> PreviewView:
        """Return what the case's fix would do."""
        ...

    async def fix_case(self, principal: Principal, case_id: UUID, *, reason: str, token: str) -> KeptView:
        """Carry the case's fix out as previewed."""
        ...

    async def close_case(self, principal: Principal, case_id: UUID, *, reason: str) -> None:
        """Close a case without a fix."""
        ...

    async def why(self, principal: Principal, service_point_id: UUID, channel: str, day: date | None) -> WhyView:
        """Return why a read of a place is missing, estimated or held."""
        ...
