"""Bills of a whole fleet in columns: every line and the total in cents, equal to the scalar engine's one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from openami.billing.rating.billed_demand import peaks_after
from openami.billing.rating.carried import Carried
from openami.billing.rating.demand_line import demand_lines as demand_lines_of
from openami.billing.rating.determinant import Determinants
from openami.billing.rating.finding import RatingFinding
from openami.billing.rating.fixed import fixed_lines
from openami.billing.rating.fleet.billed import as_metered, in_whole_kwh
from openami.billing.rating.fleet.charge import demand_lines, energy_lines, received_lines
from openami.billing.rating.fleet.found import FleetDeterminants
from openami.billing.rating.fleet.levy import FleetLevied, levied_lines
from openami.billing.rating.fleet.line import FleetLine, exact_of
from openami.billing.rating.fleet.minimum import minimum_lines, printed_cents, year_after
from openami.billing.rating.fleet.number import rounded, summed
from openami.billing.rating.fleet.state import FleetState, state_of
from openami.billing.rating.line import BillLine, LineKind, RatedBill, Stamp
from openami.billing.rating.rate import rate
from openami.billing.rating.terms import BillTerms
from openami.billing.rating.usage import I64
from openami.billing.tariff.model import RateSchedule
from openami.billing.tariff.rounding import EnergyRounding, TotalRule

_FIRST = Carried()


@dataclass(frozen=True, slots=True, eq=False)
class FleetBills:
    """The bills of one span.

    Args:
        schedule: the rate.
        found: what they are computed from.
        bill: which of the index's bills.
        terms: of every row.
        lines: in the order of print.
        cents: (n,) totals.
        stamps: why none of them can be issued; none if they can.
        state: what they hand on.
    """

    schedule: RateSchedule
    found: FleetDeterminants
    bill: int
    terms: BillTerms
    lines: tuple[FleetLine, ...]
    cents: I64
    stamps: tuple[Stamp, ...]
    state: FleetState

    def of_row(self, row: int, before: Carried = _FIRST) -> RatedBill:
        """Return one bill as the scalar engine has it.

        Args:
            row: which service point.
            before: what its bill before handed on: the same that the bills were made with.
        """
        part, found = self.found.index.parts[self.bill], self.found.of_row(row, self.bill)
        lines = (line if isinstance(line, BillLine) else line.of_row(row) for line in self.lines)
        month = (self.terms.revenue_month or part.span.last).replace(day=1)
        carried = self.state.of_row(row, before)
        return RatedBill(
            span=part.span,
            currency=self.schedule.currency,
            determinants=found,
            lines=tuple(line for line in lines if line is not None),
            stamps=self.stamps,
            carried=replace(carried, peaks=peaks_after(self.schedule, before.peaks, found.peaks, month)),
            total_rule=self.schedule.versions[part.rates[-1].version].rounding.total,
            findings=self._findings(found, before),
        )

    def _findings(self, found: Determinants, before: Carried) -> tuple[RatingFinding, ...]:
        """Return what was noticed about demand; without a demand charge there is nothing to notice."""
        if not found.windows:
            return ()
        rates = self.found.index.parts[self.bill].rates
        return tuple(demand_lines_of(self.schedule, found, rates, self.terms, before)[1])


def fleet_bills(
    schedule: RateSchedule,
    found: FleetDeterminants,
    bill: int,
    terms: BillTerms | None = None,
    carried: Sequence[Carried] | FleetState = (),
) -> FleetBills:
    """Return the bills of one span for every row that :func:`is_columnar`.

    Args:
        schedule: the rate.
        found: what they are computed from.
        bill: which of the index's bills.
        terms: of every row; None takes those that the index was made with.
        carried: what each row's bill before hands on; empty where none was.

    Raises:
        TariffError: a version in force has a clause that the file cannot say.
    """
    part, rows = found.index.parts[bill], len(found.wh)
    own = part.terms if terms is None else terms
    # What does not depend on use is the scalar engine's on a bill without any: refusals and stamps.
    idle = rate(schedule, Determinants(part.span, 0, {}, piece_wh=dict.fromkeys(part.edges, 0)), own)
    tariff = schedule.versions[part.rates[-1].version]
    state = carried if isinstance(carried, FleetState) else state_of(carried or [_FIRST] * rows)
    billed = as_metered(found, bill)
    if tariff.rounding.energy is EnergyRounding.WHOLE_KWH:
        billed, left = in_whole_kwh(schedule, billed, state.remainder_wh)
        state = replace(state, remainder_wh=left)
    lines: list[FleetLine] = list(energy_lines(schedule, found, billed, bill, state.year_wh))
    lines += demand_lines(schedule, found, bill)
    lines += fixed_lines(schedule, part.span, part.rates, own)
    bills = FleetLevied(schedule, found, bill, own, tariff.rounding, billed.total)
    late = tariff.minimum is not None and "rider" in tariff.minimum.of
    if not late:
        lines += minimum_lines(schedule, part, own, tuple(lines), state)
    lines += levied_lines(LineKind.RIDER, bills, lines)
    if late:
        lines += minimum_lines(schedule, part, own, tuple(lines), state)
    lines += levied_lines(LineKind.CREDIT, bills, lines)
    lines += received_lines(found, bill)
    lines += levied_lines(LineKind.TAX, bills, lines)
    after = year_after(tariff, part, own, lines, state, billed.total)
    totals = _totals(tariff.rounding.total, lines, rows)
    return FleetBills(schedule, found, bill, own, tuple(lines), totals, idle.stamps, after)


def _totals(rule: TotalRule, lines: Sequence[FleetLine], rows: int) -> I64:
    """Return what each customer pays: the sum of the printed lines, or the exact sum rounded."""
    if rule is TotalRule.ROUNDED_SUM:
        return rounded(*summed((exact_of(line, rows) for line in lines), rows))
    return printed_cents(lines, rows)
