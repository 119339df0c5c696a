"""The documents of ``openami bill`` and ``openami compare`` keep the shapes that scripts rely on."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from openami.app.commands.bill import bill, bill_intervals
from openami.app.commands.compare import compare_intervals
from openami.kernel.errors import MisuseError, OpenAmiError

RATES = Path(str(files("openami.billing") / "rates"))
ANYTIME = RATES / "ameren-mo-anytime.json"
START = datetime(2026, 6, 1, 5, tzinfo=UTC)


def _file(folder: Path, *, hours: int, drop: int = -1) -> Path:
    rows = [f"{(START + timedelta(hours=h)).isoformat()},1000" for h in range(hours) if h != drop]
    place = folder / "intervals.csv"
    place.write_text("start,value\n" + "\n".join(rows) + "\n")
    return place


def _bill(intervals: Path, **changes: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "tariff": ANYTIME, "intervals": intervals, "first": "2026-06-01", "end": "2026-08-01", "tz": "America/Chicago"
    }  # fmt: skip
    return bill_intervals(**(arguments | changes))


def test_a_bill_is_made_for_each_calendar_month_and_money_is_decimal_text(tmp_path: Path) -> None:
    document = _bill(_file(tmp_path, hours=61 * 24))
    assert [(b["from"], b["to"], b["usage_wh"]) for b in document["bills"]] == [
        ("2026-06-01", "2026-07-01", 720_000), ("2026-07-01", "2026-08-01", 744_000),
    ]  # fmt: skip
    assert document["bills"][0]["lines"][0] == {
        "kind": "energy", "name": "Energy, Summer", "period": "Summer", "tier": None, "quantity": "720.00",
        "unit": "kWh", "price": "0.156", "exact_amount": "112.32", "amount": "112.32",
        "clause": "versions[0].periods[Summer].blocks[0]", "days": None,
    }  # fmt: skip
    assert [b["total"] for b in document["bills"]] == ["121.51", "125.25"]
    assert (document["total"], document["currency"], document["findings"]) == ("246.76", "USD", [])


def test_a_cycle_file_sets_the_bills_days(tmp_path: Path) -> None:
    cycle = tmp_path / "cycle.csv"
    cycle.write_text("from,to\n2026-06-03,2026-07-02\n2026-07-02,2026-07-31\n")
    document = _bill(_file(tmp_path, hours=61 * 24), cycle=cycle)
    assert [(b["from"], b["to"], b["days"]) for b in document["bills"]] == [
        ("2026-06-03", "2026-07-02", 29), ("2026-07-02", "2026-07-31", 29),
    ]  # fmt: skip


def test_a_missing_interval_is_a_finding(tmp_path: Path) -> None:
    document = _bill(_file(tmp_path, hours=61 * 24, drop=100))
    assert [f["evidence"] for f in document["findings"]] == [{"missing_intervals": 1, "expected_intervals": 720}]


def test_comparing_names_the_present_rate_and_keeps_refused_rates_in_the_list(tmp_path: Path) -> None:
    folder = tmp_path / "rates"
    folder.mkdir()
    for name in ("anytime", "overnight"):
        (folder / f"{name}.json").write_bytes((RATES / f"ameren-mo-{name}.json").read_bytes())
    (folder / "bad.json").write_text("{}")
    document = compare_intervals(
        tariffs=folder, intervals=_file(tmp_path, hours=61 * 24), first="2026-06-01", end="2026-08-01",
        tz="America/Chicago", present="anytime",
    )  # fmt: skip
    assert {r["tariff"]: r["refused"] is not None for r in document["rates"]} == {
        "ameren-mo-anytime": False, "ameren-mo-overnight": False, "bad": True,
    }  # fmt: skip
    assert document["coverage"] == 1.0
    assert set(document["advice"]) == {"tariff", "saving", "reason"}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"tz": "Mars/Olympus"}, MisuseError),
        ({"first": "June"}, MisuseError),
        ({"end": "2026-06-01"}, MisuseError),
        ({"tariff": Path("/nowhere.json")}, MisuseError),
        ({"unit": "therm"}, OpenAmiError),
        ({"meter": "nobody"}, OpenAmiError),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_one_declared_error(
    tmp_path: Path, changes: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        _bill(_file(tmp_path, hours=24), **changes)


def test_the_command_prints_one_json_document_and_exits_1_on_a_finding(tmp_path: Path) -> None:

    alone = typer.Typer()
    alone.command()(bill)
    arguments = ["--tariff", str(ANYTIME), "--from", "2026-06-01", "--to", "2026-07-01", "--tz", "America/Chicago"]
    whole = CliRunner().invoke(alone, [*arguments, "--intervals", str(_file(tmp_path, hours=720)), "--json"])
    assert (whole.exit_code, json.loads(whole.stdout)["total"]) == (0, "121.51")
    cut = CliRunner().invoke(alone, [*arguments, "--intervals", str(_file(tmp_path, hours=700)), "--json"])
    assert cut.exit_code == 1


def test_an_explained_bill_goes_down_to_the_files_and_says_that_it_ends_there(tmp_path: Path) -> None:
    intervals = _file(tmp_path, hours=61 * 24)
    document = _bill(intervals, explain=True)
    (energy, *_) = document["bills"][0]["explanation"]
    assert energy["formula"] == "720.00 kWh x 0.156 = 112.32, rounded once to 112.32"
    assert energy["clause"]["path"] == "versions[0].periods[Summer].blocks[0]"
    assert [d["wh"] for d in energy["days"]] == [24_000] * 30
    assert document["sources"]["interval_file"]["sha256"] == hashlib.sha256(intervals.read_bytes()).hexdigest()
    assert set(document["sources"]) == {"rate_file", "interval_file", "ends"}
    assert "ends at these files" in document["sources"]["ends"]
    app = typer.Typer()
    app.command()(bill)
    asked = ["--tariff", str(ANYTIME), "--intervals", str(intervals), "--tz", "America/Chicago", "--explain"]
    shown = CliRunner().invoke(app, [*asked, "--from", "2026-06-01", "--to", "2026-07-01"])
    assert shown.exit_code == 0
    assert "metered  720,000 Wh in 720 intervals of 30 days" in shown.output
