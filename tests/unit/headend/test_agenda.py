"""Whose turn it is, when to try again, when to give up."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from openami.headend.keeping.agenda import MAX_OPEN, RETRIES, Agenda
from openami.headend.keeping.budget import CellBudget, CellPolicy
from openami.headend.keeping.request import (
    TRANSITIONS,
    Happening,
    Lane,
    Request,
    RequestKind,
    RequestState,
    derived_id,
    next_state,
)
from openami.kernel.errors import MisuseError
from openami.kernel.ids import SystemTitle

PLENTY = CellPolicy(exchanges_per_s=1000.0, burst=1000.0)


def request(meter: int, *, lane: Lane = Lane.BACKGROUND, to_s: int = 900, expires_s: float | None = None) -> Request:
    meter_id, kind = UUID(int=meter), RequestKind.INTERVALS
    title = SystemTitle(b"OAM" + meter.to_bytes(5, "big"))
    one = Request(derived_id(meter_id, kind, 0, to_s), meter_id, title, kind, lane, 0, to_s, 0)
    return replace(one, expires_s=expires_s)


def agenda(policy: CellPolicy = PLENTY, *, cell: int = 0) -> Agenda:
    return Agenda(CellBudget(policy), lambda _: cell)


def half() -> float:
    return 0.5


def test_people_go_first_then_bills_then_the_newest_gap() -> None:
    book = agenda()
    old, new, bill, person = (
        request(1, to_s=900),
        request(2, to_s=9000),
        request(3, lane=Lane.BILLING),
        request(4, lane=Lane.PERSON),
    )
    for one in (old, new, bill, person):
        assert book.add(one)
    assert [r.meter_id.int for r in book.take(now_s=0, limit=10)] == [4, 3, 2, 1]


def test_one_meter_is_asked_one_thing_at_a_time() -> None:
    book = agenda()
    book.add(request(1, to_s=900))
    book.add(request(1, to_s=1800))
    first = book.take(now_s=0, limit=10)
    assert len(first) == 1
    assert not book.take(now_s=1, limit=10)
    book.answered(first[0].request_id, now_s=2)
    assert len(book.take(now_s=3, limit=10)) == 1


def test_a_request_that_is_open_is_not_taken_twice_but_a_person_moves_it_up() -> None:
    book = agenda()
    assert book.add(request(1))
    assert not book.add(request(1))
    assert not book.add(request(1, lane=Lane.PERSON))
    assert [r.lane for r in book.open.values()] == [Lane.PERSON]


def test_the_list_is_bounded_and_a_person_still_finds_room() -> None:
    book = agenda()
    assert all(book.add(request(n)) for n in range(MAX_OPEN))
    assert not book.add(request(MAX_OPEN))
    assert book.add(request(MAX_OPEN + 1, lane=Lane.PERSON))


def test_a_failure_waits_longer_each_time_and_the_last_gives_up_with_its_reason() -> None:
    book, now = agenda(), 0.0
    book.add(request(1))
    pauses = []
    for _ in range(RETRIES[Lane.BACKGROUND].tries):
        (one,) = book.take(now_s=now, limit=1)
        after = book.failed(one.request_id, now_s=now, words="no answer from the meter", dice=half)
        pauses.append(after.not_before_s - now)
        now = after.not_before_s
    assert after.state is RequestState.GIVEN_UP
    assert after.words == "no answer from the meter; given up after 10 tries"
    assert pauses[:4] == [90.0, 180.0, 360.0, 720.0]
    assert max(pauses[:-1]) == 5400.0
    assert not book.open


def test_a_closed_way_costs_no_try() -> None:
    book = agenda()
    book.add(request(1))
    for n in range(20):
        (one,) = book.take(now_s=n * 1e6, limit=1)
        after = book.failed(one.request_id, now_s=n * 1e6, words="gateway away", dice=half, is_ours=True)
    assert (after.state, after.tries) == (RequestState.WAITING, 0)


def test_what_nobody_needs_any_more_is_given_up_in_time() -> None:
    book = agenda()
    book.add(request(1, lane=Lane.PERSON, expires_s=30.0))
    assert not book.take(now_s=31.0, limit=1)
    (ended,) = [r for r in book.drain() if not r.is_open]
    assert ended.words == "its turn never came; the time for it is over"


def test_what_ran_when_its_owner_died_is_queued_again_with_its_tries() -> None:
    book = agenda()
    book.add(request(1))
    book.take(now_s=0, limit=1)
    other = agenda()
    other.restore(book.drain())
    assert [(r.state, r.tries) for r in other.open.values()] == [(RequestState.QUEUED, 1)]


def test_background_work_leaves_air_for_tonights_bills_and_people() -> None:
    policy = CellPolicy(exchanges_per_s=0.0, burst=10.0, reserves=(0.0, 2.0, 5.0))
    book = agenda(policy)
    for n in range(10):
        book.add(request(n))
    assert len(book.take(now_s=0, limit=10)) == 5
    for n in range(10, 20):
        book.add(request(n, lane=Lane.BILLING))
    assert len(book.take(now_s=0, limit=10)) == 3
    for n in range(20, 30):
        book.add(request(n, lane=Lane.PERSON))
    assert len(book.take(now_s=0, limit=10)) == 2


def test_a_silent_cell_is_only_probed_but_for_a_person() -> None:
    book = agenda(CellPolicy(probe_s=600.0))
    book.budget.silent = frozenset({0})
    for n in range(5):
        book.add(request(n))
    assert len(book.take(now_s=0, limit=10)) == 1
    assert not book.take(now_s=599, limit=10)
    book.add(request(9, lane=Lane.PERSON))
    assert [r.lane for r in book.take(now_s=599, limit=10)] == [Lane.PERSON]
    assert len(book.take(now_s=601, limit=10)) == 1


def test_a_meter_that_is_heard_again_is_asked_at_once() -> None:
    book = agenda()
    book.add(request(1))
    (one,) = book.take(now_s=0, limit=1)
    book.failed(one.request_id, now_s=0, words="no answer", dice=half)
    assert not book.take(now_s=10, limit=1)
    book.hurry(frozenset({one.meter_id}), now_s=10)
    assert book.take(now_s=10, limit=1)


@pytest.mark.parametrize("state", list(RequestState))
@pytest.mark.parametrize("happening", list(Happening))
def test_nothing_happens_to_a_request_that_the_table_does_not_know(state: RequestState, happening: Happening) -> None:
    if (state, happening) in TRANSITIONS:
        assert next_state(state, happening) is TRANSITIONS[state, happening]
    else:
        with pytest.raises(MisuseError):
            next_state(state, happening)
    assert state not in {RequestState.DONE, RequestState.GIVEN_UP} or (state, happening) not in TRANSITIONS


def test_a_session_is_charged_what_it_needed_and_its_cell_rests_until_that_is_paid() -> None:
    budget = CellBudget(CellPolicy(exchanges_per_s=1.0, burst=10.0, reserves=(-20.0, 2.0, 5.0), most_debt=20.0))
    assert budget.spend(0, Lane.BACKGROUND, now_s=0.0)
    budget.charge(0, 14, now_s=0.0)
    assert not budget.spend(0, Lane.BILLING, now_s=7.0)
    assert budget.spend(0, Lane.BILLING, now_s=8.0)
    assert not budget.spend(0, Lane.BACKGROUND, now_s=11.0)
    budget.charge(0, 0, now_s=11.0)
    assert budget.spend(0, Lane.BACKGROUND, now_s=12.0)


def test_people_are_served_in_debt_and_no_session_closes_a_cell_for_long() -> None:
    policy = CellPolicy()
    budget = CellBudget(policy)
    budget.charge(0, 100_000, now_s=0.0)
    assert not budget.spend(0, Lane.PERSON, now_s=0.5)
    assert budget.spend(0, Lane.PERSON, now_s=1.0)
    most_s = (policy.most_debt + policy.reserves[Lane.BACKGROUND] + 1) / policy.exchanges_per_s
    assert budget.spend(0, Lane.BACKGROUND, now_s=1.0 + most_s)
