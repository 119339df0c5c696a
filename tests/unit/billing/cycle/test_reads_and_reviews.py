"""The reads that a bill prints, and what keeps a bill that could be made from going out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from openami.billing.bill.make import row_of_estimates
from openami.billing.bill.order import BillOrder
from openami.billing.bill.readings import (
    closing_reads,
    end_of_nearest,
    ends_estimated,
    printed_reads,
    reading_state,
)
from openami.billing.bill.record import ReadingState
from openami.billing.bill.register_bill import register_energy, spread
from openami.billing.bill.review import disagreement, review
from openami.billing.calendar.cycle import Cycle
from openami.billing.jurisdiction import EstimateCause, shipped_jurisdiction
from openami.billing.rating.determinant import Determinants
from openami.billing.rating.terms import BillTerms, PartOf
from openami.billing.rating.usage import BillSpan
from openami.contracts.channel import Channel
from openami.kernel.time import local_midnight
from openami.mdm.api import EndOfRead, ReadKind, ReadPiece

ZONE = ZoneInfo("America/Chicago")
POINT = UUID(int=1)
CAUSE = EstimateCause.NO_COMMUNICATION
SPAN = BillSpan(date(2026, 10, 7), date(2026, 11, 6))
PERIOD = SPAN.period(ZONE)
CYCLE = Cycle(5, date(2026, 11, 1), SPAN.end)
ORDER = BillOrder(POINT, SPAN, cycle=CYCLE, ends_from=date(2026, 11, 3))
ENERGY = {Channel.DELIVERED: 300_000, Channel.RECEIVED: 0}


def end(value: int | None, kind: ReadKind = ReadKind.SCHEDULED, at: datetime = PERIOD.end) -> EndOfRead:
    return EndOfRead(at, value, kind)


def piece(begin: EndOfRead, last: EndOfRead, *, capacity: int | None = None, multiplier: int = 1) -> ReadPiece:
    return ReadPiece(POINT, "S-1", Channel.DELIVERED, begin, last, multiplier, capacity)


BEGIN = end(1_000, at=PERIOD.start)


def test_a_missing_end_is_estimated_from_the_other_and_the_intervals() -> None:
    (found,) = printed_reads([piece(BEGIN, end(None, ReadKind.MISSING))], ORDER, ENERGY, PERIOD)
    assert (found.end.value, found.end.kind) == (301_000, ReadKind.ESTIMATED)
    assert reading_state([found], 0) is ReadingState.ESTIMATED
    (found,) = printed_reads([piece(BEGIN, end(None, ReadKind.MISSING), multiplier=40)], ORDER, ENERGY, PERIOD)
    assert found.end.value == 1_000 + 7_500
    assert found.usage_wh == 300_000


@pytest.mark.parametrize(
    ("begin", "last", "state", "is_in_a_row"),
    [
        (ReadKind.SCHEDULED, ReadKind.ESTIMATED, ReadingState.ESTIMATED, True),
        (ReadKind.ESTIMATED, ReadKind.MISSING, ReadingState.ESTIMATED, True),
        (ReadKind.ESTIMATED, ReadKind.CUSTOMER, ReadingState.ESTIMATED, False),
        (ReadKind.APPORTIONED, ReadKind.SCHEDULED, ReadingState.ESTIMATED_INTERVALS, False),
        (ReadKind.MANUAL, ReadKind.CUSTOMER, ReadingState.ACTUAL, False),
    ],
)
def test_a_bill_counts_in_a_row_only_if_it_ends_on_an_estimate(
    begin: ReadKind, last: ReadKind, state: ReadingState, is_in_a_row: bool
) -> None:
    reads = [piece(end(1_000, begin, PERIOD.start), end(301_000, last))]
    assert (reading_state(reads, 0), ends_estimated(reads)) == (state, is_in_a_row)


def test_a_read_of_another_instant_is_no_end_of_the_bill() -> None:
    near = end(290_000, ReadKind.NEAREST, PERIOD.end - timedelta(hours=20))
    (found,) = printed_reads([piece(BEGIN, near)], ORDER, ENERGY, PERIOD)
    assert (found.end.at, found.end.kind, found.usage_wh) == (PERIOD.end, ReadKind.ESTIMATED, 300_000)


def test_a_bill_opens_on_what_the_one_before_closed_on_and_closes_on_what_the_next_opened_on() -> None:
    told = closing_reads([piece(end(0), end(1_234, ReadKind.ESTIMATED, PERIOD.start))])
    (found,) = printed_reads([piece(BEGIN, end(301_000))], replace(ORDER, opens_on=told), ENERGY, PERIOD)
    assert (found.begin.value, found.begin.kind) == (1_234, ReadKind.ESTIMATED)
    told = {("S-1", Channel.DELIVERED): end(301_111, ReadKind.NEAREST)}
    (found,) = printed_reads([piece(BEGIN, end(301_000))], replace(ORDER, closes_on=told), ENERGY, PERIOD)
    assert found.end.value == 301_111


def test_an_imported_meter_without_registers_prints_none_and_is_judged_by_its_intervals() -> None:
    none = replace(piece(end(None, ReadKind.MISSING), end(None, ReadKind.MISSING)), has_register=False)
    reads = printed_reads([none], ORDER, ENERGY, PERIOD)
    assert reads == ()
    assert [reading_state(reads, n) for n in (0, 4)] == [ReadingState.ACTUAL, ReadingState.ESTIMATED_INTERVALS]


@pytest.mark.parametrize(
    ("days_before", "kind", "moves"),
    [
        (1, ReadKind.NEAREST, True),
        (2, ReadKind.NEAREST, True),
        (4, ReadKind.NEAREST, False),
        (-1, ReadKind.NEAREST, False),
        (1, ReadKind.MANUAL, False),
        (0, ReadKind.SCHEDULED, False),
    ],
)
def test_a_bill_ends_earlier_only_on_a_midnight_that_leaves_both_bills_regular(
    days_before: int, kind: ReadKind, moves: bool
) -> None:
    day = SPAN.end - timedelta(days=days_before)
    pieces = [piece(BEGIN, end(290_000, kind, local_midnight(day, ZONE)))]
    assert end_of_nearest(ORDER, pieces, ZONE) == (day if moves else None)
    assert end_of_nearest(replace(ORDER, ends_from=None), pieces, ZONE) is None
    noon = [piece(BEGIN, end(290_000, kind, local_midnight(day, ZONE) + timedelta(hours=12)))]
    assert end_of_nearest(ORDER, noon, ZONE) is None


SWAP = PERIOD.start + timedelta(days=9)
HANDED_OVER = (
    piece(BEGIN, end(101_000, ReadKind.INSTALLER, SWAP)),
    replace(piece(end(0, ReadKind.INSTALLER, SWAP), end(5_000)), meter="S-2", multiplier=40),
)


@pytest.mark.parametrize(
    ("pieces", "usage_wh", "differs"),
    [
        ([piece(BEGIN, end(301_000))], 301_900, False),
        ([piece(BEGIN, end(301_000))], 0, True),
        ([piece(BEGIN, end(301_000, ReadKind.NEAREST))], 0, True),
        ([piece(end(1_000, ReadKind.NEAREST, PERIOD.start), end(301_000))], 0, True),
        ([piece(BEGIN, end(301_000, ReadKind.ESTIMATED))], 0, False),
        ([piece(BEGIN, end(301_000, ReadKind.MANUAL, PERIOD.end + timedelta(hours=9)))], 0, False),
        ([piece(BEGIN, end(500))], 300_000, True),
        (HANDED_OVER, 300_000, False),
        (HANDED_OVER, 105_000, True),
        (HANDED_OVER[:1], 300_000, False),
        ([], 300_000, False),
    ],
    ids=[
        "they agree", "a stopped profile", "the bill ended on its nearest read", "it began on one", "an estimated end",
        "a read of another hour", "a register that went back", "two meters agree",
        "intervals without the multiplier", "the new meter has no register", "no register",
    ],
)  # fmt: skip
def test_register_and_intervals_are_compared_wherever_all_reads_are_actual_and_of_the_bills_own_ends(
    pieces: list[ReadPiece], usage_wh: int, differs: bool
) -> None:
    assert bool(disagreement(usage_wh, pieces, PERIOD, shipped_jurisdiction().versions[0].reading)) is differs


def test_an_estimate_that_was_too_high_is_no_roll_over() -> None:
    high = piece(end(5_000, ReadKind.ESTIMATED), end(4_000), capacity=100_000_000)
    told = register_energy([high])
    assert isinstance(told, str)
    assert "too high by 1 kWh" in told
    rolled = piece(end(99_999_000), end(500), capacity=100_000_000)
    assert register_energy([rolled]) == 1_500
    assert isinstance(register_energy([]), str)


@pytest.mark.parametrize("kind", [ReadKind.ESTIMATED, ReadKind.APPORTIONED])
def test_what_was_reckoned_too_high_charges_no_roll_over_and_a_register_that_did_roll_over_is_billed(
    kind: ReadKind,
) -> None:
    told = register_energy([piece(end(5_000_000, kind), end(4_900_000), capacity=100_000_000)])
    assert isinstance(told, str), "the register would have gone round by 99,900 kWh"
    assert "too high by 100 kWh" in told
    assert register_energy([piece(end(99_999_000, kind), end(500), capacity=100_000_000)]) == 1_500
    wrong = register_energy([piece(end(5_000_000), end(4_900_000), capacity=100_000_000)])
    assert wrong == "the register of meter S-1 went back from 5000000 to 4900000"


@pytest.mark.parametrize(
    ("before", "first", "last", "row"),
    [
        (0, 0, ReadKind.ESTIMATED, 1), (1, 0, ReadKind.ESTIMATED, 2),
        (2, 10, ReadKind.ESTIMATED, 2), (0, 10, ReadKind.ESTIMATED, 1), (2, 10, ReadKind.SCHEDULED, 0),
    ],
    ids=["a first one", "a second one", "behind a part that counts", "behind an actual part", "an actual one"],
)  # fmt: skip
def test_the_parts_of_a_period_count_once_in_the_row_of_estimates(
    before: int, first: int, last: ReadKind, row: int
) -> None:
    span = BillSpan(SPAN.first + timedelta(days=first), SPAN.end)
    order = replace(ORDER, span=span, estimates_before=before, terms=BillTerms(part_of=PartOf(SPAN)))
    assert row_of_estimates(order, [piece(BEGIN, end(2_000, last))]) == row


@pytest.mark.parametrize(("energy", "parts"), [(0, 720), (7, 4), (299_999, 721), (1, 720)])
def test_energy_that_is_spread_over_hours_adds_up_and_differs_by_one_at_most(energy: int, parts: int) -> None:
    found = spread(energy, parts)
    assert int(found.sum()) == energy
    assert int(found.max()) - int(found.min()) <= 1


def test_what_is_known_of_a_read_says_when_it_was() -> None:
    assert end(1).at == datetime(2026, 11, 6, 6, tzinfo=UTC)


TEN = BillSpan(SPAN.first, SPAN.first + timedelta(days=10))
LAST_PERIOD = BillSpan(SPAN.first, SPAN.first + timedelta(days=14))


@pytest.mark.parametrize(
    ("part_of", "waits"),
    [
        (None, "10 days from read to read; a regular bill has 26 to 35"),
        (PartOf(SPAN), None),
        (PartOf(LAST_PERIOD), "14 days from read to read; a regular bill has 26 to 35"),
        (PartOf(LAST_PERIOD, ends_service=True), None),
    ],
    ids=["a short bill", "a part of a regular period", "a part of a short period", "a part of the last period"],
)
def test_the_period_of_a_part_is_limited_and_an_accounts_last_one_is_not(
    part_of: PartOf | None, waits: str | None
) -> None:
    order = replace(ORDER, span=TEN, terms=BillTerms(part_of=part_of))
    found = review(order, shipped_jurisdiction().on(TEN.last), Determinants(TEN, 0, {}), (), 0, CAUSE, TEN.period(ZONE))
    assert (None if found is None else found[1]) == waits


def test_a_change_of_rate_shortly_before_the_read_day_is_no_early_end() -> None:
    whole = BillSpan(SPAN.first, SPAN.end)
    cut = BillSpan(SPAN.first, SPAN.end - timedelta(days=2))
    order = replace(ORDER, span=cut, terms=BillTerms(part_of=PartOf(whole)))
    period = cut.period(ZONE)
    told = piece(BEGIN, end(301_000, at=period.end))
    (found,) = printed_reads([told], order, ENERGY, period)
    assert found.end.kind is ReadKind.SCHEDULED
    (early,) = printed_reads([told], replace(order, terms=BillTerms()), ENERGY, period)
    assert early.end.kind is ReadKind.NEAREST
