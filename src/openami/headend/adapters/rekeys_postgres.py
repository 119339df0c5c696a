"""Changes of keys as jobs, in PostgreSQL, schema ``headend``; each step is fenced by the lease."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from openami.contracts.stream import partition_of
from openami.headend.adapters.requests_postgres import transaction
from openami.headend.keeping.rekey import CAUSES, Cause, Rekey, RekeyPolicy, RekeyProgress, RekeyStep, renewed
from openami.headend.ports import LostLeaseError, StateUnavailableError
from openami.headend.state_ports import Lease
from openami.kernel.ids import SystemTitle

_FIELDS = """
    select meter_id, system_title, cause, step, since_s, generation, tries, not_before_s, changed_at_s, words, order_id
    from headend.key_change
"""
_DUE = text(
    _FIELDS + " where partition = any(:partitions) and step in ('due', 'uncertain') and not_before_s <= :now "
    "and (step = 'uncertain' or cast(:titles as bytea[]) is null or system_title = any(cast(:titles as bytea[]))) "
    "order by rank, since_s, meter_id limit :limit"
)
_KNOWN = text(_FIELDS + " where meter_id = any(:meters) for update")
_PUT = text("""
    insert into headend.key_change as k (meter_id, system_title, partition, cause, rank, step, since_s, generation,
        tries, not_before_s, changed_at_s, words, order_id)
    values (:meter_id, :title, :partition, :cause, :rank, :step, :since_s, :generation, :tries, :not_before_s,
        :changed_at_s, :words, :order_id)
    on conflict (meter_id) do update set cause = excluded.cause, rank = excluded.rank, step = excluded.step,
        since_s = excluded.since_s, generation = excluded.generation, tries = excluded.tries,
        not_before_s = excluded.not_before_s, changed_at_s = excluded.changed_at_s, words = excluded.words,
        order_id = excluded.order_id
""")
_STEP = text("""
    update headend.key_change set step = :step, generation = :generation, tries = :tries,
        not_before_s = :not_before_s, changed_at_s = :changed_at_s, words = :words
    where meter_id = :meter_id
""")
_WAKE = text("""
    update headend.key_change set not_before_s = :now
    where meter_id = any(:meters) and step in ('due', 'uncertain') and not_before_s > :now
""")
_HOLD = text("select from headend.partition_group where group_no = :group and fence = :fence for share")
_COUNTS = text("""
    select cause, step, count(*) as jobs, count(*) filter (where step in ('due', 'uncertain') and tries >= :patient)
        as stuck from headend.key_change group by cause, step
""")
_LEFT_OVER = text(
    _FIELDS + " where step = 'failed' or (step in ('due', 'uncertain') and tries >= :patient) "
    "order by rank, since_s, meter_id limit :limit"
)
_RETRY = text("""
    update headend.key_change set step = 'due', tries = 0, not_before_s = :now, changed_at_s = :now,
        words = 'tried again at the word of a person'
    where step = 'failed' and (cast(:title as bytea) is null or system_title = :title)
""")
# A meter gets its group's key with its next pair, so one that is behind its group is due as one with an old pair is.
_OLDER = text("""
    select meter_id from security.meter_key where use = 'encryption' and state = 'active' and active_at < :instant
    union
    select m.meter_id from security.group_member m
    join security.group_key k on k.group_id = m.group_id and k.state = 'active' where m.held_generation < k.generation
