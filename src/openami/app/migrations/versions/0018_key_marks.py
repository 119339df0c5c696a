"""One meter may be in several incidents, each with a progress of its own.

Revision ID: 0018_key_marks
"""

from alembic import op

revision = "0018_key_marks"
down_revision = "0017_orders"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Key the marks by incident and meter."""
    op.execute("alter table security.key_compromise drop constraint key_compromise_pkey")
    op.execute("alter table security.key_compromise add primary key (incident_id, meter_id)")
    op.execute("drop index security.key_compromise_incident")
    op.execute("create index key_compromise_meter on security.key_compromise (meter_id)")


def downgrade() -> None:
    """Nothing to undo."""
