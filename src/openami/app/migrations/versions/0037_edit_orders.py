"""Orders may be about edits of readings; open findings fold into cases by their likely cause.

Revision ID: 0037_edit_orders
"""

from alembic import op

revision = "0037_edit_orders"
down_revision = "0036_usage"
branch_labels = None
depends_on = None

KINDS = "('switch', 'keys', 'thresholds', 'release', 'edits')"
TABLES = """
create index finding_open on mdm.finding (service_point_id, channel, rule, local_day) where superseded_at is null;
create table mdm.vee_case (
    case_id uuid primary key,
    cause text not null,
    cause_key text not null,
    rule text not null,
    evidence jsonb not null,
    fix jsonb not null,
    opened_at timestamptz not null,
    seen_at timestamptz not null,
    closed_at timestamptz,
    closed_by uuid,
    closed_reason text,
    decision_id uuid references mdm.decision
);
comment on column mdm.vee_case.seen_at is 'domain time of the last fold that found it';
create unique index vee_case_one_open on mdm.vee_case (cause, cause_key, rule) where closed_at is null;
create table mdm.vee_case_item (
    case_id uuid not null references mdm.vee_case,
    service_point_id uuid not null,
    channel smallint not null,
    rule text not null,
    first_day date not null,
    last_day date not null check (first_day <= last_day),
    primary key (case_id, service_point_id, channel, rule)
);
create index vee_case_item_place on mdm.vee_case_item (service_point_id, channel, rule);
create view mdm.vee_case_open as
    select i.* from mdm.vee_case_item i join mdm.vee_case c using (case_id) where c.closed_at is null
"""


def upgrade() -> None:
    """Widen the kinds of orders, make the tables."""
    op.execute("alter table access.work_order drop constraint work_order_kind_check")
    op.execute(f"alter table access.work_order add constraint work_order_kind_check check (kind in {KINDS})")
    for statement in TABLES.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables."""
    op.execute("drop view if exists mdm.vee_case_open")
    for table in ("vee_case_item", "vee_case"):
        op.execute(f"drop table if exists mdm.{table}")
