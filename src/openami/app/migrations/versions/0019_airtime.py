"""How long the radios of meters were on the air, by day: staff and customer pages read it.

Revision ID: 0019_airtime
"""

from alembic import op

revision = "0019_airtime"
down_revision = "0018_key_marks"
branch_labels = None
depends_on = None

TABLE = """
    create table headend.airtime (
        system_title bytea not null check (octet_length(system_title) = 8),
        day date not null,
        own_ms int not null check (own_ms >= 0),
        relayed_ms int not null check (relayed_ms >= 0),
        beacon_ms int not null check (beacon_ms >= 0),
        worst_ms int not null check (worst_ms between 0 and 1800000),
        primary key (system_title, day)
    )
"""


def upgrade() -> None:
    """Make the table."""
    op.execute(TABLE)
    op.execute("comment on table headend.airtime is 'ms on the air of a device on a UTC day, so far; the largest wins'")
    op.execute("comment on column headend.airtime.worst_ms is 'most within any 30 minutes'")
    op.execute("create index airtime_by_day on headend.airtime (day)")
    op.execute("grant select on headend.airtime to openami_portal")


def downgrade() -> None:
    """Nothing to undo."""
