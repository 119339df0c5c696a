"""Makes bills again on the one road on which bills are made, each opening on what the bill before it hands over now.

A bill's credits, peaks and remainders come from the bill before. Where that one is made again too, its new hand-over
counts: bills of one agreement are made in the order of their days, those of different agreements together. It opens on
the read on which the bill before closed, and closes on the one on which the bill after opened, unless that bill is made
again as well. What would only be held for a person to look at is made all the same, and says why: a person decides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import zip_longest
from uuid import UUID

from openami.billing.bill.hold import RELEASABLE, HoldCode
from openami.billing.bill.make import Making, held_bill
from openami.billing.bill.making import bills_of
from openami.billing.bill.order import BillOrder
from openami.billing.bill.readings import closing_reads, opening_reads
from openami.billing.bill.record import Assignment, Bill, BillKind, BillState
from openami.billing.correction.moves import shortened
from openami.billing.correction.neighbors import Neighbors
from openami.billing.correction.ports import CorrectionBook, Settling
from openami.billing.correction.true_up import on_settled
from openami.billing.cycle.due import holdings_of
from openami.billing.cycle.terms import Standing, own_facts
from openami.billing.jurisdiction import Jurisdiction
from openami.billing.ports import BillBook
from openami.billing.rating.terms import BillTerms
from openami.billing.rating.usage import BillSpan
from openami.billing.tariff.model import RateSchedule
from openami.kernel.time import zone_named
from openami.mdm.api import MeterData


@dataclass(frozen=True, slots=True)
class RoadRemaker:
    """Implements :class:`~openami.billing.correction.ports.Remaker`.

    Args:
        meters: validated days and reads.
        bills: assignments of rates.
        book: bills in force.
        rates: by code, opened twins too.
        rules: of the jurisdiction.
        standing: what holds of every place.
        settling: which estimated ends an actual read settles; None where none is asked for.
    """

    meters: MeterData
    bills: BillBook
    book: CorrectionBook
    rates: Mapping[str, RateSchedule]
    rules: Jurisdiction
    standing: Standing = field(default_factory=Standing)
    settling: Settling | None = None

    async def again(self, bills: Sequence[Bill], *, now: datetime) -> Mapping[UUID, Bill]:
        """See the port."""
        if not bills:
            return {}
        bills, gone = await self._as_long_as_served(bills, now)
        terms = await self._terms(bills)
        assigned = await self._assigned(bills)
        around = Neighbors.of(await self.book.bills_of({b.service_point_id for b in bills}))
        settled = {} if self.settling is None else await self.settling.of(bills)
        chains: dict[UUID, list[Bill]] = defaultdict(list)
        for bill in sorted(bills, key=lambda b: b.span):
            chains[bill.service_point_id].append(bill)
        made: dict[UUID, Bill] = {}
        for wave in zip_longest(*chains.values()):
            part = [b for b in wave if b is not None]
            orders = {
                b.bill_id: on_settled(_order(b, terms[b.bill_id], around, made, set(terms)), settled.get(b.bill_id))
                for b in part
            }
            made |= await self._wave(part, orders, assigned, now)
        return made | gone

    async def _as_long_as_served(self, bills: Sequence[Bill], now: datetime) -> tuple[list[Bill], dict[UUID, Bill]]:
        """Return bills that end where their account's service did, and holds of those that lie wholly after it."""
        zones = {b.service_point_id: b.zone for b in bills}
        ends = shortened(bills, await holdings_of(self.meters, zones, set(zones)))
        kept, gone = [], {}
        for bill in bills:
            end = ends.get(bill.bill_id, bill.span.end)
            if end > bill.span.first:
                kind = bill.kind if bill.bill_id not in ends else BillKind.FINAL
                kept.append(replace(bill, span=BillSpan(bill.span.first, end), kind=kind))
            else:
                nameless = RateSchedule(bill.rate_code, bill.rate_name, "", bill.currency, ())
                making = Making(nameless, zone_named(bill.zone), now, self.rules)
                words = f"its account's service ended on {end}: nothing of this bill is that account's"
                gone[bill.bill_id] = held_bill(
                    making, BillOrder(bill.service_point_id, bill.span), HoldCode.BILLED_ALREADY, words
                )
        return kept, gone

    async def _wave(
        self,
        bills: Sequence[Bill],
        orders: Mapping[UUID, BillOrder],
        assigned: Mapping[UUID, Sequence[Assignment]],
        now: datetime,
    ) -> dict[UUID, Bill]:
        """Make bills of different places, by rate and zone."""
        groups: dict[tuple[str, str], list[Bill]] = defaultdict(list)
        made: dict[UUID, Bill] = {}
        for bill in bills:
            code = code_now(bill, assigned.get(bill.service_point_id, ()))
            schedule = self.rates.get(code or "")
            if schedule is None:
                nameless = RateSchedule(bill.rate_code, bill.rate_name, "", bill.currency, ())
                making = Making(nameless, zone_named(bill.zone), now, self.rules)
                words = f"the rate {code} is not known" if code else "the rate changes inside its days now"
                made[bill.bill_id] = held_bill(making, orders[bill.bill_id], HoldCode.UNKNOWN_RATE, words)
            else:
                groups[schedule.code, bill.zone].append(bill)
        for (code, zone), group in groups.items():
            making = Making(self.rates[code], zone_named(zone), now, self.rules, self.rates)
            mine = [orders[b.bill_id] for b in group]
            found = await bills_of(self.meters, making, mine)
            made |= {b.bill_id: new for b, new in zip(group, found, strict=True)}
            made |= await self._passed(making, group, mine, found)
        return made

    async def _passed(
        self, making: Making, group: Sequence[Bill], orders: Sequence[BillOrder], found: Sequence[Bill]
    ) -> dict[UUID, Bill]:
        """Make bills that a person may let pass, saying why they would be held: whoever decides has seen it."""
        done: dict[UUID, Bill] = {}
        waiting = list(zip(group, orders, found, strict=True))
        while waiting:
            held = [
                (bill, replace(order, passes={**order.passes, new.hold.code: new.hold.reason}))
                for bill, order, new in waiting
                if new.hold is not None and new.hold.code in RELEASABLE and not order.has_passed(new.hold.code)
            ]
            # Behind one reason there may be another; each is passed once.
            made = await bills_of(self.meters, making, [order for _, order in held]) if held else []
            waiting = [(bill, order, new) for (bill, order), new in zip(held, made, strict=True)]
            done |= {bill.bill_id: new for bill, _, new in waiting}
        return done

    async def _terms(self, bills: Sequence[Bill]) -> dict[UUID, BillTerms]:
        """Return what rates ask beside intervals, as it is known now, by bill."""
        own = await own_facts(self.meters, {b.service_point_id: b.zone for b in bills}, self.standing)
        found: dict[UUID, BillTerms] = {}
        for bill in bills:
            month = None if bill.cycle is None else bill.cycle.revenue_month
            # A corrected bill has another kind; that it was the account's last stays with its terms.
            is_final = bill.kind is BillKind.FINAL or bill.terms.is_final
            terms = own[bill.service_point_id].terms(bill.span, month, is_final=is_final)
            part = bill.terms.part_of
            part = None if part is None else part.within(bill.span, is_final=is_final)
            found[bill.bill_id] = replace(terms, part_of=part)
        return found

    async def _assigned(self, bills: Sequence[Bill]) -> dict[UUID, list[Assignment]]:
        found: dict[UUID, list[Assignment]] = defaultdict(list)
        for row in await self.bills.assignments({b.service_point_id for b in bills}):
            found[row.service_point_id].append(row)
        return found


