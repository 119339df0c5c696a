"""Makers of meters whose signature on a shipment we believe.

Revision ID: 0026_makers
"""

from alembic import op

revision = "0026_makers"
down_revision = "0025_counter_epoch"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.execute("""
        create table security.maker (
            maker text not null check (length(maker) between 1 and 80),
            public_key bytea not null check (octet_length(public_key) = 64),
            registered_by text not null check (length(registered_by) between 1 and 200),
            registered_at timestamptz not null,
            withdrawn_at timestamptz,
            primary key (maker, public_key)
        )
    """)
    op.execute(
        "comment on table security.maker is 'public keys (P-256) that makers sign shipments with; one may have several'"
    )
    op.execute("alter table security.shipment add column is_signed boolean not null default false")
    op.execute("comment on column security.shipment.is_signed is 'came sealed, under a registered key of its maker'")


def downgrade() -> None:
    """Nothing to undo."""
