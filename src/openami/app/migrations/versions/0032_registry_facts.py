"""Dated facts of service points, factors of multipliers with dates, registers by channel, reads by hand, calendars.

A fact is kept twice dated: for which period it holds, and from when to when the registry believed it. A correction
closes what was believed and enters what is believed now, so that every question can be asked as known at an instant.

The constraints of installations become deferrable: two crossed meters change places in one transaction.

Revision ID: 0032_registry_facts
"""

from alembic import op

revision = "0032_registry_facts"
down_revision = "0031_group_readers"
branch_labels = None
depends_on = None

_KINDS = (
    "service", "account", "rate", "bill_group", "transformer", "feeder", "phase", "cell", "calendar", "reading",
    "interconnection", "check_of",
)  # fmt: skip

_STATEMENTS = (
    f"""
    create table mdm.place_fact (
        id bigint generated always as identity primary key,
        service_point_id uuid not null references mdm.service_point (id),
        kind text not null check (kind in ({", ".join(f"'{k}'" for k in _KINDS)})),
        value text not null check (length(value) between 1 and 100),
        period tstzrange not null check (not isempty(period) and lower_inc(period) and not upper_inc(period)),
        entered_at timestamptz not null,
        entered_by text not null default '',
        reason text not null default '',
        superseded_at timestamptz,
        constraint one_fact_at_a_time
            exclude using gist (service_point_id with =, kind with =, period with &&) where (superseded_at is null)
    )
    """,
    "create index place_fact_place on mdm.place_fact (service_point_id, kind)",
    "create index place_fact_value on mdm.place_fact (kind, value) where superseded_at is null",
    # Factors from an instant on: CT x PT x constant. Before the first row the installation's own multiplier holds.
    """
    create table mdm.multiplier_step (
        id bigint generated always as identity primary key,
        installation_id uuid not null references mdm.installation (id),
        start_at timestamptz not null,
        ct integer not null check (ct > 0),
        pt integer not null check (pt > 0),
        constant integer not null check (constant > 0),
        reads jsonb not null default '{}',
        entered_at timestamptz not null,
        entered_by text not null default '',
        reason text not null default '',
        superseded_at timestamptz
    )
    """,
    """
    create unique index one_step_at_an_instant on mdm.multiplier_step (installation_id, start_at)
        where superseded_at is null
    """,
    # Only where a channel's register differs from what the meter's row says of all of them.
    """
    create table mdm.meter_register (
        meter_id uuid not null references mdm.meter (id),
        channel smallint not null,
        resolution integer not null check (resolution > 0),
        capacity bigint check (capacity > 0),
        primary key (meter_id, channel)
    )
    """,
    """
    create table mdm.calendar_day (
        calendar text not null,
        local_day date not null,
        name text not null,
        primary key (calendar, local_day)
    )
    """,
    # A read that the installer could not take is estimated and says so.
    "alter table mdm.installation_read add column is_estimated boolean not null default false",
    "alter table mdm.installation_read add column reason text not null default ''",
    # What an installation was believed to be before a correction, with its reads.
    """
    create table mdm.installation_before (
        installation_id uuid not null,
        service_point_id uuid not null,
        meter_id uuid not null,
        period tstzrange not null,
        multiplier integer not null,
        reads jsonb not null,
        entered_at timestamptz not null,
        superseded_at timestamptz not null
    )
    """,
    "create index installation_before_place on mdm.installation_before (service_point_id)",
    # Energy that passed between an out-read and the next in-read: no meter saw it, and it stays apart.
    """
    create table mdm.unmetered_estimate (
        id uuid primary key,
        service_point_id uuid not null references mdm.service_point (id),
        channel smallint not null,
        period tstzrange not null check (not isempty(period)),
        value_wh bigint not null check (value_wh >= 0),
        method text not null,
        evidence jsonb not null,
        entered_at timestamptz not null,
        superseded_at timestamptz
    )
    """,
    "create index unmetered_estimate_place on mdm.unmetered_estimate (service_point_id)",
    # Reads of service points that no network reads. Nothing is rewritten: a correction is a later row.
    """
    create table mdm.hand_read (
        id uuid primary key,
        service_point_id uuid not null references mdm.service_point (id),
        meter_id uuid not null references mdm.meter (id),
        channel smallint not null,
        read_at timestamptz not null,
        value bigint check (value >= 0),
        road text not null check (road in ('drive_by', 'dials', 'photo', 'reader_code', 'customer', 'estimate')),
        mark text not null default '',
        state text not null check (state in ('accepted', 'held', 'rejected')),
        findings jsonb not null,
        entered_at timestamptz not null,
        entered_by text not null default '',
        reason text not null default '',
        superseded_at timestamptz
    )
    """,
    "create index hand_read_meter on mdm.hand_read (meter_id, channel, read_at)",
    "alter table mdm.registry_change add column made_by text not null default ''",
    "alter table mdm.registry_change add column reason text not null default ''",
    "alter table mdm.installation drop constraint one_meter_at_a_point",
    "alter table mdm.installation drop constraint one_point_for_a_meter",
    """
    alter table mdm.installation add constraint one_meter_at_a_point
        exclude using gist (service_point_id with =, period with &&) deferrable
    """,
    """
    alter table mdm.installation add constraint one_point_for_a_meter
        exclude using gist (meter_id with =, period with &&) deferrable
    """,
)


def upgrade() -> None:
    """Make the tables."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Nothing to undo."""
