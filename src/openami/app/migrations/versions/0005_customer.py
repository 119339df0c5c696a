"""Tables of the customer room.

Revision ID: 0005_customer
"""

revision = "0005_customer"
down_revision = "0004_security"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""


def downgrade() -> None:
    """Nothing to undo."""
