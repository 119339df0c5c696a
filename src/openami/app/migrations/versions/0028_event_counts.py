"""Counts of meters' events by kind and hour: head-ends write, staff pages read.

Revision ID: 0028_event_counts
"""

from alembic import op

revision = "0028_event_counts"
down_revision = "0027_key_alerts"
branch_labels = None
depends_on = None

TABLE = """
create table headend.event_hour (
    hour_s bigint not null,
    kind text not null,
    events bigint not null check (events > 0),
    primary key (hour_s, kind)
);
comment on table headend.event_hour is 'events that came in an hour of real time, by kind';
grant select on headend.event_hour to openami_portal
"""


def upgrade() -> None:
    """Make the table."""
    for statement in TABLE.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    """Nothing to undo."""
