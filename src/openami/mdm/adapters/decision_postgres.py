"""Decisions in PostgreSQL, schema ``mdm``: rows are added and never altered; the database refuses anything else."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import psycopg
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from openami.contracts.channel import Channel
from openami.kernel.time import Period
from openami.mdm.editing.decision import Decision, DecisionKind, DecisionRefusedError, Target
from openami.mdm.editing.ports import DecisionHead, DecisionState, Effect
from openami.mdm.registry.records import Affected

SPANS_SHOWN = 20
_ADD = text("""
    insert into mdm.decision (decision_id, kind, reason, rules, shift_s, numerator, denominator, case_id, made_by,
        made_at, spans, effect)
    values (:id, :kind, :reason, :rules, :shift_s, :numerator, :denominator, :case_id, :by, :at, :spans,
        cast(:effect as jsonb))
""")
_TARGET_COPY = (
    "copy mdm.decision_target (decision_id, ordinal, service_point_id, channel, period, first_day, last_day, "
    "interval_s, seen, new_values) from stdin"
)
_STEP = text("""
    insert into mdm.decision_step (decision_id, step, order_id, by_user, reason, at, real_at)
    select :id, :step, :order_id, :by, :reason, :at, :real
    where not exists (select from mdm.decision_step where decision_id = :id and step = any(cast(:unless as text[])))
    and (cast(:only as text) is null
        or exists (select from mdm.decision_step where decision_id = :id and step = cast(:only as text)))
    on conflict do nothing returning decision_id
""")
_ASK = text("""
    insert into mdm.vee_request (service_point_id, first_day, last_day, reason, made_at)
    select distinct service_point_id, first_day, last_day, cast(:reason as text), cast(:at as timestamptz)
    from mdm.decision_target where decision_id = :id
""")
_PLACES = text("""
    select distinct t.service_point_id from mdm.decision_target t join mdm.decision_in_force using (decision_id)
    where t.period && tstzrange(:start, :end)
""")
_PLACES_AMONG = text("""
    select distinct t.service_point_id from mdm.decision_target t join mdm.decision_in_force using (decision_id)
    where t.service_point_id = any(:points) and t.period && tstzrange(:start, :end)
""")
_IN_FORCE = text("""
    select t.* from mdm.decision_target t join mdm.decision_in_force using (decision_id)
    where t.service_point_id = any(:points) and t.period && tstzrange(:start, :end)
    order by t.decision_id, t.ordinal
""")
_FIELDS = "select d.* from mdm.decision d where d.decision_id = any(:ids) order by d.made_at, d.decision_id"
_STEPS = text("select * from mdm.decision_step where decision_id = any(:ids) order by step_id")
_TARGETS = text("select * from mdm.decision_target where decision_id = :id order by ordinal limit :most")
_NEWEST = text("select decision_id from mdm.decision order by made_at desc, decision_id limit :most")
_NEWEST_AMONG = text("""
    select decision_id from mdm.decision d
    where exists (select from mdm.decision_target t where t.decision_id = d.decision_id
        and t.service_point_id = any(:points))
    order by made_at desc, decision_id limit :most
""")
_ALONE = text("""
    with mine as (
        select d.decision_id, d.effect, s.at from mdm.decision_step s join mdm.decision d using (decision_id)
        where s.by_user = :by and s.at >= least(cast(:place_since as timestamptz), cast(:since as timestamptz))
        and s.step in ('in_force', 'undone')
        and not exists (select from mdm.decision_step w where w.decision_id = s.decision_id
            and w.step = case s.step when 'in_force' then 'waits' else 'undo_waits' end))
    select
        coalesce(sum((effect ->> 'most_wh')::bigint) filter (where at >= :place_since and exists (
            select from mdm.decision_target t where t.decision_id = mine.decision_id
            and t.service_point_id = any(:points))), 0) as most_wh,
        coalesce(sum((effect ->> 'up_wh')::bigint) filter (where at >= :since), 0) as up_wh,
        coalesce(sum((effect ->> 'down_wh')::bigint) filter (where at >= :since), 0) as down_wh,
        coalesce(sum((effect ->> 'places_changed')::bigint) filter (where at >= :since), 0) as places_changed
    from mine
