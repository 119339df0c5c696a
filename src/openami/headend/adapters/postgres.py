"""Leases, snapshots and the status of the head-end in PostgreSQL, schema ``headend``, role ``openami_headend``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from openami.contracts.deadletter import DeadLetter, RefusalReason
from openami.contracts.reading import uuids_of
from openami.headend.api import HeadendCounts, LastFrame, RefusedFrame
from openami.headend.listening.release import CounterRelease
from openami.headend.ports import HeadendError, LostLeaseError, StateUnavailableError
from openami.headend.state_ports import KeptPage, LastFrames, Lease, Snapshot
from openami.kernel.time import EPOCH

MAX_LIMIT = 10_000


@asynccontextmanager
async def _transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    try:
        async with engine.begin() as connection:
            yield connection
    except (OperationalError, InterfaceError) as error:
        raise StateUnavailableError(f"the head-end's database does not answer: {type(error.orig).__name__}") from error


def _instant(ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=ms)


class PostgresGroupStore:
    """A :class:`~openami.headend.state_ports.GroupStore`.

    Args:
        engine: connected as ``openami_headend``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def prepare(self, groups: int) -> None:
        """Make the rows of the groups."""
        async with _transaction(self._engine) as connection:
            await connection.execute(_INSERT_GROUPS, {"groups": groups})
            known = (
                await connection.execute(text("select distinct group_count from headend.partition_group"))
            ).scalars()
            if set(known) != {groups}:
                raise HeadendError(
                    f"the partitions are shared in another number of groups than {groups}: keep it as it was"
                )

    async def enlist(self, owner: str, *, now: datetime, until: datetime) -> int:
        """Say that this owner is alive."""
        async with _transaction(self._engine) as connection:
            await connection.execute(_ENLIST, {"owner": owner, "until": until})
            alive = text("select count(*) from headend.member where alive_until > :now or owner = :owner")
            return int(await connection.scalar(alive, {"now": now, "owner": owner}) or 1)

    async def resign(self, owner: str) -> None:
        """Say that this owner is leaving."""
        async with _transaction(self._engine) as connection:
            await connection.execute(text("delete from headend.member where owner = :owner"), {"owner": owner})

    async def acquire(
        self, owner: str, *, limit: int, working: Sequence[int], now: datetime, until: datetime
    ) -> list[Lease]:
        """Take groups."""
        if limit <= 0:
            return []
        async with _transaction(self._engine) as connection:
            values = {"owner": owner, "limit": limit, "working": list(working), "now": now, "until": until}
            rows = (await connection.execute(_ACQUIRE, values)).all()
        return [Lease(r.group_no, r.fence, r.position) for r in rows]

    async def renew(self, leases: Sequence[Lease], *, until: datetime) -> set[int]:
        """Extend leases."""
        if not leases:
            return set()
        async with _transaction(self._engine) as connection:
            values = {"groups": [x.group for x in leases], "fences": [x.fence for x in leases], "until": until}
            return set((await connection.execute(_RENEW, values)).scalars())

    async def release(self, lease: Lease) -> None:
        """Give a group back."""
        async with _transaction(self._engine) as connection:
            await connection.execute(_RELEASE, {"group": lease.group, "fence": lease.fence})

    async def pages(self, group: int) -> list[bytes]:
        """Return the pages of counter windows."""
        query = text("select octets from headend.window_page where group_no = :group order by position")
        async with _transaction(self._engine) as connection:
            return [bytes(o) for o in (await connection.execute(query, {"group": group})).scalars()]

    async def releases(self, *, after: int) -> list[CounterRelease]:
        """Return released counter jumps."""
        async with _transaction(self._engine) as connection:
            rows = (await connection.execute(_RELEASES, {"after": after})).all()
        return [CounterRelease(r.release_no, r.letter_id, bytes.fromhex(r.system_title), bytes(r.frame)) for r in rows]

    async def memory(self, group: int) -> list[bytes]:
        """Return what is remembered of meters."""
        query = text("select octets from headend.memory_page where group_no = :group order by page_no")
        async with _transaction(self._engine) as connection:
            return [bytes(o) for o in (await connection.execute(query, {"group": group})).scalars()]

    async def write(self, lease: Lease, snapshot: Snapshot) -> None:
        """Keep a snapshot, or nothing where the fence is another's."""
        async with _transaction(self._engine) as connection:
            # The row lock holds a new owner back until this transaction has ended, so its pages are whole.
            place = {"group": lease.group, "fence": lease.fence, "since": snapshot.since, "position": snapshot.position}
            if (await connection.execute(_MOVE, place)).rowcount != 1:
                raise LostLeaseError(
                    f"group {lease.group}: fence {lease.fence} or position {snapshot.since} has passed"
                )
            if snapshot.position != snapshot.since:
                await _write_page(connection, lease.group, snapshot)
            await _write_counts(connection, lease.group, snapshot)
            await _write_last_frames(connection, snapshot.last_frames)
            if snapshot.kept is not None:
                await _write_kept(connection, lease.group, snapshot.kept)
            if snapshot.forget_before_ms is not None:
                await connection.execute(_FORGET_LETTERS, {"before": _instant(snapshot.forget_before_ms)})
            if snapshot.letters:
                await connection.execute(_INSERT_LETTER, [_letter_row(x) for x in snapshot.letters])


