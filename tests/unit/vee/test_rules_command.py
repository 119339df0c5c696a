"""``openami rules`` lists what is shipped, and its TOML read back is the same set."""

from __future__ import annotations

import json
import tomllib
from datetime import date

from typer.testing import CliRunner

from openami.app.commands.rules import app, rows_of, toml_of
from openami.mdm.vee.rules.catalog import RULES
from openami.mdm.vee.ruleset import RuleBook, default_rules, settings_of

RUN = CliRunner()


def test_the_list_has_every_rule() -> None:
    found = RUN.invoke(app, ["list", "--shipped", "--json"])
    assert found.exit_code == 0
    assert {row["rule"] for row in json.loads(found.stdout)} == {rule.id for rule in RULES}
    assert "repeat_day" in RUN.invoke(app, ["list", "--shipped"]).stdout


def test_the_list_as_toml_read_back_is_the_same_set() -> None:
    day = date(2026, 6, 1)
    book = RuleBook(settings_of(tomllib.loads(toml_of(rows_of(RuleBook(), day))), since=date.min))
    for group, shipped in default_rules().items():
        assert dict(book.on(group, day).states) == dict(shipped.states)


def test_a_rule_is_shown_with_its_ranges_and_its_page() -> None:
    found = RUN.invoke(app, ["show", "spike", "--shipped"])
    assert found.exit_code == 0
    assert "docs/vee/spike.md" in found.stdout
    assert "0.1 to 100" in found.stdout


def test_a_rule_that_is_not_there_is_refused_in_words() -> None:
    found = RUN.invoke(app, ["show", "spikes", "--shipped"])
    assert found.exit_code != 0
    assert "there is none" in str(found.exception)
