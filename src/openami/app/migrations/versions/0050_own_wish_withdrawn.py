"""A customer's page takes back wishes of places of its reader alone: the step must be of the place that the wish is of.

Revision ID: 0050_own_wish_withdrawn
"""

from alembic import op

revision = "0050_own_wish_withdrawn"
down_revision = "0049_dry_run"
branch_labels = None
depends_on = None

PLACES = "(select string_to_array(nullif(current_setting('app.service_points', true), ''), ','))::uuid[]"
OWN = f"service_point_id = any({PLACES}) and step = 'withdrawn'"
# Seen through row security as well: another's wish is not there.
OF_ITS_WISH = (
    "exists (select from billing.rate_wish w where w.wish_id = rate_wish_step.wish_id "
    "and w.service_point_id = rate_wish_step.service_point_id)"
)


def upgrade() -> None:
    """Bind the step to its wish's place."""
    op.execute(f"alter policy portal_withdraws on billing.rate_wish_step with check ({OWN} and {OF_ITS_WISH})")


def downgrade() -> None:
    """Bind it to any place of the reader, as before."""
    op.execute(f"alter policy portal_withdraws on billing.rate_wish_step with check ({OWN})")
