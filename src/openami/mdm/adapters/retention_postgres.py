"""Retention rules and what was removed by them, in PostgreSQL, schema ``mdm``."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from openami.mdm.retention.policy import Removal, Rule, first_of_next
from openami.mdm.store.schema import Table

_RULES = text("select store_table, months, effective, reason, made_by from mdm.retention_rule order by rule_id")
_ADD = text("""
    insert into mdm.retention_rule (store_table, months, effective, reason, made_by, real_at)
    values (:table, :months, :effective, :reason, :by, :real)
""")
_BEGIN = text("""
    insert into mdm.retention_removal (store_table, month, held, plan, made_by, begun_at)
    values (:table, :month, :held, :plan, :by, :real)
""")
_END = text("""
    update mdm.retention_removal set ended_at = :real
    where store_table = :table and month = :month and plan = :plan and ended_at is null
""")
_HORIZON = text("select max(month) from mdm.retention_removal where store_table = any(:tables)")


class PostgresRetention:
    """Rules and removals.

    Args:
        engine: connections of role ``openami_mdm``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def rules(self) -> list[Rule]:
        """Return every rule in the order of entry."""
        async with self._engine.connect() as connection:
            rows = (await connection.execute(_RULES)).all()
        return [Rule(Table(table), months, effective, reason, by) for table, months, effective, reason, by in rows]

    async def add(self, rule: Rule, *, by: UUID, real: datetime) -> None:
        """Enter a rule."""
        row = {
            "table": str(rule.table), "months": rule.months, "effective": rule.effective, "reason": rule.reason,
            "by": by, "real": real,
        }  # fmt: skip
        async with self._engine.begin() as connection:
            await connection.execute(_ADD, row)

    async def begin(self, removal: Removal, plan: str, *, by: UUID, real: datetime) -> None:
        """Note that a removal begins: from here on validation leaves the month alone, whether it ends or not."""
        row = {
            "table": str(removal.table), "month": removal.month, "held": len(removal.held), "plan": plan, "by": by,
            "real": real,
        }  # fmt: skip
        async with self._engine.begin() as connection:
            await connection.execute(_BEGIN, row)

    async def end(self, removal: Removal, plan: str, *, real: datetime) -> None:
        """Note that a removal has ended."""
        row = {"table": str(removal.table), "month": removal.month, "plan": plan, "real": real}
        async with self._engine.begin() as connection:
            await connection.execute(_END, row)

    async def horizon(self) -> date | None:
        """Return the first day whose raw readings and registers are all there; None where none were ever removed."""
        tables = [str(Table.READING_RAW), str(Table.REGISTER_READ)]
        async with self._engine.connect() as connection:
            month = (await connection.execute(_HORIZON, {"tables": tables})).scalar_one()
        # Months of raw rows are UTC's: east of it a month's first local day begins in the month before.
        return None if month is None else first_of_next(month) + timedelta(days=1)