class PostgresHeadendStatus:
    """A :class:`~openami.headend.api.HeadendStatus`.

    Args:
        engine: connected as ``openami_headend``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def last_frames(self, limit: int = 100) -> list[LastFrame]:
        """Return the newest accepted frame of each meter."""
        query = text(f"{_LAST_FRAME} order by received_at desc, meter_id limit :limit")
        async with _transaction(self._engine) as connection:
            rows = (await connection.execute(query, {"limit": _bounded(limit)})).all()
        return [LastFrame(*row) for row in rows]

    async def last_frame_of(self, meter_id: UUID) -> LastFrame | None:
        """Return the newest accepted frame of one meter."""
        query = text(f"{_LAST_FRAME} where meter_id = :meter_id")
        async with _transaction(self._engine) as connection:
            row = (await connection.execute(query, {"meter_id": meter_id})).one_or_none()
        return LastFrame(*row) if row else None

    async def dead_letters(self, limit: int = 100, *, before: str | None = None) -> list[RefusedFrame]:
        """Return refused frames, newest first."""
        seq, frame_no = _letter_place(before) if before else (2**62, 0)
        async with _transaction(self._engine) as connection:
            values = {"seq": seq, "frame_no": frame_no, "limit": _bounded(limit)}
            rows = (await connection.execute(_LETTERS, values)).all()
        return [RefusedFrame(r[0], RefusalReason(r[1]), *r[2:]) for r in rows]

    async def release_counter(self, letter_id: str, *, by: UUID, at: datetime, reason: str) -> bool:
        """Let head-ends believe the counter of a held letter."""
        values = {"letter_id": letter_id, "by": by, "at": at, "why": reason}
        async with _transaction(self._engine) as connection:
            return (await connection.execute(_RELEASE_COUNTER, values)).rowcount == 1

    async def counts(self, *, now: datetime) -> HeadendCounts:
        """Return totals."""
        async with _transaction(self._engine) as connection:
            frames, accepted = (
                await connection.execute(text("select sum(frames), sum(accepted) from headend.frame_count"))
            ).one()
            reasons = (
                await connection.execute(text("select reason, sum(frames) from headend.refusal_count group by reason"))
            ).all()
            owned, groups = (await connection.execute(_OWNED, {"now": now})).one()
        refused = {RefusalReason(reason): int(count) for reason, count in reasons}
        return HeadendCounts(int(frames or 0), int(accepted or 0), refused, int(owned), int(groups))


_UPSERT_LEVEL = text("""
    insert into headend.service_level values (:group, :day, :cell, :l0, :l1, :l2, :l3, :l4, :l5, :l6)
    on conflict (group_no, day, cell) do update set
        within_1h = excluded.within_1h, within_6h = excluded.within_6h, within_24h = excluded.within_24h,
        within_72h = excluded.within_72h, later = excluded.later, finished = excluded.finished,
        expected = excluded.expected