""")
_SEARCHED = 2_000
"""Newest decisions that a list by state is chosen from."""


class PostgresDecisions:
    """Implements :class:`~openami.mdm.editing.ports.DecisionBook`.

    Args:
        engine: connections of role ``openami_mdm``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def keep(
        self, decision: Decision, effect: Effect, affected: Sequence[Affected], *, order_id: UUID | None, real: datetime
    ) -> None:
        """See the port."""
        step = "waits" if order_id is not None else "in_force"
        try:
            async with self._engine.begin() as connection:
                await connection.execute(_ADD, _row(decision, effect))
                await _copy_targets(connection, decision, affected)
                await _step(connection, decision.id, step, by=decision.by, at=decision.at, real=real, order_id=order_id)
                if order_id is None:
                    await _ask(connection, decision.id, decision.at)
        except (IntegrityError, psycopg.IntegrityError) as error:
            # The second is COPY's, which goes past the library.
            raise DecisionRefusedError(
                f"decision {decision.id} cannot be kept: it is there already, or names a place that is not registered"
            ) from error

    async def approved(self, decision_id: UUID, *, by: UUID, at: datetime, real: datetime) -> bool:
        """See the port."""
        async with self._engine.begin() as connection:
            unless, only = ("in_force", "withdrawn"), "waits"
            if not await _step(connection, decision_id, "in_force", by=by, at=at, real=real, unless=unless, only=only):
                return False
            await _ask(connection, decision_id, at)
            return True

    async def withdrawn(self, decision_id: UUID, *, by: UUID, at: datetime, real: datetime) -> bool:
        """See the port."""
        async with self._engine.begin() as connection:
            unless, only = ("in_force", "withdrawn"), "waits"
            return await _step(connection, decision_id, "withdrawn", by=by, at=at, real=real, unless=unless, only=only)

    async def ask_undo(
        self, decision_id: UUID, *, by: UUID, reason: str, order_id: UUID, at: datetime, real: datetime
    ) -> bool:
        """See the port."""
        async with self._engine.begin() as connection:
            return await _step(
                connection, decision_id, "undo_waits", by=by, at=at, real=real, reason=reason, order_id=order_id,
                unless=("undone",), only="in_force",
            )  # fmt: skip

    async def undone(self, decision_id: UUID, *, by: UUID, reason: str, at: datetime, real: datetime) -> bool:
        """See the port."""
        async with self._engine.begin() as connection:
            if not await _step(
                connection, decision_id, "undone", by=by, at=at, real=real, reason=reason, unless=("undone",),
                only="in_force",
            ):  # fmt: skip
                return False
            await _ask(connection, decision_id, at)
            return True

    async def places(self, service_points: Collection[UUID] | None, period: Period) -> frozenset[UUID]:
        """See the port."""
        values: dict[str, Any] = {"start": period.start, "end": period.end}
        query = _PLACES
        if service_points is not None:
            query, values = _PLACES_AMONG, values | {"points": list(service_points)}
        async with self._engine.connect() as connection:
            return frozenset((await connection.execute(query, values)).scalars())

    async def in_force(self, service_points: Collection[UUID], period: Period) -> list[Decision]:
        """See the port."""
        values = {"points": list(service_points), "start": period.start, "end": period.end}
        async with self._engine.connect() as connection:
            targets: dict[UUID, list[Target]] = {}
            for row in (await connection.execute(_IN_FORCE, values)).mappings():
                targets.setdefault(row["decision_id"], []).append(_target(row))
            return await _decisions(connection, targets)

    async def alone(
        self, by: UUID, service_points: Collection[UUID], *, place_since: datetime, since: datetime
    ) -> Effect:
        """See the port."""
        values = {"by": by, "points": list(service_points), "place_since": place_since, "since": since}
        async with self._engine.connect() as connection:
            (row,) = (await connection.execute(_ALONE, values)).mappings().all()
        return Effect(**{name: int(value) for name, value in row.items()})

    async def head(self, decision_id: UUID) -> DecisionHead:
        """See the port."""
        async with self._engine.connect() as connection:
            return await _head(connection, decision_id)

    async def heads(
        self, service_points: Collection[UUID] | None = None, *, state: DecisionState | None = None, limit: int = 200
    ) -> list[DecisionHead]:
        """See the port."""
        values: dict[str, Any] = {"most": limit if state is None else _SEARCHED}
        query = _NEWEST
        if service_points is not None:
            query, values = _NEWEST_AMONG, values | {"points": list(service_points)}
        found: list[DecisionHead] = []
        async with self._engine.connect() as connection:
            for decision_id in (await connection.execute(query, values)).scalars().all():
                head = await _head(connection, decision_id)
                if state is None or head.state is state:
                    found.append(head)
                if len(found) == limit:
                    break
        return found

    async def whole(self, decision_id: UUID) -> Decision:
        """See the port."""
        async with self._engine.connect() as connection:
            return await _one(connection, decision_id, most=10**9)


