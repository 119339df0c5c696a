"""The corrected bill and the adjustment that links it to the one it supersedes. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from uuid import UUID, uuid5

from openami.billing.bill.hold import HoldCode
from openami.billing.bill.record import Bill, BillState, KeptLine, bill_id_of
from openami.billing.correction.record import Adjustment, AdjustmentLine, Cause
from openami.kernel.errors import MisuseError

_ADJUSTMENTS = UUID("c7c1d1c5-6a5e-4c55-8a30-4b1a1e9e7d11")
LineKey = tuple[str, str, str | None, int | None, str]


def versions_digest(bill: Bill) -> str:
    """Return a digest of what a bill was made from: equal for bills that stand on the same versions and rate."""
    told = f"{bill.rate_code}|{bill.span.first}|{bill.span.end}|{','.join(map(str, bill.day_versions))}|{bill.total}"
    return sha256(told.encode()).hexdigest()[:32]


def superseding(old: Bill, made: Bill, *, at: datetime) -> Bill:
    """Return the bill that supersedes another: the next version, naming the one that it corrects.

    Args:
        old: issued and in force.
        made: the same place and days, made from what is known now; it may end earlier, where service did.
        at: domain time at which it goes out.

    Raises:
        MisuseError: it is about another place or other days, or one of the two has no figures.
    """
    is_same = (old.service_point_id, old.span.first) == (made.service_point_id, made.span.first)
    if not is_same or made.span.end > old.span.end:
        raise MisuseError(f"bill {made.bill_id} is not about the place and days of {old.bill_id}")
    if old.state is not BillState.ISSUED or made.state is not BillState.ISSUED:
        raise MisuseError(
            f"bill {old.bill_id} is {old.state.value}, its correction {made.state.value}: both are issued"
        )
    version = old.version + 1
    return replace(
        made,
        bill_id=bill_id_of(old.service_point_id, old.span.first, version),
        version=version,
        supersedes=old.bill_id,
        made_at=at,
        issued_at=at,
    )


def is_reversed(made: Bill) -> bool:
    """Whether nothing takes a bill's place: none of its days is its account's."""
    return made.hold is not None and made.hold.code is HoldCode.BILLED_ALREADY


def adjustment_of(
    old: Bill,
    new: Bill | None,
    *,
    agreement_id: UUID,
    decision_id: UUID,
    cause: Cause,
    installments: int,
    day: date,
) -> Adjustment:
    """Return what links two bills.

    Args:
        old: superseded, with its lines.
        new: the corrected bill, with its lines; None where the old one is reversed whole.
        agreement_id: whose.
        decision_id: the decision behind it.
        cause: why.
        installments: in how many parts it is repaid.
        day: accounting day.
    """
    successor = None if new is None else new.bill_id
    usage_wh, total = (0, None) if new is None else (new.usage_wh or 0, new.total)
    return Adjustment(
        uuid5(_ADJUSTMENTS, f"{old.bill_id}/{successor}"), agreement_id, old.service_point_id, old.bill_id, successor,
        old.span, decision_id, cause, usage_wh - (old.usage_wh or 0),
        (total or Decimal(0)) - (old.total or Decimal(0)), installments, day, old.currency, differences(old, new),
    )  # fmt: skip


def differences(old: Bill, new: Bill | None) -> tuple[AdjustmentLine, ...]:
    """Return the lines that differ between two bills, in the order of the new one, then what only the old one has."""
    before, after = _by_key(old), {} if new is None else _by_key(new)
    nothing = (Decimal(0), Decimal(0))
    found = []
    for key in [*after, *(k for k in before if k not in after)]:
        (was, was_quantity), (now, now_quantity) = before.get(key, nothing), after.get(key, nothing)
        if was != now or was_quantity != now_quantity:
            kind, name, period, tier, unit = key
            found.append(AdjustmentLine(kind, name, period, tier, was, now, was_quantity, now_quantity, unit))
    return tuple(found)


def _by_key(bill: Bill) -> dict[LineKey, tuple[Decimal, Decimal]]:
    """Return amount and quantity of each line; two of one key (prices of two versions) are added."""
    found: dict[LineKey, tuple[Decimal, Decimal]] = {}
    for line in bill.lines:
        key = _key(line)
        amount, quantity = found.get(key, (Decimal(0), Decimal(0)))
        found[key] = (amount + line.amount, quantity + line.quantity)
    return found


def _key(line: KeptLine) -> LineKey:
    return line.kind, line.name, line.period, line.tier, line.unit
