"""Row security on billing: its own role works on all rows, web requests see the places of their scope.

Written over the catalog, so a billing table that is added before this revision runs is guarded too. A table is guarded
by its own ``service_point_id``, else through ``bill_id``, else (rate books) it holds no customer's data.

Revision ID: 0007_row_security
"""

import sqlalchemy as sa
from alembic import op

revision = "0007_row_security"
down_revision = "0006_billing"
branch_labels = None
depends_on = None

# The cast makes the sub-select one array; without it `any` would look for rows that are arrays.
PLACES = "(select string_to_array(nullif(current_setting('app.service_points', true), ''), ','))::uuid[]"

READABLE = (
    ("headend", "frame_count"),
    ("headend", "refusal_count"),
    ("headend", "partition_group"),
    ("headend", "dead_letter"),
    ("headend", "last_frame"),
    ("security", "key_holder"),
)


def upgrade() -> None:
    """Guard every table of the schema."""
    connection = op.get_bind()
    rows = connection.execute(
        sa.text(
            "select t.tablename, coalesce(array_agg(c.column_name::text), '{}') from pg_tables t "
            "join information_schema.columns c on c.table_schema = t.schemaname and c.table_name = t.tablename "
            "where t.schemaname = 'billing' group by t.tablename order by t.tablename"
        )
    ).all()
    op.execute("grant usage on schema billing to openami_portal")
    for table, columns in rows:
        op.execute(f"alter table billing.{table} enable row level security")
        op.execute(f"alter table billing.{table} force row level security")
        op.execute(f"create policy room on billing.{table} to openami_billing using (true) with check (true)")
        op.execute(f"grant select on billing.{table} to openami_portal")
        op.execute(
            f"create policy portal on billing.{table} for select to openami_portal using ({_condition(table, columns)})"
        )
    # The staff page reads figures of the head-end and the names of devices: no key, no counter window.
    for schema, table in READABLE:
        op.execute(f"grant usage on schema {schema} to openami_portal")
        op.execute(f"grant select on {schema}.{table} to openami_portal")


def _condition(table: str, columns: list[str]) -> str:
    if "service_point_id" in columns:
        return f"service_point_id = any({PLACES})"
    if "bill_id" in columns:
        return (
            f"exists (select from billing.bill b where b.bill_id = {table}.bill_id "
            f"and b.service_point_id = any({PLACES}))"
        )
    return "true"


def downgrade() -> None:
    """Nothing to undo."""
