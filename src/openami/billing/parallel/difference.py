"""Compare one bill of another system with ours: which cause explains its quantities, and what each cause comes to.

First the quantities: our side is made as it is, then in every way that :mod:`.hypothesis` knows, until the quantities
of a line by line comparison are theirs within what they print. What that changes of the total is that cause's. Then
the lines: a price, a charge that one side has not, a rounding, an arithmetic. The parts add up to the difference of
the two totals to the cent, always; what nothing explains is said to be unexplained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from openami.billing.parallel.cause import Cause
from openami.billing.parallel.hypothesis import Supposed, stated, understood
from openami.billing.parallel.lines import line_effects, quantities_agree
from openami.billing.parallel.ours import OurSide
from openami.billing.parallel.theirs import RegisterRead, TheirBill, TheirRead
from openami.billing.rating.errors import UsageError
from openami.billing.rating.line import RatedBill
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import RateSchedule

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Effect:
    """What a cause comes to on a bill: theirs less ours."""

    cause: Cause
    amount: Decimal
    words: str = ""


@dataclass(frozen=True, slots=True)
class BillDifference:
    """One bill compared.

    Args:
        bill, service_point: of the other system; ours where it has none.
        ours, theirs: totals; None where there is no bill.
        effects: add up to theirs less ours; none where they are equal line by line.
    """

    bill: str
    service_point: str
    ours: Decimal | None
    theirs: Decimal | None
    effects: tuple[Effect, ...] = ()

    @property
    def amount(self) -> Decimal:
        """Theirs less ours."""
        return (self.theirs or Decimal(0)) - (self.ours or Decimal(0))

    @property
    def cause(self) -> Cause | None:
        """The one that comes to most; the earlier in the order of causes among equals."""
        return max(self.effects, key=lambda e: abs(e.amount)).cause if self.effects else None


def compare_bill(theirs: TheirBill, side: OurSide, rates: Mapping[str, RateSchedule]) -> BillDifference:
    """Return what differs, and why.

    Args:
        theirs: their bill.
        side: ours of the same cycle.
        rates: by the names that the other system uses.
    """
    if side.held:
        effect = Effect(Cause.OURS_HELD, theirs.total, side.held)
        return BillDifference(theirs.bill, theirs.service_point, None, theirs.total, (effect,))
    try:
        ours = side.made()
    except (TariffError, UsageError) as error:
        effect = Effect(Cause.OURS_HELD, theirs.total, str(error))
        return BillDifference(theirs.bill, theirs.service_point, None, theirs.total, (effect,))
    effects: list[Effect] = []
    base = _explained(theirs, side, ours, rates, effects)
    rest = list(line_effects(theirs, base, rates.get(theirs.rate, side.schedule)))
    effects += [Effect(cause, amount, words) for cause, amount, words in rest if cause is not None]
    # A tax on another amount, and a quantity, go with the cause that made the amount another.
    main = max(effects, key=lambda e: abs(e.amount), default=None)
    owner = Cause.USAGE if main is None else main.cause
    effects += [Effect(owner, amount, words) for cause, amount, words in rest if cause is None]
    merged = _merged(effects)
    return BillDifference(theirs.bill, theirs.service_point, ours.total, theirs.total, merged)


def _explained(
    theirs: TheirBill, side: OurSide, ours: RatedBill, rates: Mapping[str, RateSchedule], effects: list[Effect]
) -> RatedBill:
    """Return the bill of ours whose quantities are theirs, and note the causes on the way there."""
    if quantities_agree(theirs, ours):
        # What their bill says of itself counts although it changes nothing: another multiplier of nothing used.
        return ours
    for causes, supposed in _ways(theirs, side, rates):
        made = _made(supposed)
        if made is None or not quantities_agree(theirs, made):
            continue
        _note(effects, side, causes, made.total - ours.total)
        return made
    told = _told_by_reads(theirs, side)
    if told is not None:
        effects.append(Effect(told, Decimal(0), "by its reads"))
    return ours


def _ways(
    theirs: TheirBill, side: OurSide, rates: Mapping[str, RateSchedule]
) -> Iterator[tuple[tuple[Cause, ...], OurSide]]:
    """Yield one cause at a time, then what the bill says of itself together with one more."""
    said: list[Supposed] = list(stated(theirs, side, rates))
    for cause, supposed in said:
        yield (cause,), supposed
    if _told_by_reads(theirs, side) is None:
        for cause, supposed in understood(side):
            yield (cause,), supposed
    both, causes = side, list[Cause]()
    for cause, _ in said:
        step = dict(stated(theirs, both, rates)).get(cause)
        if step is not None:
            both, causes = step, [*causes, cause]
    if len(causes) > 1:
        yield tuple(causes), both
    for cause, supposed in understood(both) if causes else ():
        yield (*causes, cause), supposed


def _note(effects: list[Effect], side: OurSide, causes: tuple[Cause, ...], amount: Decimal) -> None:
    """Note one cause with its amount; of several the last has the amount, the others are named."""
    effects += [Effect(c, Decimal(0), f"with {causes[-1].value}") for c in causes[:-1]]
    effects.append(Effect(causes[-1], amount, f"{side.schedule.code}, {side.span.first} to {side.span.last}"))


def _made(side: OurSide) -> RatedBill | None:
    try:
        return side.made()
    except (TariffError, UsageError):
        return None


def _told_by_reads(theirs: TheirBill, side: OurSide) -> Cause | None:
    """Return the cause that the registers tell, where the energy is another; None where they tell none."""
    ours = (side.begin, side.end)
    read = (theirs.begin, theirs.end)
    if any(r is not None and r.kind is not TheirRead.ACTUAL for r in read) and all(
        o is not None and o.wh is not None for o in ours
    ):
        return Cause.ESTIMATE
    begin, end = read
    if begin is not None and end is not None and theirs.usage_wh is not None:
        factor = theirs.multiplier or Decimal(side.multiplier)
        counted = (end.wh - begin.wh) * factor
        if counted < 0 and side.capacity_wh is not None:
            rolled = counted + side.capacity_wh * factor
            if abs(theirs.usage_wh - rolled) > theirs.usage_step_wh * 2:
                return Cause.ROLLOVER
            counted = rolled
        if abs(theirs.usage_wh - counted) > theirs.usage_step_wh * 2:
            return Cause.USAGE_SUM
    if any(_is_other(t, o.wh if o is not None else None) for t, o in zip(read, ours, strict=True)):
        return Cause.READ
    return None


def _is_other(theirs: RegisterRead | None, ours: int | None) -> bool:
    # A display shows whole kWh; ours counts Wh.
    return theirs is not None and ours is not None and abs(theirs.wh - ours) >= 1000


def _merged(effects: list[Effect]) -> tuple[Effect, ...]:
    """Return one effect for each cause, in the order of causes; those of nothing stay where they name a cause."""
    found: dict[Cause, Effect] = {}
    for one in effects:
        before = found.get(one.cause)
        words = one.words if before is None or not before.words else before.words
        found[one.cause] = Effect(one.cause, one.amount + (before.amount if before else Decimal(0)), words)
    order = list(Cause)
    return tuple(sorted(found.values(), key=lambda e: order.index(e.cause)))
