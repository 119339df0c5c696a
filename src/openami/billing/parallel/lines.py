"""Line against line: whether quantities are the same within what is printed, and what prices and roundings come to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from openami.billing.parallel.cause import Cause
from openami.billing.parallel.theirs import TheirBill, TheirLine
from openami.billing.rating.line import BillLine, LineKind, RatedBill
from openami.billing.tariff.model import RateSchedule
from openami.kernel.money import rounded_to_cent

QUANTIFIED = (LineKind.ENERGY, LineKind.DEMAND)
_KINDS = {
    LineKind.FIXED: Cause.FIXED,
    LineKind.MINIMUM: Cause.MINIMUM,
    LineKind.RIDER: Cause.RIDER,
    LineKind.TAX: Cause.TAX,
    LineKind.CREDIT: Cause.CREDIT,
}
_FEW_CENTS = Decimal("0.05")

LineEffect = tuple[Cause | None, Decimal, str]
"""Cause, theirs less ours, and words; the cause is None where it is that of the quantity."""
_Key = tuple[LineKind, str, int]


def quantities_agree(theirs: TheirBill, ours: RatedBill) -> bool:
    """Tell whether energy and demand are the same, line by line, within what their figures resolve."""
    mine, told = _by_key(ours.lines), _their_keys(theirs.lines)
    if theirs.usage_wh is not None and not any(k[0] is LineKind.ENERGY for k in told):
        # A bill that prints its energy in one sum.
        return abs(theirs.usage_wh - ours.determinants.usage_wh) <= 2 * theirs.usage_step_wh
    keys = {k for k in (*mine, *told) if k[0] in QUANTIFIED}
    for key in keys:
        step = _step(told.get(key, ()))
        if abs(_quantity(told.get(key, ())) - _quantity(mine.get(key, ()))) > step:
            return False
    return bool(keys) or not theirs.usage_wh


def line_effects(theirs: TheirBill, ours: RatedBill, rate: RateSchedule) -> Iterator[LineEffect]:
    """Yield what each line comes to, theirs less ours, and at last what their total is beside their lines.

    Args:
        theirs: their bill.
        ours: ours, made with their quantities where those are explained.
        rate: the rate that theirs is on: a price of another of its versions is known by it.
    """
    mine, told = _by_key(ours.lines), _their_keys(theirs.lines)
    for key in sorted({*mine, *told}):
        yield from _effects(key, told.get(key, []), mine.get(key, []), rate)
    rest = theirs.total - sum((line.amount for line in theirs.lines), Decimal(0))
    rest -= ours.total - sum((line.amount for line in ours.lines), Decimal(0))
    if rest:
        yield (Cause.ROUNDING if abs(rest) <= _FEW_CENTS else Cause.ARITHMETIC), rest, "its lines do not add up"


def _effects(
    key: _Key, told: Sequence[TheirLine], mine: Sequence[BillLine], rate: RateSchedule
) -> Iterator[LineEffect]:
    kind, period, _ = key
    whole = sum((t.amount for t in told), Decimal(0)) - sum((m.amount for m in mine), Decimal(0))
    name = (told[0].name if told else mine[0].name) or period
    if not whole and (bool(told) == bool(mine) or not any(m.amount for m in mine)):
        return
    if not told or not mine or len(told) != len(mine) or len(told) > 1:
        side = "they have no" if not told else "we have no" if not mine else "they split otherwise"
        cause = _KINDS.get(kind)
        yield cause, whole, f"{side} {name}"
        return
    yield from _one(kind, told[0], mine[0], rate, name)


def _one(kind: LineKind, told: TheirLine, mine: BillLine, rate: RateSchedule, name: str) -> Iterator[LineEffect]:
    """Split one pair of lines: their arithmetic, their price, and what is left of the quantity."""
    price = mine.price if told.price is None else told.price
    share = mine.exact_amount / (mine.quantity * mine.price) if mine.quantity and mine.price else Decimal(1)
    unit = Decimal(100) if told.unit == "percent" else Decimal(1)
    if told.unit == "percent" and mine.unit == "percent":
        share = mine.exact_amount / (mine.quantity * mine.price / unit) if mine.quantity and mine.price else Decimal(1)
    computed = told.quantity * price * share / unit
    own = told.amount - rounded_to_cent(computed)
    if own:
        yield (Cause.ROUNDING if abs(own) <= Decimal("0.01") else Cause.ARITHMETIC), own, name
    at_ours = rounded_to_cent(told.quantity * mine.price * share / unit)
    dearer = rounded_to_cent(computed) - at_ours
    if dearer:
        yield _price_cause(kind, price, rate, mine), dearer, f"{name}: {price} where we have {mine.price}"
    rest = at_ours - mine.amount
    if rest:
        step = _step([told]) if kind in QUANTIFIED else Decimal(0)
        if kind in QUANTIFIED and abs(told.quantity - mine.quantity) <= step:
            yield Cause.ROUNDING, rest, name
        else:
            yield (None if kind in QUANTIFIED or told.unit == "percent" else _KINDS.get(kind)), rest, name


def _price_cause(kind: LineKind, price: Decimal, rate: RateSchedule, mine: BillLine) -> Cause:
    if kind in _KINDS:
        return _KINDS[kind]
    for number, version in enumerate(rate.versions):
        if number == mine.version:
            continue
        known = [b.price for p in version.periods if p.name == mine.period for b in p.blocks]
        known += [b.price for d in version.demand for p in d.periods if p.name == mine.period for b in p.blocks]
        if price in known:
            return Cause.PRICE_VERSION
    return Cause.PRICE


def _by_key(lines: Sequence[BillLine]) -> dict[_Key, list[BillLine]]:
    found: dict[_Key, list[BillLine]] = {}
    for line in lines:
        if line.amount or line.quantity:
            found.setdefault((line.kind, line.period or line.name, line.tier or 0), []).append(line)
    return found


def _their_keys(lines: Sequence[TheirLine]) -> dict[_Key, list[TheirLine]]:
    found: dict[_Key, list[TheirLine]] = {}
    for line in lines:
        if line.amount or line.quantity:
            found.setdefault((line.kind, line.period or line.name, line.tier or 0), []).append(line)
    return found


def _quantity(lines: Sequence[TheirLine] | Sequence[BillLine]) -> Decimal:
    return sum((line.quantity for line in lines), Decimal(0))


def _step(lines: Sequence[TheirLine]) -> Decimal:
    """How far their quantity may lie from ours: one unit of the last place that they print."""
    places = [line.quantity.as_tuple().exponent for line in lines]
    if not places:
        return Decimal("0.001")
    exponent = max(int(p) for p in places)
    return Decimal(1).scaleb(min(exponent, 0))
