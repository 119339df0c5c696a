"""Staff pages enter reads that a person may ask for, and nothing else: by column, and by what the row says.

Revision ID: 0012_request_rights
"""

from alembic import op

revision = "0012_request_rights"
down_revision = "0011_column_revision"
branch_labels = None
depends_on = None

ASKED = "request_id, group_no, meter_id, system_title, kind, lane, from_s, to_s, asked_at_s, state, expires_s, asked_by"
MAY_ASK = """
    lane = 0 and state = 'queued' and kind in ('read_now', 'ping', 'clock', 'events')
    and from_s between 0 and to_s and to_s - from_s <= 31 * 86400 and to_s < 253402214400
    and expires_s is not null and expires_s - asked_at_s between 0 and 3600
"""


def upgrade() -> None:
    """Take the right to insert anything, and give the right to ask."""
    op.execute("revoke insert on headend.request from openami_portal")
    op.execute(f"grant insert ({ASKED}) on headend.request to openami_portal")
    op.execute("alter table headend.request enable row level security")
    op.execute("alter table headend.request force row level security")
    op.execute("create policy room on headend.request to openami_headend using (true) with check (true)")
    op.execute("create policy portal_reads on headend.request for select to openami_portal using (true)")
    op.execute(f"create policy portal_asks on headend.request for insert to openami_portal with check ({MAY_ASK})")


def downgrade() -> None:
    """Keep the narrower rights."""
