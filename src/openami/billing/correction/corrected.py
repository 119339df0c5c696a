"""The corrected bills, and the adjustment that links them to those that they supersede. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID, uuid5

from openami.billing.bill.record import Bill, BillState, KeptLine
from openami.billing.correction.record import Adjustment, AdjustmentLine, Cause
from openami.billing.correction.remade import Remade
from openami.billing.rating.usage import BillSpan
from openami.kernel.errors import MisuseError

_ADJUSTMENTS = UUID("c7c1d1c5-6a5e-4c55-8a30-4b1a1e9e7d11")
LineKey = tuple[str, str, str | None, int | None, str]


def superseding(remade: Remade, *, at: datetime) -> tuple[Bill, ...]:
    """Return the bills that take the place of one: the next versions, naming what they correct.

    Args:
        remade: the bill in force, and what begins in its days as it is made now.
        at: domain time at which they go out.

    Raises:
        MisuseError: they are about another place or other days, or one of them has no figures.
    """
    old = remade.old
    for made in remade.bills:
        is_there = made.service_point_id == old.service_point_id and old.span.first <= made.span.first < old.span.end
        # What reaches beyond its days is the unit's, and takes in the days of the bills after it.
        is_within = made.span.end <= old.span.end or len(remade.unit) > 1
        if (
            made.bill_id in remade.unit
            or not is_there
            or not is_within
            or (len(remade.unit) == 1 and remade.bills[0].span.first != old.span.first)
        ):
            raise MisuseError(f"bill {made.bill_id} is not about the place and days of {old.bill_id}")
        if old.state is not BillState.ISSUED or made.state is not BillState.ISSUED:
            raise MisuseError(
                f"bill {old.bill_id} is {old.state.value}, its correction {made.state.value}: both are issued"
            )
    return tuple(replace(made, supersedes=old.bill_id, made_at=at, issued_at=at) for made in remade.bills)


def require_whole(olds: Sequence[Bill], news: Sequence[Bill]) -> None:
    """Pass if bills take the place of others day by day: no day is billed twice, and none between them is lost.

    They may end earlier than the old ones did, where service had ended; what comes after is another account's.

    Raises:
        MisuseError: they do not.
    """
    edges = [olds[0].span.first, *(b.span.end for b in news)]
    is_chain = all(b.span.first == edge for b, edge in zip(news, edges, strict=False))
    if not is_chain or (news and news[-1].span.end > olds[-1].span.end):
        raise MisuseError(f"the bills that would replace {olds[0].bill_id} are not about its days")


def adjustment_of(
    olds: Sequence[Bill],
    news: Sequence[Bill],
    *,
    agreement_id: UUID,
    decision_id: UUID,
    cause: Cause,
    installments: int,
    day: date,
) -> Adjustment:
    """Return what links bills that are replaced together.

    Args:
        olds: superseded, with their lines, by first day.
        news: the corrected bills, with their lines; none where the old one is reversed whole.
        agreement_id: whose.
        decision_id: the decision behind it.
        cause: why.
        installments: in how many parts it is repaid.
        day: accounting day.
    """
    first, successor = olds[0], news[0].bill_id if news else None
    span = BillSpan(first.span.first, olds[-1].span.end)
    by_wh = sum(b.usage_wh or 0 for b in news) - sum(b.usage_wh or 0 for b in olds)
    by = sum((b.total or Decimal(0) for b in news), Decimal(0)) - sum((b.total or Decimal(0) for b in olds), Decimal(0))
    return Adjustment(
        uuid5(_ADJUSTMENTS, f"{first.bill_id}/{successor}"), agreement_id, first.service_point_id, first.bill_id,
        successor, span, decision_id, cause, by_wh, by, installments, day, first.currency, differences(olds, news),
        tuple(b.bill_id for b in olds[1:]), tuple(b.bill_id for b in news[1:]),
    )  # fmt: skip


def differences(olds: Sequence[Bill], news: Sequence[Bill]) -> tuple[AdjustmentLine, ...]:
    """Return the lines that differ between bills, in the order of the new ones, then what only the old ones have."""
    before, after = _by_key(olds), _by_key(news)
    nothing = (Decimal(0), Decimal(0))
    found = []
    for key in [*after, *(k for k in before if k not in after)]:
        (was, was_quantity), (now, now_quantity) = before.get(key, nothing), after.get(key, nothing)
        if was != now or was_quantity != now_quantity:
            kind, name, period, tier, unit = key
            found.append(AdjustmentLine(kind, name, period, tier, was, now, was_quantity, now_quantity, unit))
    return tuple(found)


def _by_key(bills: Sequence[Bill]) -> dict[LineKey, tuple[Decimal, Decimal]]:
    """Return amount and quantity of each line; those of one key (prices of two versions, parts) are added."""
    found: dict[LineKey, tuple[Decimal, Decimal]] = {}
    for line in (line for bill in bills for line in bill.lines):
        key = _key(line)
        amount, quantity = found.get(key, (Decimal(0), Decimal(0)))
        found[key] = (amount + line.amount, quantity + line.quantity)
    return found


def _key(line: KeptLine) -> LineKey:
    return line.kind, line.name, line.period, line.tier, line.unit
