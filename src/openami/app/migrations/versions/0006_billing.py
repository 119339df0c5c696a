"""Tables of the billing room.

Revision ID: 0006_billing
"""

revision = "0006_billing"
down_revision = "0005_customer"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""


def downgrade() -> None:
    """Nothing to undo."""
