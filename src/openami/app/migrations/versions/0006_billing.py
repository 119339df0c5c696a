"""Tables of the billing room: who is on which rate, bills and their lines, and changed days waiting for a person.

Revision ID: 0006_billing
"""

from alembic import op

revision = "0006_billing"
down_revision = "0005_customer"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    create table billing.rate_assignment (
        assignment_id uuid primary key,
        service_point_id uuid not null,
        rate_code text not null,
        days daterange not null check (not isempty(days) and not lower_inf(days)),
        entered_at timestamptz not null,
        constraint one_rate_at_a_time exclude using gist (service_point_id with =, days with &&)
    )
    """,
    # A bill is never rewritten: a held one may be issued once, an issued one may only be superseded by a new version.
    """
    create table billing.bill (
        bill_id uuid primary key,
        service_point_id uuid not null,
        usage_subject_id uuid,
        first_day date not null,
        end_day date not null check (end_day > first_day),
        zone text not null,
        rate_code text not null,
        rate_name text not null,
        currency text not null,
        state text not null check (state in ('held', 'issued', 'superseded')),
        hold_reason text check ((state = 'held') = (hold_reason is not null)),
        version integer not null check (version > 0),
        supersedes uuid references billing.bill (bill_id),
        begin_register_wh bigint,
        end_register_wh bigint,
        usage_wh bigint,
        received_wh bigint,
        estimated_wh bigint,
        exact_total numeric,
        total numeric,
        day_versions bigint[] not null,
        made_at timestamptz not null,
        issued_at timestamptz,
        unique (service_point_id, first_day, version)
    )
    """,
    "create index bill_by_day on billing.bill (first_day, state)",
    """
    create table billing.bill_line (
        bill_id uuid not null references billing.bill (bill_id),
        number smallint not null,
        service_point_id uuid not null,
        kind text not null check (kind in ('energy', 'demand', 'fixed', 'minimum', 'rider', 'tax', 'credit')),
        name text not null,
        period text,
        tier smallint,
        quantity numeric not null,
        unit text not null,
        price numeric not null,
        exact_amount numeric not null,
        amount numeric not null,
        evidence jsonb not null,
        primary key (bill_id, number)
    )
    """,
    """
    create table billing.correction (
        bill_id uuid not null references billing.bill (bill_id),
        service_point_id uuid not null,
        local_day date not null,
        billed_version bigint not null,
        seen_version bigint not null,
        state text not null default 'open' check (state in ('open', 'settled', 'dismissed')),
        found_at timestamptz not null,
        primary key (bill_id, local_day, seen_version)
    )
    """,
)


def upgrade() -> None:
    """Make the tables."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Nothing to undo."""