""")


class PostgresRekeys:
    """A :class:`~openami.headend.session.rekey_ports.RekeyStore`, and what people see of it.

    Args:
        engine: connected as ``openami_headend``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def due(
        self, partitions: frozenset[int], *, now_s: float, limit: int, titles: Collection[bytes] | None = None
    ) -> list[Rekey]:
        """Return open jobs whose turn it is."""
        named = sorted(titles) if titles is not None else None
        values = {"partitions": sorted(partitions), "now": now_s, "limit": limit, "titles": named}
        async with transaction(self._engine) as connection:
            return [_job_of(row) for row in (await connection.execute(_DUE, values)).all()]

    async def add(self, lease: Lease, fresh: Sequence[Rekey]) -> int:
        """Keep what is due now beside what is known."""
        if not fresh:
            return 0
        async with transaction(self._engine) as connection:
            await _hold(connection, lease)
            known = {
                row.meter_id: _job_of(row)
                for row in (await connection.execute(_KNOWN, {"meters": [one.meter_id for one in fresh]})).all()
            }
            changed: dict[UUID, Rekey] = {}
            for one in fresh:
                job = renewed(changed.get(one.meter_id, known.get(one.meter_id)), one)
                if job is not None:
                    changed[one.meter_id] = job
            if changed:
                await connection.execute(_PUT, [_row_of(job) for job in changed.values()])
        return len(changed)

    async def wake(self, lease: Lease, meters: Collection[UUID], *, now_s: float) -> None:
        """Let open jobs of these meters be due now."""
        async with transaction(self._engine) as connection:
            await _hold(connection, lease)
            await connection.execute(_WAKE, {"meters": list(meters), "now": now_s})

    async def keep(self, lease: Lease, job: Rekey) -> None:
        """Keep where a job stands."""
        async with transaction(self._engine) as connection:
            await _hold(connection, lease)
            await connection.execute(_STEP, _row_of(job))

    async def progress(self, policy: RekeyPolicy) -> dict[Cause, RekeyProgress]:
        """Return how the changes of each cause stand.

        Raises:
            StateUnavailableError: the database does not answer.
        """
        async with transaction(self._engine) as connection:
            rows = (await connection.execute(_COUNTS, {"patient": policy.patient_tries})).all()
        found: dict[Cause, dict[str, int]] = {}
        for row in rows:
            counts = found.setdefault(Cause(row.cause), {"left_over": 0})
            counts[row.step] = row.jobs
            counts["left_over"] += row.jobs if row.step == RekeyStep.FAILED.value else row.stuck
        return {cause: RekeyProgress(**found[cause]) for cause in CAUSES if cause in found}

    async def left_over(self, policy: RekeyPolicy, *, limit: int) -> list[Rekey]:
        """Return jobs that people should look at, the gravest first.

        Raises:
            StateUnavailableError: the database does not answer.
        """
        async with transaction(self._engine) as connection:
            rows = await connection.execute(_LEFT_OVER, {"patient": policy.patient_tries, "limit": limit})
            return [_job_of(row) for row in rows.all()]

    async def retry(self, title: SystemTitle | None, *, now_s: float) -> int:
        """Begin failed jobs anew, of one meter or of all; return how many.

        Raises:
            StateUnavailableError: the database does not answer.
        """
        async with transaction(self._engine) as connection:
            values = {"title": title.octets if title is not None else None, "now": now_s}
            return (await connection.execute(_RETRY, values)).rowcount


class PostgresKeyAges:
    """:class:`~openami.headend.session.rekey_ports.KeyAges`.

    Args:
        engine: connected as ``openami_keyreader``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def older_than(self, instant: datetime) -> Sequence[UUID]:
        """Return meters whose pair in use is older, and those that are behind their group's broadcast key."""
        try:
            async with self._engine.connect() as connection:
                return list((await connection.execute(_OLDER, {"instant": instant})).scalars())
        except (DBAPIError, PoolTimeoutError, OSError) as error:
            raise StateUnavailableError(f"the ages of keys cannot be read: {type(error).__name__}") from error


async def _hold(connection: AsyncConnection, lease: Lease) -> None:
    if (await connection.execute(_HOLD, {"group": lease.group, "fence": lease.fence})).first() is None:
        raise LostLeaseError(f"group {lease.group}: fence {lease.fence} has passed")


def _job_of(row: Row[Any]) -> Rekey:
    return Rekey(
        row.meter_id, SystemTitle(bytes(row.system_title)), Cause(row.cause), RekeyStep(row.step), row.since_s,
        row.generation, row.tries, row.not_before_s, row.changed_at_s, row.words, row.order_id,
    )  # fmt: skip


def _row_of(job: Rekey) -> dict[str, Any]:
    return {
        "meter_id": job.meter_id,
        "title": job.title.octets,
        "partition": partition_of(job.title),
        "cause": job.cause.value,
        "rank": CAUSES.index(job.cause),
        "step": job.step.value,
        "since_s": job.since_s,
        "generation": job.generation,
        "tries": job.tries,
        "not_before_s": job.not_before_s,
        "changed_at_s": job.changed_at_s,
        "words": job.words,
        "order_id": job.order_id,
    }
