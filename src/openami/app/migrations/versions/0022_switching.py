"""Switching orders: where each meter of them stands, what the customer room stops, the forecast, and alerts.

What a customer is held for stands in ``customer.supply_hold``, which its own room alone reads. The command process
reads ``customer.switch_stop``: that a place is stopped, for which reasons, from when to when.

Revision ID: 0022_switching
"""

from alembic import op

revision = "0022_switching"
down_revision = "0021_collector_reports"
branch_labels = None
depends_on = None

TABLES = """
create table headend.switch_turn (
    order_id uuid not null,
    system_title bytea not null check (octet_length(system_title) = 8),
    service_point_id uuid not null,
    partition smallint not null check (partition between 0 and 63),
    state text not null check (state in ('waiting', 'running', 'done', 'refused')),
    due_s double precision not null,
    tries int not null check (tries >= 0),
    was_sent boolean not null,
    asked_at_s double precision not null,
    ended_at_s double precision,
    code text,
    words text not null,
    primary key (order_id, system_title)
);
create index switch_turn_open on headend.switch_turn (partition, due_s) where state in ('waiting', 'running');
create table access.list_key (
    key_id uuid primary key,
    name text not null check (length(name) between 1 and 80),
    public_key bytea not null unique check (octet_length(public_key) = 32),
    made_at timestamptz not null,
    made_by uuid not null references access.user_account,
    ended_at timestamptz
);
comment on table access.list_key is 'customer information systems that may sign order lists';
create table access.weather_forecast (
    issued_at timestamptz not null,
    at timestamptz not null,
    temperature_f real not null check (temperature_f between -150 and 150),
    heat_index_f real check (heat_index_f between -150 and 250),
    primary key (issued_at, at)
);
create table customer.supply_hold (
    hold_id uuid primary key,
    service_point_id uuid not null,
    kind text not null check (length(kind) between 1 and 40),
    from_at timestamptz not null,
    to_at timestamptz check (to_at > from_at),
    made_at timestamptz not null,
    made_by uuid not null
);
create index supply_hold_by_place on customer.supply_hold (service_point_id);
create table customer.switch_stop (
    stop_id uuid primary key,
    service_point_id uuid not null,
    code text not null check (code in ('paid', 'hold', 'other_customer')),
    reasons text[] not null,
    from_at timestamptz not null,
    to_at timestamptz,
    orders_before timestamptz,
    made_at timestamptz not null
);
create index switch_stop_by_place on customer.switch_stop (service_point_id, from_at);
comment on table customer.switch_stop is 'that a place is stopped, not why: the command process reads it';
create table security.alert (
    alert_id uuid primary key,
    at timestamptz not null,
    rule text not null check (length(rule) between 1 and 60),
    words text not null check (length(words) between 1 and 400),
    order_id uuid,
    device text not null default '',
    seen_by uuid,
    seen_at timestamptz
);
create index alert_open on security.alert (at) where seen_at is null;
alter table access.order_use drop constraint order_use_uses_check;
alter table access.order_use add constraint order_use_uses_check check (uses >= 0);
create index order_use_by_meter on access.order_use (substring(item from 1 for 8))
"""
ROLE = "(select nullif(current_setting('app.role', true), ''))"
AT_THE_DESK = ("access.list_key", "access.weather_forecast")
OF_CUSTOMERS = ("customer.supply_hold", "customer.switch_stop")


def upgrade() -> None:
    """Make the tables and give each process what it needs."""
    for statement in TABLES.split(";\n"):
        op.execute(statement)
    for table in (*AT_THE_DESK, *OF_CUSTOMERS):
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
    for table in AT_THE_DESK:
        op.execute(f"revoke update, delete on {table} from openami_access")
        op.execute(
            f"create policy desk on {table} to openami_access "
            f"using ({ROLE} = 'approval_desk') with check ({ROLE} = 'approval_desk')"
        )
        op.execute(f"grant select on {table} to openami_security")
        op.execute(f"create policy command_reads on {table} for select to openami_security using (true)")
    op.execute("grant update (ended_at) on access.list_key to openami_access")
    op.execute("grant delete on access.weather_forecast to openami_access")
    for table in OF_CUSTOMERS:
        op.execute(f"create policy room on {table} to openami_customer using (true) with check (true)")
    op.execute("grant usage on schema customer to openami_security")
    op.execute("grant select on customer.switch_stop to openami_security")
    op.execute("create policy command_reads on customer.switch_stop for select to openami_security using (true)")
    op.execute("grant usage on schema mdm to openami_security")
    op.execute("grant select (id, system_title) on mdm.meter to openami_security")
    op.execute("grant select (meter_id, service_point_id, period) on mdm.installation to openami_security")
    op.execute("grant usage on schema security to openami_headend, openami_portal")
    op.execute("grant insert, select (alert_id) on security.alert to openami_headend")
    op.execute("grant select on security.alert to openami_portal")
    op.execute("revoke delete on security.alert from openami_security")


def downgrade() -> None:
    """Nothing to undo."""
