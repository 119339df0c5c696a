"""Tables of the security room.

Revision ID: 0004_security
"""

revision = "0004_security"
down_revision = "0003_headend"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""


def downgrade() -> None:
    """Nothing to undo."""
