"""Master keys in the vault, when a key entered its state, and marks of keys that leaked.

The head-end opens with key pairs and never sends keys: its role reads every row but those of master keys. The vault's
own role, which the command process takes, reads all.

Revision ID: 0015_master_key
"""

from alembic import op

revision = "0015_master_key"
down_revision = "0014_counter_release"
branch_labels = None
depends_on = None

KEYS = """
alter table security.meter_key drop constraint meter_key_use_check;
alter table security.meter_key add constraint meter_key_use_check
    check (use in ('encryption', 'authentication', 'master'));
alter table security.meter_key add column active_at timestamptz;
alter table security.meter_key add column expired_at timestamptz;
alter table security.meter_key add column withdrawn_at timestamptz;
update security.meter_key set active_at = made_at where state <> 'new';
create unique index meter_key_active on security.meter_key (meter_id, use) where state = 'active';
create unique index meter_key_new on security.meter_key (meter_id, use) where state = 'new';
create index meter_key_expired on security.meter_key (expired_at) where state = 'expired';
create table security.compromise (
    incident_id uuid primary key,
    reason text not null check (length(reason) between 1 and 500),
    marked_by text not null check (length(marked_by) between 1 and 200),
    marked_at timestamptz not null,
    meters int not null check (meters > 0)
);
create table security.key_compromise (
    meter_id uuid primary key references security.key_holder,
    incident_id uuid not null references security.compromise,
    pair_generation int not null check (pair_generation >= 0),
    master_generation int not null check (master_generation >= 0)
);
create index key_compromise_incident on security.key_compromise (incident_id);
comment on table security.key_compromise is
    'key pairs and master keys up to these generations leaked (0: none did), later ones are good';
"""
READABLE = ("key_holder", "installation_key", "meter_key", "key_compromise")


def upgrade() -> None:
    """Widen the table of keys, and make the head-end's role."""
    for statement in KEYS.split(";"):
        if statement.strip():
            op.execute(statement)
    op.execute(
        "do $$ begin if not exists (select from pg_roles where rolname = 'openami_keyreader') then "
        "create role openami_keyreader login nosuperuser nocreatedb nocreaterole nobypassrls; end if; end $$"
    )
    op.execute("grant usage on schema security to openami_keyreader")
    for table in READABLE:
        op.execute(f"grant select on security.{table} to openami_keyreader")
    op.execute("alter table security.meter_key enable row level security")
    op.execute("alter table security.meter_key force row level security")
    op.execute("create policy vault on security.meter_key to openami_security using (true) with check (true)")
    op.execute("create policy keyreader on security.meter_key for select to openami_keyreader using (use <> 'master')")


def downgrade() -> None:
    """Keep the keys: a meter whose master key is lost keeps its keys for life."""
