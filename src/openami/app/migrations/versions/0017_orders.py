"""Orders that need more than one person: their items, who approved them, and which items have served.

They stand in schema ``access``, which neither the head-end's roles nor the command process's can write: what asks for a
thing must not be able to allow it to itself. Only that an item was used is the command process's to note.

Each account belongs to a human; two accounts of one human are one voice.

Revision ID: 0017_orders
"""

from alembic import op

revision = "0017_orders"
down_revision = "0016_collectors"
branch_labels = None
depends_on = None

TABLES = """
alter table access.user_account add column human_id uuid;
comment on column access.user_account.human_id is 'accounts of one human share it, null for a single one';
create table access.work_order (
    order_id uuid primary key,
    kind text not null check (kind in ('switch', 'keys', 'thresholds', 'release')),
    action text not null check (length(action) between 1 and 160),
    reason text not null check (length(reason) <= 160),
    items_digest bytea not null check (octet_length(items_digest) = 32),
    item_count int not null check (item_count between 0 and 200000),
    from_at timestamptz not null,
    to_at timestamptz not null check (to_at > from_at),
    requester uuid not null references access.user_account,
    made_at timestamptz not null,
    withdrawn_at timestamptz,
    document bytea not null default '' check (octet_length(document) <= 33554432)
);
create index work_order_by_kind on access.work_order (kind, to_at);
create table access.order_item (
    order_id uuid not null references access.work_order,
    item bytea not null check (octet_length(item) between 1 and 64),
    primary key (order_id, item)
);
create table access.order_approval (
    approval_id uuid primary key,
    order_id uuid not null references access.work_order,
    subject_digest bytea not null check (octet_length(subject_digest) = 32),
    user_id uuid not null references access.user_account,
    human_id uuid not null,
    made_at timestamptz not null,
    unique (order_id, human_id)
);
create table access.order_use (
    order_id uuid not null,
    item bytea not null,
    uses int not null check (uses > 0),
    used_at timestamptz not null,
    ended_at timestamptz,
    primary key (order_id, item),
    foreign key (order_id, item) references access.order_item
);
comment on table access.order_use is 'an item serves once: it is used up by the answer, or by its last try'
"""
ROLE = "(select nullif(current_setting('app.role', true), ''))"
WRITTEN_AT_THE_DESK = ("work_order", "order_item", "order_approval")
READERS = ("openami_security", "openami_headend")


def upgrade() -> None:
    """Make the tables and give each process what it needs."""
    for statement in TABLES.split(";"):
        op.execute(statement)
    for table in (*WRITTEN_AT_THE_DESK, "order_use"):
        op.execute(f"alter table access.{table} enable row level security")
        op.execute(f"alter table access.{table} force row level security")
        # What was ordered and approved stays as it was; an order can be withdrawn.
        op.execute(f"revoke update, delete on access.{table} from openami_access")
        for reader in READERS:
            op.execute(f"grant select on access.{table} to {reader}")
            op.execute(f"create policy {reader}_reads on access.{table} for select to {reader} using (true)")
    op.execute("grant update (withdrawn_at) on access.work_order to openami_access")
    for table in WRITTEN_AT_THE_DESK:
        op.execute(
            f"create policy desk on access.{table} to openami_access "
            f"using ({ROLE} = 'approval_desk') with check ({ROLE} = 'approval_desk')"
        )
    op.execute("revoke insert on access.order_use from openami_access")
    op.execute(
        f"create policy desk_reads on access.order_use for select to openami_access using ({ROLE} = 'approval_desk')"
    )
    op.execute("grant insert, update (uses, used_at, ended_at) on access.order_use to openami_security")
    op.execute("create policy command_adds on access.order_use for insert to openami_security with check (true)")
    op.execute(
        "create policy command_counts on access.order_use for update to openami_security using (true) with check (true)"
    )
    # Whose voice an account is, is read where an approval is written.
    op.execute(
        f"create policy approver on access.user_account for select to openami_access using ({ROLE} = 'approval_desk')"
    )


def downgrade() -> None:
    """Nothing to undo."""
