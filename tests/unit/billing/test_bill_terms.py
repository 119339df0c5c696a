"""``openami bill`` on files with approvals and carried state: a net metered home from a NEM12 file, bill after bill."""

from __future__ import annotations

import json
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from openami.app.commands.bill import bill_intervals
from openami.kernel.errors import MisuseError, OpenAmiError

RATE = Path(__file__).parents[2] / "golden" / "billing" / "net_metering" / "rate.toml"


def _file(folder: Path, *, first: date = date(2025, 6, 1), days: int = 61, use: int = 20, sent: int = 30) -> Path:
    """Half-hours: ``use`` kWh at 21:00 and ``sent`` kWh at noon every day."""
    rows = ["100,NEM12,202601010000,X,X"]
    for suffix, hour, kwh in (("E1", 21, use), ("B1", 12, sent)):
        rows.append(f"200,NMI0000001,E1B1,{suffix},{suffix},N1,METER1,KWH,30,")
        for day in (first + timedelta(days=n) for n in range(days)):
            values = ",".join(str(kwh if h == 2 * hour else 0) for h in range(48))
            rows.append(f"300,{day:%Y%m%d},{values},A,,,20260101000000,")
    place = folder / "intervals.csv"
    place.write_text("\n".join([*rows, "900"]) + "\n")
    return place


def _json(folder: Path, name: str, document: Any) -> Path:
    place = folder / name
    place.write_text(json.dumps(document))
    return place


def _bill(intervals: Path, **more: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {"tariff": RATE, "first": "2025-06-01", "end": "2025-08-01"}
    return bill_intervals(intervals=intervals, tz="America/Chicago", **(usual | more))


APPROVED = {"approved_w": [["2025-01-01", None, 7600]]}


def test_a_bank_goes_from_bill_to_bill_and_on_from_a_file(tmp_path: Path) -> None:
    intervals, terms = _file(tmp_path), _json(tmp_path, "terms.json", APPROVED)
    june, july = _bill(intervals, terms=terms)["bills"]
    assert [c["wh"] for c in june["carried"]["bank"]] == [300_000]
    assert [c["wh"] for c in july["carried"]["bank"]] == [300_000, 310_000]
    alone = _bill(intervals, terms=terms, first="2025-07-01", carried=_json(tmp_path, "june.json", june))
    assert alone["bills"][0]["carried"] == july["carried"]


def test_without_an_approval_the_bill_is_whole_and_says_why(tmp_path: Path) -> None:
    june, _ = _bill(_file(tmp_path))["bills"]
    assert (june["total"], june["carried"]["bank"]) == ("69.00", [])
    assert [(n["code"], n["holds"]) for n in june["notices"]] == [("received_without_approval", False)]


def test_the_last_bill_may_be_final(tmp_path: Path) -> None:
    terms = _json(tmp_path, "terms.json", APPROVED | {"is_final": True})
    june, july = _bill(_file(tmp_path), terms=terms)["bills"]
    assert june["carried"]["bank"]
    assert not july["carried"]["bank"]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "one JSON object"),
        ({"approved": []}, "'approved' is not one of"),
        ({"approved_w": [["soon", None, 1]]}, "another shape"),
        ({"approved_w": 7}, "another shape"),
        ({"coincident": ["noon"]}, "another shape"),
        ({"events": [["CPP", "2026-01-01T00:00", "2026-01-01T01:00"]]}, "two rising instants with a zone"),
    ],
)
def test_terms_of_another_shape_are_refused_by_name(tmp_path: Path, document: Any, words: str) -> None:
    with pytest.raises(OpenAmiError, match=words):
        _bill(_file(tmp_path), terms=_json(tmp_path, "terms.json", document))


def test_a_file_of_terms_that_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "terms.json").write_text("approved = 1")
    with pytest.raises(MisuseError, match=r"terms\.json: not JSON"):
        _bill(_file(tmp_path), terms=tmp_path / "terms.json")


RATES = Path(str(files("openami.billing") / "rates"))


def test_a_file_of_values_prices_what_the_rate_does_not_know(tmp_path: Path) -> None:
    intervals, terms = _file(tmp_path), _json(tmp_path, "terms.json", APPROVED)
    plain = _bill(intervals, terms=terms, tariff=RATES / "ameren-mo-anytime.json")["bills"][0]
    assert {s["code"] for s in plain["stamps"]} == {"base_charges_only", "tax_not_known", "export_price_not_known"}
    values = RATES / "assumed" / "ameren-mo.toml"
    priced = _bill(intervals, terms=terms, tariff=RATES / "ameren-mo-anytime.json", values=values)["bills"][0]
    assert priced["stamps"] == []
    # 300 kWh beyond use at the assumed 0.025: 7.50 for later bills.
    assert [c["amount"] for c in priced["carried"]["bank"]] == ["7.50"]


def test_a_broken_file_of_values_is_refused_by_its_clause(tmp_path: Path) -> None:
    values = _json(tmp_path, "values.json", {"format": "openami-rate-values/1", "charges": [{"code": "FAC"}]})
    with pytest.raises(OpenAmiError, match=r"values\.json: charges\[FAC\]"):
        _bill(_file(tmp_path), values=values)


def test_lines_of_energy_sent_out_are_proved_by_what_was_received(tmp_path: Path) -> None:
    intervals, terms = _file(tmp_path), _json(tmp_path, "terms.json", APPROVED)
    june = _bill(intervals, terms=terms, explain=True)["bills"][0]
    sent = {line["name"]: line for line in june["explanation"] if "sent out" in line["name"]}
    assert [(n, x["metered_wh"], x["note"]) for n, x in sent.items()] == [
        ("Energy you sent out, set against your use", 900_000, "600.00 kWh of what came in"),
        (
            "Energy you sent out beyond your use (Off-peak), kept as energy credit",
            900_000,
            "300.00 kWh of what came in",
        ),
    ]
    assert {x["clause"]["path"] for x in sent.values()} == {"versions[0].export.netting"}
