"""Judge bills against the truth: energy of every bill, money of a sample, by the engine that reads like a sheet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np

from openami.app.bench.cycle.filling import Fleet, blocks_ahead
from openami.app.bench.cycle.telling import Progress
from openami.billing.api import Bill, ReadingState
from openami.billing.ports import BillBook
from openami.billing.rating import Usage, rate
from openami.billing.rating.reference import determinants_by_hand
from openami.billing.tariff.model import RateSchedule
from openami.kernel.time import local_midnight
from openami.mdm.api import READ_WINDOW_BEFORE as WINDOW
from openami.sim.billing.customers import Fate
from openami.sim.billing.energy import Block

SAMPLE_EVERY = 50
"""Of plain customers every fiftieth bill is priced again; of all others every one, up to a number."""
PRICED_OF_A_FATE = 100
"""So many bills of each fate, with and without net metering, tell what the rate does of them."""


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
        issued: bills.
        late: customers whose cycle was not billed in time.
        priced_of: bills priced again, by fate and whether net metered.
    """

    bills: int = 0
    estimated: int = 0
    priced: int = 0
    wrong: list[str] = field(default_factory=list)
    truth_wh: int = 0
    billed_wh: int = 0
    by_state: Counter[str] = field(default_factory=Counter)
    issued: int = 0
    late: list[int] = field(default_factory=list)
    priced_of: Counter[tuple[int, bool]] = field(default_factory=Counter)

    def note(self, words: str) -> None:
        """Keep what is wrong, the first hundred of it."""
        if len(self.wrong) < 100:
            self.wrong.append(words)


async def judged(
    fleet: Fleet, book: BillBook, rates: Mapping[str, RateSchedule], progress: Progress, *, days: int = 3
) -> Verdict:
    """Compare every issued bill with what its customer really used, some customers at a time.

    Args:
        fleet: the customers.
        book: what they were billed.
        rates: by code.
        progress: told how far it is.
        days: after the scheduled read within which a cycle is to be billed.
    """
    verdict, first, end = Verdict(), fleet.energy.customers.first_day, fleet.energy.customers.last_day
    async for block in blocks_ahead(fleet.energy):
        rows = block.rows.tolist()
        bills = await book.issued(first, end, service_points=[fleet.places[r] for r in rows])
        by_place: dict[UUID, list[Bill]] = {}
        for bill in sorted(bills, key=lambda b: b.span):
            by_place.setdefault(bill.service_point_id, []).append(bill)
        for k, row in enumerate(rows):
            own = by_place.get(fleet.places[row], [])
            verdict.issued += len(own)
            if not _in_time(fleet, row, own, days):
                verdict.late.append(row)
            for bill in own:
                _judge(verdict, fleet, block, k, row, bill, rates)
        progress.part("judging", rows[-1] + 1, fleet.energy.customers.count)
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
    if state is ReadingState.ACTUAL and _is_sample(verdict, fleet, row):
        _price(verdict, fleet, block, k, row, bill, rates[bill.rate_code], columns)


def _is_sample(verdict: Verdict, fleet: Fleet, row: int) -> bool:
    key = int(fleet.energy.customers.fate[row]), bool(fleet.energy.customers.is_net[row])
    if key == (Fate.PLAIN, False):
        return row % SAMPLE_EVERY == 0
    verdict.priced_of[key] += 1
    return verdict.priced_of[key] <= PRICED_OF_A_FATE


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


def _in_time(fleet: Fleet, row: int, bills: Sequence[Bill], days: int) -> bool:
    """Tell whether a customer's cycle was billed within so many days of the scheduled read."""
    customers = fleet.energy.customers
    _, end = customers.read_days[int(customers.bill_group[row])]
    own = [b for b in bills if b.cycle is not None and b.cycle.read_on == end]
    # A bill may end on the nearest read, up to two days before its read day: the rest is the next one's.
    if not own or own[-1].issued_at is None or own[-1].span.end < end - WINDOW:
        return False
    return (own[-1].issued_at.astimezone(fleet.energy.zone).date() - end).days <= days
