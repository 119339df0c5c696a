"""``openami rates``: what is listed, what a rate says on a day, and what a file is refused for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from openami.app.commands.rates import app
from openami.billing.tariff import TariffError, parse_rate, shipped_rates
from openami.kernel.errors import MisuseError

RUN = CliRunner()


def test_the_list_names_what_is_not_known_and_what_is_least_sure(tmp_path: Path) -> None:
    found = RUN.invoke(app, ["list", "--home", str(tmp_path), "--json"])
    rows = {row["code"]: row for row in json.loads(found.stdout)}
    assert (found.exit_code, len(rows)) == (0, 5)
    ultimate = rows["ameren-mo-ultimate"]
    assert set(ultimate["not_known"]) == {"FAC", "RESRAM", "EEIC", "SUR", "GRT"}
    assert "winter on-peak hours" in ultimate["least_sure_of"]
    assert "prices" not in ultimate["least_sure_of"]


def test_a_rate_is_shown_in_words_with_every_value_of_its_riders(tmp_path: Path) -> None:
    found = RUN.invoke(app, ["show", "ameren-mo-smart", "--on", "2026-07-01", "--home", str(tmp_path)])
    assert found.exit_code == 0
    for words in (
        "15:00 to 19:00, 40.51 ¢ per kWh",
        "FAC, Fuel adjustment charge: NOT KNOWN since 2023-06-01",
        "0.627 ¢ per kWh from 2023-02-01 (medium: one source",
        "holidays: low:",
    ):
        assert words in found.stdout


def test_what_show_prints_as_json_is_a_rate_file_of_that_rate(tmp_path: Path) -> None:
    found = RUN.invoke(app, ["show", "ameren-mo-smart", "--home", str(tmp_path), "--json"])
    assert parse_rate(found.stdout.encode(), code="x") == shipped_rates()["ameren-mo-smart"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [(["show", "nobody"], MisuseError), (["show", "ameren-mo-smart", "--on", "2020-01-01"], TariffError)],
    ids=["a rate that is not there", "a day without a version"],
)
def test_what_cannot_be_shown_is_one_declared_error(
    tmp_path: Path, arguments: list[str], error: type[Exception]
) -> None:
    assert isinstance(RUN.invoke(app, [*arguments, "--home", str(tmp_path)]).exception, error)


def test_a_file_is_checked_and_converted_or_refused_by_its_clause(tmp_path: Path, shared_data: Path) -> None:
    urdb = next(iter(sorted((shared_data / "tariffs" / "ameren_mo_2025_06").glob("ultimate*.json"))))
    converted = RUN.invoke(app, ["check", str(urdb), "--convert"])
    ours = tmp_path / "ours.json"
    ours.write_text(converted.stdout)
    checked = RUN.invoke(app, ["check", str(ours), "--json"])
    assert (checked.exit_code, json.loads(checked.stdout)["refused"]) == (0, None)
    ours.write_text(converted.stdout.replace('"0.341"', '"0,341"'))
    refused = RUN.invoke(app, ["check", str(ours), "--json"])
    assert refused.exit_code == 1
    assert json.loads(refused.stdout)["refused"]["clause"].endswith(".blocks[0].price")
