"""What the gateway says about thresholds: head-ends write, staff pages and the desk read.

Revision ID: 0024_thresholds
"""

from alembic import op

revision = "0024_thresholds"
down_revision = "0023_key_change"
branch_labels = None
depends_on = None

TABLES = """
create table headend.threshold_word (
    word_id uuid primary key,
    at timestamptz not null,
    kind text not null,
    rule text,
    held_id uuid,
    order_id uuid,
    word text not null check (length(word) <= 4096)
);
comment on table headend.threshold_word is 'warnings, what the gateway holds, what it let go; by no person''s name';
create index threshold_word_at on headend.threshold_word (at);
create index threshold_word_held on headend.threshold_word (held_id) where held_id is not null;
grant usage on schema headend to openami_access;
grant select on headend.threshold_word to openami_portal, openami_access
"""


def upgrade() -> None:
    """Make the table."""
    for statement in TABLES.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    """Nothing to undo."""
