"""``openami vee`` on files of head-ends: CMEP with its own register reads, and CSV whose columns are declared."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from openami.app.commands.vee import validate_file
from openami.mdm.importing import FileRefusedError
from openami.mdm.importing.mapping import MappingError

BEGIN = datetime(2026, 6, 1, 5, tzinfo=UTC)
MAPPING = """
[meter]
column = "Meter"
[time]
column = "Stamp"
form = "%Y-%m-%d %H:%M"
marks = "ending"
clock = "utc"
[value]
kind = "intervals"
column = "kWh"
unit = "kWh"
interval_s = 900
channel = "delivered"
multiplier_applied = true
"""


def cmep(gap: range, *, constant: int = 1) -> str:
    def record(units: str, triplets: list[str], constant: int, length: str = "00000015") -> str:
        head = f"MEPMD01,20080501,MAKER,U:1,1,X,202606020515,M-1,OK,E,{units},{constant},{length},{len(triplets)}"
        return ",".join([head, *triplets]) + "\n"

    ends = [BEGIN + timedelta(minutes=15 * (n + 1)) for n in range(96)]
    intervals = [f"{e:%Y%m%d%H%M},R0,0.1" for n, e in enumerate(ends) if n not in gap]
    reads = [f"{BEGIN:%Y%m%d%H%M},R0,5", f"{ends[-1]:%Y%m%d%H%M},R0,14.63"]
    return record("KWH", intervals, 1) + record("KWHREG", reads, constant, "00000000")


def test_a_gap_in_a_cmep_file_is_scaled_to_the_registers_beside_it(tmp_path: Path) -> None:
    file, out = tmp_path / "day.cmep", tmp_path / "out.csv"
    file.write_text(cmep(range(40, 44)))
    (series,) = validate_file(file=file, tz="America/Chicago", out=out)["series"]
    assert (series["meter"], series["intervals"], series["estimated"], series["total_wh"]) == ("M-1", 96, 4, 9630)
    with out.open(newline="") as source:
        rows = list(csv.DictReader(source))
    assert {(r["quality"], r["iec"], r["espi"], r["nem12"]) for r in rows[:40]} == {("actual", "3.0.1", "17", "A")}
    assert {(r["quality"], r["iec"], r["nem12"]) for r in rows[40:44]} == {("estimated", "3.8.0 3.11.0", "S24")}


def test_a_csv_of_another_system_is_validated_by_its_mapping(tmp_path: Path) -> None:
    file, mapping = tmp_path / "day.csv", tmp_path / "map.toml"
    stamps = [BEGIN + timedelta(minutes=15 * (n + 1)) for n in range(96)]
    file.write_text("Meter,Stamp,kWh\n" + "".join(f"M-1,{s:%Y-%m-%d %H:%M},0.1\n" for s in stamps))
    mapping.write_text(MAPPING)
    (series,) = validate_file(file=file, tz="America/Chicago", mapping=mapping)["series"]
    assert (series["intervals"], series["total_wh"], series["findings"]) == (96, 9600, [])
    mapping.write_text(MAPPING.replace('marks = "ending"\n', ""))
    with pytest.raises(MappingError, match="not guessed"):
        validate_file(file=file, tz="America/Chicago", mapping=mapping)


def test_rows_that_contradict_each_other_are_named(tmp_path: Path) -> None:
    file = tmp_path / "day.cmep"
    file.write_text(cmep(range(0)) + cmep(range(0)).replace(",R0,0.1", ",R0,0.2"))
    with pytest.raises(FileRefusedError, match="line 3: M-1: has the start of line 1"):
        validate_file(file=file, tz="America/Chicago")
