"""Cases in PostgreSQL, schema ``mdm``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from openami.contracts.channel import Channel
from openami.kernel.time import Period
from openami.mdm.editing.case import CaseDraft, CaseEvidence, Cause, Facts, OpenItem, signature_of
from openami.mdm.editing.casebook import Case, fix_for
from openami.mdm.editing.decision import DecisionKind, DecisionRefusedError
from openami.mdm.editing.fix import Fix
from openami.mdm.editing.worklist import STAKE_KEYS

LOT_DIGITS = 4
"""A lot is a serial number without its last digits."""
_NUMBER = "cast(nullif(f.evidence ->> '{key}', '') as numeric)"
_STAKE = "coalesce(" + ", ".join(f"abs({_NUMBER.format(key=key)})" for key in STAKE_KEYS) + ", 0)"
# What S608 warns of is text of others: these statements are made of constants.
_FOLDED = (
    "select f.service_point_id, f.channel, f.rule, min(f.local_day) as first_day, max(f.local_day) as last_day, "  # noqa: S608
    "min(f.start_at) as start_at, max(f.end_at) as end_at, "
    f"count(*) as findings, cast(round(sum({_STAKE})) as bigint) as stake_wh, "
    "(array_agg(f.evidence order by f.local_day, f.ordinal))[1] as evidence from mdm.finding f "
)
_GROUPED = "group by f.service_point_id, f.channel, f.rule"
_OPEN_ITEMS = text(
    _FOLDED + "where f.superseded_at is null and f.rule in (select rule from mdm.finding where superseded_at is null "  # noqa: S608
    "group by rule having count(distinct service_point_id) >= :min_places) " + _GROUPED
)
_CASE_ITEMS = text(
    _FOLDED + "join mdm.vee_case_item i on i.service_point_id = f.service_point_id and i.channel = f.channel "
    "and i.rule = f.rule and f.local_day between i.first_day and i.last_day "
    "where f.superseded_at is null and i.case_id = :case_id " + _GROUPED
)
_CASE_PERIODS = text(
    "select f.service_point_id, f.channel, f.start_at, f.end_at from mdm.finding f "
    "join mdm.vee_case_item i on i.service_point_id = f.service_point_id and i.channel = f.channel "
    "and i.rule = f.rule and f.local_day between i.first_day and i.last_day "
    "where f.superseded_at is null and i.case_id = :case_id order by f.start_at"
)
# The meter that hangs there now, or hung there last.
_FACTS = text("""
    select p.id, p.cell, p.feeder, p.transformer, m.profile, m.serial,
        exists (
            select from mdm.installation i where i.service_point_id = p.id and i.entered_at >= :since
            and i.entered_at > lower(i.period) + interval '3 days'
        ) as is_late
    from mdm.service_point p left join lateral (
        select meter_id from mdm.installation i where i.service_point_id = p.id order by lower(i.period) desc limit 1
    ) hung on true left join mdm.meter m on m.id = hung.meter_id
""")
_UPSERT = text("""
    insert into mdm.vee_case (case_id, cause, cause_key, rule, evidence, fix, opened_at, seen_at)
    values (:case_id, :cause, :cause_key, :rule, cast(:evidence as jsonb), cast(:fix as jsonb), :at, :at)
    on conflict (cause, cause_key, rule) where closed_at is null
    do update set evidence = excluded.evidence, fix = excluded.fix, seen_at = excluded.seen_at
    returning case_id
""")
_FORGET_ITEMS = text("delete from mdm.vee_case_item where case_id = :case_id")
_ITEM_COPY = "copy mdm.vee_case_item (case_id, service_point_id, channel, rule, first_day, last_day) from stdin"
_LEFT = """
    (select count(distinct (i.service_point_id, i.channel, i.rule)) from mdm.vee_case_item i join mdm.finding f
     on f.service_point_id = i.service_point_id and f.channel = i.channel and f.rule = i.rule
     and f.local_day between i.first_day and i.last_day and f.superseded_at is null where i.case_id = c.case_id)
