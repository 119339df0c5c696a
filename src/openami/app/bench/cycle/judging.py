"""Judge bills against the truth: energy of every bill, money of a sample, by the engine that reads like a sheet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

import numpy as np

from openami.app.bench.cycle.filling import Fleet
from openami.billing.api import Bill, BillState, ReadingState
from openami.billing.rating import Usage, rate
from openami.billing.rating.reference import determinants_by_hand
from openami.billing.tariff.model import RateSchedule
from openami.kernel.time import local_midnight
from openami.mdm.api import READ_WINDOW_BEFORE as WINDOW
from openami.sim.billing.customers import Fate
from openami.sim.billing.energy import Block

SAMPLE_EVERY = 50
"""Of plain customers every fiftieth bill is priced again; of all others every one."""


@dataclass(slots=True)
class Verdict:
    """What was found.

    Args:
        bills: issued bills looked at.
        estimated: of them with an estimated read, flagged as such.
        priced: of them priced again by the reference engine.
        wrong: what is not as the truth has it, in words; the first hundred.
        truth_wh, billed_wh: sums over the bills that call themselves actual.
        by_state: issued bills by what they call their reads.
    """

    bills: int = 0
    estimated: int = 0
    priced: int = 0
    wrong: list[str] = field(default_factory=list)
    truth_wh: int = 0
    billed_wh: int = 0
    by_state: Counter[str] = field(default_factory=Counter)

    def note(self, words: str) -> None:
        """Keep what is wrong, the first hundred of it."""
        if len(self.wrong) < 100:
            self.wrong.append(words)


def judged(fleet: Fleet, bills: Iterable[Bill], rates: Mapping[str, RateSchedule]) -> Verdict:
    """Compare every issued bill with what its customer really used."""
    by_place: dict[UUID, list[Bill]] = {}
    for bill in bills:
        if bill.state is BillState.ISSUED:
            by_place.setdefault(bill.service_point_id, []).append(bill)
    verdict = Verdict()
    for block in fleet.energy.blocks():
        for k, row in enumerate(block.rows.tolist()):
            for bill in by_place.get(fleet.places[row], ()):
                _judge(verdict, fleet, block, k, row, bill, rates)
    return verdict


def _judge(
    verdict: Verdict, fleet: Fleet, block: Block, k: int, row: int, bill: Bill, rates: Mapping[str, RateSchedule]
) -> None:
    verdict.bills += 1
    state = bill.reading_state
    verdict.by_state["none" if state is None else state.value] += 1
    if state is ReadingState.ESTIMATED:
        verdict.estimated += 1
        if fleet.energy.customers.fate[row] not in (Fate.NO_READ, Fate.LATE_READ):
            verdict.note(f"customer {row} has an estimated bill and every read came")
        return
    columns = _columns(fleet, bill)
    truth_wh = int(block.used_wh[k, columns].sum())
    verdict.truth_wh += truth_wh
    verdict.billed_wh += bill.usage_wh or 0
    if bill.usage_wh != truth_wh:
        verdict.note(f"customer {row}, {bill.span.first}: billed {bill.usage_wh} Wh of {truth_wh}")
    is_plain = fleet.energy.customers.fate[row] == Fate.PLAIN and not fleet.energy.customers.is_net[row]
    if state is ReadingState.ACTUAL and (not is_plain or row % SAMPLE_EVERY == 0):
        _price(verdict, fleet, block, k, row, bill, rates[bill.rate_code], columns)


def _price(
    verdict: Verdict, fleet: Fleet, block: Block, k: int, row: int, bill: Bill, schedule: RateSchedule, columns: slice
) -> None:
    usage = Usage(fleet.energy.grid.start_s[columns], block.used_wh[k, columns], 900, None, block.sent_wh[k, columns])
    found = determinants_by_hand(schedule, usage, bill.span, fleet.energy.zone, bill.terms)
    total = rate(schedule, found, bill.terms, bill.carried_in).total
    verdict.priced += 1
    if bill.total != total:
        verdict.note(f"customer {row}, {bill.span.first}: billed {bill.total} where the rate sheet says {total}")


def _columns(fleet: Fleet, bill: Bill) -> slice:
    edge_s = fleet.energy.grid.edge_s
    at = [int(local_midnight(d, fleet.energy.zone).timestamp()) for d in (bill.span.first, bill.span.end)]
    lo, hi = np.searchsorted(edge_s, at).tolist()
    return slice(lo, hi)


def late(fleet: Fleet, bills: Sequence[Bill], *, days: int = 3) -> list[int]:
    """Return customers whose cycle was not billed within so many days of the scheduled read."""
    issued: dict[tuple[UUID, date], Bill] = {}
    for bill in sorted(bills, key=lambda b: b.span.end):
        if bill.state is BillState.ISSUED and bill.cycle is not None:
            issued[bill.service_point_id, bill.cycle.read_on] = bill
    read_days, groups = fleet.energy.customers.read_days, fleet.energy.customers.bill_group
    return [
        row
        for row, place in enumerate(fleet.places)
        if not _in_time(fleet, row, issued.get((place, read_days[int(groups[row])][1])), days)
    ]


def _in_time(fleet: Fleet, row: int, bill: Bill | None, days: int) -> bool:
    customers = fleet.energy.customers
    _, end = customers.read_days[int(customers.bill_group[row])]
    # A bill may end on the nearest read, up to two days before its read day: the rest is the next one's.
    if bill is None or bill.issued_at is None or bill.span.end < end - WINDOW:
        return False
    return (bill.issued_at.astimezone(fleet.energy.zone).date() - end).days <= days
