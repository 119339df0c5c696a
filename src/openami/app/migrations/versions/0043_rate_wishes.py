"""Customers' wishes for other rates, and the ledger of the first year on one. Rows are added, never altered.

A customer's page may add a wish, and take it back; what else becomes of one is the billing room's to say.

Revision ID: 0043_rate_wishes
"""

from alembic import op

revision = "0043_rate_wishes"
down_revision = "0042_bill_cycle"
branch_labels = None
depends_on = None

PLACES = "(select string_to_array(nullif(current_setting('app.service_points', true), ''), ','))::uuid[]"
TABLES = ("rate_wish", "rate_wish_step", "rate_protection", "shadow_entry")

_STATEMENTS = (
    """
    create table billing.rate_wish (
        wish_id uuid primary key,
        service_point_id uuid not null,
        rate_code text not null,
        present_code text not null check (present_code <> rate_code),
        first_day date not null,
        asked_at timestamptz not null,
        asked_by uuid not null
    )
    """,
    "create index rate_wish_of_place on billing.rate_wish (service_point_id, asked_at)",
    """
    create table billing.rate_wish_step (
        wish_id uuid primary key references billing.rate_wish (wish_id),
        service_point_id uuid not null,
        step text not null check (step in ('withdrawn', 'applied', 'refused')),
        at timestamptz not null,
        by uuid,
        note text not null default ''
    )
    """,
    """
    create table billing.rate_protection (
        protection_id uuid primary key,
        service_point_id uuid not null,
        rate_code text not null,
        shadow_code text not null check (shadow_code <> rate_code),
        first_day date not null,
        end_day date not null check (end_day > first_day),
        months smallint not null check (months > 0),
        begun_at timestamptz not null,
        unique (service_point_id, first_day)
    )
    """,
    """
    create table billing.shadow_entry (
        protection_id uuid not null references billing.rate_protection (protection_id),
        bill_id uuid not null references billing.bill (bill_id),
        service_point_id uuid not null,
        bill_version integer not null,
        first_day date not null,
        end_day date not null,
        billed numeric not null,
        shadow numeric,
        refused text not null default '',
        made_at timestamptz not null,
        primary key (protection_id, bill_id),
        check (shadow is not null or refused <> '')
    )
    """,
)


def upgrade() -> None:
    """Make the tables and guard them."""
    for statement in _STATEMENTS:
        op.execute(statement)
    for table in TABLES:
        op.execute(f"alter table billing.{table} enable row level security")
        op.execute(f"alter table billing.{table} force row level security")
        op.execute(f"revoke update, delete on billing.{table} from openami_billing")
        op.execute(f"create policy room on billing.{table} to openami_billing using (true) with check (true)")
        op.execute(f"grant select on billing.{table} to openami_portal")
        op.execute(
            f"create policy portal on billing.{table} for select to openami_portal "
            f"using (service_point_id = any({PLACES}))"
        )
    op.execute("grant insert on billing.rate_wish, billing.rate_wish_step to openami_portal")
    op.execute(
        "create policy portal_asks on billing.rate_wish for insert to openami_portal "
        f"with check (service_point_id = any({PLACES}))"
    )
    op.execute(
        "create policy portal_withdraws on billing.rate_wish_step for insert to openami_portal "
        f"with check (service_point_id = any({PLACES}) and step = 'withdrawn')"
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in reversed(TABLES):
        op.execute(f"drop table if exists billing.{table}")
