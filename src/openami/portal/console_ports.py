"""What the console's pages on devices, keys and orders need from the rooms. The wiring fills each port.

Every method may raise :class:`~openami.portal.ports.SourceUnavailableError`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from openami.portal.views.collector import CollectorReportView, CollectorsView, Whereabouts
from openami.portal.views.gateway import GatewayView
from openami.portal.views.key import KeysView, LeakView, RetriedView
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
