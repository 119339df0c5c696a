"""A correction may be a true-up: an actual read behind estimated bills settles every period since the last one.

Revision ID: 0053_true_up
"""

from alembic import op

revision = "0053_true_up"
down_revision = "0052_weather"
branch_labels = None
depends_on = None

_TABLE = "alter table billing.correction_weighing"
_CHECK = "add constraint correction_weighing_cause_kind_check check (cause_kind in ({}))"
_KINDS = ("edit", "registry", "rate", "readings")


def _kinds(names: tuple[str, ...]) -> None:
    op.execute(f"{_TABLE} drop constraint correction_weighing_cause_kind_check")
    op.execute(f"{_TABLE} {_CHECK.format(', '.join(repr(n) for n in names))}")


def upgrade() -> None:
    """Let a weighed bill be a true-up, and find estimated bills without looking at all."""
    _kinds((*_KINDS, "true_up"))
    op.execute(
        "create index bill_estimated on billing.bill (service_point_id, first_day) "
        "where state = 'issued' and reading_state = 'estimated'"
    )


def downgrade() -> None:
    """Take it back; what was weighed as a true-up is weighed anew."""
    op.execute("drop index billing.bill_estimated")
    op.execute("delete from billing.correction_weighing where cause_kind = 'true_up'")
    _kinds(_KINDS)
