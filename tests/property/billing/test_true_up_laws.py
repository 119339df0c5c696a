"""Laws of the true-up: what a register counted between two actual reads is charged, to the Wh and to the cent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.base_rates import base_rates

from openami.billing.bill.make import Making
from openami.billing.bill.order import BillOrder, MeterReads
from openami.billing.bill.readings import closing_reads
from openami.billing.bill.record import Bill, ReadingState
from openami.billing.bill.register_bill import register_bill
from openami.billing.bill.true_up import Weighed, settled_reads
from openami.billing.correction.true_up import runs_of
from openami.billing.jurisdiction import shipped_jurisdiction
from openami.billing.rating.usage import BillSpan
from openami.contracts.channel import Channel
from openami.kernel.time import local_midnight
from openami.mdm.api import EndOfRead, ReadKind, ReadPiece

ZONE = ZoneInfo("America/Chicago")
POINT, METER = UUID(int=1), "S-1"
KEY = METER, Channel.DELIVERED
MAKING = Making(
    base_rates()["ameren-mo-anytime"], ZONE, datetime(2027, 1, 5, tzinfo=UTC), shipped_jurisdiction()
)  # fmt: skip
FIRSTS = [date(2026, 8, 1), date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1), date(2026, 12, 1)]


def read(day: date, value: int, kind: ReadKind = ReadKind.SCHEDULED) -> EndOfRead:
    return EndOfRead(local_midnight(day, ZONE), value, kind)


def piece(begin: EndOfRead, end: EndOfRead, capacity: int | None = None) -> ReadPiece:
    return ReadPiece(POINT, METER, Channel.DELIVERED, begin, end, 1, capacity)


def billed(begin: EndOfRead, end: EndOfRead, days: tuple[date, date], opens_on: MeterReads) -> Bill:
    order = BillOrder(POINT, BillSpan(*days), opens_on=opens_on)
    bill = register_bill(MAKING, order, [piece(begin, end)])
    assert bill.total is not None, bill.hold_reason
    return bill


def chain(ends: list[EndOfRead]) -> list[Bill]:
    """Return bills that open where the one before closed."""
    found: list[Bill] = []
    for n, (begin, end) in enumerate(pairwise(ends)):
        opens = closing_reads(found[-1].reads) if found else {}
        found.append(billed(begin, end, (FIRSTS[n], FIRSTS[n + 1]), opens))
    return found


def since_september(ends: Sequence[EndOfRead]) -> list[Bill]:
    return [billed(a, b, (FIRSTS[n], FIRSTS[n + 1]), {KEY: a}) for n, (a, b) in enumerate(pairwise(ends), 1)]


def trued(estimates: list[Bill], actual: EndOfRead, *, by_days: bool = False) -> list[EndOfRead]:
    """Return the ends of the periods between two actual reads once the second is there."""
    run = [Weighed(b.reads[0], 0 if by_days else b.usage_wh or 0) for b in estimates]
    settled = settled_reads(run, [actual], ZONE)
    return [estimates[0].reads[0].begin, *(settled[b.reads[0].end.at] for b in estimates), actual]


def total(bills: list[Bill]) -> Decimal:
    return sum((b.total or Decimal(0) for b in bills), Decimal(0))


def test_a_block_and_a_season_edge_come_out_as_if_the_periods_had_been_billed_actual() -> None:
    """Hand-calculated: September and October estimated at 600 kWh each, then 2,730 kWh read for 91 days, by days.

    30 a day: September 900 kWh at 15.60 cents, $140.40; October 930: 750 at 10.62 and 180 at 7.14, $79.65 + $12.85;
    November 900: $79.65 + $10.71. Each has $9.19 of charges. Estimated were $93.60 and $63.72, each with $9.19.
    """
    guesses = [(2, 5_600_000), (3, 6_200_000)]
    ends = [read(FIRSTS[1], 5_000_000), *(read(FIRSTS[n], v, ReadKind.ESTIMATED) for n, v in guesses)]
    estimates = since_september(ends)
    assert [b.total for b in estimates] == [Decimal("102.79"), Decimal("72.91")]
    settled = trued(estimates, read(FIRSTS[4], 7_730_000), by_days=True)
    assert [e.value for e in settled] == [5_000_000, 5_900_000, 6_830_000, 7_730_000]
    made = since_september(settled)
    assert [b.total for b in made] == [Decimal("149.59"), Decimal("101.69"), Decimal("99.55")]
    # As if somebody had read them: the same lines at the same prices, and only the kind of the read differs.
    as_read = [replace(e, kind=ReadKind.SCHEDULED) for e in settled]
    same = since_september(as_read)
    assert [b.lines for b in made] == [b.lines for b in same]
    assert {b.reading_state for b in made} == {ReadingState.ESTIMATED_INTERVALS}
    assert {b.reading_state for b in same} == {ReadingState.ACTUAL}


@given(
    guessed=st.lists(st.integers(0, 2_500_000), min_size=1, max_size=3),
    advanced=st.integers(0, 9_000_000),
    by_days=st.booleans(),
)
def test_estimated_bills_and_the_true_up_are_the_bills_of_the_apportioned_reads(
    guessed: list[int], advanced: int, by_days: bool
) -> None:
    start = 1_000_000
    ends = [read(FIRSTS[0], start)]
    for n, wh in enumerate(guessed, 1):
        ends.append(read(FIRSTS[n], (ends[-1].value or 0) + wh, ReadKind.ESTIMATED))
    estimates = chain(ends)
    actual = read(FIRSTS[len(guessed) + 1], start + advanced)
    made = chain(trued(estimates, actual, by_days=by_days))
    assert sum(b.usage_wh or 0 for b in made) == advanced, "every Wh that the register counted, and no other"
    assert all((b.usage_wh or 0) >= 0 for b in made)
    true_up = sum((n.total or Decimal(0)) - (o.total or Decimal(0)) for n, o in zip(made, estimates, strict=False))
    assert total(estimates) + true_up + (made[-1].total or 0) == total(made)


@given(advanced=st.integers(0, 999_999), start=st.integers(0, 999_999))
def test_a_register_that_rolled_over_is_shared_out_through_its_edge(advanced: int, start: int) -> None:
    capacity = 1_000_000
    run = [
        Weighed(piece(read(FIRSTS[0], start), read(FIRSTS[1], 0, ReadKind.ESTIMATED), capacity), 1),
        Weighed(piece(read(FIRSTS[1], 0, ReadKind.ESTIMATED), read(FIRSTS[2], 0, ReadKind.ESTIMATED), capacity), 1),
    ]
    settled = settled_reads(run, [read(FIRSTS[3], (start + advanced) % capacity)], ZONE)
    values = [start, *(settled[local_midnight(d, ZONE)].value or 0 for d in FIRSTS[1:3]), (start + advanced) % capacity]
    assert sum((b - a) % capacity for a, b in pairwise(values)) == advanced


RUN = [
    Weighed(piece(read(FIRSTS[2], 0), read(FIRSTS[3], 310_000, ReadKind.ESTIMATED)), 310_000),
    Weighed(piece(read(FIRSTS[3], 310_000, ReadKind.ESTIMATED), read(FIRSTS[4], 910_000, ReadKind.ESTIMATED)), 600_000),
]


@pytest.mark.parametrize(
    ("run", "actual", "expected"),
    [
        (RUN, [], []),
        (RUN, [read(FIRSTS[3], 400_000)], [(400_000, ReadKind.SCHEDULED)]),
        (
            RUN,
            [read(date(2026, 12, 11), 2_220_000)],
            [(620_000, ReadKind.APPORTIONED), (1_820_000, ReadKind.APPORTIONED)],
        ),
        (
            [replace(w, weight=0) for w in RUN],
            [read(date(2026, 12, 11), 71_000)],
            [(31_000, ReadKind.APPORTIONED), (61_000, ReadKind.APPORTIONED)],
        ),
        (
            [replace(w, weight=w.weight + 5, is_measured=True) for w in RUN],
            [read(date(2026, 12, 11), 2_000_000)],
            [(310_005, ReadKind.APPORTIONED), (910_010, ReadKind.APPORTIONED)],
        ),
        (
            RUN,
            [read(date(2026, 11, 16), 620_000, ReadKind.MANUAL), read(date(2026, 12, 6), 1_000_000)],
            [(315_081, ReadKind.APPORTIONED), (905_000, ReadKind.APPORTIONED)],
        ),
        (RUN, [read(date(2026, 12, 11), -5)], []),
    ],
    ids=[
        "nothing behind them", "a late read of an end itself", "the shape of the estimate, ten days into the next",
        "every day alike, through the change of clocks", "intervals that came later",
        "a read within an estimated period", "a register that went back",
    ],
)  # fmt: skip
def test_reads_between_two_actual_ones(
    run: list[Weighed], actual: list[EndOfRead], expected: list[tuple[int, ReadKind]]
) -> None:
    found = settled_reads(run, actual, ZONE)
    assert [(found[at].value, found[at].kind) for at in sorted(found)] == expected
    assert all(at == e.at for at, e in found.items())


def test_a_bill_made_while_the_one_before_it_was_settled_is_settled_on_the_read_that_one_closes_on() -> None:
    """Estimated at 600 kWh, settled at 550: the bill behind it opened on the estimate, and 50 kWh were on no bill."""
    settled = billed(
        read(FIRSTS[0], 5_000_000), read(FIRSTS[1], 5_550_000, ReadKind.APPORTIONED), (FIRSTS[0], FIRSTS[1]), {}
    )
    begin, end = read(FIRSTS[1], 5_600_000, ReadKind.ESTIMATED), read(FIRSTS[2], 6_200_000)
    behind = billed(begin, end, (FIRSTS[1], FIRSTS[2]), {})
    ((run,),) = runs_of([settled, behind], Channel.DELIVERED).values()
    found = settled_reads([Weighed(p, p.usage_wh or 0) for _, p in run], [], ZONE)
    assert found == {begin.at: settled.reads[0].end}


def test_a_true_up_that_waited_until_the_next_bill_was_out_shares_out_as_it_would_have_before() -> None:
    """Estimated at 100 and 200 kWh, then 900 read: the bill that closed on them opened on the estimate."""
    ends = [
        read(FIRSTS[0], 0),
        read(FIRSTS[1], 100_000, ReadKind.ESTIMATED),
        read(FIRSTS[2], 300_000, ReadKind.ESTIMATED),
    ]
    estimates = chain(ends)
    actual = read(FIRSTS[3], 900_000)
    before = settled_reads([Weighed(b.reads[0], b.usage_wh or 0) for b in estimates], [actual], ZONE)
    rest = billed(ends[2], actual, (FIRSTS[2], FIRSTS[3]), {})
    assert rest.usage_wh == 600_000
    weighed = [Weighed(b.reads[0], b.usage_wh or 0) for b in (*estimates, rest)]
    assert settled_reads(weighed, [actual], ZONE) == before
    assert [e.value for e in before.values()] != [100_000, 300_000]
