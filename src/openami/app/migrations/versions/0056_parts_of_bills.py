"""Parts may take the place of an issued bill, and one bill that of two parts: all named, in one adjustment.

Revision ID: 0056_parts_of_bills
"""

from alembic import op

revision = "0056_parts_of_bills"
down_revision = "0055_releases_of_accounts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let several bills name the one in whose days they begin, and an adjustment name more than two bills."""
    op.execute("alter table billing.bill add column replaces uuid[] not null default '{}'")
    # Two bills that supersede one begin on different days; one of the same days supersedes it once.
    op.execute("drop index if exists billing.bill_superseded_once")
    op.execute(
        "create unique index bill_superseded_once on billing.bill (supersedes, first_day) where supersedes is not null"
    )
    for column in ("more_bills", "more_corrected"):
        op.execute(f"alter table billing.adjustment add column {column} uuid[] not null default '{{}}'")
    op.execute("alter table billing.correction_weighing add column parts jsonb not null default '[]'")
    op.execute("alter table billing.correction_weighing add column joins uuid")


def downgrade() -> None:
    """Take the columns away; bills that have parts stay as they are."""
    op.execute("alter table billing.correction_weighing drop column if exists joins, drop column if exists parts")
    op.execute("alter table billing.adjustment drop column if exists more_corrected, drop column if exists more_bills")
    op.execute("alter table billing.bill drop column if exists replaces")