"""
_CASES = "select c.*, " + _LEFT + " as open_items from mdm.vee_case c "  # noqa: S608
_OPEN = text(_CASES + "where c.closed_at is null order by open_items desc, c.opened_at, c.case_id limit :most")
_CLOSED = text(_CASES + "where c.closed_at is not null order by c.closed_at desc, c.case_id limit :most")
_ALL = text(_CASES + "order by c.closed_at is not null, open_items desc, c.opened_at desc, c.case_id limit :most")
_ONE = text(_CASES + "where c.case_id = :case_id")
_OF_PLACE = text(
    _CASES + "where c.closed_at is null and exists (select from mdm.vee_case_item i where i.case_id = c.case_id "
    "and i.service_point_id = :point) order by c.opened_at limit 20"
)
_CLOSE = text("""
    update mdm.vee_case set closed_at = :at, closed_by = :by, closed_reason = :reason,
        decision_id = coalesce(:decision_id, decision_id)
    where case_id = :case_id and closed_at is null returning case_id
""")
_CLOSE_EMPTY = "update mdm.vee_case c set closed_at = :at, closed_reason = 'its findings are gone' "
_GONE = text(_CLOSE_EMPTY + "where c.closed_at is null and " + _LEFT + " = 0")
_AWAIT = text("update mdm.vee_case set decision_id = :decision_id where case_id = :case_id")


class PostgresCases:
    """Implements :class:`~openami.mdm.editing.casebook.CaseBook`.

    Args:
        engine: connections of role ``openami_mdm``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def open_items(self, *, min_places: int) -> list[OpenItem]:
        """See the port."""
        async with self._engine.connect() as connection:
            return [
                _item(row) for row in (await connection.execute(_OPEN_ITEMS, {"min_places": min_places})).mappings()
            ]

    async def facts(self, *, changed_since: datetime) -> Facts:
        """See the port."""
        of_place: dict[UUID, dict[Cause, str]] = {}
        population: dict[Cause, dict[str, int]] = {}
        async with self._engine.connect() as connection:
            for row in (await connection.execute(_FACTS, {"since": changed_since})).mappings():
                known = _known(row)
                of_place[row["id"]] = known
                for cause, value in known.items():
                    counts = population.setdefault(cause, {})
                    counts[value] = counts.get(value, 0) + 1
        return Facts(of_place, population, len(of_place))

    async def keep(self, drafts: Sequence[CaseDraft], *, at: datetime) -> int:
        """See the port."""
        opened = 0
        async with self._engine.begin() as connection:
            for draft in drafts:
                fresh = uuid4()
                case_id = (await connection.execute(_UPSERT, _row(draft, fresh, at))).scalar_one()
                opened += case_id == fresh
                await connection.execute(_FORGET_ITEMS, {"case_id": case_id})
                await _copy_items(connection, case_id, draft.items)
            await connection.execute(_GONE, {"at": at})
        return opened

    async def cases(self, *, is_open: bool | None = True, limit: int = 200) -> list[Case]:
        """See the port."""
        query = _ALL if is_open is None else _OPEN if is_open else _CLOSED
        async with self._engine.connect() as connection:
            return [_case(row) for row in (await connection.execute(query, {"most": limit})).mappings()]

    async def case(self, case_id: UUID) -> Case:
        """See the port."""
        async with self._engine.connect() as connection:
            row = (await connection.execute(_ONE, {"case_id": case_id})).mappings().first()
        if row is None:
            raise DecisionRefusedError(f"there is no case {case_id}")
        return _case(row)

    async def cases_of(self, service_point_id: UUID) -> list[Case]:
        """See the port."""
        async with self._engine.connect() as connection:
            rows = (await connection.execute(_OF_PLACE, {"point": service_point_id})).mappings()
            return [_case(row) for row in rows]

    async def items(self, case_id: UUID) -> list[OpenItem]:
        """See the port."""
        async with self._engine.connect() as connection:
            return [_item(row) for row in (await connection.execute(_CASE_ITEMS, {"case_id": case_id})).mappings()]

    async def periods(self, case_id: UUID) -> dict[tuple[UUID, Channel], list[Period]]:
        """See the port."""
        found: dict[tuple[UUID, Channel], list[Period]] = {}
        async with self._engine.connect() as connection:
            for row in (await connection.execute(_CASE_PERIODS, {"case_id": case_id})).mappings():
                key = row["service_point_id"], Channel(row["channel"])
                found.setdefault(key, []).append(Period(row["start_at"], row["end_at"]))
        return found

    async def close(self, case_id: UUID, *, by: UUID, reason: str, decision_id: UUID | None, at: datetime) -> bool:
        """See the port."""
        values = {"case_id": case_id, "by": by, "reason": reason, "decision_id": decision_id, "at": at}
        async with self._engine.begin() as connection:
            return (await connection.execute(_CLOSE, values)).first() is not None

    async def await_decision(self, case_id: UUID, decision_id: UUID) -> None:
        """See the port."""
        async with self._engine.begin() as connection:
            await connection.execute(_AWAIT, {"case_id": case_id, "decision_id": decision_id})


