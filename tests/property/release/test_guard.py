"""No sequence of releases isolates a group below the floor, by any arithmetic on what was released."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.kernel.time import Period
from openami.mdm.release.guard import Part, Released, ReleaseRefusedError, cells, fewest, require_releasable
from openami.mdm.release.preset import PRESETS, Preset

DAY = timedelta(days=1)
JULY = datetime(2026, 7, 1, tzinfo=UTC)
FLOOR = 4
SMALL = Preset("small", FLOOR, None, "test", "at least 4")
CUSTOMERS = [UUID(int=n + 1) for n in range(48)]
FEEDERS = [CUSTOMERS[n : n + 12] for n in range(0, 48, 12)]


def asked(dice: random.Random) -> tuple[frozenset[UUID], Period]:
    """A query as a curious person would build it: feeders joined, with a few added or left out."""
    members: set[UUID] = set()
    for feeder in dice.sample(FEEDERS, dice.randint(1, 4)):
        members |= set(feeder)
    for _ in range(dice.choice([0, 0, 0, 1, 1, 2, 4, 5, 6])):
        members ^= {dice.choice(CUSTOMERS)}
    start = JULY + DAY * dice.randint(0, 8)
    return frozenset(members), Period(start, start + DAY * dice.randint(1, 6))


def answered(dice: random.Random, queries: int) -> list[Released]:
    released: list[Released] = []
    for _ in range(queries):
        customers, period = asked(dice)
        try:
            require_releasable(dict.fromkeys(customers, 100), period, SMALL, released)
        except ReleaseRefusedError:
            continue
        released.append(Released(customers, period, SMALL.floor))
    return released


def isolated(released: list[Released]) -> list[tuple[UUID, ...]]:
    """Return the groups below the floor whose total on some day follows from the released totals.

    A release over days d1 to dn adds a row with a one for each of its customers on each of its days; a group's total
    on a day follows where the vector that selects it lies in the space of the rows. For groups of one and two all are
    tried; a larger group below the floor that could be isolated would differ from the cells as well.
    """
    days = [JULY + DAY * n for n in range(14)]
    rows = np.zeros((len(released), len(days) * len(CUSTOMERS)))
    for row, release in enumerate(released):
        members = np.array([c in release.customers for c in CUSTOMERS])
        for n, day in enumerate(days):
            if release.period.start <= day < release.period.end:
                rows[row, n * len(CUSTOMERS) : (n + 1) * len(CUSTOMERS)] = members
    # What is summed over days is more than what a day tells: give the attacker every day's total by itself.
    by_day = [rows[:, n * len(CUSTOMERS) : (n + 1) * len(CUSTOMERS)] for n in range(len(days))]
    found = []
    for matrix in by_day:
        kept = matrix[matrix.any(axis=1)]
        if not len(kept):
            continue
        _, sizes, basis = np.linalg.svd(kept, full_matrices=False)
        shadow = basis[sizes > 1e-9].T @ basis[sizes > 1e-9]
        # How far each vector of a group of one (on the diagonal) or two lies from the space, squared.
        alone = np.diag(shadow)
        far = 2 - (alone[:, None] + alone[None, :] + 2 * shadow)
        np.fill_diagonal(far, 1 - alone)
        pairs = np.argwhere(far < 1e-9)
        found += [tuple(CUSTOMERS[g] for g in sorted({*pair.tolist()})) for pair in pairs]
    return found


@given(st.integers(0, 2**32))
@settings(max_examples=12)
def test_two_hundred_random_queries_isolate_no_group_below_the_floor(seed: int) -> None:
    released = answered(random.Random(seed), 200)
    assert released
    assert isolated(released) == []


def test_without_the_guard_such_queries_do_isolate_somebody() -> None:
    dice = random.Random(7)
    everything = [Released(*asked(dice), FLOOR) for _ in range(60)]
    assert isolated(everything)


def refused(customers: set[UUID] | list[UUID], earlier: list[Released], *, days: tuple[int, int] = (0, 5)) -> str:
    period = Period(JULY + DAY * days[0], JULY + DAY * days[1])
    with pytest.raises(ReleaseRefusedError) as caught:
        require_releasable(dict.fromkeys(customers, 100), period, SMALL, earlier)
    return str(caught.value)


def release(customers: set[UUID] | list[UUID], days: tuple[int, int] = (0, 5)) -> Released:
    return Released(frozenset(customers), Period(JULY + DAY * days[0], JULY + DAY * days[1]), FLOOR)


def test_a_set_that_differs_by_less_than_the_floor_is_refused_either_way() -> None:
    whole = CUSTOMERS[:20]
    for other in (whole[:-1], whole[:-3], CUSTOMERS[:21], CUSTOMERS[:23]):
        assert "put together" in refused(other, [release(whole)])
    require_releasable(dict.fromkeys(whole[:-4], 1), release(whole).period, SMALL, [release(whole)])


def test_three_sets_that_differ_enough_pair_by_pair_and_isolate_one_together_are_refused() -> None:
    first, second = CUSTOMERS[:12], CUSTOMERS[12:24]
    assert "put together" in refused(CUSTOMERS[:23], [release(first), release(second)])


def test_the_same_set_may_be_released_again_and_other_times_are_apart() -> None:
    whole = CUSTOMERS[:20]
    require_releasable(dict.fromkeys(whole, 1), release(whole).period, SMALL, [release(whole)])
    later = Period(JULY + 5 * DAY, JULY + 9 * DAY)
    require_releasable(dict.fromkeys(whole[:-1], 1), later, SMALL, [release(whole)])


def test_the_stricter_of_two_rules_holds_where_their_sets_meet() -> None:
    strict = Released(frozenset(CUSTOMERS[:30]), release([]).period, 15)
    assert "fewer than 15" in refused(CUSTOMERS[:20], [strict])


@pytest.mark.parametrize(
    ("preset", "usage", "word"),
    [
        ("15/15", [10] * 14, "fewer than 15"),
        ("15/15", [10] * 14 + [40], "too large a share"),
        ("ca-100", [10] * 99, "fewer than 100"),
        ("4/50", [10, 10, 10, 31], "too large a share"),
    ],
)
def test_a_preset_refuses_small_and_dominated_groups(preset: str, usage: list[int], word: str) -> None:
    people = {UUID(int=n + 1): use for n, use in enumerate(usage)}
    with pytest.raises(ReleaseRefusedError, match=word):
        require_releasable(people, release([]).period, PRESETS[preset], [])


@pytest.mark.parametrize(
    ("preset", "usage"),
    [("15/15", [10] * 15), ("ca-100", [1] * 99 + [900]), ("4/50", [10, 10, 10, 30]), ("15/15", [0] * 15)],
)
def test_a_preset_admits_what_its_rule_admits(preset: str, usage: list[int]) -> None:
    people = {UUID(int=n + 1): use for n, use in enumerate(usage)}
    require_releasable(people, release([]).period, PRESETS[preset], [])


def test_a_part_that_one_customer_dominates_is_refused_though_the_whole_is_not() -> None:
    usage = dict.fromkeys(CUSTOMERS[:40], 10) | {CUSTOMERS[39]: 60}
    earlier = [Released(frozenset(CUSTOMERS[:20]), release([]).period, 15)]
    require_releasable(usage, release([]).period, PRESETS["15/15"], [])
    with pytest.raises(ReleaseRefusedError, match="a part of it"):
        require_releasable(usage, release([]).period, PRESETS["15/15"], earlier)


@given(st.lists(st.frozensets(st.sampled_from(CUSTOMERS)), max_size=6))
def test_cells_part_the_customers_of_the_sets(sets: list[frozenset[UUID]]) -> None:
    found = cells(sets)
    assert sum(len(c) for c in found.values()) == len(frozenset().union(*sets))
    for number, members in enumerate(sets):
        assert frozenset().union(*(c for holders, c in found.items() if number in holders)) == members


def test_a_refusal_names_no_customer_and_no_use() -> None:
    text = refused(CUSTOMERS[:19], [release(CUSTOMERS[:20])])
    assert not any(str(c) in text or c.hex in text for c in CUSTOMERS)
    assert "19" not in text


def spell(days: tuple[int, int]) -> Period:
    return Period(JULY + DAY * days[0], JULY + DAY * (days[0] + days[1]))


PARTS = st.frozensets(
    st.builds(
        Part,
        st.sampled_from(CUSTOMERS[:5]),
        st.sampled_from(CUSTOMERS[:4]),
        st.tuples(st.integers(0, 3), st.just(2)).map(lambda d: spell((d[0] * 2, d[1]))),
    ),
    max_size=12,
)


@given(st.lists(PARTS, min_size=1, max_size=3))
def test_the_cells_of_places_are_those_that_a_count_at_each_instant_finds(sets: list[frozenset[Part]]) -> None:
    whole = spell((1, 6))
    expected = set()
    for day in range(14):
        at = JULY + DAY * day / 2
        if not whole.holds(at):
            continue
        keys = {(p.service_point_id, p.customer) for parts in sets for p in parts if p.period.holds(at)}
        held = {
            key: sum(
                1 << n
                for n, parts in enumerate(sets)
                if any((p.service_point_id, p.customer) == key and p.period.holds(at) for p in parts)
            )
            for key in keys
        }
        for cell in set(held.values()):
            expected.add((cell, len({customer for (place, customer), c in held.items() if c == cell})))
    assert set(fewest(sets, whole)) == expected


def places(customers: list[UUID], *, more: tuple[UUID, ...] = (), days: tuple[int, int] = (0, 5)) -> frozenset[Part]:
    """One place of each customer, and a second one of some."""
    second = [Part(UUID(int=1000 + c.int), c, spell(days)) for c in more]
    return frozenset([*(Part(UUID(int=500 + c.int), c, spell(days)) for c in customers), *second])


def test_the_same_customers_with_one_more_place_are_refused_and_with_as_many_as_the_floor_are_not() -> None:
    whole, period = CUSTOMERS[:20], spell((0, 5))
    usage = dict.fromkeys(whole, 100)
    earlier = [Released(frozenset(whole), period, FLOOR, places(whole))]
    require_releasable(usage, period, SMALL, earlier, places(whole))
    require_releasable(usage, period, SMALL, earlier, places(whole, more=tuple(whole[:FLOOR])))
    for more in (1, FLOOR - 1):
        with pytest.raises(ReleaseRefusedError, match="put together"):
            require_releasable(usage, period, SMALL, earlier, places(whole, more=tuple(whole[:more])))
