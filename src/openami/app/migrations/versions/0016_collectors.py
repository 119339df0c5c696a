"""Collectors as the gateway speaks of them, and findings about them: head-ends write, staff pages read.

Revision ID: 0016_collectors
"""

from alembic import op

revision = "0016_collectors"
down_revision = "0015_master_key"
branch_labels = None
depends_on = None

TABLES = """
create table headend.collector (
    collector_id bigint primary key check (collector_id between 1 and 4294967295),
    told_at_ms bigint not null,
    word text not null,
    home_latitude_e7 int,
    home_longitude_e7 int,
    home_cell bigint,
    is_retired boolean not null default false
);
comment on table headend.collector is 'the newest word of each collector, and where it was put up';
create table headend.collector_finding (
    finding_no bigint generated always as identity primary key,
    collector_id bigint not null,
    rule text not null,
    severity text not null check (severity in ('warn', 'fail')),
    since_ms bigint not null,
    ended_ms bigint check (ended_ms >= since_ms),
    evidence jsonb not null
);
create unique index collector_finding_open on headend.collector_finding (collector_id, rule) where ended_ms is null;
create index collector_finding_ended on headend.collector_finding (ended_ms) where ended_ms is not null;
comment on table headend.collector_finding is 'what a person should look at; one open row a collector and rule';
grant select on headend.collector, headend.collector_finding to openami_portal
"""


def upgrade() -> None:
    """Make the tables."""
    for statement in TABLES.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    """Nothing to undo."""
