"""A stop that was entered late: what becomes of the bills before it, of their parts, and of the reads beside them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from tests.unit.billing.ledger.bills import POINT, bill, line

from openami.billing.bill.record import Bill, BillKind
from openami.billing.correction.compared import other_cause
from openami.billing.correction.moves import stopped_on, unknown_stop
from openami.billing.correction.neighbors import Neighbors
from openami.billing.correction.orders import Around, Ends, ends_of, key_of, order_of
from openami.billing.correction.pieces import pieces_of
from openami.billing.correction.ports import Settled
from openami.billing.correction.remade import Remade
from openami.billing.cycle.place import Holding
from openami.billing.rating.carried import BankedCredit, Carried
from openami.billing.rating.terms import BillTerms, PartOf
from openami.billing.rating.usage import BillSpan
from openami.contracts.channel import Channel
from openami.kernel.time import local_midnight, zone_named
from openami.mdm.api import EndOfRead, ReadKind, ReadPiece

ANNE, BEN = UUID(int=11), UUID(int=12)
OCTOBER, NOVEMBER, MIDDLE, STOP = (date(2026, *d) for d in ((10, 1), (11, 1), (10, 11), (10, 21)))
PERIOD = BillSpan(OCTOBER, NOVEMBER)


def part(first: date, end: date, *, of: BillSpan | None = PERIOD) -> Bill:
    made = bill([line("energy", "40.00")], first=first, days=(end - first).days)
    part_of = None if of is None or of == made.span else PartOf(of)
    return replace(made, account_id=ANNE, terms=BillTerms(part_of=part_of))


def held_until(*ends: date | None) -> list[Holding]:
    return [Holding(ANNE, date(2026, 1, 1), end) for end in ends]


@pytest.mark.parametrize(
    ("span", "stop", "told"),
    [
        (PERIOD, None, None),
        (PERIOD, date(2026, 12, 1), None),
        (PERIOD, STOP, STOP),
        (PERIOD, NOVEMBER, NOVEMBER),
        (PERIOD, date(2026, 9, 20), date(2026, 9, 20)),
        (BillSpan(OCTOBER, MIDDLE), STOP, STOP),
        (BillSpan(OCTOBER, MIDDLE), NOVEMBER, None),
    ],
    ids=["it runs", "it stops later", "within the bill", "on its end", "before it", "within the period of a part",
         "where the period of a part ends"],
)  # fmt: skip
def test_a_bill_that_did_not_know_of_a_stop_is_found(span: BillSpan, stop: date | None, told: date | None) -> None:
    made = part(span.first, span.end)
    assert unknown_stop(made, held_until(stop)) == told
    assert unknown_stop(replace(made, account_id=BEN), held_until(stop)) is None
    if told is not None and told > made.span.first:
        mended = stopped_on(made, told)
        assert unknown_stop(mended, held_until(stop)) is None, "and once mended it is found no more"


def test_an_earlier_part_of_a_period_that_was_cut_short_is_told_of_the_days_that_it_has_now() -> None:
    early = part(OCTOBER, MIDDLE)
    (piece,) = pieces_of([[stopped_on(early, STOP)]], [])
    assert piece.span == early.span
    assert piece.part_of == PartOf(BillSpan(OCTOBER, STOP), ends_service=True)
    again = replace(early, terms=BillTerms(part_of=piece.part_of))
    cause = other_cause(Remade(early, (again,), (early.bill_id,), (again,)))
    assert cause is not None
    assert cause.name == "registry:stop/2026-10-21"


def test_a_stop_on_the_very_end_of_a_bill_makes_it_the_last_one() -> None:
    old = part(OCTOBER, NOVEMBER)
    mended = stopped_on(old, NOVEMBER)
    assert (mended.span, mended.kind) == (old.span, BillKind.FINAL)
    again = replace(old, kind=BillKind.CORRECTED, terms=BillTerms(is_final=True))
    cause = other_cause(Remade(old, (again,), (old.bill_id,), (again,)))
    assert cause is not None
    assert cause.name == "registry:stop/2026-11-01"
    assert other_cause(Remade(again, (again,), (old.bill_id,), (again,))) is None


def reading(made: Bill, begin: int, end: int) -> Bill:
    """Return a bill with its reads; none of them was taken at its own midnight."""
    begins, ends = (datetime(d.year, d.month, d.day, 5, tzinfo=UTC) for d in (made.span.first, made.span.end))
    ends_of = EndOfRead(begins, begin, ReadKind.ESTIMATED), EndOfRead(ends, end, ReadKind.ESTIMATED)
    return replace(made, reads=(ReadPiece(POINT, "S-1", Channel.DELIVERED, *ends_of, 1, None),))


def test_a_bill_made_again_meets_the_reads_of_whoever_was_there_before_and_after_and_none_of_their_credits() -> None:
    credit = Carried(bank=(BankedCredit(OCTOBER, MIDDLE, wh=4_000),))
    before = replace(reading(part(OCTOBER, MIDDLE, of=None), 1_000, 2_000), carried_out=credit, estimates_in_a_row=2)
    mine = replace(reading(part(MIDDLE, STOP, of=None), 2_000, 3_000), account_id=BEN)
    after = reading(part(STOP, NOVEMBER, of=None), 3_000, 4_000)
    (piece,) = pieces_of([[mine]], [])
    around = Around(Neighbors.of([before, mine, after]), {mine.bill_id}, {key_of(piece): BillTerms()}, {})
    order = order_of(piece, around, {}, Ends())
    key = "S-1", Channel.DELIVERED
    assert (order.opens_on[key].value, order.closes_on[key].value) == (2_000, 3_000)
    assert (order.carried, order.estimates_before) == (Carried(), 0)


def test_one_bill_in_place_of_two_parts_closes_where_the_bill_behind_them_opens() -> None:
    early, late = part(OCTOBER, MIDDLE), reading(part(MIDDLE, NOVEMBER), 2_000, 3_000)
    after = reading(part(NOVEMBER, date(2026, 12, 1), of=None), 3_000, 4_000)
    (piece,) = pieces_of([[early, late]], [])
    around = Around(Neighbors.of([early, late, after]), {early.bill_id, late.bill_id}, {key_of(piece): BillTerms()}, {})
    order = order_of(piece, around, {}, Ends())
    assert order.span == PERIOD
    assert order.closes_on["S-1", Channel.DELIVERED].value == 3_000


def test_a_bill_that_ends_earlier_now_ends_on_no_read_of_its_old_end_but_on_its_share_of_the_days() -> None:
    zone = zone_named("America/Chicago")
    opens, closes = (local_midnight(d, zone) for d in (OCTOBER, NOVEMBER))
    reads = EndOfRead(opens, 1_000, ReadKind.APPORTIONED), EndOfRead(closes, 2_000, ReadKind.ESTIMATED)
    old = replace(part(OCTOBER, NOVEMBER), reads=(ReadPiece(POINT, "S-1", Channel.DELIVERED, *reads, 1, None),))
    by_register = replace(old, day_versions=(0,) * 31)
    key, actual = ("S-1", Channel.DELIVERED), EndOfRead(closes, 4_100, ReadKind.APPORTIONED)
    settled = {old.bill_id: Settled({}, {key: actual}, actual)}

    def ends(made: Bill, stop: date | None) -> Ends:
        now = made if stop is None else stopped_on(made, stop)
        (piece,) = pieces_of([[now]], [])
        return ends_of(piece, {made.bill_id: now}, settled)

    whole = ends(by_register, None)
    assert (whole.kept_opens, whole.closes_on, whole.closes_about) == ({key: reads[0]}, {key: actual}, {})
    short = ends(by_register, STOP)
    # 3,100 counts in 31 days, of which 20 are left.
    assert (short.closes_on, short.closes_about[key].value) == ({}, 3_000)
    assert short.closes_about[key].kind is ReadKind.APPORTIONED
    measured = ends(old, STOP)
    assert (measured.closes_on, measured.closes_about) == ({}, {}), "its own intervals say more than days"
