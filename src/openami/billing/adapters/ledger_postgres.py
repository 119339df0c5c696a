"""The ledger in PostgreSQL. A trigger refuses a statement whose postings do not add up; no role may alter a row."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from openami.billing.ledger.account import LedgerAccount
from openami.billing.ledger.audit import LedgerAudit, audit_of
from openami.billing.ledger.budget import BudgetPlan
from openami.billing.ledger.entry import Entry, EntryKind, Posting
from openami.billing.ledger.installment import InstallmentPlan
from openami.billing.ledger.trial import Standing

AT_ONCE = 2_000
"""Entries of one statement: some megabytes."""
MAX_UNPOSTED = 1_000_000

# One statement brings an entry whole: what is there already brings no postings either.
_KEEP = text("""
    with given as (
        select * from jsonb_to_recordset(cast(:entries as jsonb)) as e(entry_id uuid, kind text, agreement_id uuid,
            service_point_id uuid, day date, currency text, made_at timestamptz, bill_id uuid, reverses uuid,
            decision_id uuid, evidence jsonb)
    ), fresh as (
        insert into billing.ledger_entry (entry_id, kind, agreement_id, service_point_id, day, currency, made_at,
            bill_id, reverses, decision_id, evidence)
        select entry_id, kind, agreement_id, service_point_id, day, currency, made_at, bill_id, reverses, decision_id,
            evidence from given
        on conflict (entry_id) do nothing returning entry_id, service_point_id
    ), booked as (
        insert into billing.ledger_posting (entry_id, number, service_point_id, account, detail, amount)
        select p.entry_id, p.number, f.service_point_id, p.account, p.detail, p.amount
        from jsonb_to_recordset(cast(:postings as jsonb))
            as p(entry_id uuid, number smallint, account text, detail text, amount numeric)
        join fresh f on f.entry_id = p.entry_id
        returning 1
    )
    select (select count(*) from fresh) as entries, (select count(*) from booked) as postings
""")
_ENTRIES = """
    select e.*, (select json_agg(json_build_array(p.account, p.amount::text, p.detail) order by p.number)
        from billing.ledger_posting p where p.entry_id = e.entry_id) as postings
    from billing.ledger_entry e
"""
_ORDER = " order by e.day, e.made_at, e.reverses nulls first, e.kind, e.entry_id"
_OF_BILLS = text(_ENTRIES + "where e.bill_id = any(:bills)" + _ORDER)
_OF_AGREEMENT = text(_ENTRIES + "where e.agreement_id = :agreement" + _ORDER + " limit :most")
_OF_PLACE = text(_ENTRIES + "where e.service_point_id = :place" + _ORDER + " limit :most")
_ACCRUED = text(
    _ENTRIES + "where e.kind = 'unbilled' and e.day < :before and not exists "
    "(select from billing.ledger_entry r where r.reverses = e.entry_id)" + _ORDER
)
_STANDINGS = text("""
    select p.account, p.detail, e.currency, coalesce(sum(p.amount) filter (where p.amount > 0), 0) as debit,
        coalesce(-sum(p.amount) filter (where p.amount < 0), 0) as credit
    from billing.ledger_posting p join billing.ledger_entry e using (entry_id)
    where (cast(:agreement as uuid) is null or e.agreement_id = :agreement)
        and (cast(:first as date) is null or e.day >= :first) and (cast(:end as date) is null or e.day < :end)
    group by p.account, p.detail, e.currency order by p.account, p.detail, e.currency
""")
_UNBALANCED = text("""
    select e.entry_id from billing.ledger_entry e left join billing.ledger_posting p using (entry_id)
    group by e.entry_id having coalesce(sum(p.amount), 1) <> 0 or count(p.amount) < 2 order by e.entry_id limit :most
""")
_SET_PLAN = text("""
    insert into billing.budget_plan (agreement_id, service_point_id, first_day, end_day, level, anniversary, entered_at,
        entered_by, reason)
    values (:agreement, :place, :first, :end, :level, :anniversary, :at, :by, :reason)
""")
_PLANS = text("""
    select agreement_id, service_point_id, first_day, level, anniversary, end_day from billing.budget_plan
    where cast(:agreements as uuid[]) is null or agreement_id = any(:agreements) order by plan_row
