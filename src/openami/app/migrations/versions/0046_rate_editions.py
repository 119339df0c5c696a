"""The texts of rates that bills were made by, and the instants from which each held. Rows are only added.

Revision ID: 0046_rate_editions
"""

from alembic import op

revision = "0046_rate_editions"
down_revision = "0045_bill_holds"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    create table billing.rate_text (
        digest text primary key check (digest ~ '^[0-9a-f]{64}$'),
        rate_code text not null,
        text text not null
    )
    """,
    """
    create table billing.rate_edition (
        rate_code text not null,
        noted_at timestamptz not null,
        digest text not null references billing.rate_text,
        primary key (rate_code, noted_at)
    )
    """,
)


def upgrade() -> None:
    """Make the tables. A rate is no secret and belongs to nobody: customers' pages may read it."""
    for statement in _STATEMENTS:
        op.execute(statement)
    for table in ("rate_text", "rate_edition"):
        op.execute(f"alter table billing.{table} enable row level security")
        op.execute(f"alter table billing.{table} force row level security")
        op.execute(f"create policy room on billing.{table} to openami_billing using (true) with check (true)")
        op.execute(f"revoke update, delete on billing.{table} from openami_billing")
        op.execute(f"grant select on billing.{table} to openami_portal")
        op.execute(f"create policy portal on billing.{table} for select to openami_portal using (true)")


def downgrade() -> None:
    """Drop the tables."""
    op.execute("drop table if exists billing.rate_edition")
    op.execute("drop table if exists billing.rate_text")
