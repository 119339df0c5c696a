"""Assignments by service point: a run that looks at every place asks for them in that order, some thousands at a time.

Revision ID: 0060_assignments_by_place
"""

from alembic import op

revision = "0060_assignments_by_place"
down_revision = "0059_no_read"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    op.execute("create index rate_assignment_place on billing.rate_assignment (service_point_id)")


def downgrade() -> None:
    """Drop it."""
    op.execute("drop index if exists billing.rate_assignment_place")
