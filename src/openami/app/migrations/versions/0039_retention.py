"""How long readings are kept, by whose word, and what was removed: added to, never altered.

Revision ID: 0039_retention
"""

from alembic import op

revision = "0039_retention"
down_revision = "0038_rule_set"
branch_labels = None
depends_on = None

TABLES = """
create table mdm.retention_rule (
    rule_id bigint generated always as identity primary key,
    store_table text not null,
    months integer,
    effective date not null,
    reason text not null,
    made_by uuid not null,
    real_at timestamptz not null
);
create table mdm.retention_removal (
    store_table text not null,
    month integer not null,
    held integer not null,
    plan text not null,
    made_by uuid not null,
    begun_at timestamptz not null,
    ended_at timestamptz
);
create index retention_removal_month on mdm.retention_removal (store_table, month);
comment on table mdm.retention_removal is 'months of which rows were removed; validation does not go there again';
revoke update, delete on mdm.retention_rule from openami_mdm
"""


def upgrade() -> None:
    """Make the tables."""
    for statement in TABLES.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables."""
    for table in ("retention_removal", "retention_rule"):
        op.execute(f"drop table if exists mdm.{table}")
