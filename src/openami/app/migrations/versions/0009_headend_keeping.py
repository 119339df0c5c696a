"""Tables of the head-end that keeps a fleet read: memory pages, service levels, requests, firmware campaigns.

Revision ID: 0009_headend_keeping
"""

from alembic import op

revision = "0009_headend_keeping"
down_revision = "0008_column_sheet"
branch_labels = None
depends_on = None

KEEPING = """
create table headend.memory_page (
    page_no bigint generated always as identity primary key,
    group_no smallint not null references headend.partition_group,
    octets bytea not null
);
create index memory_page_of_group on headend.memory_page (group_no, page_no);
comment on table headend.memory_page is 'which intervals of each meter came: one base page and the changes since';
create table headend.service_level (
    group_no smallint not null,
    day date not null,
    cell text not null,
    within_1h bigint not null,
    within_6h bigint not null,
    within_24h bigint not null,
    within_72h bigint not null,
    later bigint not null,
    finished bigint not null,
    expected bigint not null,
    primary key (group_no, day, cell)
);
comment on column headend.service_level.finished is 'expected of the meters whose day misses nothing any more';
comment on column headend.service_level.expected is 'expected of all, confirmed outages left out';
create table headend.register_level (
    group_no smallint not null,
    read_day date not null,
    cell text not null,
    due bigint not null,
    in_time bigint not null,
    came bigint not null,
    primary key (group_no, read_day, cell)
);
comment on table headend.register_level is 'billing-window register reads by 07:00 local time on read day';
create table headend.request (
    request_id uuid primary key,
    group_no smallint not null,
    meter_id uuid not null,
    system_title bytea not null check (octet_length(system_title) = 8),
    kind text not null,
    lane smallint not null,
    from_s bigint not null,
    to_s bigint not null,
    asked_at_s bigint not null,
    state text not null check (state in ('queued', 'running', 'waiting', 'done', 'given_up')),
    tries smallint not null default 0,
    not_before_s double precision not null default 0,
    expires_s double precision,
    ended_at_s double precision,
    words text not null default '',
    asked_by text not null default '',
    figures jsonb
);
comment on table headend.request is 'what is asked of meters, by the owner of the lease group group_no';
comment on column headend.request.figures is 'what a person asked for, forgotten after a day';
create index request_open on headend.request (group_no) where state in ('queued', 'running', 'waiting');
create index request_of_meter on headend.request (meter_id, asked_at_s desc);
create index request_ended on headend.request (ended_at_s) where ended_at_s is not null;
create table headend.campaign (
    campaign_id uuid primary key,
    image_id bytea not null,
    image_digest bytea not null check (octet_length(image_digest) = 32),
    document jsonb not null,
    state text not null check (state in ('planned', 'running', 'paused', 'aborted', 'done')),
    words text not null default '',
    made_at_s bigint not null
);
create table headend.campaign_meter (
    campaign_id uuid not null references headend.campaign,
    meter_id uuid not null,
    wave smallint not null,
    state text not null,
    next_block int not null default 0,
    tries smallint not null default 0,
    not_before_s double precision not null default 0,
    words text not null default '',
    primary key (campaign_id, meter_id)
);
"""

READABLE = ("memory_page", "service_level", "register_level", "request", "campaign", "campaign_meter")


def upgrade() -> None:
    """Make the tables."""
    for statement in KEEPING.split(";"):
        if statement.strip():
            op.execute(statement)
    # Staff pages read them, and enter what a person asks for; how a request ends is the head-end's alone.
    for table in READABLE:
        op.execute(f"grant select on headend.{table} to openami_portal")
    op.execute("grant insert on headend.request to openami_portal")


def downgrade() -> None:
    """Nothing to undo."""
