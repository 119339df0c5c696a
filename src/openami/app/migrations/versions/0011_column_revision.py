"""A number of each column sheet in the order of keeping, so that a head-end can ask for what is new.

Revision ID: 0011_column_revision
"""

from alembic import op

revision = "0011_column_revision"
down_revision = "0010_send_counter"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Number the sheets."""
    op.execute("alter table headend.column_sheet add column revision bigint generated always as identity")
    op.execute("create unique index column_sheet_revision on headend.column_sheet (revision)")


def downgrade() -> None:
    """Nothing to undo."""
