"""Makes bills again on the one road on which bills are made, each opening on what the bill before it hands over now.

A bill's credits, peaks and remainders come from the bill before. Where that one is made again too, its new hand-over
counts: bills of one agreement are made in the order of their days, those of different agreements together. It opens on
the read on which the bill before closed, and closes on the one on which the bill after opened, unless that bill is made
again as well. Where the rate changes within its days now, parts take its place, and where two parts are one again, one
bill takes the place of both. What would only be held for a person to look at is made all the same, and says why: a
person decides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import zip_longest
from uuid import UUID

from openami.billing.bill.hold import RELEASABLE, HoldCode
from openami.billing.bill.make import Making, held_bill
from openami.billing.bill.making import bills_of
from openami.billing.bill.order import BillOrder
from openami.billing.bill.record import Assignment, Bill
from openami.billing.correction.hearing import heard_orders
from openami.billing.correction.moves import stopped_on, unknown_stop
from openami.billing.correction.neighbors import Neighbors
from openami.billing.correction.orders import Around, PieceKey, ends_of, key_of, order_of
from openami.billing.correction.pieces import Piece, pieces_of, units_of
from openami.billing.correction.ports import CorrectionBook, Settling
from openami.billing.correction.remade import Remade
from openami.billing.cycle.due import holdings_of
from openami.billing.cycle.terms import Standing, own_facts
from openami.billing.jurisdiction import Jurisdiction
from openami.billing.ports import BillBook
from openami.billing.rating.terms import BillTerms
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

    async def again(self, bills: Sequence[Bill], *, now: datetime) -> Mapping[UUID, Remade]:
        """See the port."""
        if not bills:
            return {}
        places = {b.service_point_id for b in bills}
        served, gone = await self._as_long_as_served(bills, now)
        assigned = await self._assigned(places)
        in_force = await self.book.bills_of(places)
        units = units_of(served, in_force, assigned)
        olds = {b.bill_id: b for some in units.values() for unit in some for b in unit}
        chains = {place: pieces_of(some, assigned.get(place, ())) for place, some in units.items()}
        around = Around(
            Neighbors.of(in_force), set(olds), await self._terms([p for chain in chains.values() for p in chain]),
            await self.book.versions(places),
        )  # fmt: skip
        settled = {} if self.settling is None else await self.settling.of(list(olds.values()))
        made: dict[PieceKey, Bill] = {}
        closed: dict[tuple[UUID, date], Bill] = {}
        for wave in zip_longest(*chains.values()):
            part = [p for p in wave if p is not None]
            orders = {key_of(p): order_of(p, around, closed, ends_of(p, olds, settled)) for p in part}
            found = await self._wave(part, orders, now)
            closed |= {(b.service_point_id, b.span.end): b for b in found.values()}
            made |= found
        kept = {b.bill_id: b for b in [*in_force, *bills]}
        return gone | _remade(chains, made, kept)

    async def _as_long_as_served(self, bills: Sequence[Bill], now: datetime) -> tuple[list[Bill], dict[UUID, Remade]]:
        """Return bills that end where their account's service did, and holds of those that lie wholly after it."""
        zones = {b.service_point_id: b.zone for b in bills}
        holdings = await holdings_of(self.meters, zones, set(zones))
        kept, gone = [], {}
        for bill in bills:
            stop = unknown_stop(bill, holdings.get(bill.service_point_id, ()))
            if stop is None or stop > bill.span.first:
                kept.append(bill if stop is None else stopped_on(bill, stop))
            else:
                words = f"its account's service ended on {stop}: nothing of this bill is that account's"
                order = BillOrder(bill.service_point_id, bill.span)
                held = held_bill(self._nameless(bill, now), order, HoldCode.BILLED_ALREADY, words)
                gone[bill.bill_id] = Remade(bill, (held,), (bill.bill_id,), (held,))
        return kept, gone

    def _nameless(self, bill: Bill, now: datetime) -> Making:
        schedule = RateSchedule(bill.rate_code, bill.rate_name, "", bill.currency, ())
        return Making(schedule, zone_named(bill.zone), now, self.rules)

    async def _wave(
        self, pieces: Sequence[Piece], orders: Mapping[PieceKey, BillOrder], now: datetime
    ) -> dict[PieceKey, Bill]:
        """Make pieces of different places, by rate and zone."""
        groups: dict[tuple[str, str], list[Piece]] = defaultdict(list)
        made: dict[PieceKey, Bill] = {}
        for piece in pieces:
            schedule = self.rates.get(piece.code)
            if schedule is None:
                hold, words = HoldCode.UNKNOWN_RATE, f"the rate {piece.code} is not known"
                if not piece.code:
                    hold = HoldCode.NO_RATE
                    words = f"no rate is entered from {piece.span.first} to {piece.span.last} now"
                made[key_of(piece)] = held_bill(self._nameless(piece.old, now), orders[key_of(piece)], hold, words)
            else:
                groups[schedule.code, piece.old.zone].append(piece)
        for (code, zone), group in groups.items():
            making = Making(self.rates[code], zone_named(zone), now, self.rules, self.rates)
            heard, deaf = await heard_orders(self.bills.signals, making, [(p, orders[key_of(p)]) for p in group])
            made |= {key_of(p): bill for p, bill in deaf}
            group, mine = [p for p, _ in heard], [o for _, o in heard]  # noqa: PLW2901
            found = await bills_of(self.meters, making, mine)
            made |= {key_of(p): new for p, new in zip(group, found, strict=True)}
            made |= await self._passed(making, group, mine, found)
        return made

    async def _passed(
        self, making: Making, group: Sequence[Piece], orders: Sequence[BillOrder], found: Sequence[Bill]
    ) -> dict[PieceKey, Bill]:
        """Make bills that a person may let pass, saying why they would be held: whoever decides has seen it."""
        done: dict[PieceKey, Bill] = {}
        waiting = list(zip(group, orders, found, strict=True))
        while waiting:
            held = [
                (piece, replace(order, passes={**order.passes, new.hold.code: new.hold.reason}))
                for piece, order, new in waiting
                if new.hold is not None and new.hold.code in RELEASABLE and not order.has_passed(new.hold.code)
            ]
            # Behind one reason there may be another; each is passed once.
            made = await bills_of(self.meters, making, [order for _, order in held]) if held else []
            waiting = [(piece, order, new) for (piece, order), new in zip(held, made, strict=True)]
            done |= {key_of(piece): new for piece, _, new in waiting}
        return done

    async def _terms(self, pieces: Sequence[Piece]) -> dict[PieceKey, BillTerms]:
        """Return what rates ask beside intervals, as it is known now, by piece."""
        own = await own_facts(self.meters, {p.old.service_point_id: p.old.zone for p in pieces}, self.standing)
        found: dict[PieceKey, BillTerms] = {}
        for piece in pieces:
            old = piece.old
            month = None if old.cycle is None else old.cycle.revenue_month
            is_final = piece.is_last and piece.ends_service
            terms = own[old.service_point_id].terms(piece.span, month, is_final=is_final)
            found[key_of(piece)] = replace(terms, part_of=piece.part_of)
        return found

    async def _assigned(self, places: set[UUID]) -> dict[UUID, list[Assignment]]:
        found: dict[UUID, list[Assignment]] = defaultdict(list)
        for row in await self.bills.assignments(places):
            found[row.service_point_id].append(row)
        return found


def _remade(
    chains: Mapping[UUID, Sequence[Piece]], made: Mapping[PieceKey, Bill], kept: Mapping[UUID, Bill]
) -> dict[UUID, Remade]:
    """Return what becomes of each bill of each unit."""
    found: dict[UUID, Remade] = {}
    for chain in chains.values():
        whole: dict[tuple[UUID, ...], list[tuple[Piece, Bill]]] = defaultdict(list)
        for piece in chain:
            whole[piece.unit].append((piece, made[key_of(piece)]))
        for unit, some in whole.items():
            bills = tuple(new for _, new in some)
            for bill_id in unit:
                own = tuple(new for piece, new in some if piece.old.bill_id == bill_id)
                found[bill_id] = Remade(kept[bill_id], own, unit, bills)
    return found
