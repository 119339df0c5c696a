"""A release of a hold is one account's: who moves in, back-dated or not, takes over no word about who moved out.

Revision ID: 0055_releases_of_accounts
"""

from alembic import op

revision = "0055_releases_of_accounts"
down_revision = "0054_place_terms"
branch_labels = None
depends_on = None

NOBODY = "'00000000-0000-0000-0000-000000000000'::uuid"


def upgrade() -> None:
    """Name the account of each release: that of the bill which it let pass, where one was made by then."""
    op.execute("alter table billing.hold_release add column account_id uuid")
    op.execute("alter table billing.hold_release drop constraint hold_release_pkey")
    op.execute("""
        update billing.hold_release r set account_id = b.account_id from billing.bill b
        where b.service_point_id = r.service_point_id and b.first_day = r.first_day
            and b.version = (
                select min(f.version) from billing.bill f
                where f.service_point_id = r.service_point_id and f.first_day = r.first_day
            )
    """)
    # A key holds no null, and some places name no account.
    op.execute(
        "create unique index hold_release_once on billing.hold_release "
        f"(service_point_id, first_day, code, coalesce(account_id, {NOBODY}))"
    )


def downgrade() -> None:
    """Forget whose they are; of several of one bill and hold the first said stays."""
    op.execute("drop index billing.hold_release_once")
    op.execute("""
        delete from billing.hold_release r using billing.hold_release earlier
        where (earlier.service_point_id, earlier.first_day, earlier.code)
                = (r.service_point_id, r.first_day, r.code)
            and (earlier.released_at, coalesce(earlier.account_id::text, ''))
                < (r.released_at, coalesce(r.account_id::text, ''))
    """)
    op.execute("alter table billing.hold_release drop column account_id")
    op.execute("alter table billing.hold_release add primary key (service_point_id, first_day, code)")
