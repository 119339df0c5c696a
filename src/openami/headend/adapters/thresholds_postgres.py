"""Words about thresholds in PostgreSQL, table ``headend.threshold_word``: kept once, never changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncEngine

from openami.contracts.threshold_word import ThresholdWord, WordKind, decode_word
from openami.headend.adapters.requests_postgres import transaction
from openami.headend.thresholds.ports import NEWEST
from openami.kernel.time import EPOCH

KEPT = timedelta(days=400)
"""Words that are older are forgotten: a year and a month is what an inquiry asks for."""
MAX_HELD = 5_000


class PostgresThresholdBook:
    """A :class:`~openami.headend.thresholds.ports.ThresholdBook`.

    Args:
        engine: connected as ``openami_headend``; reading works as ``openami_portal`` and ``openami_access`` too.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def note(self, words: Sequence[ThresholdWord]) -> list[ThresholdWord]:
        """Keep words, each once, and return those that were new."""
        rows = {row["word_id"]: (row, word) for row, word in ((_row(word), word) for word in words)}
        if not rows:
            return []
        async with transaction(self._engine) as connection:
            found = await connection.execute(_KNOWN, {"ids": list(rows)})
            new = [rows[key] for key in rows.keys() - {r.word_id for r in found}]
            new.sort(key=lambda pair: pair[1].at_ms)
            if new:
                await connection.execute(_NOTE, [row for row, _ in new])
                await connection.execute(_FORGET, {"before": _at(new[-1][1]) - KEPT})
        return [word for _, word in new]

    async def newest_at(self) -> datetime | None:
        """Return when the newest word was said."""
        async with transaction(self._engine) as connection:
            found: datetime | None = (await connection.execute(_NEWEST_AT)).scalar_one_or_none()
        return found

    async def newest(self, *, limit: int = NEWEST) -> list[ThresholdWord]:
        """Return words, the newest first."""
        async with transaction(self._engine) as connection:
            return [_word(row) for row in (await connection.execute(_NEWEST, {"limit": limit})).all()]

    async def held(self, *, since: datetime) -> list[ThresholdWord]:
        """Return words about commands that are still held, oldest first."""
        values = {"held": WordKind.HELD.value, "released": WordKind.RELEASED.value, "since": since, "limit": MAX_HELD}
        async with transaction(self._engine) as connection:
            return [_word(row) for row in (await connection.execute(_HELD, values)).all()]


def _row(word: ThresholdWord) -> dict[str, Any]:
    octets = word.encode()
    return {
        # The bus may bring a word twice: its octets name it.
        "word_id": UUID(bytes=sha256(octets).digest()[:16]),
        "at": _at(word),
        "kind": word.kind.value,
        "rule": word.rule.value if word.rule else None,
        "held_id": word.held_id,
        "order_id": word.order_id,
        "word": octets.decode(),
    }


def _at(word: ThresholdWord) -> datetime:
    return EPOCH + timedelta(milliseconds=word.at_ms)


def _word(row: Row[Any]) -> ThresholdWord:
    return decode_word(row.word.encode())


_KNOWN = text("select word_id from headend.threshold_word where word_id = any(:ids)")
_NOTE = text("""
    insert into headend.threshold_word (word_id, at, kind, rule, held_id, order_id, word)
    values (:word_id, :at, :kind, :rule, :held_id, :order_id, :word) on conflict (word_id) do nothing
""")
_FORGET = text("delete from headend.threshold_word where at < :before")
_NEWEST_AT = text("select max(at) from headend.threshold_word")
_NEWEST = text("select word from headend.threshold_word order by at desc, word_id limit :limit")
_HELD = text("""
    select w.word from headend.threshold_word w where w.kind = :held and w.at >= :since and not exists (
        select from headend.threshold_word r where r.held_id = w.held_id and r.kind = :released and r.at >= w.at)
    order by w.at, w.word_id limit :limit
""")
