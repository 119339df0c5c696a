"""One PostgreSQL schema and one login role per room; nobody owns what they use.

Revision ID: 0001_rooms
"""

from alembic import op

revision = "0001_rooms"
down_revision = None
branch_labels = None
depends_on = None

ROOMS = ("security", "access", "audit", "headend", "mdm", "billing", "grid", "customer", "field", "network")


def upgrade() -> None:
    """Make the roles and schemas. Roles have no password: they connect over the server's own socket."""
    op.execute("revoke all on schema public from public")
    for room in ROOMS:
        op.execute(
            f"do $$ begin if not exists (select from pg_roles where rolname = 'openami_{room}') then "
            f"create role openami_{room} login nosuperuser nocreatedb nocreaterole nobypassrls; end if; end $$"
        )
        op.execute(f"create schema if not exists {room}")
        op.execute(f"grant usage on schema {room} to openami_{room}")
        op.execute(
            f"alter default privileges in schema {room} "
            f"grant select, insert, update, delete on tables to openami_{room}"
        )
        op.execute(f"alter default privileges in schema {room} grant usage, select on sequences to openami_{room}")


def downgrade() -> None:
    """Leave roles and schemas: other databases of the cluster may use them."""
