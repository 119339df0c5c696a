"""Port of the book of hand reads. Its adapter keeps it in PostgreSQL, schema ``mdm``."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol
from uuid import UUID

from openami.contracts.channel import Channel
from openami.mdm.hand_reads.read import HandRead


class HandReadBook(Protocol):
    """Reads that people took, with what became of them. Nothing is rewritten."""

    async def keep(self, read: HandRead, *, supersedes: UUID | None = None) -> None:
        """Keep a read, and close the one that it takes the place of. A repeat of its id is left as it is."""
        ...

    async def of_meters(self, meters: Collection[UUID], channel: Channel) -> list[HandRead]:
        """Return what stands of these registers, by instant; what was superseded is absent."""
        ...

    async def held(self, *, limit: int) -> list[HandRead]:
        """Return the reads that wait for a person, the oldest first."""
        ...

    async def read(self, read_id: UUID) -> HandRead | None:
        """Return one read that stands, or None."""
        ...
