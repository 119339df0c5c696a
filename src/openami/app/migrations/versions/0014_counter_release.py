"""Held counter jumps that people release: staff pages may name a letter that is one, and head-ends read it.

Revision ID: 0014_counter_release
"""

from alembic import op

revision = "0014_counter_release"
down_revision = "0013_firmware"
branch_labels = None
depends_on = None

TABLE = """
create table headend.counter_release (
    release_no bigint generated always as identity unique,
    letter_id text primary key,
    asked_by uuid not null,
    asked_at timestamptz not null,
    reason text not null check (length(reason) between 1 and 500)
);
comment on table headend.counter_release is 'dead letters whose counter a person believes; the frame is the letter''s';
alter table headend.counter_release enable row level security;
alter table headend.counter_release force row level security;
create policy room on headend.counter_release to openami_headend using (true) with check (true);
create policy portal_reads on headend.counter_release for select to openami_portal using (true);
create policy portal_releases on headend.counter_release for insert to openami_portal with check (exists (
    select from headend.dead_letter d where d.letter_id = counter_release.letter_id and d.reason = 'counter_jump'));
grant select on headend.counter_release to openami_portal;
grant insert (letter_id, asked_by, asked_at, reason) on headend.counter_release to openami_portal
"""


def upgrade() -> None:
    """Make the table."""
    for statement in TABLE.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    """Nothing to undo."""
