"""Which bills are due: from read day to read day, at moves, at changes of rate, and what stands in their way."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

import pytest

from openami.billing.bill.record import Assignment, BillKind
from openami.billing.calendar import BusinessDayCalendar, DatedCalendar
from openami.billing.cycle.place import Billed, Holding, Place, Planned, Unplanned
from openami.billing.cycle.plan import look, plan
from openami.billing.cycle.rest import rest_of, stir_of, stirs
from openami.billing.jurisdiction import shipped_jurisdiction
from openami.billing.rating.terms import PartOf
from openami.billing.rating.usage import BillSpan

POINT, ANNE, BEN = UUID(int=1), UUID(int=10), UUID(int=11)
RULES, CALENDAR = shipped_jurisdiction(), BusinessDayCalendar()
TODAY = date(2026, 12, 20)


def place(*holdings: Holding, group: int = 5, rates: tuple[Assignment, ...] = (), billed: tuple[Billed, ...] = (),
          issued: dict[UUID | None, tuple[BillSpan, ...]] | None = None) -> Place:  # fmt: skip
    told = rates or (Assignment(POINT, "flat", date(2026, 9, 1)),)
    return Place(POINT, "America/Chicago", group, holdings, told, billed, issued or {})


def due(told: Place, today: date = TODAY) -> list[Planned]:
    return [f for f in plan(told, CALENDAR, RULES, today) if isinstance(f, Planned)]


def days(found: list[Planned]) -> list[tuple[date, date, BillKind]]:
    return [(p.span.first, p.span.end, p.kind) for p in found]


def test_bills_go_from_read_day_to_read_day_and_the_first_one_is_initial() -> None:
    # The 5th business day: 8 September (the 7th is Labor Day), 7 October, 6 November, 7 December 2026.
    assert days(due(place(Holding(ANNE, date(2026, 9, 1))))) == [
        (date(2026, 9, 1), date(2026, 9, 8), BillKind.INITIAL),
        (date(2026, 9, 8), date(2026, 10, 7), BillKind.REGULAR),
        (date(2026, 10, 7), date(2026, 11, 6), BillKind.REGULAR),
        (date(2026, 11, 6), date(2026, 12, 7), BillKind.REGULAR),
    ]


def test_the_next_bill_begins_where_the_last_one_of_the_account_ended() -> None:
    told = place(Holding(ANNE, date(2026, 9, 1)), billed=(Billed(ANNE, date(2026, 11, 6)),))
    assert days(due(told)) == [(date(2026, 11, 6), date(2026, 12, 7), BillKind.REGULAR)]
    assert due(told)[0].cycle is not None
    assert due(told)[0].cycle.revenue_month == date(2026, 12, 1)  # type: ignore[union-attr]


def test_a_bill_that_ended_early_on_its_nearest_read_is_followed_by_one_to_the_next_read_day() -> None:
    told = place(Holding(ANNE, date(2026, 9, 1)), billed=(Billed(ANNE, date(2026, 11, 5)),))
    assert days(due(told)) == [(date(2026, 11, 5), date(2026, 12, 7), BillKind.REGULAR)]


def test_a_later_part_of_a_period_that_began_on_an_early_read_knows_where_it_began() -> None:
    rates = (
        Assignment(POINT, "flat", date(2026, 9, 1), date(2026, 11, 20)),
        Assignment(POINT, "tou", date(2026, 11, 20)),
    )
    began, change = date(2026, 11, 5), date(2026, 11, 20)
    told = place(
        Holding(ANNE, date(2026, 9, 1)), rates=rates, billed=(Billed(ANNE, change, (), date(2026, 9, 1)),),
        issued={ANNE: (BillSpan(date(2026, 9, 1), began), BillSpan(began, change))},
    )  # fmt: skip
    (late,) = due(told)
    assert (late.span.first, late.part_of) == (change, PartOf(BillSpan(began, date(2026, 12, 7))))


EARLY, BEHIND = BillSpan(date(2026, 10, 7), date(2026, 11, 5)), date(2026, 11, 6)


def test_what_follows_a_held_bill_that_ended_early_knows_where_it_will_begin() -> None:
    waits = Billed(ANNE, EARLY.end, (EARLY.first,), date(2026, 9, 1), (EARLY.end,))
    told = place(Holding(ANNE, date(2026, 9, 1)), billed=(waits,),
                 issued={ANNE: (BillSpan(date(2026, 9, 1), EARLY.first),)})  # fmt: skip
    assert [(p.span.first, p.span.end, p.begins_on) for p in due(told)] == [
        (EARLY.first, BEHIND, None),
        (BEHIND, date(2026, 12, 7), EARLY.end),
    ]
    whole = replace(told, billed=(replace(waits, held_ends=(BEHIND,)),))
    assert [p.begins_on for p in due(whole)] == [None, None], "it waits, and ends on its read day"


def test_days_between_a_bill_that_ended_early_and_what_waited_behind_it_are_billed() -> None:
    behind = Billed(ANNE, date(2026, 12, 7), (BEHIND,), date(2026, 9, 1), (date(2026, 12, 7),))
    told = place(Holding(ANNE, date(2026, 9, 1)), billed=(behind,),
                 issued={ANNE: (BillSpan(date(2026, 9, 1), EARLY.first), EARLY)})  # fmt: skip
    assert days(due(told)) == [(EARLY.end, date(2026, 12, 7), BillKind.REGULAR)]


def test_a_move_ends_one_account_and_begins_another_on_the_same_day() -> None:
    moved = date(2026, 11, 20)
    found = due(place(Holding(ANNE, date(2026, 9, 1), moved), Holding(BEN, moved)))
    assert days(found)[-2:] == [
        (date(2026, 11, 6), moved, BillKind.FINAL),
        (moved, date(2026, 12, 7), BillKind.INITIAL),
    ]
    assert [p.account_id for p in found[-2:]] == [ANNE, BEN]


def test_days_between_two_accounts_are_nobodys_bill() -> None:
    found = due(place(Holding(ANNE, date(2026, 9, 1), date(2026, 11, 10)), Holding(BEN, date(2026, 11, 25))))
    assert days(found)[-2:] == [
        (date(2026, 11, 6), date(2026, 11, 10), BillKind.FINAL),
        (date(2026, 11, 25), date(2026, 12, 7), BillKind.INITIAL),
    ]


def test_a_back_dated_move_out_holds_the_new_account_until_the_old_bill_is_corrected() -> None:
    moved = date(2026, 11, 20)
    told = place(Holding(ANNE, date(2026, 9, 1), moved), Holding(BEN, moved), billed=(Billed(ANNE, date(2026, 12, 7)),))
    (new,) = due(told)
    assert (new.account_id, new.span.first, new.is_billed_already) == (BEN, moved, True)
    corrected = replace(told, billed=(Billed(ANNE, moved),))
    (new,) = due(corrected)
    assert (new.span.first, new.is_billed_already) == (moved, False)


def test_an_account_that_came_earlier_than_was_known_is_billed_for_the_days_before_its_first_bill() -> None:
    known, came, end = date(2026, 11, 20), date(2026, 11, 10), date(2026, 12, 7)
    holdings = Holding(ANNE, date(2026, 9, 1), came), Holding(BEN, came)
    went_out: dict[UUID | None, tuple[BillSpan, ...]] = {
        ANNE: (BillSpan(date(2026, 11, 6), known),),
        BEN: (BillSpan(known, end),),
    }
    told = place(
        *holdings, billed=(Billed(ANNE, known, (), date(2026, 9, 1)), Billed(BEN, end, (), known)), issued=went_out
    )
    (one,) = due(told)
    assert (one.account_id, one.span, one.kind) == (BEN, BillSpan(came, known), BillKind.INITIAL)
    assert one.is_billed_already, "it waits until the bill of the account before is corrected"
    corrected = replace(told, billed=(Billed(ANNE, came, (), date(2026, 9, 1)), told.billed[1]))
    assert [p.is_billed_already for p in due(corrected)] == [False]
    done = replace(
        corrected,
        billed=(corrected.billed[0], Billed(BEN, end, (), came)),
        issued={BEN: (BillSpan(came, known), BillSpan(known, end))},
    )
    assert due(done) == []


def test_a_place_that_was_held_earlier_than_its_first_bill_says_is_not_passed_over() -> None:
    told = place(Holding(ANNE, date(2026, 10, 20)), billed=(Billed(ANNE, date(2026, 12, 7), (), date(2026, 11, 6)),))
    assert days(due(replace(told, issued={ANNE: (BillSpan(date(2026, 11, 6), date(2026, 12, 7)),)}))) == [
        (date(2026, 10, 20), date(2026, 11, 6), BillKind.INITIAL)
    ]
    assert due(replace(told, holdings=(Holding(ANNE, date(2026, 11, 6)),))) == []


def test_a_change_of_rate_parts_the_bill_and_the_length_from_read_to_read_counts() -> None:
    rates = (
        Assignment(POINT, "flat", date(2026, 9, 1), date(2026, 11, 16)),
        Assignment(POINT, "tou", date(2026, 11, 16)),
    )
    found = due(place(Holding(ANNE, date(2026, 9, 1)), rates=rates, billed=(Billed(ANNE, date(2026, 11, 6)),)))
    assert [(p.span.first, p.span.end, p.rate_code, p.period_days) for p in found] == [
        (date(2026, 11, 6), date(2026, 11, 16), "flat", 31),
        (date(2026, 11, 16), date(2026, 12, 7), "tou", 31),
    ]


def test_every_part_of_an_accounts_last_period_knows_that_it_ends_the_service() -> None:
    rates = (
        Assignment(POINT, "flat", date(2026, 9, 1), date(2026, 11, 10)),
        Assignment(POINT, "tou", date(2026, 11, 10)),
    )
    moved = date(2026, 11, 20)
    told = place(Holding(ANNE, date(2026, 9, 1), moved), rates=rates, billed=(Billed(ANNE, date(2026, 11, 6)),))
    whole = BillSpan(date(2026, 11, 6), moved)
    assert [(p.span.first, p.kind, p.part_of) for p in due(told)] == [
        (date(2026, 11, 6), BillKind.REGULAR, PartOf(whole, ends_service=True)),
        (date(2026, 11, 10), BillKind.FINAL, PartOf(whole, ends_service=True)),
    ]


SWITCHED = (
    Assignment(POINT, "flat", date(2026, 9, 1), date(2026, 11, 16)),
    Assignment(POINT, "tou", date(2026, 11, 16)),
)
FLAT_PART, TOU_PART = (
    BillSpan(date(2026, 11, 6), date(2026, 11, 16)),
    BillSpan(date(2026, 11, 16), date(2026, 12, 7)),
)


@pytest.mark.parametrize(
    ("billed", "issued", "waits"),
    [
        (Billed(ANNE, date(2026, 11, 16)), (), TOU_PART),
        (Billed(ANNE, date(2026, 12, 7), held=(TOU_PART.first,)), (FLAT_PART,), TOU_PART),
        (Billed(ANNE, date(2026, 12, 7), held=(FLAT_PART.first,)), (TOU_PART,), FLAT_PART),
    ],
    ids=["the later part is not made yet", "the later part is held", "the earlier part is held"],
)
@pytest.mark.parametrize("today", [date(2026, 12, 8), date(2027, 1, 20)])
def test_a_part_that_waits_keeps_its_read_day_and_its_period_though_the_other_went_out(
    billed: Billed, issued: tuple[BillSpan, ...], waits: BillSpan, today: date
) -> None:
    told = place(Holding(ANNE, date(2026, 9, 1)), rates=SWITCHED, billed=(billed,), issued={ANNE: issued})
    first = due(told, today)[0]
    assert (first.span, first.period_days, first.cycle and first.cycle.read_on) == (waits, 31, date(2026, 12, 7))
    assert [p.span.end for p in due(told, today)][1:] in ([], [date(2027, 1, 8)])


def test_every_part_of_an_accounts_first_period_is_initial_for_it_may_be_short() -> None:
    rates = (Assignment(POINT, "flat", date(2026, 9, 1), date(2026, 9, 4)), Assignment(POINT, "tou", date(2026, 9, 4)))
    found = due(place(Holding(ANNE, date(2026, 9, 1)), rates=rates), date(2026, 9, 10))
    assert [(p.span.first, p.kind, p.period_days) for p in found] == [
        (date(2026, 9, 1), BillKind.INITIAL, 7), (date(2026, 9, 4), BillKind.INITIAL, 7),
    ]  # fmt: skip


def test_a_rate_that_changes_on_a_read_day_begins_a_period_of_its_own() -> None:
    rates = (
        Assignment(POINT, "flat", date(2026, 9, 1), date(2026, 11, 6)),
        Assignment(POINT, "tou", date(2026, 11, 6)),
    )
    (one,) = due(place(Holding(ANNE, date(2026, 9, 1)), rates=rates, billed=(Billed(ANNE, date(2026, 11, 6)),)))
    assert (one.span.first, one.span.end, one.period_days) == (date(2026, 11, 6), date(2026, 12, 7), 31)


def test_days_without_a_rate_are_planned_without_one_and_never_dropped() -> None:
    rates = (Assignment(POINT, "flat", date(2026, 9, 1), date(2026, 11, 16)),)
    found = due(place(Holding(ANNE, date(2026, 9, 1)), rates=rates, billed=(Billed(ANNE, date(2026, 11, 6)),)))
    assert [(p.span.first, p.rate_code) for p in found] == [(date(2026, 11, 6), "flat"), (date(2026, 11, 16), "")]


def test_a_group_that_changes_gives_the_first_read_day_that_leaves_a_regular_number_of_days() -> None:
    told = place(Holding(ANNE, date(2026, 9, 1)), group=12, billed=(Billed(ANNE, date(2026, 11, 6)),))
    # Group 12 is read on 17 November and 16 December: 11 days are too few, 40 are then for a person to look at.
    (one,) = due(told)
    assert (one.span.end, one.period_days) == (date(2026, 12, 16), 40)


def test_a_group_that_is_read_on_no_day_is_named() -> None:
    assert plan(place(Holding(ANNE, date(2026, 9, 1)), group=22), CALENDAR, RULES, TODAY) == [
        Unplanned(POINT, 22, date(2026, 9, 1))
    ]
    assert isinstance(plan(place(), DatedCalendar({}), RULES, TODAY)[0], Unplanned)


def test_a_bill_that_waits_is_planned_again_and_those_after_it_that_went_out_are_not() -> None:
    told = place(
        Holding(ANNE, date(2026, 9, 1)),
        billed=(Billed(ANNE, date(2026, 12, 7), held=(date(2026, 9, 8),)),),
        issued={ANNE: (BillSpan(date(2026, 10, 7), date(2026, 11, 6)), BillSpan(date(2026, 11, 6), date(2026, 12, 7)))},
    )
    assert days(due(told)) == [(date(2026, 9, 8), date(2026, 10, 7), BillKind.REGULAR)]


JANUARY = date(2027, 1, 8)
"""The read day of group 5 after that of 7 December."""


@pytest.mark.parametrize(
    ("told", "stirs_on"),
    [
        (place(Holding(ANNE, date(2026, 9, 1)), billed=(Billed(ANNE, date(2026, 12, 7)),)), JANUARY),
        (place(Holding(ANNE, date(2026, 12, 20))), JANUARY),
        (place(Holding(ANNE, date(2027, 1, 7))), JANUARY),
        (
            place(Holding(ANNE, date(2026, 9, 1), date(2026, 12, 27)), billed=(Billed(ANNE, date(2026, 12, 7)),)),
            date(2026, 12, 27),
        ),
        (place(Holding(ANNE, date(2026, 9, 1), date(2026, 12, 7)), billed=(Billed(ANNE, date(2026, 12, 7)),)), None),
        (
            place(
                Holding(ANNE, date(2026, 9, 1)),
                billed=(Billed(ANNE, date(2026, 12, 7), held=(date(2026, 11, 6),)),),
                issued={ANNE: (BillSpan(date(2026, 9, 1), date(2026, 11, 6)),)},
            ),
            JANUARY,
        ),
    ],
    ids=[
        "billed to its last read day",
        "came today",
        "comes the day before a read",
        "moves out",
        "moved out and billed",
        "its last bill waits",
    ],
)
def test_a_place_rests_until_its_next_bill_can_be_due(told: Place, stirs_on: date | None) -> None:
    rest = rest_of(told, look(told, CALENDAR, RULES, TODAY))
    assert rest is not None
    days = [TODAY + timedelta(days=n) for n in range(60)]
    stirring = [d for d in days if stirs(rest, stir_of(CALENDAR, told.zone, told.bill_group, d))]
    assert stirring[:1] == ([] if stirs_on is None else [stirs_on])


@pytest.mark.parametrize(
    "told",
    [
        place(Holding(ANNE, date(2026, 9, 1)), billed=(Billed(ANNE, date(2026, 11, 6)),)),
        place(Holding(ANNE, date(2026, 9, 1), date(2026, 12, 10)), billed=(Billed(ANNE, date(2026, 12, 7)),)),
        place(Holding(ANNE, date(2026, 9, 1))),
        place(Holding(ANNE, date(2026, 9, 1)), group=77),
    ],
    ids=["a bill behind", "moved out", "never billed", "in a group that is never read"],
)
def test_a_place_of_which_more_is_due_than_waits_does_not_rest(told: Place) -> None:
    assert rest_of(told, look(told, CALENDAR, RULES, TODAY)) is None


def test_an_account_that_is_named_later_takes_over_what_was_billed_without_a_name() -> None:
    told = place(Holding(ANNE, date(2026, 9, 1)), billed=(Billed(None, date(2026, 11, 6)),))
    assert days(due(told)) == [(date(2026, 11, 6), date(2026, 12, 7), BillKind.REGULAR)]
