"""The exchange's book in PostgreSQL, schema ``mdm``: messages, answers, ids of other systems, premises."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from openami.mdm.exchange.acknowledgement import Acknowledgement, Answer, Result
from openami.mdm.exchange.message import Message
from openami.mdm.exchange.ports import Answered, IdKind, KeptRecord
from openami.mdm.exchange.record import MasterRecord, RejectedRecord, Value, record_of

_ANSWER = "record, line, kind, result, code, reason, days, bills"
_NOTE = text(
    "insert into mdm.exchange_record (sender, message, record, line, kind, digest, cells, result, code, reason, days, "
    "bills, at) values (:sender, :message, :record, :line, :kind, :digest, cast(:cells as jsonb), :result, :code, "
    ":reason, :days, :bills, :at)"
)
_LAST = text(
    f"select distinct on (record) digest, {_ANSWER} from mdm.exchange_record "  # noqa: S608 - our own column names
    "where sender = :sender and record = any(:records) order by record, ordinal desc"
)
_OPEN = text(
    f"select sender, message, cells, at, {_ANSWER} from ("  # noqa: S608 - our own column names
    "select *, row_number() over (partition by sender, record order by ordinal desc) as age from mdm.exchange_record"
    ") as newest where age = 1 and result in ('held', 'rejected') and (sender = :sender or :sender = '') "
    "order by ordinal desc limit :limit"
)


class PostgresExchangeBook:
    """Implements :class:`~openami.mdm.exchange.ports.ExchangeBook`.

    Args:
        engine: connections of role ``openami_mdm``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def earlier(self, sender: str, message: str) -> tuple[bytes, Acknowledgement] | None:
        """See the port."""
        of = {"sender": sender, "message": message}
        head = await self._rows(
            "select digest, taken_at, records from mdm.exchange_message where sender = :sender and message = :message",
            of,
        )
        if not head:
            return None
        # A first try that was cut short has left answers too: the last ones are those of the whole message.
        rows = await self._rows(
            f"select {_ANSWER} from (select * from mdm.exchange_record "  # noqa: S608 - our own column names
            "where sender = :sender and message = :message and at <= :at order by ordinal desc limit :count) as last "
            "order by ordinal",
            of | {"at": head[0]["taken_at"], "count": head[0]["records"]},
        )
        answers = tuple(_answer(r) for r in rows)
        return bytes(head[0]["digest"]), Acknowledgement(sender, message, head[0]["taken_at"], answers, is_repeat=True)

    async def answers(self, sender: str, records: Collection[str]) -> dict[str, tuple[bytes, Answer]]:
        """See the port."""
        async with self._engine.connect() as connection:
            rows = (await connection.execute(_LAST, {"sender": sender, "records": list(records)})).mappings()
            return {r["record"]: (bytes(r["digest"]), _answer(r)) for r in rows}

    async def note(self, message: Message, answered: Sequence[Answered], *, at: datetime) -> None:
        """See the port."""
        rows = [
            {
                "sender": message.sender, "message": message.id, "record": a.answer.id, "line": a.answer.line,
                "kind": a.answer.kind, "digest": a.digest, "cells": orjson.dumps(cells_of(a.record)).decode(),
                "result": a.answer.result.value, "code": a.answer.code, "reason": a.answer.reason,
                "days": a.answer.days, "bills": a.answer.bills, "at": at,
            }
            for a in answered
        ]  # fmt: skip
        if rows:
            async with self._engine.begin() as connection:
                await connection.execute(_NOTE, rows)

    async def finish(self, message: Message, found: Acknowledgement) -> None:
        """See the port."""
        await self._do(
            "insert into mdm.exchange_message (sender, message, digest, form, made_at, taken_at, records) "
            "values (:sender, :message, :digest, :form, :made, :at, :records) on conflict do nothing",
            {
                "sender": message.sender, "message": message.id, "digest": message.digest, "form": message.form,
                "made": message.made_at, "at": found.at, "records": len(found.answers),
            },
        )  # fmt: skip

    async def open(self, sender: str | None, *, limit: int) -> list[KeptRecord]:
        """See the port."""
        async with self._engine.connect() as connection:
            rows = (await connection.execute(_OPEN, {"sender": sender or "", "limit": limit})).mappings().all()
        return [_kept(r) for r in rows]

    async def ids(self, sender: str, kind: IdKind, names: Collection[str]) -> dict[str, UUID]:
        """See the port."""
        if not names:
            return {}
        rows = await self._rows(
            "select name, id from mdm.external_id where sender = :sender and kind = :kind and name = any(:names)",
            {"sender": sender, "kind": kind.value, "names": list(names)},
        )
        return {r["name"]: r["id"] for r in rows}

    async def make_ids(self, sender: str, kind: IdKind, names: Mapping[str, UUID], *, at: datetime) -> None:
        """See the port."""
        await self._do(
            "insert into mdm.external_id (sender, kind, name, id, made_at) "
            "select :sender, :kind, k.name, k.id, :at from unnest(cast(:names as text[]), cast(:ids as uuid[])) "
            "as k (name, id) on conflict do nothing",
            {"sender": sender, "kind": kind.value, "names": list(names), "ids": list(names.values()), "at": at},
        )

    async def names(self, sender: str, kind: IdKind) -> dict[UUID, str]:
        """See the port."""
        rows = await self._rows(
            "select name, id from mdm.external_id where sender = :sender and kind = :kind",
            {"sender": sender, "kind": kind.value},
        )
        return {r["id"]: r["name"] for r in rows}

    async def senders(self) -> list[str]:
        """See the port."""
        rows = await self._rows("select distinct sender from mdm.external_id order by sender", {})
        return [r["sender"] for r in rows]

    async def set_premise(self, service_point: UUID, premise: UUID, *, at: datetime) -> bool:
        """See the port."""
        statement = text(
            "insert into mdm.service_point_premise as p (service_point_id, premise_id, entered_at) "
            "values (:point, :premise, :at) on conflict (service_point_id) do update "
            "set premise_id = :premise, entered_at = :at where p.premise_id <> :premise"
        )
        async with self._engine.begin() as connection:
            done = await connection.execute(statement, {"point": service_point, "premise": premise, "at": at})
            return done.rowcount == 1

    async def premises(self) -> dict[UUID, UUID]:
        """See the port."""
        rows = await self._rows("select service_point_id, premise_id from mdm.service_point_premise", {})
        return {r["service_point_id"]: r["premise_id"] for r in rows}

    async def _rows(self, statement: str, values: Mapping[str, Any]) -> list[Any]:
        async with self._engine.connect() as connection:
            return list((await connection.execute(text(statement), dict(values))).mappings().all())

    async def _do(self, statement: str, values: Mapping[str, Any]) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(text(statement), dict(values))


def cells_of(record: MasterRecord | None) -> dict[str, str]:
    """Return a record's fields as the texts that it is read from again."""
    return {} if record is None else {n: _text(v) for n, v in record.values.items()}


def _text(value: Value) -> str:
    if isinstance(value, tuple):
        return "+".join(c.name.lower() for c in value)
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _answer(row: Any) -> Answer:
    return Answer(
        row["kind"], row["record"], row["line"], Result(row["result"]), row["code"], row["reason"], row["days"],
        row["bills"],
    )  # fmt: skip


def _kept(row: Any) -> KeptRecord:
    answer = _answer(row)
    read = record_of(answer.kind, answer.id, answer.line, row["cells"])
    return KeptRecord(
        row["sender"], row["message"], None if isinstance(read, RejectedRecord) else read, answer, row["at"]
    )
