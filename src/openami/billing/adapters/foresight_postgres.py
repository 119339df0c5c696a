"""Dry runs of read days in PostgreSQL, schema ``billing``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from openami.billing.cycle.foresight import Foreseen, Outcome

_FORGET = text("delete from billing.dry_run where read_on = :read_on")
_ADD = text("""
    insert into billing.dry_run (read_on, service_point_id, first_day, code, reason, made_at)
    select :read_on, place, first_day, code, reason, :at
    from unnest(cast(:places as uuid[]), cast(:days as date[]), cast(:codes as text[]), cast(:reasons as text[]))
        as row (place, first_day, code, reason)
""")
_OUTCOMES = text("""
    select d.code as foreseen, coalesce(b.hold_code, '') as became, b.bill_id is null as is_open
    from billing.dry_run d left join lateral (
        select bill_id, case when state = 'held' then hold_code end as hold_code from billing.bill
        where service_point_id = d.service_point_id and first_day = d.first_day and state <> 'superseded'
        order by version desc limit 1
    ) b on true
    where d.read_on = :read_on
""")
_HAS = text("select exists (select from billing.dry_run where read_on = :read_on)")


class PostgresForesight:
    """Implements :class:`~openami.billing.cycle.foresight.ForesightBook`.

    Args:
        engine: connections of role ``openami_billing``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def keep(self, rows: Sequence[Foreseen], read_on: date, *, at: datetime) -> None:
        """See the port."""
        columns = {
            "places": [r.service_point_id for r in rows], "days": [r.first_day for r in rows],
            "codes": ["" if r.code is None else r.code.value for r in rows], "reasons": [r.reason for r in rows],
        }  # fmt: skip
        async with self._engine.begin() as connection:
            await connection.execute(_FORGET, {"read_on": read_on})
            await connection.execute(_ADD, columns | {"read_on": read_on, "at": at})

    async def outcomes(self, read_on: date) -> list[Outcome]:
        """See the port."""
        async with self._engine.connect() as connection:
            rows = (await connection.execute(_OUTCOMES, {"read_on": read_on})).all()
        return [Outcome(*row) for row in rows]

    async def has(self, read_on: date) -> bool:
        """See the port."""
        async with self._engine.connect() as connection:
            return bool((await connection.execute(_HAS, {"read_on": read_on})).scalar_one())
