"""Every rule has a page that cannot differ from the code: thresholds and test vectors are read from the page."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from tests.unit.vee.vectors import PAGES, Vector, spots, vectors

from openami.mdm.vee.rules import judge
from openami.mdm.vee.rules.catalog import RULE_BY_ID, RULES
from openami.mdm.vee.ruleset import default_rules

VECTORS = vectors()
RULE_IDS = [rule.id for rule in RULES]
_ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| ([\d.e+-]+) \| ([\d.e+-]+) to ([\d.e+-]+) \|$", re.MULTILINE)


def page_of(rule: str) -> str:
    return (PAGES / f"{rule}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("rule", RULE_IDS)
def test_a_rule_has_a_page_with_what_it_says_and_where_it_comes_from(rule: str) -> None:
    text = page_of(rule)
    assert text.startswith(f"# `{rule}`\n\n{RULE_BY_ID[rule].says}\n")
    for part in ("## Definition", "## Source", "## Test vectors"):
        assert part in text, part


@pytest.mark.parametrize("rule", RULE_IDS)
def test_the_thresholds_of_a_page_are_those_that_are_shipped(rule: str) -> None:
    told = {n: (says, float(v), float(low), float(high)) for n, says, v, low, high in _ROW.findall(page_of(rule))}
    bounds = RULE_BY_ID[rule].bounds
    group = min(RULE_BY_ID[rule].groups)
    shipped = default_rules()[group][rule].thresholds
    assert told == {n: (b.says, shipped[n], b.low, b.high) for n, b in bounds.items()}


@pytest.mark.parametrize("rule", RULE_IDS)
def test_the_severities_of_a_page_are_those_that_are_shipped(rule: str) -> None:
    found = re.search(r"^Shipped as (.+)\.$", page_of(rule), re.MULTILINE)
    assert found
    shipped = {g.value: default_rules()[g][rule].severity.value for g in RULE_BY_ID[rule].groups}
    told = dict(part.split(" for ") for part in found[1].split("; "))
    assert {g: s for s, groups in told.items() for g in groups.split(", ")} == shipped


@pytest.mark.parametrize("rule", RULE_IDS)
def test_a_page_has_vectors_that_the_rule_finds_and_some_that_it_lets_pass(rule: str) -> None:
    finds = [bool(v.table["finds"]) for v in VECTORS if v.rule == rule]
    assert True in finds
    assert False in finds


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v.name)
def test_a_vector_gives_what_its_page_says(vector: Vector) -> None:
    told = [tuple(text.split()) for text in vector.table["finds"]]
    found = [(str(row), str(lo), str(hi), severity) for row, lo, hi, severity in spots(vector)]
    assert found == told, vector.table["says"]


def test_the_index_names_every_rule_once() -> None:
    named = re.findall(r"\[`(\w+)`\]\((\w+)\.md\)", (PAGES / "README.md").read_text(encoding="utf-8"))
    assert [a for a, _ in named] == [b for _, b in named]
    assert sorted(a for a, _ in named) == sorted(RULE_IDS)


@pytest.mark.parametrize("rule", RULE_IDS)
def test_a_rule_that_is_broken_on_purpose_fails_its_page(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tuple(replace(r, look=lambda *_: iter(())) if r.id == rule else r for r in RULES)
    monkeypatch.setattr(judge, "RULES", broken)
    firing = next(v for v in VECTORS if v.rule == rule and v.table["finds"])
    with pytest.raises(AssertionError):
        test_a_vector_gives_what_its_page_says(firing)
