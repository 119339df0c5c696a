"""The ledger of bills, corrections with their decisions, and adjustments that link a bill to the one superseding it.

Postings of an entry add up to nothing, or the statement that brings them is refused; no role may alter or delete an
entry, a posting, a decision or an adjustment. What is weighed again whenever data change is the one table that is not
kept for ever.

Revision ID: 0044_ledger
"""

from alembic import op

revision = "0044_ledger"
down_revision = "0043_rate_wishes"
branch_labels = None
depends_on = None

KINDS = "('switch', 'keys', 'thresholds', 'release', 'edits', 'corrections')"
PLACES = "(select string_to_array(nullif(current_setting('app.service_points', true), ''), ','))::uuid[]"
KEPT = (
    "ledger_entry", "ledger_posting", "budget_plan", "installment_plan", "correction_decision",
    "correction_decision_bill", "correction_step", "adjustment", "adjustment_line",
)  # fmt: skip
"""Tables of which no row is altered or deleted."""
FOR_CUSTOMERS = ("ledger_entry", "ledger_posting", "budget_plan", "installment_plan", "adjustment", "adjustment_line")
"""Tables of which a customer may see the rows of places of their own; decisions hold words of staff."""

_TABLES = (
    """
    create table billing.ledger_entry (
        entry_id uuid primary key,
        kind text not null check (kind in ('bill', 'reversal', 'budget', 'budget_settlement', 'installment_plan',
            'installment', 'unbilled', 'unbilled_back')),
        agreement_id uuid not null,
        service_point_id uuid not null,
        day date not null,
        currency text not null check (length(currency) = 3),
        made_at timestamptz not null,
        bill_id uuid references billing.bill (bill_id),
        reverses uuid references billing.ledger_entry (entry_id),
        decision_id uuid,
        evidence jsonb not null default '{}',
        check ((kind in ('reversal', 'unbilled_back')) = (reverses is not null))
    )
    """,
    # An entry is taken back once; a bill is superseded once.
    "create unique index ledger_entry_reversed_once on billing.ledger_entry (reverses) where reverses is not null",
    "create unique index bill_superseded_once on billing.bill (supersedes) where supersedes is not null",
    "create index ledger_entry_bill on billing.ledger_entry (bill_id)",
    "create index ledger_entry_agreement on billing.ledger_entry (agreement_id, day)",
    "create index ledger_entry_place on billing.ledger_entry (service_point_id, day)",
    "create index ledger_entry_unbilled on billing.ledger_entry (day) where kind = 'unbilled'",
    """
    create table billing.ledger_posting (
        entry_id uuid not null references billing.ledger_entry (entry_id),
        number smallint not null,
        service_point_id uuid not null,
        account text not null check (account in ('receivable', 'installments', 'budget_deferred', 'unbilled', 'energy',
            'demand', 'fixed', 'minimum', 'rider', 'credit', 'tax', 'rounding', 'unbilled_revenue')),
        detail text not null default '' check (length(detail) <= 200),
        amount numeric not null check (amount <> 0 and amount = round(amount, 2)),
        primary key (entry_id, number)
    )
    """,
    "comment on column billing.ledger_posting.amount is 'above zero a debit, below a credit'",
    # Whatever a statement brings of an entry adds up by itself: so does the entry, and the book.
    """
    create function billing.postings_balance() returns trigger language plpgsql as $$
    declare wrong record;
    begin
        select entry_id, sum(amount) as off into wrong from fresh group by entry_id having sum(amount) <> 0 limit 1;
        if found then
            raise exception 'ledger entry % is out of balance by %', wrong.entry_id, wrong.off
                using errcode = 'check_violation';
        end if;
        return null;
    end $$
    """,
    """
    create trigger postings_balance after insert on billing.ledger_posting referencing new table as fresh
        for each statement execute function billing.postings_balance()
    """,
    """
    create function billing.is_kept() returns trigger language plpgsql as $$
    begin
        raise exception 'rows of billing.% are kept as they are', tg_table_name using errcode = 'restrict_violation';
    end $$
    """,
    """
    create table billing.budget_plan (
        plan_row bigint generated always as identity primary key,
        agreement_id uuid not null,
        service_point_id uuid not null,
        first_day date not null,
        end_day date check (end_day >= first_day),
        level numeric not null check (level >= 0 and level = round(level, 2)),
        anniversary smallint not null check (anniversary between 1 and 12),
        entered_at timestamptz not null,
        entered_by uuid,
        reason text not null default ''
    )
    """,
    "create index budget_plan_agreement on billing.budget_plan (agreement_id, plan_row)",
    """
    create table billing.installment_plan (
        decision_id uuid not null,
        agreement_id uuid not null,
        service_point_id uuid not null,
        parts numeric[] not null check (cardinality(parts) between 1 and 120),
        made_on date not null,
        currency text not null check (length(currency) = 3),
        primary key (decision_id, agreement_id)
    )
    """,
    "create index installment_plan_agreement on billing.installment_plan (agreement_id)",
    # What a changed bill would become: replaced whenever it is weighed again.
    """
    create table billing.correction_weighing (
        bill_id uuid primary key references billing.bill (bill_id),
        service_point_id uuid not null,
        agreement_id uuid not null,
        cause_kind text not null check (cause_kind in ('edit', 'registry', 'rate', 'readings')),
        cause_key text not null,
        cause_words text not null,
        also text[] not null,
        days integer not null check (days >= 0),
        seen text not null,
        versions_digest text not null,
        after_wh bigint not null,
        after_total numeric,
        found text not null check (found in ('open', 'within_tolerance', 'unmakable')),
        reason text not null default '',
        found_at timestamptz not null,
        weighed_at timestamptz not null,
        is_settled boolean not null default false
    )
    """,
    "comment on column billing.correction_weighing.seen is 'the changed days and versions that were weighed'",
    "create index correction_weighing_open on billing.correction_weighing (cause_kind, cause_key) where not is_settled",
    "create index correction_open on billing.correction (bill_id) where state = 'open'",
    "alter table billing.correction add column decision_id uuid",
    """
    create table billing.correction_decision (
        decision_id uuid primary key,
        kind text not null check (kind in ('rebill', 'leave')),
        cause_kind text not null,
        cause_key text not null,
        cause_words text not null,
        reason text not null check (length(reason) between 5 and 500),
        tampering boolean not null,
        in_parts smallint check (in_parts between 1 and 120),
        made_by uuid not null,
        made_at timestamptz not null,
        effect jsonb not null
    )
    """,
    """
    create table billing.correction_decision_bill (
        decision_id uuid not null references billing.correction_decision (decision_id),
        bill_id uuid not null references billing.bill (bill_id),
        service_point_id uuid not null,
        versions_digest text not null,
        is_rebilled boolean not null,
        primary key (decision_id, bill_id)
    )
    """,
    "create index correction_decision_bill_bill on billing.correction_decision_bill (bill_id)",
    """
    create table billing.correction_step (
        step_id bigint generated always as identity primary key,
        decision_id uuid not null references billing.correction_decision (decision_id),
        step text not null check (step in ('waits', 'in_force', 'withdrawn')),
        order_id uuid,
        by_user uuid not null,
        at timestamptz not null,
        real_at timestamptz not null,
        unique (decision_id, step)
    )
    """,
    "comment on table billing.correction_step is 'at is domain time, real_at real time'",
    """
    create table billing.adjustment (
        adjustment_id uuid primary key,
        agreement_id uuid not null,
        service_point_id uuid not null,
        bill_id uuid not null references billing.bill (bill_id),
        corrected_bill_id uuid not null references billing.bill (bill_id),
        first_day date not null,
        end_day date not null,
        decision_id uuid not null references billing.correction_decision (decision_id),
        cause_kind text not null,
        cause_key text not null,
        cause_words text not null,
        by_wh bigint not null,
        amount numeric not null,
        installments smallint not null check (installments between 1 and 120),
        day date not null,
        currency text not null,
        unique (bill_id),
        unique (corrected_bill_id)
    )
    """,
    "create index adjustment_place on billing.adjustment (service_point_id, day)",
    """
    create table billing.adjustment_line (
        adjustment_id uuid not null references billing.adjustment (adjustment_id),
        number smallint not null,
        service_point_id uuid not null,
        kind text not null,
        name text not null,
        period text,
        tier smallint,
        unit text not null,
        before_quantity numeric not null,
        after_quantity numeric not null,
        before_amount numeric not null,
        after_amount numeric not null,
        primary key (adjustment_id, number)
    )
    """,
)
_GUARDED = (*KEPT, "correction_weighing")


