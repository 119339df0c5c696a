"""The head-end sees which meters are behind their group's key, and no octet of it: their key change is due.

Revision ID: 0031_group_readers
"""

from alembic import op

revision = "0031_group_readers"
down_revision = "0030_key_groups"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let the head-end's role read."""
    op.execute("grant select on security.group_member to openami_keyreader")
    op.execute("grant select (group_id, generation, state) on security.group_key to openami_keyreader")


def downgrade() -> None:
    """Nothing to undo."""
