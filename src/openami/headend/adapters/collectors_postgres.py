"""Collectors and findings about them in PostgreSQL, schema ``headend``, role ``openami_headend`` (staff pages read)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncEngine

from openami.contracts.health import CollectorWord
from openami.headend.adapters.requests_postgres import transaction
from openami.headend.collectors.finding import CollectorFinding, CollectorRule, Condition
from openami.headend.collectors.judge import Home, Standing
from openami.kernel.finding import Severity

MAX_FINDINGS = 10_000
KEPT_MS = 400 * 86_400_000
"""Findings that ended longer ago are forgotten: a year and a month is what an inquiry asks for."""


class PostgresCollectors:
    """A :class:`~openami.headend.collectors.ports.CollectorBook`.

    Args:
        engine: connected as ``openami_headend``; reading works as ``openami_portal`` too.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def note(self, words: Sequence[CollectorWord]) -> None:
        """Keep the newest word of each collector."""
        newest: dict[int, CollectorWord] = {}
        for word in words:
            held = newest.get(word.collector_id)
            if held is None or held.told_at_ms <= word.told_at_ms:
                newest[word.collector_id] = word
        rows = [_row(newest[number]) for number in sorted(newest)]
        async with transaction(self._engine) as connection:
            if rows:
                await connection.execute(_NOTE, rows)

    async def fleet(self) -> Mapping[int, Standing]:
        """Return every collector that is not retired."""
        async with transaction(self._engine) as connection:
            rows = (await connection.execute(_FLEET)).all()
        return {r.collector_id: Standing(CollectorWord.decode(r.word.encode()), _home(r)) for r in rows}

    async def settle(self, conditions: Sequence[Condition], *, now_ms: int) -> list[Condition]:
        """Open and end findings; return the new ones, and those that were warnings until now."""
        async with transaction(self._engine) as connection:
            # One judge at a time, so that two head-ends do not end each other's findings with older words.
            await connection.execute(_ONE_JUDGE)
            rows = (await connection.execute(_OPEN)).all()
            standing = {(r.collector_id, r.rule): r.severity for r in rows}
            new = [c for c in conditions if _is_news(c, standing.get((c.collector_id, c.rule.value)))]
            if conditions:
                await connection.execute(_SETTLE, [_finding_row(c) for c in conditions])
            true_now = {(c.collector_id, c.rule.value) for c in conditions}
            over = [{"collector": n, "rule": rule, "now": now_ms} for n, rule in standing if (n, rule) not in true_now]
            if over:
                await connection.execute(_END, over)
                await connection.execute(_FORGET, {"before": now_ms - KEPT_MS})
        return new

    async def findings(self, *, open_only: bool, limit: int = 500) -> list[CollectorFinding]:
        """Return findings, open ones first, then the newest."""
        async with transaction(self._engine) as connection:
            asked = {"open_only": open_only, "limit": min(limit, MAX_FINDINGS)}
            rows = (await connection.execute(_FINDINGS, asked)).all()
        return [
            CollectorFinding(
                Condition(r.collector_id, CollectorRule(r.rule), Severity(r.severity), r.since_ms, r.evidence),
                r.ended_ms,
            )
            for r in rows
        ]

    async def accept_home(self, collector_id: int) -> bool:
        """Say that a collector belongs where it is now; False where nothing is known of it."""
        async with transaction(self._engine) as connection:
            return bool((await connection.execute(_ACCEPT, {"collector": collector_id})).rowcount)

    async def retire(self, collector_id: int, *, is_retired: bool) -> bool:
        """Take a collector off the watch, or put it back; False where nothing is known of it."""
        async with transaction(self._engine) as connection:
            asked = {"collector": collector_id, "retired": is_retired}
            return bool((await connection.execute(_RETIRE, asked)).rowcount)


def _row(word: CollectorWord) -> dict[str, Any]:
    report = word.report
    return {
        "collector": word.collector_id,
        "told": word.told_at_ms,
        "word": word.encode().decode(),
        "latitude": report.latitude_e7 if report else None,
        "longitude": report.longitude_e7 if report else None,
        "cell": report.cell if report else None,
    }


def _is_news(condition: Condition, stood: str | None) -> bool:
    """Tell whether nobody was told: it is new, or was a warning until now."""
    return stood is None or (condition.severity is Severity.FAIL and stood != Severity.FAIL.value)


def _finding_row(condition: Condition) -> dict[str, Any]:
    return {
        "collector": condition.collector_id,
        "rule": condition.rule.value,
        "severity": condition.severity.value,
        "since": condition.since_ms,
        "evidence": json.dumps(dict(condition.evidence)),
    }


def _home(row: Row[Any]) -> Home | None:
    return None if row.home_cell is None else Home(row.home_latitude_e7, row.home_longitude_e7, row.home_cell)


_NOTE = text("""
    insert into headend.collector as c
        (collector_id, told_at_ms, word, home_latitude_e7, home_longitude_e7, home_cell)
    values (:collector, :told, :word, :latitude, :longitude, :cell)
    on conflict (collector_id) do update set
        told_at_ms = excluded.told_at_ms,
        word = excluded.word,
        home_latitude_e7 = coalesce(c.home_latitude_e7, excluded.home_latitude_e7),
        home_longitude_e7 = coalesce(c.home_longitude_e7, excluded.home_longitude_e7),
        home_cell = coalesce(c.home_cell, excluded.home_cell)
    where c.told_at_ms <= excluded.told_at_ms
""")
_FLEET = text("""
    select collector_id, word, home_latitude_e7, home_longitude_e7, home_cell
    from headend.collector where not is_retired order by collector_id
""")
_ONE_JUDGE = text("select pg_advisory_xact_lock(hashtext('headend.collector_finding'))")
_OPEN = text("select collector_id, rule, severity from headend.collector_finding where ended_ms is null")
_SETTLE = text("""
    insert into headend.collector_finding (collector_id, rule, severity, since_ms, evidence)
    values (:collector, :rule, :severity, :since, cast(:evidence as jsonb))
    on conflict (collector_id, rule) where ended_ms is null
    do update set severity = excluded.severity, evidence = excluded.evidence
    where (collector_finding.severity, collector_finding.evidence) is distinct from
          (excluded.severity, excluded.evidence)
""")
_END = text("""
    update headend.collector_finding set ended_ms = greatest(:now, since_ms)
    where collector_id = :collector and rule = :rule and ended_ms is null
""")
_FORGET = text("delete from headend.collector_finding where ended_ms < :before")
_FINDINGS = text("""
    select collector_id, rule, severity, since_ms, ended_ms, evidence from headend.collector_finding
    where ended_ms is null or not :open_only
    order by ended_ms is not null, severity = 'warn', since_ms desc, collector_id limit :limit
""")
_ACCEPT = text("""
    update headend.collector set home_latitude_e7 = (word::jsonb -> 'report' ->> 'latitude_e7')::int,
        home_longitude_e7 = (word::jsonb -> 'report' ->> 'longitude_e7')::int,
        home_cell = (word::jsonb -> 'report' ->> 'cell')::bigint
    where collector_id = :collector and word::jsonb -> 'report' <> 'null'::jsonb
""")
_RETIRE = text("update headend.collector set is_retired = :retired where collector_id = :collector")
