"""An order is good while enough different people have approved exactly it, soon after each other, and in its window."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.kernel.errors import MisuseError
from openami.kernel.time import Period
from openami.security.access.order import (
    LAPSE,
    MAX_TEXT_OCTETS,
    Order,
    OrderApproval,
    OrderKind,
    OrderSubject,
    digest_of_items,
    good_approvals,
    lapses_at,
)

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SUBJECT = OrderSubject(
    UUID(int=1),
    OrderKind.SWITCH,
    "disconnect",
    "non_payment",
    digest_of_items([b"one", b"two"]),
    Period(NOW - 60 * MINUTE, NOW + 60 * MINUTE),
)


def approval(number: int, *, human: int | None = None, at: datetime = NOW - MINUTE) -> OrderApproval:
    who = UUID(int=number)
    return OrderApproval(UUID(int=100 + number), UUID(int=1), SUBJECT.digest(), who, UUID(int=human or number), at)


def order(*approvals: OrderApproval, subject: OrderSubject = SUBJECT) -> Order:
    return Order(subject, UUID(int=1), NOW - 30 * MINUTE, 2, approvals)


ANNA, BEN = approval(1), approval(2)
BOTH = (ANNA.approval_id, BEN.approval_id)


def test_two_people_make_an_order_good() -> None:
    assert good_approvals(order(ANNA, BEN), now=NOW) == BOTH


def test_one_person_is_enough_where_one_is_asked_for() -> None:
    assert good_approvals(order(ANNA), now=NOW, people=1) == (ANNA.approval_id,)
    assert good_approvals(order(), now=NOW, people=1) == ()


@pytest.mark.attack("A16")
@pytest.mark.parametrize(
    "approvals",
    [
        pytest.param((ANNA,), id="one person"),
        pytest.param((ANNA, ANNA), id="one person twice"),
        pytest.param((ANNA, approval(2, human=1)), id="two accounts of one person"),
        pytest.param((ANNA, replace(BEN, digest=bytes(32))), id="another subject"),
        pytest.param((ANNA, replace(BEN, order_id=UUID(int=9))), id="another order"),
        pytest.param((ANNA, approval(2, at=ANNA.made_at + LAPSE + MINUTE)), id="too long after"),
        pytest.param((ANNA, approval(2, at=NOW + MINUTE)), id="in the future"),
    ],
)
def test_a_second_voice_that_is_none_makes_nothing_good(approvals: tuple[OrderApproval, ...]) -> None:
    found = good_approvals(order(*approvals), now=NOW + (LAPSE if len(approvals) > 2 else timedelta()))
    assert found == ()


@pytest.mark.attack("A16")
def test_an_approval_that_lapsed_can_be_given_by_others_anew() -> None:
    late = NOW + 59 * MINUTE
    old = approval(1, at=late - LAPSE - MINUTE)
    assert good_approvals(order(old, approval(2, at=late)), now=late) == ()
    assert good_approvals(order(old, approval(2, at=late), approval(3, at=late)), now=late) == (
        UUID(int=102),
        UUID(int=103),
    )


CHANGES = [
    {"order_id": UUID(int=2)},
    {"kind": OrderKind.RELEASE},
    {"action": "reconnect"},
    {"reason": "safety"},
    {"action": "disconnectn", "reason": "on_payment"},
    {"items_digest": digest_of_items([b"one", b"two", b"three"])},
    {"items_digest": digest_of_items([b"one"])},
    {"window": Period(NOW - 60 * MINUTE, NOW + 61 * MINUTE)},
    {"window": Period(NOW - 61 * MINUTE, NOW + 60 * MINUTE)},
]


@pytest.mark.attack("A16")
@pytest.mark.parametrize("change", CHANGES, ids=" and ".join)
def test_a_change_of_anything_voids_every_approval(change: dict[str, object]) -> None:
    changed = replace(SUBJECT, **change)  # type: ignore[arg-type]
    approvals = [replace(one, order_id=changed.order_id) for one in (ANNA, BEN)]
    assert changed.digest() != SUBJECT.digest()
    assert good_approvals(order(*approvals, subject=changed), now=NOW) == ()


@pytest.mark.parametrize("now", [SUBJECT.window.start - MINUTE, SUBJECT.window.end], ids=["before", "after"])
def test_an_order_is_good_in_its_window_alone(now: datetime) -> None:
    early = [replace(one, made_at=SUBJECT.window.start - 2 * MINUTE) for one in (ANNA, BEN)]
    assert good_approvals(order(*early), now=SUBJECT.window.start)
    assert good_approvals(order(*early), now=now) == ()


def test_a_withdrawn_order_is_good_no_more() -> None:
    assert good_approvals(replace(order(ANNA, BEN), withdrawn_at=NOW), now=NOW) == ()


def test_an_order_says_when_its_approvals_lapse() -> None:
    assert lapses_at(order()) is None
    assert lapses_at(order(ANNA)) == ANNA.made_at + LAPSE


@pytest.mark.parametrize(
    "change",
    [
        {"items_digest": b"short"},
        {"action": ""},
        {"action": "zu\u00e4"},
        {"reason": "a\nb"},
        {"reason": "x" * (MAX_TEXT_OCTETS + 1)},
        {"window": Period(NOW, NOW + timedelta(hours=24, seconds=1))},
        {"window": Period(NOW, NOW + timedelta(microseconds=1))},
    ],
    ids=["digest", "no action", "not ascii", "two lines", "too long", "long window", "not whole seconds"],
)
def test_a_subject_beyond_its_limits_is_misuse(change: dict[str, object]) -> None:
    with pytest.raises(MisuseError):
        replace(SUBJECT, **change)  # type: ignore[arg-type]


ITEMS = st.lists(st.binary(max_size=8), max_size=6)


@given(ITEMS, ITEMS)
def test_two_lists_have_one_digest_if_and_only_if_they_hold_the_same(one: list[bytes], other: list[bytes]) -> None:
    assert (digest_of_items(one) == digest_of_items(other)) is (set(one) == set(other))


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 200)), max_size=6), st.integers(1, 3))
def test_good_approvals_are_of_that_many_humans_within_the_lapse(given_by: list[tuple[int, int]], people: int) -> None:
    approvals = [
        replace(approval(n, human=human, at=NOW - minutes * MINUTE), approval_id=UUID(int=1000 + n))
        for n, (human, minutes) in enumerate(given_by, start=1)
    ]
    found = good_approvals(order(*approvals), now=NOW, people=people)
    chosen = [a for a in approvals if a.approval_id in found]
    humans = {a.human_id for a in chosen}
    assert len(found) in {0, people}
    assert len(humans) == len(found)
    if found:
        assert max(a.made_at for a in chosen) - min(a.made_at for a in chosen) <= LAPSE
