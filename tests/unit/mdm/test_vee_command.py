"""``openami vee`` finds what is wrong in a file, fills what it may, and adds up to the registers."""

from __future__ import annotations

import csv
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.parquet as pq
import pytest

from openami.app.commands.vee import validate_file
from openami.kernel.errors import OpenAmiError

ZONE = ZoneInfo("America/Chicago")
DAY = datetime(2026, 6, 1, tzinfo=ZONE)


def write(path: Path, rows: list[tuple[object, ...]], header: str = "start,value") -> Path:
    path.write_text("\n".join([header, *(",".join(str(c) for c in row) for row in rows)]) + "\n")
    return path


def quarter_hours(count: int, value: int = 100) -> list[tuple[str, int]]:
    return [((DAY + timedelta(minutes=15 * k)).isoformat(), value) for k in range(count)]


def test_a_clean_file_has_no_findings(tmp_path: Path) -> None:
    found = validate_file(file=write(tmp_path / "i.csv", list(quarter_hours(96))), tz="America/Chicago")
    assert found["series"] == [
        {"meter": "", "channel": "delivered", "intervals": 96, "estimated": 0, "missing": 0, "total_wh": 9600,
         "findings": []}
    ]  # fmt: skip


def test_a_short_gap_is_filled_on_the_line_and_scaled_to_the_registers(tmp_path: Path) -> None:
    rows = [r for k, r in enumerate(quarter_hours(96)) if k not in {40, 41, 42, 43}]
    reads = [("", DAY.isoformat(), 5000), ("", (DAY + timedelta(days=1)).isoformat(), 5000 + 9200 + 130)]
    out = tmp_path / "o.csv"
    found = validate_file(
        file=write(tmp_path / "i.csv", list(rows)),
        registers=write(tmp_path / "r.csv", list(reads), "meter,time,value_wh"),
        tz="America/Chicago",
        out=out,
    )
    (series,) = found["series"]
    assert (series["intervals"], series["estimated"], series["missing"], series["total_wh"]) == (96, 4, 0, 9330)
    assert [f["rule"] for f in series["findings"]] == ["missing"]
    with out.open() as file:
        written = list(csv.DictReader(file))
    filled = [w for w in written if w["quality"] == "estimated"]
    assert [w["value_wh"] for w in filled] == ["33", "33", "32", "32"]
    assert {w["method"] for w in filled} == {"linear_scaled"}
    assert all(int(w["band_low_wh"]) <= int(w["value_wh"]) <= int(w["band_high_wh"]) for w in filled)


