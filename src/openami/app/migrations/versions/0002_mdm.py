"""Tables of the mdm room.

Revision ID: 0002_mdm
"""

revision = "0002_mdm"
down_revision = "0001_rooms"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""


def downgrade() -> None:
    """Nothing to undo."""
