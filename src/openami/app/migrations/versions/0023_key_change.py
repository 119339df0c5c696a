"""Changes of meters' keys as jobs: why, where each stands, when it is tried again. Head-ends write, staff pages read.

Whether a meter is safe does not rest on this table: the vault keeps old and new keys until the meter has shown which.

Revision ID: 0023_key_change
"""

from alembic import op

revision = "0023_key_change"
down_revision = "0022_switching"
branch_labels = None
depends_on = None

TABLE = """
create table headend.key_change (
    meter_id uuid primary key,
    system_title bytea not null check (octet_length(system_title) = 8),
    partition smallint not null check (partition between 0 and 63),
    cause text not null check (cause in ('compromised', 'counter', 'factory', 'ordered', 'age')),
    rank smallint not null,
    step text not null check (step in ('due', 'uncertain', 'done', 'failed')),
    since_s double precision not null,
    generation int not null check (generation >= 0),
    tries int not null check (tries >= 0),
    not_before_s double precision not null,
    changed_at_s double precision not null,
    words text not null,
    order_id uuid
);
create index key_change_due on headend.key_change (partition, rank, since_s) where step in ('due', 'uncertain');
comment on table headend.key_change is 'one row a meter: its last change of keys, or the one that is due';
grant select on headend.key_change to openami_portal
"""


def upgrade() -> None:
    """Make the table."""
    for statement in TABLE.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    """Nothing to undo."""