def test_a_long_gap_takes_the_line_at_its_ends_and_days_like_it_inside(tmp_path: Path) -> None:
    rows = [(s, 100 + 10 * (k // 96)) for k, (s, _) in enumerate(quarter_hours(5 * 96))]
    gap = range(4 * 96 + 20, 4 * 96 + 60)
    out = tmp_path / "o.parquet"
    file = write(tmp_path / "i.csv", [r for k, r in enumerate(rows) if k not in gap])
    (series,) = validate_file(file=file, tz="America/Chicago", out=out)["series"]
    assert (series["estimated"], series["missing"]) == (40, 0)
    table = pq.read_table(out).to_pydict()
    filled = [table["value_wh"][k] for k in gap]
    # The days before had 100 to 130, the ends of the gap have 140.
    assert filled[0] == filled[-1] == max(filled) == 138
    assert 110 < min(filled) == filled[20] < 125
    assert {table["method"][k] for k in gap} == {"weighted"}


def test_an_order_of_methods_and_a_calendar_can_be_given(tmp_path: Path) -> None:
    rows = [(s, 100 + 10 * (k // 96)) for k, (s, _) in enumerate(quarter_hours(5 * 96))]
    gap = range(4 * 96 + 20, 4 * 96 + 60)
    out = tmp_path / "o.parquet"
    file = write(tmp_path / "i.csv", [r for k, r in enumerate(rows) if k not in gap])
    methods = tmp_path / "methods.toml"
    methods.write_text('[[step]]\nmethod = "linear"\nmax_gap_s = 7200\n[[step]]\nmethod = "like_days"\n')
    validate_file(file=file, tz="America/Chicago", out=out, methods=methods, calendar="us")
    table = pq.read_table(out).to_pydict()
    assert {(table["value_wh"][k], table["method"][k]) for k in gap} == {(120, "like_days")}
    validate_file(file=file, tz="America/Chicago", out=out, is_demand_billed=True)
    assert {pq.read_table(out).to_pydict()["method"][k] for k in gap} == {"donor"}


@pytest.mark.parametrize("text", ["", "step = 5", "[[step]]\nmethod = 'magic'", "x = [", "[[step]]\n[other]"])
def test_an_order_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    methods = tmp_path / "methods.toml"
    methods.write_text(text)
    with pytest.raises(OpenAmiError):
        validate_file(file=write(tmp_path / "i.csv", list(quarter_hours(96))), methods=methods)


def test_nothing_is_invented_from_nothing(tmp_path: Path) -> None:
    rows = [r for k, r in enumerate(quarter_hours(96)) if not 10 <= k < 60]
    (series,) = validate_file(file=write(tmp_path / "i.csv", list(rows)), tz="America/Chicago")["series"]
    assert (series["estimated"], series["missing"]) == (0, 50)
    assert {"rule": "missing", "severity": "fail"}.items() <= series["findings"][-1].items()


def test_faults_are_found_and_not_believed(tmp_path: Path) -> None:
    rows: list[tuple[object, ...]] = list(quarter_hours(96))
    rows[10] = (rows[10][0], -5)
    rows[20] = (rows[20][0], 999_999)
    rows += [rows[30], (rows[50][0], 77)]
    (series,) = validate_file(file=write(tmp_path / "i.csv", rows), tz="America/Chicago")["series"]
    rules = {f["rule"] for f in series["findings"]}
    assert {"negative", "out_of_range", "duplicate", "conflict"} <= rules
    assert series["estimated"] == 2


def test_registers_that_disagree_are_raised_not_clipped(tmp_path: Path) -> None:
    reads = [("", DAY.isoformat(), 0), ("", (DAY + timedelta(days=1)).isoformat(), 9000)]
    (series,) = validate_file(
        file=write(tmp_path / "i.csv", list(quarter_hours(96))),
        registers=write(tmp_path / "r.csv", list(reads), "meter,time,value_wh"),
        tz="America/Chicago",
    )["series"]
    (finding,) = series["findings"]
    assert (finding["rule"], finding["severity"]) == ("sum_check", "fail")
    assert finding["evidence"]["residual_wh"] == -600
    assert series["total_wh"] == 9600


def test_a_register_rolls_over(tmp_path: Path) -> None:
    reads = [("", DAY.isoformat(), 9_999_000), ("", (DAY + timedelta(days=1)).isoformat(), 8600)]
    (series,) = validate_file(
        file=write(tmp_path / "i.csv", list(quarter_hours(96))),
        registers=write(tmp_path / "r.csv", list(reads), "meter,time,value_wh"),
        tz="America/Chicago",
    )["series"]
    assert series["findings"] == []


@pytest.mark.parametrize(("day", "count"), [("2026-03-08", 92), ("2026-11-01", 100)], ids=["short", "long"])
def test_a_daylight_saving_day_has_its_own_length(tmp_path: Path, day: str, count: int) -> None:
    start = datetime.fromisoformat(day).replace(tzinfo=ZONE).timestamp()
    rows = [(datetime.fromtimestamp(start + 900 * k, ZONE).isoformat(), 50) for k in range(count)]
    (series,) = validate_file(file=write(tmp_path / "i.csv", list(rows)), tz="America/Chicago")["series"]
    assert series["intervals"] == count
    assert series["findings"] == []


def test_kilowatt_hours_keep_their_digits(tmp_path: Path) -> None:
    rows = [(s, "0.1234") for s, _ in quarter_hours(96)]
    (series,) = validate_file(file=write(tmp_path / "i.csv", list(rows)), unit="kWh")["series"]
    assert series["total_wh"] == 11846.4


@pytest.mark.parametrize(
    "text",
    [
        "",
        "start,value\nx,1\n",
        "start,value\n2026-06-01T00:00:00,1\n",
        "a,b\n1,2\n",
        "start,value\n2026-06-01T00:00Z,x\n",
    ],
    ids=["empty", "time", "naive", "header", "value"],
)
def test_what_cannot_be_understood_is_refused_with_one_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "i.csv"
    path.write_text(text)
    with pytest.raises(OpenAmiError):
        validate_file(file=path)


def month(seed: int = 5) -> list[tuple[object, ...]]:
    dice = np.random.default_rng(seed)
    return [(start, int(value)) for (start, _), value in zip(quarter_hours(20 * 96), dice.integers(40, 400, 20 * 96))]  # noqa: B905


def rules_found(document: dict[str, Any], channel: str = "delivered") -> set[str]:
    return {f["rule"] for s in document["series"] if s["channel"] == channel for f in s["findings"]}


def test_the_days_before_in_the_file_are_the_history_of_each_day(tmp_path: Path) -> None:
    rows = month()
    rows[15 * 96 : 16 * 96] = [(rows[15 * 96 + k][0], rows[8 * 96 + k][1]) for k in range(96)]
    rows[18 * 96 + 50] = (rows[18 * 96 + 50][0], 3_000)
    document = validate_file(file=write(tmp_path / "i.csv", rows), tz="America/Chicago")
    found = {f["rule"]: f for f in document["series"][0]["findings"]}
    assert set(found) == {"repeat_day", "spike"}
    assert found["repeat_day"]["evidence"]["days_back"] == 7
    assert found["repeat_day"]["start"].startswith("2026-06-16T00:00")
    assert found["spike"]["start"].startswith("2026-06-19T12:30")


def test_channels_of_a_meter_in_one_file_see_each_other(tmp_path: Path) -> None:
    rows: list[tuple[object, ...]] = [
        (start, value if not 1_700 <= k < 1_708 else 0, "delivered") for k, (start, value) in enumerate(month())
    ]
    volts: list[tuple[object, ...]] = [(start, 240.5, "voltage") for start, *_ in rows]
    document = validate_file(
        file=write(tmp_path / "i.csv", [*rows, *volts], "start,value,channel"), tz="America/Chicago", nominal_v=240
    )
    assert rules_found(document) == {"stopped"}
    assert rules_found(document, "voltage") == set()
    alone = validate_file(file=write(tmp_path / "j.csv", rows, "start,value,channel"), tz="America/Chicago")
    assert rules_found(alone) == {"zero"}


def test_what_the_caller_says_of_the_place_is_judged(tmp_path: Path) -> None:
    file = write(tmp_path / "i.csv", list(quarter_hours(96)))
    assert rules_found(validate_file(file=file, service="disconnected")) == {"disconnected_usage"}
    received = write(tmp_path / "r.csv", [(s, v, "received") for s, v in quarter_hours(96)], "start,value,channel")
    assert rules_found(validate_file(file=received, may_feed_in=False), "received") == {"reverse_unapproved"}
    with pytest.raises(OpenAmiError, match="one of active"):
        validate_file(file=file, service="dark")


def test_a_file_of_rules_lies_over_the_shipped_ones(tmp_path: Path) -> None:
    rows: list[tuple[object, ...]] = list(quarter_hours(96))
    rows[10] = (rows[10][0], -5)
    file, rules = write(tmp_path / "i.csv", rows), tmp_path / "rules.toml"
    rules.write_text('[negative]\ndelivered.severity = "off"\n')
    (series,) = validate_file(file=file, rules=rules)["series"]
    assert (series["findings"], series["estimated"], series["total_wh"]) == ([], 0, 9_495)
    rules.write_text("[negative]\nseverity = 'loud'\n")
    with pytest.raises(OpenAmiError, match="one of accept, fail, off, warn"):
        validate_file(file=file, rules=rules)


def test_thresholds_are_told_in_watt_hours_whatever_the_file_resolves(tmp_path: Path) -> None:
    rows: list[tuple[object, ...]] = [(start, f"{int(str(value)) / 1000:.6f}") for start, value in month()]
    rows[1_800] = (rows[1_800][0], "3.000001")
    (series,) = validate_file(file=write(tmp_path / "i.csv", rows), unit="kWh", tz="America/Chicago")["series"]
    assert [f["rule"] for f in series["findings"]] == ["spike"]
    assert series["findings"][0]["evidence"]["spike_wh"] == 3_000.001
