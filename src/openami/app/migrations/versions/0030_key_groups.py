"""Groups of meters that share a broadcast key, and which meter has which of its group's keys.

Revision ID: 0030_key_groups
"""

from alembic import op

revision = "0030_key_groups"
down_revision = "0029_leaked_generations"
branch_labels = None
depends_on = None

TABLES = """
create table security.key_group (
    group_id uuid primary key,
    name text not null unique check (length(name) between 1 and 80),
    collectors bigint[] not null,
    made_at timestamptz not null
);
comment on column security.key_group.collectors is 'numbers of the collectors that serve it, none if any may';
create table security.group_key (
    group_id uuid not null references security.key_group,
    generation int not null check (generation > 0),
    state text not null check (state in ('active', 'withdrawn')),
    installation_version int not null references security.installation_key,
    wrapped bytea not null,
    fingerprint bytea not null unique,
    made_at timestamptz not null,
    withdrawn_at timestamptz,
    primary key (group_id, generation)
);
create unique index group_key_active on security.group_key (group_id) where state = 'active';
create table security.group_member (
    meter_id uuid primary key references security.key_holder,
    group_id uuid not null references security.key_group,
    held_generation int not null default 0,
    pair_generation int not null default 0,
    sent_generation int not null default 0
);
create index group_member_group on security.group_member (group_id);
comment on column security.group_member.sent_generation is 'which of the group''s keys goes with that pair';
create table security.group_renewal (
    report_id uuid primary key,
    renewed_at timestamptz not null
);
comment on table security.group_renewal is 'reports of stolen collectors whose groups have new keys';
grant select on security.key_group, security.group_member to openami_portal;
grant select (group_id, generation, state, made_at, withdrawn_at) on security.group_key to openami_portal
"""


def upgrade() -> None:
    """Make the tables."""
    for statement in TABLES.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    """Nothing to undo."""
