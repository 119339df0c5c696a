"""The table of attacks: its page says what it checks, and a row without a test is no row that holds."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from tests.attacks.marks import PROPERTY
from tests.attacks.rows import ROWS, rows_named
from tests.attacks.tally import Result, RowTally, Tally
from tests.conftest import ROOT


def test_the_page_of_attacks_has_every_row_as_it_is_checked() -> None:
    page = (ROOT / "docs" / "security" / "attacks.md").read_text()
    for name, row in ROWS.items():
        assert f"| {name} | {row.attack} | {row.expected} |" in page


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("test_a5_nothing_weaker_is_made", ["A5"]),
        ("test_a14_a15_no_window_holds_more", ["A14", "A15"]),
        ("test_the_gateway_refuses[A17 no signature]", ["A17"]),
        ("test_a_twisted_answer[A8-short]", ["A8"]),
        ("test_a_day_of_96_rows[a1]", []),
        ("test_aa5_is_none", []),
    ],
)
def test_a_name_says_its_rows(name: str, rows: list[str]) -> None:
    assert rows_named(name) == rows


@dataclass
class Report:
    """What pytest says of one step of one test."""

    when: str
    outcome: str
    rows: tuple[str, ...] = ("A1",)
    nodeid: str = "tests/x.py::test_y"
    failed: bool = field(init=False)
    skipped: bool = field(init=False)

    def __post_init__(self) -> None:
        self.failed, self.skipped = self.outcome == "failed", self.outcome == "skipped"
        self.user_properties = [(PROPERTY, row) for row in self.rows]


@pytest.mark.parametrize(
    ("steps", "result"),
    [
        pytest.param([("setup", "passed"), ("call", "passed"), ("teardown", "passed")], Result.HOLDS, id="passed"),
        pytest.param([("setup", "passed"), ("call", "failed")], Result.BROKEN, id="failed"),
        pytest.param([("setup", "failed")], Result.BROKEN, id="it could not begin"),
        pytest.param([("call", "passed"), ("teardown", "failed")], Result.BROKEN, id="it could not end"),
        pytest.param([("setup", "skipped")], Result.UNTESTED, id="all were skipped"),
        pytest.param([("call", "passed"), ("setup", "skipped")], Result.SKIPPED, id="some were skipped"),
    ],
)
def test_a_row_is_what_its_tests_came_to(steps: list[tuple[str, str]], result: Result) -> None:
    tally = Tally()
    for when, outcome in steps:
        tally.pytest_runtest_logreport(Report(when, outcome))  # type: ignore[arg-type]  # what the tally asks of it
    assert tally.rows["A1"].result is result
    assert not tally.is_good, "the other rows have no test"


def test_a_table_whose_every_row_holds_is_good() -> None:
    tally = Tally()
    tally.rows.update({name: RowTally(passed=1) for name in ROWS})
    assert tally.is_good