def upgrade() -> None:
    """Widen the kinds of orders, make the tables, guard them."""
    op.execute("alter table access.work_order drop constraint work_order_kind_check")
    op.execute(f"alter table access.work_order add constraint work_order_kind_check check (kind in {KINDS})")
    for statement in _TABLES:
        op.execute(statement)
    for table in _GUARDED:
        op.execute(f"alter table billing.{table} enable row level security")
        op.execute(f"alter table billing.{table} force row level security")
        op.execute(f"create policy room on billing.{table} to openami_billing using (true) with check (true)")
    for table in FOR_CUSTOMERS:
        op.execute(f"grant select on billing.{table} to openami_portal")
        op.execute(
            f"create policy portal on billing.{table} for select to openami_portal "
            f"using (service_point_id = any({PLACES}))"
        )
    for table in KEPT:
        op.execute(f"revoke update, delete on billing.{table} from openami_billing")
        op.execute(
            f"create trigger is_kept before update or delete on billing.{table} "
            "for each statement execute function billing.is_kept()"
        )


def downgrade() -> None:
    """Drop the tables; the kinds of orders stay wide."""
    for table in reversed((*KEPT[:4], "correction_weighing", *KEPT[4:])):
        op.execute(f"drop table if exists billing.{table}")
    for function in ("postings_balance", "is_kept"):
        op.execute(f"drop function if exists billing.{function}()")
    op.execute("drop index if exists billing.bill_superseded_once")
    op.execute("drop index if exists billing.correction_open")
    op.execute("alter table billing.correction drop column if exists decision_id")
