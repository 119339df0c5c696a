"""Statements of the signals that rates follow: events, price series, peaks of the system. Rows are only added.

Revision ID: 0057_signal_statements
"""

from alembic import op

revision = "0057_signal_statements"
down_revision = "0056_parts_of_bills"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    create table billing.signal_statement (
        statement_id uuid primary key,
        kind text not null check (kind in ('events', 'prices', 'peaks')),
        signal text not null check (length(signal) between 1 and 200),
        first_at timestamptz not null,
        end_at timestamptz not null check (end_at > first_at),
        content jsonb not null,
        source text not null check (length(source) between 1 and 2000),
        entered_at timestamptz not null,
        entered_by text not null
    )
    """,
    "create index signal_statement_time on billing.signal_statement (signal, first_at, end_at)",
    "create index signal_statement_entered on billing.signal_statement (entered_at)",
    "alter table billing.signal_statement enable row level security",
    "alter table billing.signal_statement force row level security",
    "create policy room on billing.signal_statement to openami_billing using (true) with check (true)",
    "revoke update, delete on billing.signal_statement from openami_billing",
    "grant select on billing.signal_statement to openami_portal",
    "create policy portal on billing.signal_statement for select to openami_portal using (true)",
)


def upgrade() -> None:
    """Make the table. What a system did is no secret and belongs to nobody: customers' comparisons may read it."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop the table."""
    op.execute("drop table if exists billing.signal_statement")
