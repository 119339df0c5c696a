"""Rate determinants into a bill: exact decimals on every line, rounded once where the line is printed.

The order is that of the printed bill: energy, demand, fixed charges, minimum. Energy is whole Wh on every line, shared
out by largest remainder, so the lines add up to the usage.
"""

from __future__ import annotations

from decimal import Decimal

from openami.billing.rating.calendar import day_rates
from openami.billing.rating.carried import Carried
from openami.billing.rating.demand_line import demand_lines
from openami.billing.rating.determinant import Determinants
from openami.billing.rating.energy import energy_lines
from openami.billing.rating.fixed import fixed_lines, minimum_lines
from openami.billing.rating.line import BillLine, LineKind, RatedBill
from openami.billing.rating.pool import pools
from openami.billing.rating.terms import NO_TERMS, BillTerms
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import RateSchedule

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
    """
    span = found.span
    rates = day_rates(schedule, span, terms)
    versions = sorted({r.version for r in rates})
    for version in versions:
        for refusal in schedule.versions[version].refusals:
            raise TariffError(f"{schedule.code}.versions[{version}].{refusal.clause}", refusal.reason)
    lines = energy_lines(schedule, found, pools(schedule, span, rates))
    lines += demand_lines(schedule, found, rates)
    lines += fixed_lines(schedule, span, rates)
    if found.received_wh:
        quantity = Decimal(found.received_wh) / 1000
        name = "Energy received from you (listed, not credited on this rate)"
        lines.append(BillLine(LineKind.CREDIT, name, None, None, quantity, "kWh", Decimal(0), Decimal(0)))
    lines += minimum_lines(schedule, span, rates, lines)
    rule = schedule.versions[versions[-1]].rounding.total
    return RatedBill(span, schedule.currency, found, tuple(lines), carried=carried, total_rule=rule)
