"""Releases keep which places were in the total when: the guard judges places and instants, not customers alone.

Revision ID: 0040_release_parts
"""

from alembic import op

revision = "0040_release_parts"
down_revision = "0039_retention"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.execute("alter table mdm.group_release add column parts jsonb not null default '[]'")
    op.execute(
        "comment on column mdm.group_release.parts is "
        "'place, customer, first and last epoch s of each; empty where only customers were kept'"
    )


def downgrade() -> None:
    """Drop the column."""
    op.execute("alter table mdm.group_release drop column if exists parts")