""")
_PARTS = text("""
    select i.*, (select count(*) from billing.ledger_entry e where e.kind = 'installment'
        and e.decision_id = i.decision_id and e.agreement_id = i.agreement_id) as fallen
    from billing.installment_plan i where i.agreement_id = any(:agreements) order by i.made_on, i.decision_id
""")
_UNPOSTED = text("""
    select b.bill_id from billing.bill b
    where b.state = 'issued' and (cast(:since as timestamptz) is null or b.issued_at >= :since)
        and not exists (select from billing.ledger_entry e where e.bill_id = b.bill_id and e.kind = 'bill')
        and exists (select from billing.bill_line l where l.bill_id = b.bill_id and l.amount <> 0)
    order by b.issued_at, b.bill_id limit :most
""")
# Where energy is set against energy that was fed in, lines hold less than was used: those are not compared.
_ENERGY_OFF = text("""
    select count(*) from billing.bill b where b.state = 'issued' and coalesce(b.received_wh, 0) = 0
        and jsonb_array_length(coalesce(b.carried_in -> 'bank', '[]')) = 0
        and b.usage_wh - coalesce((b.carried_out ->> 'remainder_wh')::bigint, 0)
            + coalesce((b.carried_in ->> 'remainder_wh')::bigint, 0)
        <> (select coalesce(sum(l.quantity), 0) * 1000 from billing.bill_line l
            where l.bill_id = b.bill_id and l.kind = 'energy' and l.unit = 'kWh')
""")
# What a protected first year gives back is charged on no bill.
_BILLED = text("""
    select currency, sum(total) as total from (
        select b.currency, b.total from billing.bill b where b.state = 'issued'
            and exists (select from billing.ledger_entry e where e.bill_id = b.bill_id and e.kind = 'bill')
        union all
        select e.currency, p.amount from billing.ledger_entry e join billing.ledger_posting p using (entry_id)
        where e.kind = 'rate_protection' and p.account = 'receivable'
    ) charged group by currency
""")
_ADD_PARTS = text("""
    insert into billing.installment_plan (decision_id, agreement_id, service_point_id, parts, made_on, currency)
    values (:decision, :agreement, :place, :parts, :made_on, :currency) on conflict do nothing
""")


class PostgresLedger:
    """Implements :class:`~openami.billing.ledger.ports.LedgerBook`.

    Args:
        engine: connections of role ``openami_billing``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def keep(self, entries: Sequence[Entry]) -> int:
        """See the port."""
        if not entries:
            return 0
        async with self._engine.begin() as connection:
            return await keep_entries(connection, entries)

    async def of_bills(self, bill_ids: Collection[UUID]) -> list[Entry]:
        """See the port."""
        return await self._entries(_OF_BILLS, bills=list(bill_ids))

    async def of_agreement(self, agreement_id: UUID, *, limit: int = 1_000) -> list[Entry]:
        """See the port."""
        return await self._entries(_OF_AGREEMENT, agreement=agreement_id, most=limit)

    async def of_place(self, service_point_id: UUID, *, limit: int = 1_000) -> list[Entry]:
        """See the port."""
        return await self._entries(_OF_PLACE, place=service_point_id, most=limit)

    async def accruals_open(self, before: date) -> list[Entry]:
        """See the port."""
        return await self._entries(_ACCRUED, before=before)

    async def standings(
        self, *, agreement_id: UUID | None = None, first: date | None = None, end: date | None = None
    ) -> list[Standing]:
        """See the port."""
        asked = {"agreement": agreement_id, "first": first, "end": end}
        async with self._engine.connect() as connection:
            rows = (await connection.execute(_STANDINGS, asked)).all()
        return [Standing(LedgerAccount(r.account), r.detail, r.currency, r.debit, r.credit) for r in rows]

    async def unbalanced(self, *, limit: int = 100) -> list[UUID]:
        """See the port."""
        async with self._engine.connect() as connection:
            return list((await connection.execute(_UNBALANCED, {"most": limit})).scalars())

    async def set_plan(self, plan: BudgetPlan, *, at: datetime, by: UUID | None, reason: str) -> None:
        """See the port."""
        row = {
            "agreement": plan.agreement_id, "place": plan.service_point_id, "first": plan.first_day,
            "end": plan.end_day, "level": plan.level, "anniversary": plan.anniversary, "at": at, "by": by,
            "reason": reason,
        }  # fmt: skip
        async with self._engine.begin() as connection:
            await connection.execute(_SET_PLAN, row)

    async def plans(self, agreements: Collection[UUID] | None) -> list[BudgetPlan]:
        """See the port."""
        asked = None if agreements is None else list(agreements)
        async with self._engine.connect() as connection:
            return [BudgetPlan(*r) for r in (await connection.execute(_PLANS, {"agreements": asked})).all()]

    async def installments(self, agreements: Collection[UUID]) -> list[tuple[InstallmentPlan, int]]:
        """See the port."""
        async with self._engine.connect() as connection:
            rows = (await connection.execute(_PARTS, {"agreements": list(agreements)})).all()
        plans = [
            (
                InstallmentPlan(
                    r.decision_id, r.agreement_id, r.service_point_id, tuple(r.parts), r.made_on, r.currency
                ),
                int(r.fallen),
            )
            for r in rows
        ]
        return [(plan, fallen) for plan, fallen in plans if fallen < len(plan.parts)]

    async def unposted(self, *, since: datetime | None, limit: int) -> list[UUID]:
        """See :class:`~openami.billing.ledger.job.UnpostedBills`."""
        async with self._engine.connect() as connection:
            return list((await connection.execute(_UNPOSTED, {"since": since, "most": limit})).scalars())

    async def audit(self) -> LedgerAudit:
        """Check the whole ledger against itself and against the bills in force."""
        async with self._engine.connect() as connection:
            billed = {r.currency: r.total for r in (await connection.execute(_BILLED)).all()}
            energy_off = int((await connection.execute(_ENERGY_OFF)).scalar_one())
        return audit_of(
            await self.standings(), unbalanced=len(await self.unbalanced()),
            unposted=len(await self.unposted(since=None, limit=MAX_UNPOSTED)), billed=billed,
            energy_off=energy_off,
        )  # fmt: skip

    async def _entries(self, query: Any, **asked: object) -> list[Entry]:
        async with self._engine.connect() as connection:
            return [entry_of(row) for row in (await connection.execute(query, asked)).mappings()]


