"""What was exchanged with other systems is never altered; an index finds places by transformer.

Revision ID: 0041_what_is_said_stays
"""

from alembic import op

revision = "0041_what_is_said_stays"
down_revision = "0040_release_parts"
branch_labels = None
depends_on = None

_STATEMENTS = (
    (
        "revoke update, delete on mdm.exchange_message, mdm.exchange_record, mdm.exchange_file, mdm.external_id, "
        "mdm.reconciliation from openami_mdm"
    ),
    # An answer to a billing read is the only thing that comes later.
    "revoke update, delete on mdm.exchange_sent from openami_mdm",
    "grant update (result, code, reason, answered_at) on mdm.exchange_sent to openami_mdm",
    "create index service_point_transformer on mdm.service_point (transformer)",
)


def upgrade() -> None:
    """Take the rights away and make the index."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Give them back."""
    op.execute("drop index if exists mdm.service_point_transformer")
    for table in (
        "exchange_message", "exchange_record", "exchange_file", "external_id", "reconciliation", "exchange_sent",
    ):  # fmt: skip
        op.execute(f"grant update, delete on mdm.{table} to openami_mdm")
