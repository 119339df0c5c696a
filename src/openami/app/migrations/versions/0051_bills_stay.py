"""A bill that went out is never altered or deleted: it is superseded, once. Nor are its lines, or what let it pass.

Revision ID: 0051_bills_stay
"""

from alembic import op

revision = "0051_bills_stay"
down_revision = "0050_own_wish_withdrawn"
branch_labels = None
depends_on = None

_FUNCTION = """
    create function billing.bill_stays() returns trigger language plpgsql as $$
    begin
        if old.state = 'held' then
            return case tg_op when 'DELETE' then old else new end;
        end if;
        if tg_op = 'UPDATE' and old.state = 'issued' and new.state = 'superseded'
                and to_jsonb(new) - 'state' = to_jsonb(old) - 'state' then
            return new;
        end if;
        raise exception 'bill % is %: it stays as it is', old.bill_id, old.state using errcode = 'restrict_violation';
    end $$
"""


def upgrade() -> None:
    """Guard bills by a trigger, and take away what nobody needs."""
    op.execute(_FUNCTION)
    op.execute(
        "create trigger bill_stays before update or delete on billing.bill "
        "for each row execute function billing.bill_stays()"
    )
    op.execute(
        "revoke update, delete on billing.bill_line, billing.hold_release, billing.place_hold from openami_billing"
    )
    # Lifting a hold is the only thing that comes later.
    op.execute("grant update (lifted_by, lifted_at, lift_reason) on billing.place_hold to openami_billing")


def downgrade() -> None:
    """Give it back."""
    op.execute("grant update, delete on billing.bill_line, billing.hold_release, billing.place_hold to openami_billing")
    op.execute("drop trigger if exists bill_stays on billing.bill")
    op.execute("drop function if exists billing.bill_stays()")
