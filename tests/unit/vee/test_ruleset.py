"""Rules are data: a setting holds for its group from its first day on, a later one over an earlier."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.mdm.vee.rules.catalog import RULES
from openami.mdm.vee.rules.rule import ChannelGroup
from openami.mdm.vee.ruleset import (
    RuleBook,
    RuleSetError,
    RuleSetting,
    RuleSeverity,
    default_rules,
    read_rules,
    setting_from_words,
    settings_of,
)

JUNE, JULY, AUGUST = (date(2026, m, 1) for m in (6, 7, 8))
_Words = tuple[str, str | None, date, date | None, str | None, tuple[str, ...]]
DELIVERED, RECEIVED = ChannelGroup.DELIVERED, ChannelGroup.RECEIVED


def test_every_rule_is_shipped_for_each_of_its_groups_with_all_thresholds() -> None:
    for rule in RULES:
        for group in rule.groups:
            assert default_rules()[group][rule.id].thresholds.keys() == rule.bounds.keys()


def test_a_setting_holds_in_its_half_open_span_for_its_group_alone() -> None:
    book = RuleBook((RuleSetting("spike", DELIVERED, JULY, AUGUST, RuleSeverity.WARN),))
    shipped = default_rules()[DELIVERED]["spike"].severity
    assert [book.on(DELIVERED, d)["spike"].severity for d in (JUNE, JULY, date(2026, 7, 31), AUGUST)] == [
        shipped, RuleSeverity.WARN, RuleSeverity.WARN, shipped
    ]  # fmt: skip
    assert book.on(RECEIVED, JULY)["spike"].severity is shipped


def test_of_two_settings_the_later_made_holds_and_keeps_what_it_does_not_name() -> None:
    first = RuleSetting("spike", None, JUNE, thresholds={"excess": 3.0})
    second = RuleSetting("spike", None, JULY, severity=RuleSeverity.OFF)
    third = RuleSetting("spike", None, JULY, thresholds={"excess": 5.0})
    on = RuleBook((first, second, third)).on(DELIVERED, JULY)["spike"]
    assert (on.severity, on.thresholds["excess"]) == (RuleSeverity.OFF, 5.0)
    assert on.thresholds["least_w"] == default_rules()[DELIVERED]["spike"].thresholds["least_w"]


def test_days_are_cut_where_a_set_begins_or_ends() -> None:
    book = RuleBook((RuleSetting("spike", None, date(2026, 6, 10), date(2026, 6, 20), RuleSeverity.OFF),))
    spans = [
        (a.day, b.day, s["spike"].severity is RuleSeverity.OFF)
        for a, b, s in book.spans(DELIVERED, JUNE, date(2026, 6, 30))
    ]
    assert spans == [(1, 9, False), (10, 19, True), (20, 30, False)]


@given(st.lists(st.tuples(st.integers(1, 28), st.integers(1, 10), st.sampled_from(list(RuleSeverity))), max_size=6))
def test_spans_say_of_each_day_what_the_book_says(made: list[tuple[int, int, RuleSeverity]]) -> None:
    settings = tuple(
        RuleSetting("missing", None, date(2026, 6, a), date(2026, 6, a).replace(day=min(30, a + n)), severity)
        for a, n, severity in made
    )
    book = RuleBook(settings)
    said = {}
    for first, last, rules in book.spans(DELIVERED, JUNE, date(2026, 6, 30)):
        for day in range(first.day, last.day + 1):
            assert day not in said
            said[day] = rules["missing"].severity
    assert said == {d: book.on(DELIVERED, date(2026, 6, d))["missing"].severity for d in range(1, 31)}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("spike", None, JUNE, None, "loud", ()), "severity 'loud': one of accept, fail, off, warn"),
        (("spike", "gas", JUNE, None, "warn", ()), "channel group 'gas'"),
        (("spike", "voltage", JUNE, None, "warn", ()), "spike: it does not speak of voltage"),
        (("spikes", None, JUNE, None, "warn", ()), "rule 'spikes': there is none"),
        (("spike", None, JUNE, None, None, ("excess=900",)), "excess = 900 lies outside 0.1 to 100"),
        (("spike", None, JUNE, None, None, ("excess=nan",)), "lies outside"),
        (("spike", None, JUNE, None, None, ("height=2",)), "no threshold 'height'"),
        (("spike", None, JUNE, None, None, ("excess",)), "'excess' is not name=number"),
        (("spike", None, JUNE, JUNE, "warn", ()), "not after 2026-06-01"),
        (("spike", None, JUNE, None, None, ()), "nothing changes"),
    ],
)
def test_what_cannot_be_is_refused_in_words(words: _Words, told: str) -> None:
    with pytest.raises(RuleSetError, match=told):
        setting_from_words(*words)


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"spike": 3}, "a table stands there"),
        ({"spike": {"excess": "much"}}, "is no number"),
        ({"spike": {"excess": True}}, "is no number"),
        ({"spike": {"gas": {"excess": 2}}}, "group 'gas'"),
        ({"nothing": {"severity": "warn"}}, "there is none"),
    ],
)
def test_a_file_of_rules_that_names_what_is_not_there_is_refused(document: dict[str, object], told: str) -> None:
    with pytest.raises(RuleSetError, match=told):
        settings_of(document, since=JUNE)


def test_a_shipped_file_without_a_rule_is_refused() -> None:
    with pytest.raises(RuleSetError, match="rules without a table"):
        read_rules({"spike": {"severity": "warn"}})