async def keep_entries(connection: AsyncConnection, entries: Sequence[Entry]) -> int:
    """Keep entries in a transaction that is under way; those that are there already count for nothing."""
    new = 0
    for at in range(0, len(entries), AT_ONCE):
        part = entries[at : at + AT_ONCE]
        given = {"entries": json.dumps([_row(e) for e in part]), "postings": json.dumps(list(_posting_rows(part)))}
        new += int((await connection.execute(_KEEP, given)).scalar_one())
    return new


async def keep_parts(connection: AsyncConnection, plans: Iterable[InstallmentPlan]) -> None:
    """Keep plans of repayment in a transaction that is under way."""
    for plan in plans:
        row = {
            "decision": plan.decision_id, "agreement": plan.agreement_id, "place": plan.service_point_id,
            "parts": list(plan.parts), "made_on": plan.made_on, "currency": plan.currency,
        }  # fmt: skip
        await connection.execute(_ADD_PARTS, row)


def entry_of(row: Any) -> Entry:
    """Return an entry of a row with its postings; a row that does not balance cannot be one."""
    return Entry(
        row["entry_id"], EntryKind(row["kind"]), row["agreement_id"], row["service_point_id"], row["day"],
        row["currency"],
        tuple(Posting(LedgerAccount(a), Decimal(amount), detail) for a, amount, detail in row["postings"]),
        row["made_at"], bill_id=row["bill_id"], reverses=row["reverses"], decision_id=row["decision_id"],
        evidence=row["evidence"],
    )  # fmt: skip


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "entry_id": str(entry.entry_id), "kind": entry.kind.value, "agreement_id": str(entry.agreement_id),
        "service_point_id": str(entry.service_point_id), "day": entry.day.isoformat(), "currency": entry.currency,
        "made_at": entry.made_at.isoformat(), "bill_id": _text(entry.bill_id), "reverses": _text(entry.reverses),
        "decision_id": _text(entry.decision_id), "evidence": dict(entry.evidence),
    }  # fmt: skip


def _text(found: UUID | None) -> str | None:
    return None if found is None else str(found)


def _posting_rows(entries: Iterable[Entry]) -> Iterable[dict[str, Any]]:
    for entry in entries:
        for number, one in enumerate(entry.postings, 1):
            yield {
                "entry_id": str(entry.entry_id), "number": number, "account": one.account.value,
                "detail": one.detail, "amount": str(one.amount),
            }  # fmt: skip