async def _copy_items(connection: AsyncConnection, case_id: UUID, items: Sequence[OpenItem]) -> None:
    raw: Any = (await connection.get_raw_connection()).driver_connection
    async with raw.cursor().copy(_ITEM_COPY) as copy:
        for i in items:
            await copy.write_row((case_id, i.service_point_id, int(i.channel), i.rule, i.first, i.last))


def _known(row: Any) -> dict[Cause, str]:
    """Return the value of each cause that a place has."""
    found = {
        Cause.CELL: row["cell"],
        Cause.FEEDER: row["feeder"],
        Cause.TRANSFORMER: row["transformer"],
        Cause.FIRMWARE: row["profile"] or "",
        Cause.METER_LOT: (row["serial"] or "")[:-LOT_DIGITS],
        Cause.MASTER_DATA: "late" if row["is_late"] else "",
    }
    return {cause: value for cause, value in found.items() if value}


def _row(draft: CaseDraft, case_id: UUID, at: datetime) -> dict[str, Any]:
    fix = fix_for(draft)
    evidence = asdict(draft.evidence) | {"value": draft.value, "signature": draft.signature}
    return {
        "case_id": case_id,
        "cause": draft.cause.value,
        "cause_key": draft.key,
        "rule": draft.rule,
        "evidence": orjson.dumps(evidence).decode(),
        "fix": orjson.dumps({"kind": fix.kind, "words": fix.words, "shift_s": fix.shift_s}).decode(),
        "at": at,
    }


def _item(row: Any) -> OpenItem:
    return OpenItem(
        service_point_id=row["service_point_id"],
        channel=Channel(row["channel"]),
        rule=row["rule"],
        first=row["first_day"],
        last=row["last_day"],
        findings=row["findings"],
        signature=signature_of(row["evidence"]),
        period=Period(row["start_at"], row["end_at"]),
        stake_wh=row["stake_wh"],
    )


def _case(row: Any) -> Case:
    evidence = dict(row["evidence"])
    value, signature = evidence.pop("value"), evidence.pop("signature")
    evidence |= {name: date.fromisoformat(evidence[name]) for name in ("first", "last")}
    fix = row["fix"]
    return Case(
        id=row["case_id"],
        cause=Cause(row["cause"]),
        value=value,
        signature=signature,
        rule=row["rule"],
        evidence=CaseEvidence(**evidence),
        fix=Fix(DecisionKind(fix["kind"]) if fix["kind"] else None, fix["words"], fix["shift_s"]),
        opened_at=row["opened_at"],
        open_items=row["open_items"],
        closed_at=row["closed_at"],
        closed_by=row["closed_by"],
        closed_reason=row["closed_reason"],
        decision_id=row["decision_id"],
    )
