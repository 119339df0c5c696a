"""Virtual channels, and what was released about groups: both are added to and never altered.

Revision ID: 0036_usage
"""

from alembic import op

revision = "0036_usage"
down_revision = "0035_exchange"
branch_labels = None
depends_on = None

TABLES = """
create table mdm.virtual_channel (
    definition_id uuid primary key,
    name text not null check (name ~ '^[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}$'),
    terms jsonb,
    made_by uuid not null,
    reason text not null default '',
    at timestamptz not null,
    real_at timestamptz not null
);
create index virtual_channel_name on mdm.virtual_channel (name, real_at);
comment on table mdm.virtual_channel is 'the newest row of a name counts; one without terms ends it';
create table mdm.group_release (
    release_id uuid primary key,
    group_name text not null,
    preset text not null,
    floor integer not null check (floor > 1),
    channel smallint not null,
    grain text not null,
    first_day date not null,
    last_day date not null,
    period tstzrange not null,
    customers uuid[] not null,
    recipient text not null,
    reason text not null,
    made_by uuid not null,
    known_at timestamptz not null,
    real_at timestamptz not null,
    result jsonb not null
);
create index group_release_period on mdm.group_release using gist (period);
comment on table mdm.group_release is 'shown again as it was; the guard judges new releases by all of these';
revoke update, delete on mdm.virtual_channel, mdm.group_release from openami_mdm
"""


def upgrade() -> None:
    """Make the tables."""
    for statement in TABLES.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables."""
    for table in ("group_release", "virtual_channel"):
        op.execute(f"drop table if exists mdm.{table}")
