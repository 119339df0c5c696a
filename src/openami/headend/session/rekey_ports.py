"""What changing keys of a lease group asks of the world around it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from openami.headend.keeping.rekey import Rekey
from openami.headend.state_ports import Lease


class RekeyStore(Protocol):
    """Jobs, kept so that whoever owns a group next goes on where the last owner stood.

    Every method raises :class:`openami.headend.ports.StateUnavailableError` when the database cannot be reached.
    """

    async def due(
        self, partitions: frozenset[int], *, now_s: float, limit: int, titles: Collection[bytes] | None = None
    ) -> list[Rekey]:
        """Return open jobs whose turn it is, the gravest causes first and of each the longest due.

        Args:
            partitions: of the group.
            now_s: real time.
            limit: at most so many.
            titles: what has not gone yet of these meters alone; None for any. What has gone is to be ended in any case.
        """
        ...

    async def add(self, lease: Lease, fresh: Sequence[Rekey]) -> int:
        """Keep what is due now beside what is known of these meters, by the rule of ``renewed``; return what changed.

        Raises:
            LostLeaseError: the fence is not this lease's any more; nothing was written.
        """
        ...

    async def wake(self, lease: Lease, meters: Collection[UUID], *, now_s: float) -> None:
        """Let open jobs of meters that have just spoken be due now.

        Raises:
            LostLeaseError: as :meth:`add`.
        """
        ...

    async def keep(self, lease: Lease, job: Rekey) -> None:
        """Keep where a job stands.

        Raises:
            LostLeaseError: as :meth:`add`.
        """
        ...


class KeyAges(Protocol):
    """When keys came into use. Raises :class:`openami.headend.ports.StateUnavailableError`."""

    async def older_than(self, instant: datetime) -> Sequence[UUID]:
        """Return meters whose key pair in use came into use before an instant (domain time)."""
        ...
