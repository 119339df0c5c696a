"""Orders may be about statements of signals and facts of places: what prices many bills is said by two people.

Revision ID: 0061_prices_by_two_people
"""

from alembic import op

revision = "0061_prices_by_two_people"
down_revision = "0060_assignments_by_place"
branch_labels = None
depends_on = None

KINDS = "('switch', 'keys', 'thresholds', 'release', 'edits', 'corrections', 'signals', 'facts')"


def upgrade() -> None:
    """Widen the kinds of orders, and find what somebody entered lately."""
    op.execute("alter table access.work_order drop constraint work_order_kind_check")
    op.execute(f"alter table access.work_order add constraint work_order_kind_check check (kind in {KINDS})")
    op.execute("create index registry_change_by on mdm.registry_change (made_by, at)")


def downgrade() -> None:
    """Drop the index; orders of these kinds stay."""
    op.execute("drop index if exists mdm.registry_change_by")
