"""The other system's file is parsed strictly, and the command compares it by files alone."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.billing.test_parallel import SPAN, printed, side, usage
from typer.testing import CliRunner

from openami.app.billing.parallel_files import parse_places
from openami.app.commands.bill_parallel import app
from openami.billing.parallel.theirs import COLUMNS, ParallelFileError, TheirBill, parse_their_bills

HEAD = ",".join(COLUMNS)
BILL = "B1,SP-1,ameren-mo-smart,2026-06-15,2026-07-15"
GOOD = [
    f"{BILL},read,begin,actual,,5000,kWh,,",
    f"{BILL},read,end,estimated,,5100,kWh,,",
    f"{BILL},multiplier,,,,1,,,",
    f"{BILL},usage,,,,100,kWh,,",
    f"{BILL},energy,Energy,Summer on-peak,,40.5,kWh,0.4051,16.41",
    f"{BILL},fixed,Customer charge,,,1,month,9.00,9.00",
    f"{BILL},total,,,,,,,25.41",
]


def octets(*rows: str) -> bytes:
    return "\n".join((HEAD, *rows)).encode()


def test_a_bill_is_read_with_reads_energy_lines_and_total() -> None:
    (bill,) = parse_their_bills(octets(*GOOD))
    assert (bill.bill, bill.span, bill.total, bill.usage_wh) == ("B1", SPAN, Decimal("25.41"), Decimal(100_000))
    assert bill.end is not None
    assert (bill.end.wh, bill.end.kind) == (Decimal(5_100_000), "estimated")
    assert [(x.kind, x.quantity, x.price) for x in bill.lines] == [
        ("energy", Decimal("40.5"), Decimal("0.4051")),
        ("fixed", Decimal(1), Decimal("9.00")),
    ]
    assert bill.usage_step_wh == Decimal(500)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([GOOD[0].replace("begin", "middle"), GOOD[-1]], "line 2: a read's name is begin or end"),
        ([GOOD[0], GOOD[0], GOOD[-1]], "line 3: a read's name is begin or end, each once"),
        ([GOOD[0].replace("actual", "guess"), GOOD[-1]], "'guess' is not one of actual, estimated, customer"),
        ([GOOD[2].replace(",1,", ",0,"), GOOD[-1]], "a multiplier is above zero"),
        ([GOOD[3].replace("kWh", "BTU"), GOOD[-1]], "unit 'BTU' is not one of Wh, kWh, MWh"),
        ([GOOD[4].replace("energy", "power"), GOOD[-1]], "item 'power' is not one of energy, demand"),
        ([GOOD[4].replace("16.41", "NaN"), GOOD[-1]], "amount 'NaN' is no number of a bill"),
        ([GOOD[4].replace("16.41", "much"), GOOD[-1]], "amount 'much' is no number"),
        (GOOD[:-1], "bill B1 has no total"),
        ([GOOD[-1], GOOD[-1]], "total stands twice"),
        ([GOOD[-1], GOOD[-1].replace("SP-1", "SP-2")], "bill B1 began on line 2 with another head"),
        ([GOOD[-1].replace("2026-07-15", "2026-06-15")], "from and to are days"),
        (["B1,SP-1"], "13 cells are needed"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_what_is_not_understood_refuses_the_file_with_its_line(rows: list[str], words: str) -> None:
    with pytest.raises(ParallelFileError, match=words.replace("(", r"\(")):
        parse_their_bills(octets(*rows))


@pytest.mark.parametrize("broken", [b"\xff\xfe", b"a,b\n", b"", HEAD.replace("tier", "block").encode()])
def test_another_file_is_refused(broken: bytes) -> None:
    with pytest.raises(ParallelFileError):
        parse_their_bills(broken)


@given(st.lists(st.sampled_from([*GOOD, "", ",,,,", '"', "\x00", BILL]), max_size=8), st.binary(max_size=40))
def test_whatever_comes_is_a_bill_or_one_family_of_errors(rows: list[str], tail: bytes) -> None:
    try:
        found = parse_their_bills(octets(*rows) + tail)
    except ParallelFileError:
        return
    assert all(isinstance(b, TheirBill) for b in found)


def test_a_place_that_stands_twice_or_a_column_nobody_knows_is_refused() -> None:
    head = "service_point,rate,from,to\n"
    with pytest.raises(ParallelFileError, match="stands twice"):
        parse_places((head + "SP-1,r,2026-06-15,2026-07-15\n" * 2).encode())
    with pytest.raises(ParallelFileError, match="not known"):
        parse_places(head.replace("rate", "tariff").encode())


def written(bills: list[TheirBill]) -> str:
    """Return bills as the file that another system would write."""
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(COLUMNS)
    for b in bills:
        head = (b.bill, b.service_point, b.rate, b.span.first, b.span.end)
        rows.writerow((*head, "usage", "", "", "", b.usage_wh, "Wh", "", ""))
        for x in b.lines:
            rows.writerow((*head, x.kind, x.name, x.period, x.tier or "", x.quantity, x.unit, x.price, x.amount))
        rows.writerow((*head, "total", "", "", "", "", "", "", b.total))
    return out.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:

    rates = tmp_path / "rates"
    rates.mkdir()
    (rates / "smart.json").write_text(json.dumps(RATE))
    start = [datetime.fromtimestamp(int(s), UTC).isoformat() for s in usage().start_s]
    rows = "\n".join(f"{s},{w},SP-{n}" for n in (1, 2) for s, w in zip(start, usage().wh.tolist(), strict=True))
    (tmp_path / "intervals.csv").write_text("start,value,meter\n" + rows)
    place = f"ours,{SPAN.first},{SPAN.end}"
    (tmp_path / "places.csv").write_text(f"service_point,rate,from,to\nSP-1,{place}\nSP-2,{place}\nSP-3,{place}\n")
    return tmp_path


RATE: dict[str, Any] = {
    "format": "openami-rate/1", "code": "ours", "name": "Ours", "currency": "USD",
    "versions": [
        {
            "fixed": [{"name": "Customer charge", "amount": "9.00"}],
            "periods": {
                "on": {"name": "on", "blocks": [{"price": "0.30"}]},
                "off": {"name": "off", "blocks": [{"price": "0.10"}]},
            },
            "seasons": [
                {
                    "name": "all", "months": list(range(1, 13)),
                    "days": {
                        "every_day": [["00:00", "16:00", "off"], ["16:00", "20:00", "on"], ["20:00", "24:00", "off"]]
                    },
                }
            ],
        }
    ],
}  # fmt: skip


def test_the_command_compares_files_and_says_what_it_cannot(folder: Path) -> None:
    from openami.billing.tariff.load import parse_rate

    ours = side(parse_rate(json.dumps(RATE).encode(), code="ours"))
    same = printed(ours.made(), "ours")
    late = replace(usage(), start_s=usage().start_s + 3600)
    shifted = replace(printed(ours.with_usage(late).made(), "ours"), bill="B2", service_point="SP-2")
    strange = replace(same, bill="B4", service_point="SP-4")
    (folder / "theirs.csv").write_text(written([same, shifted, strange]))
    files = ["--tariffs", folder / "rates", "--intervals", folder / "intervals.csv", "--places", folder / "places.csv"]
    line = ["parallel", folder / "theirs.csv", *files, "--tz", "America/Chicago", "--out", folder / "out.csv"]
    result = CliRunner().invoke(app, [*map(str, line), "--json"])
    assert result.exit_code == 1, result.output
    found = json.loads(result.stdout)
    assert found["equal"] == 1
    assert {d["service_point"]: d["cause"] for d in found["differences"]} == {"SP-2": "clock", "SP-4": "unknown_place"}
    assert len((folder / "out.csv").read_text().splitlines()) == 3
    table = CliRunner().invoke(app, [*map(str, line)])
    assert "intervals stand an hour" in table.output
    assert "1 of 3 bills are equal" in table.output
    assert CliRunner().invoke(app, ["parallel", str(folder / "theirs.csv")]).exit_code != 0
