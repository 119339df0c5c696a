"""What a bill says beside its figures: its place in the billing calendar, the reads it stands on, and why it waits.

Revision ID: 0042_bill_cycle
"""

from alembic import op

revision = "0042_bill_cycle"
down_revision = "0041_what_is_said_stays"
branch_labels = None
depends_on = None

_COLUMNS = (
    "kind text not null default 'regular' check (kind in ('initial', 'regular', 'final', 'corrected'))",
    "account_id uuid",
    "bill_group smallint",
    "revenue_month date",
    "read_on date",
    "reading_state text check (reading_state in ('actual', 'estimated_intervals', 'estimated'))",
    "reads jsonb not null default '[]'",
    "estimates_in_a_row smallint not null default 0",
    "stamps text[] not null default '{}'",
    "carried_in jsonb not null default '{}'",
    "carried_out jsonb not null default '{}'",
    "due_on date",
    "hold_code text",
    "hold_owner text",
    "held_since timestamptz",
    "released text not null default ''",
)


def upgrade() -> None:
    """Add the columns; a bill that waits already has waited since it was made."""
    for column in _COLUMNS:
        op.execute(f"alter table billing.bill add column {column}")
    op.execute(
        "update billing.bill set hold_code = 'missing_intervals', hold_owner = 'metering', held_since = made_at "
        "where state = 'held'"
    )
    op.execute(
        "alter table billing.bill add constraint a_held_bill_says_why check ((state = 'held') = (hold_code is not null)"
        " and (state = 'held') = (held_since is not null) and (state = 'held') = (hold_owner is not null))"
    )
    # A bill of an account begins where the one before it ended.
    op.execute("create index bill_by_end on billing.bill (service_point_id, end_day)")
    op.execute("create index bill_by_group on billing.bill (bill_group, revenue_month)")


def downgrade() -> None:
    """Drop the columns."""
    op.execute("alter table billing.bill drop constraint if exists a_held_bill_says_why")
    for column in _COLUMNS:
        op.execute(f"alter table billing.bill drop column if exists {column.split()[0]}")
