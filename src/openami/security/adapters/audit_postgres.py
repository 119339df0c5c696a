"""The audit log in PostgreSQL (schema ``audit``): written before data are returned, put into the tree afterwards.

Looks that come together share one commit. The sequencer gives committed rows their place in the tree and signs a head;
any number of processes may run it, one at a time works (advisory lock).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from openami.kernel.clock import Clock
from openami.kernel.errors import OpenAmiError
from openami.security.access.gate import AuditUnavailableError
from openami.security.access.scope import Scope
from openami.security.audit.entry import AuditEntry
from openami.security.audit.head import SignedHead, public_key_of, sign_head, verify_head
from openami.security.audit.merkle import Frontier, inclusion_proof, leaf_hash

BATCH_ROWS = 500
SEAL_ROWS = 10_000
WRITE_TIMEOUT_S = 5.0
LOCK = 0x0A44


class AuditLogBrokenError(OpenAmiError):
    """The kept tree does not agree with its signed head: somebody altered it, and nothing more is signed."""


@dataclass(slots=True, eq=False)
class PostgresAuditLog:
    """Writer and reader.

    Args:
        engine: as role ``openami_audit``.
    """

    engine: AsyncEngine
    _waiting: list[tuple[AuditEntry, asyncio.Future[None]]] = field(default_factory=list)
    _flush: asyncio.Task[None] | None = None

    async def write(self, entry: AuditEntry) -> None:
        """Keep one row; returns when it is on disk.

        Raises:
            AuditUnavailableError: it is not, or not within :data:`WRITE_TIMEOUT_S`.
        """
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, future))
        if self._flush is None or self._flush.done():
            self._flush = asyncio.create_task(self._flush_all())
        try:
            await asyncio.wait_for(future, WRITE_TIMEOUT_S)
        except TimeoutError as error:
            raise AuditUnavailableError("the audit log did not take the row in time") from error

    async def _flush_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH_ROWS], self._waiting[BATCH_ROWS:]
            failure: AuditUnavailableError | None = None
            try:
                await asyncio.wait_for(self._insert([entry for entry, _ in batch]), WRITE_TIMEOUT_S)
            except (DBAPIError, PoolTimeoutError, TimeoutError, OSError) as error:
                failure = AuditUnavailableError(f"the audit log does not take rows: {type(error).__name__}")
            for _, future in batch:
                if future.done():
                    continue
                if failure is None:
                    future.set_result(None)
                else:
                    future.set_exception(failure)

    async def _insert(self, entries: Sequence[AuditEntry]) -> None:
        given = {
            "ids": [e.entry_id for e in entries],
            "ats": [e.at for e in entries],
            "subjects": ["{" + ",".join(map(str, e.subjects)) + "}" for e in entries],
            "bodies": [e.canonical() for e in entries],
        }
        # One statement is a transaction of its own: it is on disk when it returns, or nothing of it is.
        async with self.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            await connection.execute(_ADD_ENTRIES, given)

    async def who_looked(self, scope: Scope, service_point_id: UUID, *, limit: int) -> list[AuditEntry]:
        """Return looks at a service point, newest first, within the scope's time.

        A look of before the reader's move-in, or at data of before it, was a look at somebody else.
        """
        scope.require(frozenset({service_point_id}))
        async with self._reading() as connection:
            rows = (await connection.execute(_LOOKS, {"place": service_point_id, "limit": limit})).all()
        entries = [AuditEntry.from_canonical(bytes(r.body)) for r in rows]
        periods = None if scope.periods is None else scope.periods.get(service_point_id, ())
        if periods is None:
            return entries
        return [
            e
            for e in entries
            if any(p.holds(e.domain_at) and (e.period is None or e.period.intersection(p)) for p in periods)
        ]

    async def head(self) -> SignedHead | None:
        """Return the newest tree head, unverified."""
        async with self._reading() as connection:
            row = (await connection.execute(_NEWEST_HEAD)).one_or_none()
        return SignedHead(row.size, bytes(row.root), row.signed_at, row.note) if row else None

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self.engine.connect() as connection:
                yield connection
        except (DBAPIError, PoolTimeoutError) as error:
            raise AuditUnavailableError(f"the audit log cannot be read: {type(error).__name__}") from error

    async def export(self) -> AsyncIterator[str]:
        """Yield the whole log as lines for :func:`~openami.security.audit.verify.verify_export`."""
        async with self.engine.connect() as connection:
            heads = {r.size: r.note for r in (await connection.execute(_HEADS)).all()}
            index = 0
            async with connection.stream(_LEAVES) as rows:
                async for row in rows:
                    yield json.dumps({"i": row.leaf_index, "e": bytes(row.body).decode()}) + "\n"
                    index += 1
                    if index in heads:
                        yield json.dumps({"head": heads.pop(index)}) + "\n"
            for note in heads.values():
                yield json.dumps({"head": note}) + "\n"

    async def unsealed(self) -> tuple[int, int]:
        """Return how many entries wait for their place, and how many have none and do not wait (should be 0)."""
        async with self.engine.connect() as connection:
            row = (await connection.execute(_UNSEALED)).one()
        return int(row.pending), int(row.entries) - int(row.leaves) - int(row.pending)

    async def prove(self, entry_id: UUID) -> InclusionProof | None:
        """Return the proof that an entry is under the newest tree head; None if it is not (yet)."""
        async with self.engine.connect() as connection:
            head = (await connection.execute(_NEWEST_HEAD)).one_or_none()
            place = (await connection.execute(_PLACE, {"id": entry_id})).one_or_none()
            if head is None or place is None or place.leaf_index >= head.size:
                return None
            bodies = (await connection.execute(_BODIES, {"size": head.size})).scalars().all()
        leaves = [leaf_hash(bytes(b)) for b in bodies]
        path = inclusion_proof(leaves, place.leaf_index)
        return InclusionProof(place.leaf_index, bytes(place.body), tuple(path), head.note)


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """An entry, its index, the path to the root, and the signed note whose root it leads to."""

    index: int
    body: bytes
    path: tuple[bytes, ...]
    note: str


@dataclass(frozen=True, slots=True)
class AuditSequencer:
    """Gives committed rows their place in the tree and signs its head.

    Args:
        engine: as role ``openami_audit``.
        real: real time.
        private_key: 32 octets of Ed25519.
    """

    engine: AsyncEngine
    real: Clock
    private_key: bytes = field(repr=False)

    async def seal(self) -> SignedHead | None:
        """Put what waits into the tree and sign it; None when nothing waited.

        Raises:
            AuditLogBrokenError: the kept frontier is not that of the newest signed head.
        """
        async with self.engine.begin() as connection:
            await connection.execute(_TAKE_LOCK, {"lock": LOCK})
            rows = (await connection.execute(_WAITING, {"limit": SEAL_ROWS})).all()
            if not rows:
                return None
            newest = (await connection.execute(_NEWEST_HEAD)).one_or_none()
            frontier = self._trusted(newest.note, bytes(newest.frontier)) if newest else Frontier()
            places = [{"index": frontier.size + i, "id": r.entry_id} for i, r in enumerate(rows)]
            grown = frontier.grown([leaf_hash(bytes(r.body)) for r in rows])
            now = self.real.now()
            # The host's clock may step back; the heads of one log may not.
            signed_at = max(now, newest.signed_at) if newest else now
            head = sign_head(size=grown.size, root=grown.root(), signed_at=signed_at, private_key=self.private_key)
            await connection.execute(_ADD_LEAF, places)
            await connection.execute(_PLACED, {"ids": [p["id"] for p in places]})
            await connection.execute(
                _ADD_HEAD,
                {
                    "size": head.size, "root": head.root, "frontier": grown.octets(), "at": head.signed_at,
                    "note": head.note,
                },
            )  # fmt: skip
        return head

    def _trusted(self, note: str, octets: bytes) -> Frontier:
        head = verify_head(note, public_key=public_key_of(self.private_key))
        frontier = Frontier.from_octets(head.size, octets)
        if frontier.root() != head.root or len(frontier.nodes) != head.size.bit_count():
            raise AuditLogBrokenError("the audit tree does not agree with its signed head: run `openami audit verify`")
        return frontier


_ADD_ENTRIES = text(
    "with given as (select * from unnest(cast(:ids as uuid[]), cast(:ats as timestamptz[]), cast(:subjects as text[]), "
    "cast(:bodies as bytea[])) as g (entry_id, at, subjects, body)), "
    "kept as (insert into audit.entry (entry_id, at, subjects, body) "
    "select entry_id, at, cast(subjects as uuid[]), body from given returning entry_id) "
    "insert into audit.pending (entry_id) select entry_id from kept"
)
_LOOKS = text(
    "select body from audit.entry where subjects @> array[cast(:place as uuid)] order by at desc, entry_id limit :limit"
)
_NEWEST_HEAD = text("select size, root, frontier, signed_at, note from audit.tree_head order by size desc limit 1")
_HEADS = text("select size, note from audit.tree_head order by size")
_LEAVES = text(
    "select l.leaf_index, e.body from audit.leaf l join audit.entry e using (entry_id) order by l.leaf_index"
)
_BODIES = text(
    "select e.body from audit.leaf l join audit.entry e using (entry_id) where l.leaf_index < :size "
    "order by l.leaf_index"
)
_PLACE = text(
    "select l.leaf_index, e.body from audit.leaf l join audit.entry e using (entry_id) where l.entry_id = :id"
)
_UNSEALED = text(
    "select (select count(*) from audit.pending) as pending, (select count(*) from audit.entry) as entries, "
    "(select count(*) from audit.leaf) as leaves"
)
_TAKE_LOCK = text("select pg_advisory_xact_lock(:lock)")
_WAITING = text(
    "select p.entry_id, e.body from audit.pending p join audit.entry e using (entry_id) "
    "order by e.at, e.entry_id limit :limit"
)
_ADD_LEAF = text("insert into audit.leaf (leaf_index, entry_id) values (:index, :id)")
_PLACED = text("delete from audit.pending where entry_id = any(:ids)")
_ADD_HEAD = text(
    "insert into audit.tree_head (size, root, frontier, signed_at, note) values (:size, :root, :frontier, :at, :note)"
)