def code_now(bill: Bill, assigned: Sequence[Assignment]) -> str | None:
    """Return the rate that a bill's days are on now: its own where nothing else is entered; None for two rates.

    Args:
        bill: in force.
        assigned: of its place.
    """
    span = bill.span
    over = [a for a in assigned if a.first_day < span.end and (a.end_day is None or a.end_day > span.first)]
    codes = {a.rate_code for a in over}
    if not codes:
        return bill.rate_code
    return codes.pop() if len(codes) == 1 else None


def _order(
    bill: Bill, terms: BillTerms, around: Neighbors, made: Mapping[UUID, Bill], again: Collection[UUID]
) -> BillOrder:
    """Return what is asked for: where the bill before was made again, it opens on that one."""
    before, after = around.before(bill), around.after(bill)
    fresh = None if before is None else made.get(before.bill_id)
    if fresh is not None and fresh.state is BillState.ISSUED:
        before = fresh
    return BillOrder(
        bill.service_point_id, bill.span, kind=BillKind.CORRECTED, account_id=bill.account_id, cycle=bill.cycle,
        terms=terms, carried=bill.carried_in if before is None else before.carried_out,
        opens_on={} if before is None else closing_reads(before.reads),
        closes_on={} if after is None or after.bill_id in again else opening_reads(after.reads),
        estimates_before=0 if before is None else before.estimates_in_a_row,
        version=bill.version + 1, supersedes=bill.bill_id, released=bill.released,
    )  # fmt: skip
