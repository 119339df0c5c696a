"""The worklist over ``mdm.finding``: open findings folded into items and sorted by PostgreSQL.

A bill goes out on the first day of the month after its last day.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from openami.contracts.channel import Channel
from openami.kernel.finding import Severity
from openami.mdm.editing.worklist import MAX_LIMIT, STAKE_KEYS, WorkFilter, WorkItem, WorkOrder, WorkPage

_STAKE = "coalesce(" + ", ".join(f"abs(cast(f.evidence ->> '{key}' as numeric))" for key in STAKE_KEYS) + ", 0)"
_ITEMS = (
    # S608 is about text of others: all of this is constants of ours.
    "with item as ("  # noqa: S608
    "select f.service_point_id, f.channel, f.rule, f.severity, min(f.local_day) as first_day, "
    "max(f.local_day) as last_day, count(*) as findings, min(f.known_at) as since, "
    "coalesce((select min(d.read_on) from unnest(cast(:groups as int[]), cast(:read_days as date[])) "
    "as d(bill_group, read_on) where d.bill_group = p.bill_group and d.read_on > max(f.local_day)), "
    "cast(date_trunc('month', max(f.local_day)) + interval '1 month' as date)) as bill_on, "
    f"cast(round(sum({_STAKE})) as bigint) as stake_wh, "
    "(array_agg(f.evidence order by f.local_day desc, f.ordinal))[1] as evidence, p.cell, p.transformer, "
    "max(cast(c.case_id as text)) as case_id "
    "from mdm.finding f join mdm.service_point p on p.id = f.service_point_id "
    "left join mdm.vee_case_open c on c.service_point_id = f.service_point_id and c.channel = f.channel "
    "and c.rule = f.rule and f.local_day between c.first_day and c.last_day "
    "where f.superseded_at is null "
    "and (cast(:severity as text) is null or f.severity = cast(:severity as text)) "
    "and (cast(:rules as text[]) is null or f.rule = any(cast(:rules as text[]))) "
    "and (cast(:points as uuid[]) is null or f.service_point_id = any(cast(:points as uuid[]))) "
    "and (:cell = '' or p.cell = :cell) and (:feeder = '' or p.feeder = :feeder) "
    "and (:transformer = '' or p.transformer = :transformer) "
    "and (cast(:case_id as uuid) is null or c.case_id = cast(:case_id as uuid)) "
    "and (cast(:case_id as uuid) is not null or :with_cases or c.case_id is null) "
    "group by f.service_point_id, f.channel, f.rule, f.severity, p.cell, p.transformer, p.bill_group"
    "), chosen as ("
    "select * from item where (cast(:bill_before as date) is null or bill_on < cast(:bill_before as date)) "
    "and stake_wh >= :min_wh) "
)
_FIRST = {
    WorkOrder.PRESSING: "(severity = 'fail') desc, bill_on <= :today, bill_on, stake_wh desc",
    WorkOrder.DOLLARS: "stake_wh desc, (severity = 'fail') desc",
    WorkOrder.OLDEST: "first_day, (severity = 'fail') desc",
}
_TIE = ", service_point_id, channel, rule"
_RULES = text("""
    select rule, count(*) as n from mdm.finding where superseded_at is null
    and (cast(:points as uuid[]) is null or service_point_id = any(cast(:points as uuid[]))) group by rule order by rule
""")


class PostgresWorklist:
    """Implements :class:`~openami.mdm.editing.worklist.Worklist`.

    Args:
        engine: connections of role ``openami_mdm``.
        read_days: (bill group, read day) around a day, as billing's calendar has them; a finding's bill goes out on
            the first one after its last day. Where it has none, on the first of the next month.
    """

    def __init__(
        self, engine: AsyncEngine, read_days: Callable[[date], Sequence[tuple[int, date]]] = lambda _: ()
    ) -> None:
        self._engine = engine
        self._read_days = read_days

    async def page(self, wanted: WorkFilter, *, today: date, limit: int, offset: int = 0) -> WorkPage:
        """See the port."""
        order = _FIRST[wanted.order] + _TIE
        query = f"{_ITEMS} select * from chosen order by {order} limit :limit offset :offset"  # noqa: S608 - constants
        count = f"{_ITEMS} select count(*) as total, coalesce(sum(findings), 0) as findings from chosen"  # noqa: S608
        values = self._values(wanted, today) | {"today": today}
        paged = values | {"limit": min(max(limit, 1), MAX_LIMIT), "offset": max(offset, 0)}
        async with self._engine.connect() as connection:
            rows = (await connection.execute(text(query), paged)).mappings().all()
            total = (await connection.execute(text(count), values)).one()
        return WorkPage(tuple(_item(row, today) for row in rows), int(total.total), int(total.findings))

    async def places(self, wanted: WorkFilter, *, today: date) -> Sequence[UUID]:
        """See the port."""
        query = text(f"{_ITEMS} select distinct service_point_id from chosen order by 1")  # noqa: S608 - constants
        async with self._engine.connect() as connection:
            found = await connection.execute(query, self._values(wanted, today) | {"today": today})
            return list(found.scalars())

    async def rules(self, service_points: Collection[UUID] | None = None) -> Mapping[str, int]:
        """See the port."""
        points = None if service_points is None else list(service_points)
        async with self._engine.connect() as connection:
            return {row.rule: row.n for row in await connection.execute(_RULES, {"points": points})}

    def _values(self, wanted: WorkFilter, today: date) -> dict[str, Any]:
        days = self._read_days(today)
        return _values(wanted) | {"groups": [g for g, _ in days], "read_days": [d for _, d in days]}


def _values(wanted: WorkFilter) -> dict[str, Any]:
    return {
        "severity": wanted.severity.value if wanted.severity is not None else None,
        "rules": list(wanted.rules) or None,
        "points": None if wanted.service_points is None else list(wanted.service_points),
        "cell": wanted.cell,
        "feeder": wanted.feeder,
        "transformer": wanted.transformer,
        "case_id": wanted.case_id,
        "with_cases": wanted.with_cases,
        "bill_before": wanted.bill_before,
        "min_wh": wanted.min_wh,
    }


def _item(row: Any, today: date) -> WorkItem:
    return WorkItem(
        service_point_id=row["service_point_id"],
        channel=Channel(row["channel"]),
        rule=row["rule"],
        severity=Severity(row["severity"]),
        first=row["first_day"],
        last=row["last_day"],
        findings=int(row["findings"]),
        since=row["since"],
        bill_on=row["bill_on"],
        is_billed=row["bill_on"] <= today,
        stake_wh=int(row["stake_wh"]),
        evidence=row["evidence"],
        cell=row["cell"],
        transformer=row["transformer"],
        case_id=UUID(row["case_id"]) if row["case_id"] else None,
    )
