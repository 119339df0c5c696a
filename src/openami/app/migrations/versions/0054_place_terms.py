"""Facts by which bills are taxed and charged: the municipality of a place and the class of its customer.

Revision ID: 0054_place_terms
"""

from alembic import op

revision = "0054_place_terms"
down_revision = "0053_true_up"
branch_labels = None
depends_on = None

_KINDS = (
    "service", "account", "rate", "bill_group", "transformer", "feeder", "phase", "cell", "calendar", "reading",
    "interconnection", "check_of", "municipality", "customer_class",
)  # fmt: skip
_CHECK = "place_fact_kind_check"


def upgrade() -> None:
    """Let the kinds stand there."""
    op.execute(f"alter table mdm.place_fact drop constraint {_CHECK}")
    kinds = ", ".join(f"'{k}'" for k in _KINDS)
    # Not of rows that are there: after a way back they may be of kinds that a later revision lets stand.
    op.execute(f"alter table mdm.place_fact add constraint {_CHECK} check (kind in ({kinds})) not valid")


def downgrade() -> None:
    """Nothing to undo: rows of these kinds stay."""
