"""What a retention plan removes, and what it never does."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.mdm.retention.policy import (
    Removal,
    RetentionError,
    Rule,
    digest_of,
    first_of_next,
    in_force,
    month_before,
    plan,
)
from openami.mdm.store.schema import Table

RAW, DAY = Table.READING_RAW, Table.READING_DAY
TODAY = date(2026, 7, 10)
ALL = [y * 100 + m for y in range(2022, 2027) for m in range(1, 13)][:55]
months = st.builds(lambda y, m: y * 100 + m, st.integers(2000, 2090), st.integers(1, 12))


def rule(kept: int | None, effective: date = date(2026, 1, 1), table: Table = RAW) -> Rule:
    return Rule(table, kept, effective, "the commission's order")


def test_without_a_rule_everything_is_kept() -> None:
    assert plan([], dict.fromkeys(Table, ALL), {}, TODAY) == []


def test_whole_months_beyond_the_rule_go_the_oldest_first_and_other_tables_stay() -> None:
    found = plan([rule(24)], {RAW: ALL[::-1], DAY: ALL}, {}, TODAY)
    assert {r.table for r in found} == {RAW}
    assert [r.month for r in found] == [m for m in ALL if m < 202407]


def test_places_that_a_bill_touches_are_held_in_its_months() -> None:
    place = UUID(int=1)
    found = plan([rule(24)], {RAW: [202301, 202302]}, {202301: frozenset({place})}, TODAY)
    assert found == [Removal(RAW, 202301, frozenset({place})), Removal(RAW, 202302, frozenset())]


@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        ([rule(24), rule(36, date(2026, 8, 1))], 24),
        ([rule(24), rule(36, date(2026, 7, 10))], 36),
        ([rule(36, date(2026, 3, 1)), rule(24)], 36),
        ([rule(24), rule(None, date(2026, 2, 1))], None),
        ([rule(24), rule(30)], 30),
        ([rule(60, table=DAY)], None),
    ],
)
def test_the_newest_rule_in_force_counts_and_of_one_day_the_later_entered(rules: list[Rule], kept: int | None) -> None:
    found = in_force(rules, RAW, TODAY)
    assert (None if found is None else found.months) == kept


@pytest.mark.parametrize("kept", [0, 14, 1201, -3])
def test_a_rule_that_would_take_what_is_still_needed_is_refused(kept: int) -> None:
    with pytest.raises(RetentionError, match="is kept for 15 to 1200 months"):
        rule(kept)


def test_a_rule_without_a_reason_is_refused() -> None:
    with pytest.raises(RetentionError, match="needs a reason"):
        Rule(RAW, 24, TODAY, " ")


@given(months, st.integers(-500, 500))
def test_counting_months_back_and_forth_comes_home(month: int, count: int) -> None:
    assert month_before(month_before(month, count), -count) == month
    assert first_of_next(month) > date(month // 100, month % 100, 28)


@given(st.sets(months, max_size=20), st.integers(15, 60))
def test_no_month_within_the_rule_is_ever_in_a_plan(there: set[int], kept: int) -> None:
    gone = {r.month for r in plan([rule(kept)], {RAW: there}, {}, TODAY)}
    assert gone == {m for m in there if m < month_before(202607, kept)}


def test_a_plan_with_one_place_more_or_less_has_another_name() -> None:
    one = [Removal(RAW, 202301, frozenset({UUID(int=1)}))]
    assert digest_of(one) != digest_of([Removal(RAW, 202301, frozenset())])
    assert digest_of(one) == digest_of(list(one))
