"""Tables of the head-end room, and of the key vault in schema ``security``.

Revision ID: 0003_headend
"""

from alembic import op

revision = "0003_headend"
down_revision = "0002_mdm"
branch_labels = None
depends_on = None

VAULT = """
create sequence security.key_revision;
create table security.installation_key (
    version int primary key check (version > 0),
    installation uuid not null,
    wrapped bytea not null,
    made_at timestamptz not null
);
comment on table security.installation_key is 'wraps meter keys and is wrapped under the root key, which is never here';
create table security.shipment (
    shipment_id text primary key,
    digest bytea not null,
    maker text not null,
    meters int not null,
    made_at timestamptz not null,
    imported_at timestamptz not null
);
create table security.key_holder (
    meter_id uuid primary key,
    system_title bytea not null unique check (octet_length(system_title) = 8),
    serial text not null,
    profile text not null,
    zone text,
    shipment_id text not null references security.shipment
);
create table security.meter_key (
    meter_id uuid not null references security.key_holder,
    use text not null check (use in ('encryption', 'authentication')),
    generation int not null check (generation > 0),
    suite smallint not null,
    state text not null check (state in ('new', 'active', 'expired', 'withdrawn')),
    installation_version int not null references security.installation_key,
    wrapped bytea not null,
    fingerprint bytea not null unique,
    made_at timestamptz not null,
    revision bigint not null default nextval('security.key_revision'),
    primary key (meter_id, generation, use)
);
create index meter_key_revision on security.meter_key (revision);
"""

HEADEND = """
create table headend.member (
    owner text primary key,
    alive_until timestamptz not null
);
comment on table headend.member is 'head-ends that share the groups, in real time';
create table headend.partition_group (
    group_no smallint primary key,
    group_count smallint not null,
    owner text,
    fence bigint not null default 0,
    lease_until timestamptz not null default 'epoch',
    position bigint not null default 0
);
comment on column headend.partition_group.position is 'DMZ_FRAME sequence that windows and counts stand at';
create table headend.window_page (
    group_no smallint not null references headend.partition_group,
    position bigint not null,
    is_base boolean not null,
    octets bytea not null,
    primary key (group_no, position)
);
comment on table headend.window_page is 'counter windows: one base page and the changes since';
create table headend.refusal_count (
    group_no smallint not null,
    reason text not null,
    frames bigint not null,
    primary key (group_no, reason)
);
create table headend.frame_count (
    group_no smallint primary key,
    frames bigint not null,
    accepted bigint not null
);
create table headend.dead_letter (
    letter_id text primary key,
    stream_seq bigint not null,
    frame_no int not null,
    reason text not null,
    detail text not null,
    system_title text not null,
    invocation_counter bigint,
    collector_id bigint not null,
    collected_at timestamptz not null,
    refused_at timestamptz not null,
    frame bytea not null
);
create index dead_letter_newest on headend.dead_letter (stream_seq desc, frame_no desc);
create index dead_letter_oldest on headend.dead_letter (refused_at);
create table headend.last_frame (
    meter_id uuid primary key,
    collected_at timestamptz not null,
    received_at timestamptz not null,
    invocation_counter bigint not null,
    generation int not null,
    frames bigint not null
);
create index last_frame_newest on headend.last_frame (received_at desc);
"""


def upgrade() -> None:
    """Make the tables."""
    for script in (VAULT, HEADEND):
        for statement in script.split(";"):
            if statement.strip():
                op.execute(statement)


def downgrade() -> None:
    """Nothing to undo."""
