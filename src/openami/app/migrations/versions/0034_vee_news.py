"""Runs of validation that owe news: kept before a run writes, taken off when its news are published.

Revision ID: 0034_vee_news
"""

from alembic import op

revision = "0034_vee_news"
down_revision = "0033_decisions"
branch_labels = None
depends_on = None

TABLE = """
create table mdm.vee_news (
    run_id uuid primary key,
    first_day date not null,
    last_day date not null check (first_day <= last_day),
    made_at timestamptz not null
)
"""


def upgrade() -> None:
    """Make the table."""
    op.execute(TABLE)


def downgrade() -> None:
    """Drop the table."""
    op.execute("drop table if exists mdm.vee_news")
