"""What the console's pages on bills need from the billing room. Who acts has been let in and is in the log.

Every method may raise :class:`~openami.portal.ports.SourceUnavailableError` and
:class:`~openami.portal.ports.RefusedError`, whose text is for the person.
"""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from openami.portal.views.billing import (
    BlockedView,
    CorrectionKeptView,
    CorrectionPreviewView,
    CorrectionsView,
    CorrectionWish,
    DecideCorrection,
    HeldBillsView,
    HeldBillView,
)
from openami.security.access.role import Principal


class BillingDesk(Protocol):
    """Bills as work."""

    async def held(self, principal: Principal, owner: str, bill_group: int | None) -> HeldBillsView:
        """Return bills that wait, the longest first."""
        ...

    async def place_of(self, bill_id: UUID) -> UUID | None:
        """Return where a bill is of; None where there is no such bill."""
        ...

    async def release(self, principal: Principal, bill_id: UUID, reason: str) -> HeldBillView:
        """Let a bill pass its hold with the next run."""
        ...

    async def not_billed(self, principal: Principal, service_point_id: UUID) -> BlockedView:
        """Return why a place is not billed, or that it is."""
        ...

    async def corrections(self, principal: Principal) -> CorrectionsView:
        """Return what waits for a decision, and decisions."""
        ...

    async def preview(self, principal: Principal, wish: CorrectionWish) -> CorrectionPreviewView:
        """Return what a decision would do; nothing is changed."""
        ...

    async def decide(self, principal: Principal, wish: DecideCorrection) -> CorrectionKeptView:
        """Carry out exactly what was previewed, or keep it for a second person."""
        ...

    async def places_of(self, decision_id: UUID) -> list[UUID]:
        """Return the places whose bills a decision is about."""
        ...

    async def approve(self, principal: Principal, decision_id: UUID) -> CorrectionKeptView:
        """Approve what another person decided, and carry it out."""
        ...
