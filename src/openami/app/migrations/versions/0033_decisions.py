"""What people decided about readings: kept for ever, each step of its life a row of its own.

No role may alter or delete a row: an undone decision is one more step.

Revision ID: 0033_decisions
"""

from alembic import op

revision = "0033_decisions"
down_revision = "0032_registry_facts"
branch_labels = None
depends_on = None

TABLES = """
create table mdm.decision (
    decision_id uuid primary key,
    kind text not null check (kind in ('accept', 'replace', 'estimate_again', 'reject_raw', 'reject_reads',
        'shift_clock', 'swap_channels', 'scale')),
    reason text not null check (length(reason) between 5 and 500),
    rules text[] not null,
    shift_s integer not null,
    numerator integer not null check (numerator > 0),
    denominator integer not null check (denominator > 0),
    case_id uuid,
    made_by uuid not null,
    made_at timestamptz not null,
    spans integer not null check (spans > 0),
    effect jsonb not null
);
create index decision_made_at on mdm.decision (made_at);
create table mdm.decision_target (
    decision_id uuid not null references mdm.decision,
    ordinal integer not null,
    service_point_id uuid not null references mdm.service_point (id),
    channel smallint not null,
    period tstzrange not null check (not isempty(period) and lower_inc(period) and not upper_inc(period)),
    first_day date not null,
    last_day date not null check (first_day <= last_day),
    interval_s integer not null check (interval_s > 0),
    seen bigint[] not null,
    new_values bigint[] not null,
    primary key (decision_id, ordinal)
);
create index decision_target_place on mdm.decision_target using gist (service_point_id, period);
create index decision_target_period on mdm.decision_target using gist (period);
comment on column mdm.decision_target.seen is 'readings as the person saw them; the least bigint where none had come';
create table mdm.decision_step (
    step_id bigint generated always as identity primary key,
    decision_id uuid not null references mdm.decision,
    step text not null check (step in ('waits', 'in_force', 'withdrawn', 'undo_waits', 'undone')),
    order_id uuid,
    by_user uuid not null,
    reason text not null default '',
    at timestamptz not null,
    real_at timestamptz not null
);
create unique index decision_step_once on mdm.decision_step (decision_id, step) where step <> 'undo_waits';
create index decision_step_of on mdm.decision_step (decision_id);
comment on table mdm.decision_step is 'at is domain time, real_at real time';
create view mdm.decision_in_force as
    select decision_id from mdm.decision_step s where step = 'in_force'
    and not exists (select from mdm.decision_step u where u.decision_id = s.decision_id and u.step = 'undone');
revoke update, delete on mdm.decision, mdm.decision_target, mdm.decision_step from openami_mdm
"""


def upgrade() -> None:
    """Make the tables."""
    for statement in TABLES.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables."""
    op.execute("drop view if exists mdm.decision_in_force")
    for table in ("decision_step", "decision_target", "decision"):
        op.execute(f"drop table if exists mdm.{table}")
