"""What people say of bills that wait: releases of one hold, and holds of a place; and the terms a bill was made with.

Revision ID: 0045_bill_holds
"""

from alembic import op

revision = "0045_bill_holds"
down_revision = "0044_ledger"
branch_labels = None
depends_on = None

PLACES = "(select string_to_array(nullif(current_setting('app.service_points', true), ''), ','))::uuid[]"
_STATEMENTS = (
    "alter table billing.bill add column terms jsonb not null default '{}'",
    """
    create table billing.hold_release (
        service_point_id uuid not null,
        first_day date not null,
        code text not null,
        reason text not null check (length(reason) between 1 and 500),
        released_by text not null,
        released_at timestamptz not null,
        primary key (service_point_id, first_day, code)
    )
    """,
    """
    create table billing.place_hold (
        hold_id uuid primary key,
        service_point_id uuid not null,
        reason text not null check (length(reason) between 1 and 500),
        held_by text not null,
        held_at timestamptz not null,
        lifted_by text,
        lifted_at timestamptz,
        lift_reason text
    )
    """,
    "create index place_hold_in_force on billing.place_hold (service_point_id) where lifted_at is null",
)


def upgrade() -> None:
    """Make the tables; staff and customers see those of the places of their scope."""
    for statement in _STATEMENTS:
        op.execute(statement)
    for table in ("hold_release", "place_hold"):
        op.execute(f"alter table billing.{table} enable row level security")
        op.execute(f"alter table billing.{table} force row level security")
        op.execute(f"create policy room on billing.{table} to openami_billing using (true) with check (true)")
        op.execute(f"grant select on billing.{table} to openami_portal")
        op.execute(
            f"create policy portal on billing.{table} for select to openami_portal "
            f"using (service_point_id = any({PLACES}))"
        )


def downgrade() -> None:
    """Drop the tables and the column."""
    op.execute("drop table if exists billing.place_hold")
    op.execute("drop table if exists billing.hold_release")
    op.execute("alter table billing.bill drop column if exists terms")