""")
_UPSERT_REGISTER_LEVEL = text("""
    insert into headend.register_level values (:group, :read_day, :cell, :due, :in_time, :came)
    on conflict (group_no, read_day, cell) do update set
        due = excluded.due, in_time = excluded.in_time, came = excluded.came
""")
_INSERT_GROUPS = text(
    "insert into headend.partition_group (group_no, group_count) "
    "select g, :groups from generate_series(0, :groups - 1) g "
    "where not exists (select from headend.partition_group) on conflict do nothing"
)
_ENLIST = text(
    "insert into headend.member values (:owner, :until) "
    "on conflict (owner) do update set alive_until = excluded.alive_until"
)
_ACQUIRE = text("""
    update headend.partition_group g
    set owner = :owner, fence = g.fence + 1, lease_until = :until
    from (
        select group_no from headend.partition_group
        where (lease_until < :now or owner = :owner) and group_no <> all(cast(:working as smallint[]))
        order by group_no limit :limit for update skip locked
    ) free
    where g.group_no = free.group_no
    returning g.group_no, g.fence, g.position
""")
_RENEW = text("""
    update headend.partition_group g set lease_until = :until
    from unnest(cast(:groups as smallint[]), cast(:fences as bigint[])) mine(group_no, fence)
    where g.group_no = mine.group_no and g.fence = mine.fence
    returning g.group_no
""")
_RELEASE = text(
    "update headend.partition_group set owner = null, lease_until = 'epoch' where group_no = :group and fence = :fence"
)
_MOVE = text(
    "update headend.partition_group set position = :position "
    "where group_no = :group and fence = :fence and position = :since"
)
_INSERT_LETTER = text("""
    insert into headend.dead_letter values
    (:letter_id, :seq, :frame_no, :reason, :detail, :title, :counter, :collector_id, :collected_at, :refused_at, :frame)
    on conflict (letter_id) do nothing
""")
_FORGET_LETTERS = text("delete from headend.dead_letter where refused_at < :before")
_LAST_FRAME = (
    "select meter_id, collected_at, received_at, generation, invocation_counter, frames from headend.last_frame"
)
_UPSERT_LAST_FRAMES = text("""
    insert into headend.last_frame (meter_id, generation, invocation_counter, collected_at, received_at, frames)
    select m, g, c, timestamptz 'epoch' + a * interval '1 ms', timestamptz 'epoch' + r * interval '1 ms', n
    from unnest(cast(:meters as uuid[]), cast(:generations as int[]), cast(:counters as bigint[]),
                cast(:collected as bigint[]), cast(:received as bigint[]), cast(:frames as bigint[]))
        as new(m, g, c, a, r, n)
    on conflict (meter_id) do update set
        generation = excluded.generation, invocation_counter = excluded.invocation_counter,
        collected_at = excluded.collected_at, received_at = excluded.received_at,
        frames = last_frame.frames + excluded.frames
""")
_LETTERS = text("""
    select letter_id, d.reason, detail, system_title, invocation_counter, collector_id, collected_at, refused_at,
           octet_length(frame), r.asked_at
    from headend.dead_letter d left join headend.counter_release r using (letter_id)
    where (stream_seq, frame_no) < (:seq, :frame_no)
    order by stream_seq desc, frame_no desc limit :limit
""")
_RELEASES = text("""
    select release_no, letter_id, system_title, frame
    from headend.counter_release join headend.dead_letter using (letter_id)
    where release_no > :after order by release_no limit 10000
