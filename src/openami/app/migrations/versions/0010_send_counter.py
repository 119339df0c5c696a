"""Our own invocation counters, by key pair: what was reserved is never reserved again.

They stand beside the keys, so that a backup holds both or neither.

Revision ID: 0010_send_counter
"""

from alembic import op

revision = "0010_send_counter"
down_revision = "0009_headend_keeping"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.execute("""
        create table security.send_counter (
            meter_id uuid not null references security.key_holder (meter_id),
            generation int not null check (generation > 0),
            next bigint not null check (next between 1 and 4294967296),
            primary key (meter_id, generation)
        )
    """)
    op.execute(
        "comment on table security.send_counter is "
        "'first invocation counter that nobody has reserved for sealing to this meter; it only grows'"
    )


def downgrade() -> None:
    """Keep the table: dropping it would use counters twice."""
