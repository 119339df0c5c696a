"""What operators set about validation rules: rows are added and never altered, a later one lies over an earlier one.

Revision ID: 0038_rule_set
"""

from alembic import op

revision = "0038_rule_set"
down_revision = "0037_edit_orders"
branch_labels = None
depends_on = None

TABLES = """
create table mdm.rule_set (
    id bigint generated always as identity primary key,
    rule text not null,
    channel_group text,
    first_day date not null,
    until_day date check (until_day > first_day),
    severity text check (severity in ('off', 'warn', 'fail', 'accept')),
    thresholds jsonb not null,
    reason text not null check (length(reason) between 5 and 500),
    made_by uuid not null,
    made_at timestamptz not null,
    check (severity is not null or thresholds <> '{}'::jsonb)
);
comment on column mdm.rule_set.channel_group is 'null: all groups that the rule speaks of';
comment on column mdm.rule_set.made_at is 'domain time';
revoke update, delete on mdm.rule_set from openami_mdm
"""


def upgrade() -> None:
    """Make the table."""
    for statement in TABLES.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    """Drop the table."""
    op.execute("drop table if exists mdm.rule_set")
