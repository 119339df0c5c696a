"""Tables of the customer room: the only place that knows a name, an e-mail address or a street.

Two roles read here. ``openami_customer`` is the room's own (accounts are made, people move). ``openami_portal`` serves
web requests: it may only select, and only the rows of the signed-in user whose id the transaction has set.

Revision ID: 0005_customer
"""

from alembic import op

revision = "0005_customer"
down_revision = "0004_security"
branch_labels = None
depends_on = None

TABLES = """
create table customer.person (
    person_id uuid primary key,
    name text not null check (length(name) between 1 and 200),
    email text not null unique check (length(email) between 3 and 254),
    made_at timestamptz not null
);
create table customer.account (
    account_id uuid primary key,
    person_id uuid not null references customer.person,
    user_id uuid not null unique,
    made_at timestamptz not null
);
create index account_by_person on customer.account (person_id);
create table customer.premise (
    service_point_id uuid primary key,
    address text not null check (length(address) between 1 and 300),
    label text not null
);
create table customer.agreement (
    agreement_id uuid primary key,
    account_id uuid not null references customer.account,
    service_point_id uuid not null references customer.premise,
    usage_subject_id uuid not null unique,
    start_at timestamptz not null,
    end_at timestamptz check (end_at > start_at),
    constraint one_occupant_at_a_time exclude using gist (service_point_id with =, tstzrange(start_at, end_at) with &&)
);
comment on column customer.agreement.usage_subject_id is 'one occupancy: a move-in makes a new one';
create index agreement_by_account on customer.agreement (account_id)
"""

USER = "(select nullif(current_setting('app.user', true), '')::uuid)"
MINE = f"exists (select from customer.account a where a.account_id = agreement.account_id and a.user_id = {USER})"
PORTAL = {
    "account": f"user_id = {USER}",
    "person": f"exists (select from customer.account a where a.person_id = person.person_id and a.user_id = {USER})",
    "agreement": MINE,
    "premise": (
        "exists (select from customer.agreement g join customer.account a using (account_id) "
        f"where g.service_point_id = premise.service_point_id and a.user_id = {USER})"
    ),
}


def upgrade() -> None:
    """Make the tables and their row security."""
    for statement in TABLES.split(";"):
        op.execute(statement)
    op.execute("grant usage on schema customer to openami_portal")
    for table, condition in PORTAL.items():
        op.execute(f"alter table customer.{table} enable row level security")
        op.execute(f"alter table customer.{table} force row level security")
        op.execute(f"create policy room on customer.{table} to openami_customer using (true) with check (true)")
        op.execute(f"grant select on customer.{table} to openami_portal")
        op.execute(f"create policy portal on customer.{table} for select to openami_portal using ({condition})")


def downgrade() -> None:
    """Nothing to undo."""
