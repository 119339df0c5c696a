"""What was sent to other systems, in PostgreSQL, schema ``mdm``: the file, each record, and what was answered."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from openami.mdm.exchange.acknowledgement import Answer, Result
from openami.mdm.exchange.billing_reads import BillingRead, record_id
from openami.mdm.exchange.errors import MessageRefusedError
from openami.mdm.exchange.reconcile import Difference
from openami.mdm.exchange.sent import SentCounts, SentRecord, content_of

MAX_KEPT = 10_000
"""Differences kept of one reconciliation: the file that was written holds them all."""
_SENT = text(
    "insert into mdm.exchange_sent (receiver, message, record, service_point_id, first_day, end_day, digest, sent_at) "
    "select :receiver, :message, k.record, k.point, k.first, k.last, k.digest, :at from unnest("
    "cast(:records as text[]), cast(:points as uuid[]), cast(:firsts as date[]), cast(:ends as date[]), "
    "cast(:digests as bytea[])) as k (record, point, first, last, digest) on conflict do nothing"
)
_FILE = text(
    "insert into mdm.exchange_file (receiver, message, form, body, sent_at) "
    "values (:receiver, :message, :form, :body, :at) on conflict do nothing"
)
_ANSWER = text(
    "update mdm.exchange_sent set result = :result, code = :code, reason = :reason, answered_at = :at "
    "where receiver = :receiver and message = :message and record = :record"
)
_OPEN = (
    "select receiver, message, record, first_day, end_day, sent_at, result, code, reason from mdm.exchange_sent s "
    "where receiver = :receiver and (result is null or result in ('rejected', 'held')) and not exists ("
    "select from mdm.exchange_sent l where l.receiver = s.receiver and l.record = s.record and l.sent_at > s.sent_at) "
    "order by sent_at, record limit :limit"
)


class PostgresSentBook:
    """Keeps what was sent.

    Args:
        engine: connections of role ``openami_mdm``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def note(
        self, receiver: str, message: str, reads: Sequence[BillingRead], body: str, *, form: str, at: datetime
    ) -> None:
        """Keep a message before it is handed out."""
        head = {"receiver": receiver, "message": message, "at": at}
        rows = {
            "records": [record_id(r) for r in reads],
            "points": [r.service_point_id for r in reads],
            "firsts": [r.first for r in reads],
            "ends": [r.end for r in reads],
            "digests": [sha256(content_of(r)).digest() for r in reads],
        }
        async with self._engine.begin() as connection:
            await connection.execute(_FILE, head | {"form": form, "body": gzip.compress(body.encode(), mtime=0)})
            if reads:
                await connection.execute(_SENT, head | rows)

    async def file(self, receiver: str, message: str) -> tuple[str, str]:
        """Return form and text of a message as it was sent.

        Raises:
            MessageRefusedError: none of that number was sent.
        """
        found = await self._rows(
            "select form, body from mdm.exchange_file where receiver = :receiver and message = :message",
            {"receiver": receiver, "message": message},
        )
        if not found:
            raise MessageRefusedError(0, f"no message {message} was sent to {receiver}")
        return found[0]["form"], gzip.decompress(bytes(found[0]["body"])).decode()

    async def places(self, receiver: str, message: str) -> frozenset[UUID]:
        """Return the places that a message is about."""
        query = "select distinct service_point_id from mdm.exchange_sent where receiver = :receiver and message = :m"
        return frozenset(r["service_point_id"] for r in await self._rows(query, {"receiver": receiver, "m": message}))

    async def answered(self, receiver: str, message: str, answers: Sequence[Answer], *, at: datetime) -> list[str]:
        """Keep what was answered; returns records that the message did not hold.

        Raises:
            MessageRefusedError: no message of that number was sent.
        """
        await self.file(receiver, message)
        strange = []
        async with self._engine.begin() as connection:
            for one in answers:
                row = {
                    "receiver": receiver, "message": message, "record": one.id, "result": one.result.value,
                    "code": one.code, "reason": one.reason[:300], "at": at,
                }  # fmt: skip
                if (await connection.execute(_ANSWER, row)).rowcount != 1:
                    strange.append(one.id)
        return strange

    async def open(self, receiver: str, *, limit: int) -> list[SentRecord]:
        """Return what was rejected or not answered and not sent again since, oldest first."""
        return [_sent(r) for r in await self._rows(_OPEN, {"receiver": receiver, "limit": limit})]

    async def counts(self, receiver: str, first: date, end: date) -> SentCounts:
        """Return how many bills of these days were sent, and what was answered to the last sending of each."""
        rows = await self._rows(
            "select result, count(*) as n from (select distinct on (record) result from mdm.exchange_sent "
            "where receiver = :receiver and first_day >= :first and first_day < :end "
            "order by record, sent_at desc) as last group by result",
            {"receiver": receiver, "first": first, "end": end},
        )
        found = {r["result"]: r["n"] for r in rows}
        taken = found.get("accepted", 0) + found.get("unchanged", 0)
        return SentCounts(
            sum(found.values()), taken, found.get("rejected", 0) + found.get("held", 0), found.get(None, 0)
        )

    async def keep_reconciliation(
        self, number: UUID, row: Mapping[str, Any], differences: Sequence[Difference], *, at: datetime
    ) -> None:
        """Keep what a reconciliation found: every count, and the first differences of it."""
        kept = [[d.service_point, d.what, d.ours, d.theirs] for d in differences[:MAX_KEPT]]
        async with self._engine.begin() as connection:
            await connection.execute(
                text(
                    "insert into mdm.reconciliation (id, partner, snapshot, at, ours, theirs, counts, differences) "
                    "values (:id, :partner, :snapshot, :at, :ours, :theirs, cast(:counts as jsonb), "
                    "cast(:differences as jsonb))"
                ),
                {
                    "id": number, "partner": row["partner"], "snapshot": row["snapshot"], "at": at,
                    "ours": row["ours"], "theirs": row["theirs"], "counts": orjson.dumps(row).decode(),
                    "differences": orjson.dumps(kept).decode(),
                },
            )  # fmt: skip

    async def reconciliations(self, partner: str | None, *, limit: int) -> list[dict[str, Any]]:
        """Return what was found, newest first."""
        rows = await self._rows(
            "select counts from mdm.reconciliation where partner = :partner or :partner = '' "
            "order by at desc, id limit :limit",
            {"partner": partner or "", "limit": limit},
        )
        return [r["counts"] for r in rows]

    async def _rows(self, statement: str, values: Mapping[str, Any]) -> list[Any]:
        async with self._engine.connect() as connection:
            return list((await connection.execute(text(statement), dict(values))).mappings().all())


def _sent(row: Any) -> SentRecord:
    result = None if row["result"] is None else Result(row["result"])
    return SentRecord(
        row["receiver"], row["message"], row["record"], row["first_day"], row["end_day"], row["sent_at"], result,
        row["code"], row["reason"],
    )  # fmt: skip
