"""Why a place is not billed: each link can be the first that stops, and each has its owner and its one act."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from openami.billing.bill.hold import ACTIONS, OWNERS, RELEASABLE, Hold, HoldCode
from openami.billing.bill.record import Assignment, Bill, BillKind, BillState
from openami.billing.calendar.cycle import BusinessDayCalendar
from openami.billing.cycle.blocked import Blocked, FreeingAct, Stands, blocked
from openami.billing.cycle.place import Place, Planned, Unplanned
from openami.billing.rating.usage import BillSpan

POINT = UUID(int=7)
NOW, TODAY = datetime(2026, 11, 20, 15, tzinfo=UTC), date(2026, 11, 20)
RATES = (Assignment(POINT, "smart", date(2026, 1, 1)),)
PLACE = Place(POINT, "America/Chicago", 5, (), RATES)
DUE = Planned(
    POINT, "America/Chicago", BillSpan(date(2026, 10, 7), date(2026, 11, 6)), "smart", BillKind.REGULAR, None, None, 30
)
LAST = Bill(
    UUID(int=1), POINT, BillSpan(date(2026, 9, 7), date(2026, 10, 7)), "America/Chicago", "smart", "Smart", "USD",
    BillState.ISSUED, (1,) * 30, NOW, total=Decimal(90),
)  # fmt: skip


def _held(code: HoldCode) -> Bill:
    hold = Hold(code, "because of that", NOW - timedelta(days=4))
    return replace(LAST, bill_id=UUID(int=2), span=DUE.span, state=BillState.HELD, total=None, hold=hold)


def _ask(
    place: Place = PLACE, due: tuple[Planned | Unplanned, ...] = (DUE,), bills: tuple[Bill, ...] = (LAST,)
) -> Blocked:
    return blocked(place, due, bills, BusinessDayCalendar(), NOW, TODAY)


def test_without_a_rate_nothing_else_is_asked() -> None:
    found = _ask(replace(PLACE, rates=()), (), ())
    assert (found.act, found.owner, len(found.chain)) == (FreeingAct.ASSIGN_RATE, "rates", 1)


def test_a_group_that_nobody_reads_stops_it_and_says_since_when() -> None:
    found = _ask(due=(Unplanned(POINT, 5, date(2026, 10, 7)),))
    assert (found.act, found.since) == (FreeingAct.SET_READ_DAY, date(2026, 10, 7))
    assert found.chain[-1].stands is Stands.STOPS


def test_a_period_that_is_not_over_waits_for_the_next_read_and_for_nobody() -> None:
    found = _ask(due=())
    assert found.act is FreeingAct.NOTHING
    assert found.headline == (
        "Nothing waits. It is billed through Tue 6 Oct 2026. The next bill follows the read of Mon 7 Dec 2026."
    )
    assert (found.waiting_days, found.waiting_amount, found.owner) == (0, Decimal("0.00"), "")


@pytest.mark.parametrize("code", list(HoldCode))
def test_every_hold_names_its_owner_its_age_and_what_frees_it(code: HoldCode) -> None:
    found = _ask(bills=(_held(code), LAST))
    assert found.headline == "Wed 7 Oct 2026 to Thu 5 Nov 2026 is held for 4 days: because of that."
    assert found.owner == OWNERS[code].value
    assert found.action == ACTIONS[code]
    assert found.can_release is (code in RELEASABLE)
    assert found.act is not FreeingAct.RELEASE or found.can_release, "a release is offered only where one helps"
    assert (found.bill_id, found.since) == (UUID(int=2), date(2026, 11, 16))


def test_what_waits_behind_a_held_bill_is_shown_with_its_own_reason_and_age() -> None:
    november = replace(DUE, span=BillSpan(date(2026, 11, 6), date(2026, 12, 7)))
    behind = replace(
        _held(HoldCode.EARLIER_WAITS), bill_id=UUID(int=3), span=november.span,
        hold=Hold(HoldCode.EARLIER_WAITS, "the bill before it waits and ended early", NOW - timedelta(days=1)),
    )  # fmt: skip
    found = _ask(due=(DUE, november), bills=(behind, _held(HoldCode.NO_READ), LAST))
    assert found.bill_id == UUID(int=2), "the first that stops is the one to free"
    last = found.chain[-1]
    assert last.title == "Fri 6 Nov 2026 to Sun 6 Dec 2026 waits behind it"
    assert last.words == "since Thu 19 Nov 2026: the bill before it waits and ended early"
    assert found.waiting_days == 30 + 31


def test_what_waits_is_told_in_days_and_money_by_the_last_bill() -> None:
    found = _ask(bills=(_held(HoldCode.NO_READ), LAST))
    assert (found.waiting_days, found.waiting_amount, found.currency) == (30, Decimal("90.00"), "USD")
    assert _ask(bills=()).waiting_amount is None


def test_days_on_a_bill_of_the_account_before_have_to_be_corrected_first() -> None:
    found = _ask(due=(replace(DUE, is_billed_already=True),))
    assert (found.act, found.owner) == (FreeingAct.CORRECT_BEFORE, "billing")


def test_what_nothing_holds_goes_out_with_the_next_run() -> None:
    found = _ask()
    assert found.act is FreeingAct.NOTHING
    assert "goes out with the next run" in found.headline
    assert [c.stands for c in found.chain] == [Stands.GOOD] * 4 + [Stands.LATER]


def test_a_hold_of_another_bill_is_not_this_ones() -> None:
    other = replace(_held(HoldCode.NO_READ), span=BillSpan(date(2026, 8, 7), date(2026, 9, 7)))
    assert _ask(bills=(other, LAST)).bill_id is None