""")
_RELEASE_COUNTER = text("""
    insert into headend.counter_release (letter_id, asked_by, asked_at, reason)
    select :letter_id, :by, :at, :why
    where exists (select from headend.dead_letter where letter_id = :letter_id and reason = 'counter_jump')
    on conflict (letter_id) do nothing
""")
_OWNED = text("select count(*) filter (where lease_until > :now), count(*) from headend.partition_group")


async def _write_page(connection: AsyncConnection, group: int, snapshot: Snapshot) -> None:
    if snapshot.is_base:
        await connection.execute(text("delete from headend.window_page where group_no = :group"), {"group": group})
    await connection.execute(
        text("insert into headend.window_page values (:group, :position, :is_base, :octets)"),
        {"group": group, "position": snapshot.position, "is_base": snapshot.is_base, "octets": snapshot.page},
    )


async def _write_kept(connection: AsyncConnection, group: int, kept: KeptPage) -> None:
    if kept.is_base:
        await connection.execute(text("delete from headend.memory_page where group_no = :group"), {"group": group})
    await connection.execute(
        text("insert into headend.memory_page (group_no, octets) values (:group, :octets)"),
        {"group": group, "octets": kept.page},
    )
    if kept.levels:
        rows = [
            {"group": group, "day": r.day, "cell": r.cell, **{f"l{i}": n for i, n in enumerate(r.counts)}}
            for r in kept.levels
        ]
        await connection.execute(_UPSERT_LEVEL, rows)
    if kept.registers:
        await connection.execute(_UPSERT_REGISTER_LEVEL, [{"group": group, **asdict(r)} for r in kept.registers])


async def _write_counts(connection: AsyncConnection, group: int, snapshot: Snapshot) -> None:
    await connection.execute(
        text(
            "insert into headend.frame_count as c values (:group, :frames, :accepted) on conflict (group_no) "
            "do update set frames = c.frames + excluded.frames, accepted = c.accepted + excluded.accepted"
        ),
        {"group": group, "frames": snapshot.frames, "accepted": snapshot.accepted},
    )
    if snapshot.refusals:
        await connection.execute(
            text(
                "insert into headend.refusal_count as c values (:group, :reason, :frames) "
                "on conflict (group_no, reason) do update set frames = c.frames + excluded.frames"
            ),
            [{"group": group, "reason": reason, "frames": n} for reason, n in sorted(snapshot.refusals.items())],
        )


async def _write_last_frames(connection: AsyncConnection, last: LastFrames) -> None:
    if not len(last.frames):
        return
    values: dict[str, Any] = {
        "meters": uuids_of(last.meter_id),
        "generations": last.generation.tolist(),
        "counters": last.counter.tolist(),
        "collected": last.collected_at_ms.tolist(),
        "received": last.received_at_ms.tolist(),
        "frames": last.frames.tolist(),
    }
    await connection.execute(_UPSERT_LAST_FRAMES, values)


def _letter_row(letter: DeadLetter) -> dict[str, Any]:
    seq, frame_no = _letter_place(letter.letter_id)
    return {
        "letter_id": letter.letter_id,
        "seq": seq,
        "frame_no": frame_no,
        "reason": letter.reason.value,
        "detail": letter.detail,
        "title": letter.system_title,
        "counter": letter.invocation_counter,
        "collector_id": letter.collector_id,
        "collected_at": _instant(letter.collected_at_ms),
        "refused_at": _instant(letter.refused_at_ms),
        "frame": letter.frame,
    }


def _letter_place(letter_id: str) -> tuple[int, int]:
    seq, _, frame_no = letter_id.partition("-")
    if not (seq.isdecimal() and frame_no.isdecimal()) or len(letter_id) > 40:
        raise HeadendError(f"{letter_id[:40]!r} is not a dead letter's id")
    return min(int(seq), 2**62), min(int(frame_no), 2**31 - 1)


def _bounded(limit: int) -> int:
    return max(1, min(limit, MAX_LIMIT))
