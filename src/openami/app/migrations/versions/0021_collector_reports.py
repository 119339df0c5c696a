"""Reports of people about stolen collectors: the command process tells the gateway, the head-end tells staff.

They stand in schema ``access``, which none of those can write.

Revision ID: 0021_collector_reports
"""

from alembic import op

revision = "0021_collector_reports"
down_revision = "0020_installation_keys"
branch_labels = None
depends_on = None

TABLE = """
create table access.collector_report (
    report_no bigint generated always as identity unique,
    report_id uuid primary key,
    collector_id bigint not null check (collector_id between 1 and 4294967295),
    whereabouts text not null check (whereabouts in ('stolen', 'back')),
    from_at timestamptz not null,
    serials text[] not null,
    user_id uuid not null references access.user_account,
    made_at timestamptz not null,
    note text not null check (length(note) between 1 and 500)
);
comment on table access.collector_report is 'the newest row of a collector holds; certificates named are refused';
alter table access.collector_report enable row level security;
alter table access.collector_report force row level security;
revoke update, delete on access.collector_report from openami_access
"""
ROLE = "(select nullif(current_setting('app.role', true), ''))"
READERS = ("openami_security", "openami_headend", "openami_portal")


def upgrade() -> None:
    """Make the table and give each process what it reads."""
    for statement in TABLE.split(";\n"):
        op.execute(statement)
    op.execute(
        f"create policy desk on access.collector_report to openami_access "
        f"using ({ROLE} = 'approval_desk') with check ({ROLE} = 'approval_desk')"
    )
    for reader in READERS:
        op.execute(f"grant usage on schema access to {reader}")
        op.execute(f"grant select on access.collector_report to {reader}")
        op.execute(f"create policy {reader}_reads on access.collector_report for select to {reader} using (true)")


def downgrade() -> None:
    """Nothing to undo."""
