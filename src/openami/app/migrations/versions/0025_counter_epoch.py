"""Whether this database was set back to a backup, as each command process can tell; and by how much counters jumped.

A counter that is reserved is ``send_counter.next`` and ``counter_epoch.jump`` together.

Revision ID: 0025_counter_epoch
"""

from alembic import op

revision = "0025_counter_epoch"
down_revision = "0024_thresholds"
branch_labels = None
depends_on = None

TABLES = """
create table security.counter_epoch (
    is_only boolean primary key default true check (is_only),
    jump bigint not null check (jump >= 0)
);
comment on table security.counter_epoch is 'what is added to every invocation counter, 0 without a row; it only grows';
create table security.counter_witness (
    witness_id uuid primary key,
    token uuid not null
);
comment on table security.counter_witness is 'what each command process last wrote here, and keeps in its home'
"""


def upgrade() -> None:
    """Make the tables."""
    for statement in TABLES.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    """Keep the tables: dropping them would use counters twice."""
