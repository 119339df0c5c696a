"""Installation keys that retire, and keys of the vault's own that stand beside them under the root key.

Revision ID: 0020_installation_keys
"""

from alembic import op

revision = "0020_installation_keys"
down_revision = "0019_airtime"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Widen the table and make the other."""
    op.execute("alter table security.installation_key add column retired_at timestamptz")
    op.execute("""
        create table security.vault_key (
            purpose text primary key check (purpose in ('fingerprint', 'shipment')),
            wrapped bytea not null,
            made_at timestamptz not null
        )
    """)
    op.execute(
        "comment on table security.vault_key is 'keys of the vault itself, each wrapped under the root key: what "
        "fingerprints are made under, and what shipments are encrypted to'"
    )


def downgrade() -> None:
    """Nothing to undo."""
