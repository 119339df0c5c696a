"""What was foreseen of the bills of a read day, to be scored by what became of them.

Revision ID: 0049_dry_run
"""

from alembic import op

revision = "0049_dry_run"
down_revision = "0048_reversed_bills"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    create table billing.dry_run (
        read_on date not null,
        service_point_id uuid not null,
        first_day date not null,
        code text not null,
        reason text not null,
        made_at timestamptz not null,
        primary key (read_on, service_point_id, first_day)
    )
    """,
    "alter table billing.dry_run enable row level security",
    "alter table billing.dry_run force row level security",
    "create policy room on billing.dry_run to openami_billing using (true) with check (true)",
)


def upgrade() -> None:
    """Make the table; the room alone sees it."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop it."""
    op.execute("drop table if exists billing.dry_run")
