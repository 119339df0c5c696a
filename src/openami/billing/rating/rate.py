"""Rate determinants into a bill: exact decimals on every line, rounded once where the line is printed.

The order is that of the printed bill and of ``docs/billing/rating.md``: the energy billed (in whole kWh where the rate
says so), energy, demand, fixed charges, minimum, riders, credits, energy sent out, taxes, total.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from openami.billing.rating.billed_demand import peaks_after
from openami.billing.rating.calendar import DayRate, day_rates
from openami.billing.rating.carried import Carried
from openami.billing.rating.demand_line import demand_lines
from openami.billing.rating.determinant import Determinants
from openami.billing.rating.energy import energy_lines
from openami.billing.rating.export_line import Exported, export_lines
from openami.billing.rating.fixed import fixed_lines
from openami.billing.rating.holidays import holiday_stamps
from openami.billing.rating.levies import credit_lines, rider_lines, tax_lines
from openami.billing.rating.levy import Levied
from openami.billing.rating.line import BillLine, RatedBill, Stamp
from openami.billing.rating.minimum import minimum_lines, year_after, yearly_minimum_lines
from openami.billing.rating.piece import piece_edges
from openami.billing.rating.pool import pools
from openami.billing.rating.settle import Settled, settle_energy
from openami.billing.rating.terms import NO_TERMS, BillTerms
from openami.billing.rating.usage import BillSpan
from openami.billing.rating.whole import in_whole_kwh
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.export import CreditReach
from openami.billing.tariff.model import RateSchedule
from openami.billing.tariff.rounding import EnergyRounding

_FIRST = Carried()


def rate(
    schedule: RateSchedule, found: Determinants, terms: BillTerms = NO_TERMS, carried: Carried = _FIRST
) -> RatedBill:
    """Return the bill of one span.

    Args:
        schedule: the rate.
        found: what it is computed from.
        terms: the bill's other inputs: the same as the determinants were made with.
        carried: what the bill before hands on.

    Raises:
        TariffError: a day has no version in force, or a version has a clause that the file cannot say.
        UsageError: a rider needs energy by days, and the determinants were made without it.
    """
    span = found.span
    rates = day_rates(schedule, span, terms)
    _refuse(schedule, rates)
    last = rates[-1].version
    tariff = schedule.versions[last]
    settled = settle_energy(schedule, found, rates, terms, carried)
    billed = settled.billed
    if tariff.rounding.energy is EnergyRounding.WHOLE_KWH:
        billed, left = in_whole_kwh(schedule, billed, carried.remainder_wh)
        carried = replace(carried, remainder_wh=left)
    year_wh = carried.year_to_date.delivered_wh
    lines = energy_lines(schedule, found, billed, pools(schedule, span, rates, terms), rates, year_wh)
    billed_wh = sum(billed.energy_wh.values())
    demand, findings = demand_lines(schedule, found, rates, terms, carried)
    lines += demand
    lines += fixed_lines(schedule, span, rates, terms)
    edges = piece_edges(schedule, span, rates, terms)
    pieces = {edges[0]: found.usage_wh} if len(edges) == 1 else found.piece_wh
    bill = Levied(schedule, span, rates, terms, tariff.rounding, pieces, billed_wh, tuple(lines))
    lines, stamps, exported = _levied(bill, found, settled, carried)
    carried = year_after(tariff, span, lines, terms, carried, billed_wh)
    peaks = peaks_after(schedule, carried.peaks, found.peaks, settled.month)
    return RatedBill(
        span=span,
        currency=schedule.currency,
        determinants=found,
        lines=tuple(lines),
        stamps=(*holiday_stamps(schedule, span, rates), *stamps, *exported.stamps),
        carried=replace(carried, peaks=peaks, bank=exported.bank),
        total_rule=tariff.rounding.total,
        findings=(*findings, *exported.findings),
    )


def _levied(
    bill: Levied, found: Determinants, settled: Settled, carried: Carried
) -> tuple[list[BillLine], list[Stamp], Exported]:
    """Return all lines, after what follows from the lines before it: minimum, riders, credits, export, taxes.

    A credit for energy sent out that may pay taxes stands behind them.
    """
    schedule, tariff = bill.schedule, bill.schedule.versions[settled.version]
    lines, stamps = list(bill.lines), []
    exported = Exported((), ())
    early = tariff.minimum is None or "rider" not in tariff.minimum.of
    if early:
        lines += _minimum(schedule, bill.span, list(bill.rates), lines, bill.terms, carried)
    after_tax = tariff.export is not None and tariff.export.reach is CreditReach.BILL
    order = (rider_lines, credit_lines, tax_lines, None) if after_tax else (rider_lines, credit_lines, None, tax_lines)
    for levied in order:
        if levied is None:
            exported = export_lines(schedule, found, settled, bill.terms, lines)
            lines += exported.lines
            continue
        more, missing = levied(replace(bill, lines=tuple(lines)))
        lines += more
        stamps += missing
        if levied is rider_lines and not early:
            lines += _minimum(schedule, bill.span, list(bill.rates), lines, bill.terms, carried)
    return lines, stamps, exported


def _refuse(schedule: RateSchedule, rates: Sequence[DayRate]) -> None:
    for version in sorted({r.version for r in rates}):
        for refusal in schedule.versions[version].refusals:
            raise TariffError(f"{schedule.code}.versions[{version}].{refusal.clause}", refusal.reason)


def _minimum(
    schedule: RateSchedule,
    span: BillSpan,
    rates: list[DayRate],
    lines: Sequence[BillLine],
    terms: BillTerms,
    carried: Carried,
) -> list[BillLine]:
    last = rates[-1].version
    tariff = schedule.versions[last]
    return [
        *minimum_lines(schedule, span, rates, lines, terms),
        *yearly_minimum_lines(tariff, last, span, lines, terms, carried.year_to_date),
    ]