async def _step(
    connection: AsyncConnection,
    decision_id: UUID,
    step: str,
    *,
    by: UUID,
    at: datetime,
    real: datetime,
    reason: str = "",
    order_id: UUID | None = None,
    unless: Sequence[str] = (),
    only: str | None = None,
) -> bool:
    """Add a step unless one of some is there, and only where another is; tell whether it was added."""
    row = {
        "id": decision_id, "step": step, "order_id": order_id, "by": by, "reason": reason, "at": at, "real": real,
        "unless": list(unless), "only": only,
    }  # fmt: skip
    return (await connection.execute(_STEP, row)).first() is not None


async def _ask(connection: AsyncConnection, decision_id: UUID, at: datetime) -> None:
    await connection.execute(_ASK, {"id": decision_id, "reason": "decision", "at": at})


async def _copy_targets(connection: AsyncConnection, decision: Decision, affected: Sequence[Affected]) -> None:
    """Write spans by COPY: a bulk decision has thousands."""
    raw: Any = (await connection.get_raw_connection()).driver_connection
    async with raw.cursor().copy(_TARGET_COPY) as copy:
        for ordinal, (target, days) in enumerate(zip(decision.targets, affected, strict=True)):
            period = f"[{target.period.start.isoformat()},{target.period.end.isoformat()})"
            await copy.write_row(
                (decision.id, ordinal, target.service_point_id, int(target.channel), period, days.first, days.last,
                 target.interval_s, list(target.seen), list(target.values))
            )  # fmt: skip


async def _head(connection: AsyncConnection, decision_id: UUID) -> DecisionHead:
    decision = await _one(connection, decision_id, most=SPANS_SHOWN)
    (row,) = (await connection.execute(text(_FIELDS), {"ids": [decision_id]})).mappings().all()
    steps = {s["step"]: s for s in (await connection.execute(_STEPS, {"ids": [decision_id]})).mappings()}
    orders = {name: steps[name]["order_id"] if name in steps else None for name in ("waits", "undo_waits")}
    return DecisionHead(
        decision, _state(steps), row["spans"], Effect(**row["effect"]), orders["waits"], orders["undo_waits"]
    )


def _state(steps: Collection[str]) -> DecisionState:
    for step, state in (
        ("undone", DecisionState.UNDONE),
        ("undo_waits", DecisionState.UNDOING),
        ("in_force", DecisionState.IN_FORCE),
        ("withdrawn", DecisionState.WITHDRAWN),
    ):
        if step in steps:
            return state
    return DecisionState.WAITING


async def _one(connection: AsyncConnection, decision_id: UUID, *, most: int) -> Decision:
    rows = (await connection.execute(_TARGETS, {"id": decision_id, "most": most})).mappings().all()
    found = await _decisions(connection, {decision_id: [_target(row) for row in rows]} if rows else {})
    if not found:
        raise DecisionRefusedError(f"there is no decision {decision_id}")
    return found[0]


async def _decisions(connection: AsyncConnection, targets: dict[UUID, list[Target]]) -> list[Decision]:
    if not targets:
        return []
    ids = {"ids": list(targets)}
    steps: dict[UUID, dict[str, Any]] = {}
    for step in (await connection.execute(_STEPS, ids)).mappings():
        steps.setdefault(step["decision_id"], {})[step["step"]] = step
    rows = (await connection.execute(text(_FIELDS), ids)).mappings().all()
    return [_decision(row, targets[row["decision_id"]], steps.get(row["decision_id"], {})) for row in rows]


def _row(decision: Decision, effect: Effect) -> dict[str, Any]:
    names = ("id", "reason", "shift_s", "numerator", "denominator", "case_id", "by", "at")
    return {
        **{name: getattr(decision, name) for name in names},
        "kind": decision.kind.value,
        "rules": list(decision.rules),
        "spans": len(decision.targets),
        "effect": orjson.dumps(asdict(effect)).decode(),
    }


def _target(row: Any) -> Target:
    return Target(
        row["service_point_id"],
        Channel(row["channel"]),
        Period(row["period"].lower, row["period"].upper),
        row["interval_s"],
        tuple(row["seen"]),
        tuple(row["new_values"]),
    )


def _decision(row: Any, targets: Sequence[Target], steps: dict[str, Any]) -> Decision:
    approval = steps.get("in_force") if "waits" in steps else None
    undone = steps.get("undone")
    return Decision(
        id=row["decision_id"],
        kind=DecisionKind(row["kind"]),
        targets=tuple(targets),
        reason=row["reason"],
        by=row["made_by"],
        at=row["made_at"],
        rules=tuple(row["rules"]),
        shift_s=row["shift_s"],
        numerator=row["numerator"],
        denominator=row["denominator"],
        case_id=row["case_id"],
        approved_by=approval["by_user"] if approval else None,
        undone_by=undone["by_user"] if undone else None,
        undone_at=undone["at"] if undone else None,
    )
