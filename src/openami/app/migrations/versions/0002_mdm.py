"""Tables of the mdm room: who is installed where and when, and what validation has done.

Revision ID: 0002_mdm
"""

from alembic import op

revision = "0002_mdm"
down_revision = "0001_rooms"
branch_labels = None
depends_on = None

_STATEMENTS = (
    # The exclusion constraints compare a UUID with = inside a GiST index.
    "create extension if not exists btree_gist",
    """
    create table mdm.service_point (
        id uuid primary key,
        zone text not null,
        status text not null check (status in ('active', 'planned', 'retired')),
        transformer text not null default '',
        feeder text not null default '',
        cell text not null default '',
        bill_group smallint not null default 1,
        made_at timestamptz not null
    )
    """,
    """
    create table mdm.meter (
        id uuid primary key,
        system_title bytea unique check (octet_length(system_title) = 8),
        serial text not null unique,
        profile text not null,
        interval_s integer not null check (interval_s > 0),
        channels smallint[] not null,
        capacity_wh bigint check (capacity_wh > 0),
        resolution_wh integer not null default 1 check (resolution_wh > 0),
        max_power_w bigint not null check (max_power_w > 0),
        is_virtual boolean not null default false,
        made_at timestamptz not null
    )
    """,
    """
    create table mdm.installation (
        id uuid primary key,
        service_point_id uuid not null references mdm.service_point (id),
        meter_id uuid not null references mdm.meter (id),
        period tstzrange not null check (not isempty(period) and lower_inc(period) and not upper_inc(period)),
        multiplier integer not null default 1 check (multiplier > 0),
        entered_at timestamptz not null,
        constraint one_meter_at_a_point exclude using gist (service_point_id with =, period with &&),
        constraint one_point_for_a_meter exclude using gist (meter_id with =, period with &&)
    )
    """,
    # Register reads taken by the installer: kind 'in' at the start of the period, 'out' at its end.
    """
    create table mdm.installation_read (
        installation_id uuid not null references mdm.installation (id),
        channel smallint not null,
        kind text not null check (kind in ('in', 'out')),
        value bigint not null check (value >= 0),
        primary key (installation_id, channel, kind)
    )
    """,
    # Every change of the registry, in order, never altered: what was known when.
    """
    create table mdm.registry_change (
        id bigint generated always as identity primary key,
        at timestamptz not null,
        kind text not null,
        subject uuid not null,
        detail jsonb not null
    )
    """,
    "create index registry_change_subject on mdm.registry_change (subject, id)",
    # Local days of a zone whose first validation has been done for all service points.
    """
    create table mdm.vee_day (
        zone text not null,
        local_day date not null,
        run_id uuid not null,
        run_at timestamptz not null,
        primary key (zone, local_day)
    )
    """,
    # Work asked for: late data, a register, a back-dated installation, an import. service_point_id null means all.
    """
    create table mdm.vee_request (
        id bigint generated always as identity primary key,
        service_point_id uuid,
        first_day date not null,
        last_day date not null,
        reason text not null,
        made_at timestamptz not null,
        check (first_day <= last_day)
    )
    """,
    """
    create table mdm.finding (
        service_point_id uuid not null,
        channel smallint not null,
        local_day date not null,
        version bigint not null,
        ordinal smallint not null,
        run_id uuid not null,
        rule text not null,
        severity text not null check (severity in ('warn', 'fail')),
        start_at timestamptz not null,
        end_at timestamptz not null,
        evidence jsonb not null,
        known_at timestamptz not null,
        superseded_at timestamptz,
        primary key (service_point_id, channel, local_day, version, ordinal)
    )
    """,
    "create index finding_day on mdm.finding (local_day) where superseded_at is null",
)


def upgrade() -> None:
    """Make the tables."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables."""
    for table in (
        "finding", "vee_request", "vee_day", "registry_change", "installation_read", "installation", "meter",
        "service_point",
    ):  # fmt: skip
        op.execute(f"drop table if exists mdm.{table}")
