"""Reads by hand are judged as the page says; its table of vectors is the test."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from openami.mdm.hand_reads.desk import Usage, used
from openami.mdm.hand_reads.estimate import estimated
from openami.mdm.hand_reads.judge import Proposed, judged
from openami.mdm.hand_reads.miskeyed import candidates
from openami.mdm.hand_reads.read import HandReadError, PastRead, ReadState, Register, Road

PAGE = Path(__file__).parents[3] / "docs" / "vee" / "register-only.md"
START = datetime(2025, 1, 1, 6, tzinfo=UTC)
KWH = 1000
REGISTER = Register(capacity=100_000 * KWH, resolution=KWH, limit_per_hour=48_000)


def day(number: float) -> datetime:
    return START + timedelta(days=number)


@dataclass(frozen=True)
class Vector:
    case: str
    before: tuple[PastRead, ...]
    read: Proposed
    state: ReadState
    rules: frozenset[str]
    likeliest: int | None


def past(word: str) -> PastRead:
    number, _, count = word.partition(":")
    return PastRead(day(int(number)), int(count.rstrip("ec")) * KWH, count.endswith("e"), count.endswith("c"))


def vectors() -> list[Vector]:
    table = PAGE.read_text().split("## Test vectors")[1]
    rows = [[c.strip() for c in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("| ")]
    made = []
    for case, before, read, road, state, rules, likeliest in rows[1:]:
        proposed = past(read)
        made.append(
            Vector(
                case, tuple(past(w) for w in before.split()), Proposed(proposed.at, proposed.value, Road(road)),
                ReadState(state), frozenset(rules.split()), int(likeliest) * KWH if likeliest else None,
            )
        )  # fmt: skip
    return made


@pytest.mark.parametrize("vector", vectors(), ids=lambda v: v.case)
def test_a_read_is_judged_as_the_page_says(vector: Vector) -> None:
    found = judged(vector.read, vector.before, REGISTER)
    assert found.state is vector.state
    assert {f.rule for f in found.findings} == vector.rules
    if vector.likeliest is not None:
        assert found.candidates[0] == vector.likeliest


def test_every_rule_of_the_page_fires_in_a_vector_and_is_silent_in_another() -> None:
    rules = [line.split("`")[1] for line in PAGE.read_text().split("## Estimated")[0].splitlines() if line[:3] == "| `"]
    said = [v.rules for v in vectors()]
    assert len(rules) == 12
    for rule in rules:
        assert any(rule in s for s in said), rule
        assert any(rule not in s for s in said), rule
    assert set().union(*said) == set(rules)


def test_usage_between_reads_goes_through_a_rollover_and_takes_the_multiplier() -> None:
    register = Register(100_000 * KWH, KWH, 48_000, multiplier=40)
    found = judged(Proposed(day(30), 100 * KWH, Road.DIALS), [past("0:99900")], register)
    assert found.usage == 200 * KWH
    assert used([past("0:99900"), past("30:100")], register) == [Usage(day(0), day(30), 8_000 * KWH, False)]


def test_an_estimate_that_a_read_undercuts_gives_no_usage() -> None:
    rows = [past(w) for w in ("0:10000", "30:10900", "60:12000e", "90:11700", "120:12600e")]
    told = [(u.usage_wh // KWH, u.is_estimated) for u in used(rows, REGISTER)]
    assert told == [(900, False), (800, False), (900, True)]


def test_an_estimate_is_last_years_season_at_this_years_level() -> None:
    rows = [past(w) for w in ("0:10000", "30:13000", "61:15000", "365:40000", "395:41500")]
    made = estimated(rows, REGISTER, day(426), serial="S-1")
    # February a year ago used 2,000 in 31 days; January uses half of what it used then.
    assert (made.value, made.method) == (42_500 * KWH, "last_year_at_level")
    made = estimated(rows[:2], REGISTER, day(60), serial="S-1")
    assert (made.value, made.method) == (16_000 * KWH, "last_period")


def test_an_estimate_needs_two_actual_reads_and_goes_over_the_dials() -> None:
    with pytest.raises(HandReadError, match="no two actual reads"):
        estimated([past("0:10000"), past("30:10900e")], REGISTER, day(60), serial="S-1")
    made = estimated([past("0:98000"), past("30:99500")], REGISTER, day(60), serial="S-1")
    assert made.value == 1_000 * KWH


def test_one_slip_of_a_digit_is_undone_by_another() -> None:
    for meant, written in ((12_700, 17_200), (12_700, 1_270), (12_700, 12_800), (1_270, 12_270)):
        assert meant in set(candidates(written, digits=5))
