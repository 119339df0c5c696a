"""Jobs of key changes in memory: what the contract of their store means."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from openami.contracts.stream import partition_of
from openami.headend.keeping.rekey import CAUSES, Rekey, RekeyStep, heard, renewed
from openami.headend.ports import LostLeaseError
from openami.headend.state_ports import Lease


@dataclass(slots=True)
class FakeRekeys:
    """:class:`openami.headend.session.rekey_ports.RekeyStore`.

    Args:
        fences: the fence that each group stands at.
    """

    fences: dict[int, int] = field(default_factory=dict)
    jobs: dict[UUID, Rekey] = field(default_factory=dict)

    async def due(
        self, partitions: frozenset[int], *, now_s: float, limit: int, titles: Collection[bytes] | None = None
    ) -> list[Rekey]:
        found = [
            job
            for job in self.jobs.values()
            if job.is_open
            and job.not_before_s <= now_s
            and partition_of(job.title) in partitions
            and (job.step is RekeyStep.UNCERTAIN or titles is None or job.title.octets in titles)
        ]
        return sorted(found, key=lambda j: (CAUSES.index(j.cause), j.since_s, j.meter_id))[:limit]

    async def add(self, lease: Lease, fresh: Sequence[Rekey]) -> int:
        self._hold(lease)
        changed = 0
        for one in fresh:
            job = renewed(self.jobs.get(one.meter_id), one)
            if job is not None:
                self.jobs[one.meter_id] = job
                changed += 1
        return changed

    async def wake(self, lease: Lease, meters: Collection[UUID], *, now_s: float) -> None:
        self._hold(lease)
        for meter in set(meters) & self.jobs.keys():
            self.jobs[meter] = heard(self.jobs[meter], now_s=now_s)

    async def keep(self, lease: Lease, job: Rekey) -> None:
        self._hold(lease)
        known = self.jobs[job.meter_id]
        # Why and since when is the planner's to say.
        self.jobs[job.meter_id] = replace(
            job, cause=known.cause, since_s=known.since_s, order_id=known.order_id, title=known.title
        )

    def _hold(self, lease: Lease) -> None:
        if self.fences.get(lease.group, lease.fence) != lease.fence:
            raise LostLeaseError("another owner")
