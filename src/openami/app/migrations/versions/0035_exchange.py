"""Messages of other systems: what came, the answer to each record, their ids of things, and what was reconciled.

Revision ID: 0035_exchange
"""

from alembic import op

revision = "0035_exchange"
down_revision = "0034_vee_news"
branch_labels = None
depends_on = None

_STATEMENTS = (
    # A message that was taken whole. Its records and their answers are in exchange_record.
    """
    create table mdm.exchange_message (
        sender text not null,
        message text not null,
        digest bytea not null check (octet_length(digest) = 32),
        form text not null,
        made_at timestamptz not null,
        taken_at timestamptz not null,
        records integer not null,
        primary key (sender, message)
    )
    """,
    """
    create table mdm.exchange_record (
        sender text not null,
        message text not null,
        ordinal bigint generated always as identity,
        record text not null,
        line integer not null,
        kind text not null,
        digest bytea not null,
        cells jsonb not null,
        result text not null check (result in ('accepted', 'unchanged', 'held', 'rejected')),
        code text not null,
        reason text not null,
        days integer not null,
        bills integer not null,
        at timestamptz not null,
        primary key (ordinal)
    )
    """,
    "create index exchange_record_number on mdm.exchange_record (sender, record, ordinal)",
    "create index exchange_record_message on mdm.exchange_record (sender, message, ordinal)",
    # What another system calls what we know by a random id. Ids only: a name or an address has no place here.
    """
    create table mdm.external_id (
        sender text not null,
        kind text not null check (kind in ('premise', 'service_point', 'account')),
        name text not null check (name ~ '^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$'),
        id uuid not null,
        made_at timestamptz not null,
        primary key (sender, kind, name),
        unique (sender, kind, id)
    )
    """,
    """
    create table mdm.service_point_premise (
        service_point_id uuid primary key references mdm.service_point (id),
        premise_id uuid not null,
        entered_at timestamptz not null
    )
    """,
    # Billing reads that were sent: a row for each service point, with the other system's answer when it comes.
    """
    create table mdm.exchange_sent (
        receiver text not null,
        message text not null,
        record text not null,
        service_point_id uuid not null references mdm.service_point (id),
        first_day date not null,
        end_day date not null,
        digest bytea not null,
        sent_at timestamptz not null,
        result text check (result in ('accepted', 'unchanged', 'held', 'rejected')),
        code text not null default '',
        reason text not null default '',
        answered_at timestamptz,
        primary key (receiver, message, record)
    )
    """,
    # The octets of what was sent, so that a resend is the same file.
    """
    create table mdm.exchange_file (
        receiver text not null,
        message text not null,
        form text not null,
        body bytea not null,
        sent_at timestamptz not null,
        primary key (receiver, message)
    )
    """,
    """
    create table mdm.reconciliation (
        id uuid primary key,
        partner text not null,
        snapshot text not null,
        at timestamptz not null,
        ours integer not null,
        theirs integer not null,
        counts jsonb not null,
        differences jsonb not null
    )
    """,
    "create index reconciliation_at on mdm.reconciliation (partner, at)",
)


def upgrade() -> None:
    """Make the tables."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables."""
    for table in (
        "reconciliation", "exchange_file", "exchange_sent", "service_point_premise", "external_id", "exchange_record",
        "exchange_message",
    ):  # fmt: skip
        op.execute(f"drop table if exists mdm.{table}")
