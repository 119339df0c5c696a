"""What processes write into the audit log of a meter that is switched, for whoever lives there to see."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from openami.security.access.policy import Action, Kind
from openami.security.access.scope import Purpose
from openami.security.audit.entry import AuditEntry, whole_ms


def switch_entry(
    entry_id: UUID,
    *,
    process: str,
    real_now: datetime,
    domain_now: datetime,
    service_point_id: UUID,
    query: str,
    allowed: bool,
    reason: str,
    note: str,
) -> AuditEntry:
    """Return the row of one meter of a switching order.

    Args:
        entry_id: random name of the row.
        process: who writes, for example ``command``.
        real_now: the host's time.
        domain_now: the installation's.
        service_point_id: the place.
        query: what was done, for example ``switch.disconnect``.
        allowed: whether it was.
        reason: why, as a code.
        note: order and meter.
    """
    return AuditEntry(
        entry_id=entry_id,
        at=whole_ms(real_now),
        domain_at=whole_ms(domain_now),
        actor=f"process:{process}",
        role="process",
        purpose=Purpose.OPERATIONS.value,
        action=Action.CHANGE.value,
        kind=Kind.SWITCH.value,
        subjects=(service_point_id,),
        period=None,
        query=query,
        allowed=allowed,
        reason=reason,
        note=note,
    )
