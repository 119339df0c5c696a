"""Every bill of a fleet, by the columns where they hold all of it and one by one where they do not.

What columns do not hold is state of one customer's own: a bank of credits, energy sent out on a rate that credits it,
and a ratchet that looks at earlier peaks. Those bills are made by the scalar engine, and the rest is equal to it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import numpy as np

from openami.billing.rating.calendar import DayRate, day_rates
from openami.billing.rating.carried import Carried
from openami.billing.rating.determinant import Determinants, determinants
from openami.billing.rating.fleet.determinant import fleet_determinants
from openami.billing.rating.fleet.index import price_index
from openami.billing.rating.fleet.matrix import Flags, UsageMatrix
from openami.billing.rating.fleet.total import fleet_bills
from openami.billing.rating.line import RatedBill
from openami.billing.rating.rate import rate
from openami.billing.rating.received import has_export
from openami.billing.rating.terms import BillTerms
from openami.billing.rating.usage import I64, BillSpan
from openami.billing.tariff.model import RateSchedule

_FIRST = Carried()


def rated_fleet(
    schedule: RateSchedule,
    start_s: I64,
    interval_s: int,
    usage: UsageMatrix,
    span: BillSpan,
    zone: ZoneInfo,
    terms: Sequence[BillTerms],
    carried: Sequence[Carried],
) -> list[RatedBill]:
    """Return the bill of each row, in order.

    Args:
        schedule: the rate.
        start_s: (intervals,) the grid.
        interval_s: [s].
        usage: every row's intervals.
        span: the bill's days.
        zone: of the service points.
        terms: of each row's bill.
        carried: what each row's bill before hands on.

    Raises:
        TariffError: the rate has no version for the span, or cannot price it.
    """
    found: dict[int, RatedBill] = {}
    columnar: dict[tuple[object, ...], list[int]] = defaultdict(list)
    sends = _sends_out(usage)
    # Many rows have one and the same terms: what they are grouped by is asked once for each.
    known = {id(one): one for one in terms}
    keys = {key: (*one.of_days(span), *one.of_money()) for key, one in known.items()}
    rates = {key: day_rates(schedule, span, one) for key, one in known.items()}
    for row, one in enumerate(terms):
        if is_columnar(schedule, rates[id(one)], carried[row], sends_out=bool(sends[row])):
            columnar[keys[id(one)]].append(row)
        else:
            own = usage.one(start_s, interval_s, row)
            found[row] = rate(schedule, determinants(schedule, own, [span], zone, one)[0], one, carried[row])
    for rows in columnar.values():
        before = [carried[row] for row in rows]
        part = usage if len(rows) == len(terms) else usage.part(rows)
        index = price_index(schedule, start_s, interval_s, [span], zone, terms[rows[0]])
        bills = fleet_bills(schedule, fleet_determinants(schedule, index, part), 0, terms[rows[0]], before)
        found |= {row: bills.of_row(place, before[place]) for place, row in enumerate(rows)}
    return [found[row] for row in range(len(terms))]


def determinants_of_rows(
    schedule: RateSchedule,
    start_s: I64,
    interval_s: int,
    usage: UsageMatrix,
    span: BillSpan,
    zone: ZoneInfo,
    terms: Sequence[BillTerms],
) -> list[Determinants]:
    """Return the determinants of each row, in order: for what is shown before it is billed.

    Raises:
        TariffError: the rate has no version for the span, or an interval crosses a price period.
    """
    found: dict[int, Determinants] = {}
    columnar: dict[tuple[object, ...], list[int]] = defaultdict(list)
    sends = _sends_out(usage)
    for row, one in enumerate(terms):
        rates = day_rates(schedule, span, one)
        if is_columnar(schedule, rates, _FIRST, sends_out=bool(sends[row])):
            columnar[one.of_days(span)].append(row)
        else:
            own = usage.one(start_s, interval_s, row)
            found[row] = determinants(schedule, own, [span], zone, one)[0]
    for rows in columnar.values():
        part = usage if len(rows) == len(terms) else usage.part(rows)
        index = price_index(schedule, start_s, interval_s, [span], zone, terms[rows[0]])
        columns = fleet_determinants(schedule, index, part)
        found |= {row: columns.of_row(place, 0) for place, row in enumerate(rows)}
    return [found[row] for row in range(len(terms))]


def is_columnar(schedule: RateSchedule, rates: list[DayRate], carried: Carried, *, sends_out: bool) -> bool:
    """Tell whether the columns hold all that a bill is made of.

    Args:
        schedule: the rate.
        rates: how each day of the bill is priced.
        carried: what the bill before hands on.
        sends_out: whether energy was received.
    """
    if carried.bank or (sends_out and has_export(schedule, rates)):
        return False
    charges = [d for v in {r.version for r in rates} for d in schedule.versions[v].demand]
    return not (carried.peaks and any(d.ratchet for d in charges))


def _sends_out(usage: UsageMatrix) -> Flags:
    """Tell of each row whether energy was received: (n,)."""
    if usage.received_wh is None:
        return np.zeros(len(usage.wh), np.bool_)
    return np.asarray(usage.received_wh.any(axis=1), np.bool_)
