"""A fact of a place: why its registers could not be read, so that an estimated bill names a known cause.

Revision ID: 0059_no_read
"""

from alembic import op

revision = "0059_no_read"
down_revision = "0058_place_rest"
branch_labels = None
depends_on = None

_KINDS = (
    "service", "account", "rate", "bill_group", "transformer", "feeder", "phase", "cell", "calendar", "reading",
    "interconnection", "check_of", "municipality", "customer_class", "no_read",
)  # fmt: skip
_CHECK = "place_fact_kind_check"


def upgrade() -> None:
    """Let the kind stand there."""
    op.execute(f"alter table mdm.place_fact drop constraint {_CHECK}")
    kinds = ", ".join(f"'{k}'" for k in _KINDS)
    op.execute(f"alter table mdm.place_fact add constraint {_CHECK} check (kind in ({kinds}))")


def downgrade() -> None:
    """Nothing to undo: rows of this kind stay."""
