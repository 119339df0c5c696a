"""Which places rest until something is due there, and what changed at places since a run took note of it.

Revision ID: 0058_place_rest
"""

from alembic import op

revision = "0058_place_rest"
down_revision = "0057_signal_statements"
branch_labels = None
depends_on = None

_TABLES = (
    # A place without a day is awake: it is looked at on each run.
    """
    create table billing.place_rest (
        service_point_id uuid primary key,
        zone text,
        bill_group smallint,
        since date,
        wakes_on date,
        waits boolean not null default false,
        constraint a_rest_says_until_when check (
            (since is null) = (wakes_on is null) and (since is null or (zone is not null and bill_group is not null)))
    )
    """,
    "create index place_rest_awake on billing.place_rest (service_point_id) where since is null",
    "create index place_rest_waits on billing.place_rest (service_point_id) where waits",
    "create index place_rest_group on billing.place_rest (zone, bill_group, since) where since is not null",
    "create index place_rest_wakes on billing.place_rest (zone, wakes_on) where wakes_on < '9999-12-31'",
    "create table billing.place_touched (service_point_id uuid not null)",
    """
    create table mdm.place_news (
        number bigint generated always as identity primary key,
        service_point_id uuid not null
    )
    """,
)
_GUARDED = ("place_rest", "place_touched")
_TRIGGERS = (
    """
    create function billing.touch_place() returns trigger language plpgsql as $$
    begin
        if tg_op = 'DELETE' then
            insert into billing.place_touched values (old.service_point_id);
        else
            insert into billing.place_touched values (new.service_point_id);
        end if;
        return null;
    end $$
    """,
    """
    create trigger bill_touches_place after insert or update or delete on billing.bill
        for each row execute function billing.touch_place()
    """,
    """
    create trigger assignment_touches_place after insert or update or delete on billing.rate_assignment
        for each row execute function billing.touch_place()
    """,
    """
    create function mdm.tell_place() returns trigger language plpgsql as $$
    begin
        insert into mdm.place_news (service_point_id) values (new.service_point_id);
        return null;
    end $$
    """,
    """
    create trigger fact_tells_place after insert or update on mdm.place_fact
        for each row when (new.kind in ('account', 'bill_group')) execute function mdm.tell_place()
    """,
)


def upgrade() -> None:
    """Make tables and triggers; every place on a rate is awake at first."""
    for statement in _TABLES:
        op.execute(statement)
    for table in _GUARDED:
        op.execute(f"alter table billing.{table} enable row level security")
        op.execute(f"alter table billing.{table} force row level security")
        op.execute(f"create policy room on billing.{table} to openami_billing using (true) with check (true)")
    op.execute(
        "insert into billing.place_rest (service_point_id) "
        "select distinct service_point_id from billing.rate_assignment"
    )
    for statement in _TRIGGERS:
        op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    op.execute("drop trigger if exists fact_tells_place on mdm.place_fact")
    op.execute("drop trigger if exists assignment_touches_place on billing.rate_assignment")
    op.execute("drop trigger if exists bill_touches_place on billing.bill")
    op.execute("drop function if exists mdm.tell_place()")
    op.execute("drop function if exists billing.touch_place()")
    for table in ("mdm.place_news", "billing.place_touched", "billing.place_rest"):
        op.execute(f"drop table if exists {table}")
