"""A bill may be reversed whole: an adjustment then names no corrected bill.

Revision ID: 0048_reversed_bills
"""

from alembic import op

revision = "0048_reversed_bills"
down_revision = "0047_protection_entry"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let an adjustment stand without a corrected bill."""
    op.execute("alter table billing.adjustment alter column corrected_bill_id drop not null")


def downgrade() -> None:
    """Nothing to undo: reversals that are kept stay."""
