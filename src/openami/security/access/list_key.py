"""Keys that may sign order lists: whose, and since when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class ListKey:
    """A customer information system that may sign order lists.

    Args:
        key_id: random.
        name: how staff know it.
        public_key: Ed25519, 32 octets.
        made_at: when it was registered, real time.
        made_by: by whom.
        ended_at: from when it signs nothing any more; None while it does.
    """

    key_id: UUID
    name: str
    public_key: bytes
    made_at: datetime
    made_by: UUID
    ended_at: datetime | None = None
