"""The ledger takes the entry that gives back what a protected first year on another rate cost more.

Revision ID: 0047_protection_entry
"""

from alembic import op

revision = "0047_protection_entry"
down_revision = "0046_rate_editions"
branch_labels = None
depends_on = None

KINDS = (
    "bill", "reversal", "budget", "budget_settlement", "installment_plan", "installment", "unbilled", "unbilled_back",
)  # fmt: skip


def upgrade() -> None:
    """Widen the list of kinds."""
    _allow((*KINDS, "rate_protection"))


def downgrade() -> None:
    """Narrow it again; an entry of the kind stands in the way, as it should."""
    _allow(KINDS)


def _allow(kinds: tuple[str, ...]) -> None:
    listed = ", ".join(f"'{k}'" for k in kinds)
    op.execute("alter table billing.ledger_entry drop constraint ledger_entry_kind_check")
    op.execute(f"alter table billing.ledger_entry add constraint ledger_entry_kind_check check (kind in ({listed}))")
