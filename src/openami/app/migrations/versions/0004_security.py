"""Accounts, sessions and grants (schema ``access``) and the audit log (schema ``audit``).

Every table of ``access`` has forced row security: without the settings of a transaction a query sees no row. The audit
log is insert-only for its role, and a trigger refuses changes by anyone but a superuser who removes the trigger; the
Merkle tree over it shows even that.

Revision ID: 0004_security
"""

from alembic import op

revision = "0004_security"
down_revision = "0003_headend"
branch_labels = None
depends_on = None

PORTAL_ROLE = """
do $$ begin if not exists (select from pg_roles where rolname = 'openami_portal') then
create role openami_portal login nosuperuser nocreatedb nocreaterole nobypassrls; end if; end $$
"""

ACCESS = """
create table access.user_account (
    user_id uuid primary key,
    login_digest bytea not null unique check (octet_length(login_digest) = 32),
    display_name text check (length(display_name) between 1 and 80),
    is_enabled boolean not null default true,
    made_at timestamptz not null
);
comment on column access.user_account.login_digest is 'keyed digest of the login: the e-mail address is not here';
create table access.credential (
    user_id uuid primary key references access.user_account,
    password_hash text not null,
    made_at timestamptz not null
);
create table access.session (
    secret_hash bytea primary key check (octet_length(secret_hash) = 32),
    user_id uuid not null references access.user_account,
    made_at timestamptz not null,
    seen_at timestamptz not null,
    expires_at timestamptz not null,
    idle_limit_s int not null check (idle_limit_s > 0)
);
create index session_by_user on access.session (user_id);
create index session_by_expiry on access.session (expires_at);
create table access.role_grant (
    user_id uuid not null references access.user_account,
    role text not null check (role in
        ('customer', 'VIEWER', 'OPERATOR', 'ENGINEER', 'INSTALLER', 'SECADM', 'SECAUD', 'third_party')),
    made_at timestamptz not null,
    primary key (user_id, role)
);
create table access.service_point_grant (
    user_id uuid not null references access.user_account,
    service_point_id uuid not null,
    start_at timestamptz not null,
    end_at timestamptz check (end_at > start_at),
    primary key (user_id, service_point_id, start_at)
);
create index service_point_grant_by_place on access.service_point_grant (service_point_id);
create table access.sign_in_bucket (
    bucket bytea primary key check (octet_length(bucket) = 32),
    tokens double precision not null,
    at timestamptz not null
);
comment on table access.sign_in_bucket is 'limits that survive a restart and are shared by all web processes'
"""

ACCESS_TABLES = ("user_account", "credential", "session", "role_grant", "service_point_grant", "sign_in_bucket")
OF_ONE_USER = ("user_account", "session", "role_grant", "service_point_grant")

AUDIT = """
create table audit.entry (
    entry_id uuid primary key,
    at timestamptz not null,
    subjects uuid[] not null,
    body bytea not null check (octet_length(body) <= 65536)
);
create index entry_by_subject on audit.entry using gin (subjects);
create table audit.pending (entry_id uuid primary key references audit.entry);
comment on table audit.pending is 'written with the entry, removed when the entry gets its place in the tree';
create table audit.leaf (
    leaf_index bigint primary key check (leaf_index >= 0),
    entry_id uuid not null unique references audit.entry
);
create table audit.tree_head (
    size bigint primary key check (size >= 0),
    root bytea not null check (octet_length(root) = 32),
    frontier bytea not null,
    signed_at timestamptz not null,
    note text not null
);
comment on column audit.tree_head.note is 'C2SP signed note: origin, size, root, Ed25519 signature'
"""

REFUSE = """
create function audit.refuse() returns trigger language plpgsql as $$
begin
    raise exception 'the audit log is append-only';
end $$
"""


def upgrade() -> None:
    """Make the tables, their row security and the append-only guard."""
    op.execute(PORTAL_ROLE)
    for script in (ACCESS, AUDIT):
        for statement in script.split(";"):
            op.execute(statement)
    role = "(select nullif(current_setting('app.role', true), ''))"
    user = "(select nullif(current_setting('app.user', true), '')::uuid)"
    for table in ACCESS_TABLES:
        op.execute(f"alter table access.{table} enable row level security")
        op.execute(f"alter table access.{table} force row level security")
        op.execute(
            f"create policy desk on access.{table} to openami_access "
            f"using ({role} in ('session_desk', 'account_desk')) "
            f"with check ({role} in ('session_desk', 'account_desk'))"
        )
    for table in OF_ONE_USER:
        op.execute(f"create policy own on access.{table} for select to openami_access using (user_id = {user})")
    op.execute(REFUSE)
    for table in ("entry", "leaf", "tree_head"):
        op.execute(f"revoke update, delete, truncate on audit.{table} from openami_audit")
        op.execute(
            f"create trigger append_only before update or delete on audit.{table} "
            "for each row execute function audit.refuse()"
        )
    op.execute("revoke update, truncate on audit.pending from openami_audit")


def downgrade() -> None:
    """Nothing to undo."""
