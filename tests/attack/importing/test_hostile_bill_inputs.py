"""Terms and carried state of ``openami bill`` come as files: whatever is in them is refused in words, at once."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from openami.app.commands.bill_terms import load_carried, load_terms
from openami.billing.rating.usage import BillSpan
from openami.kernel.errors import OpenAmiError

pytestmark = pytest.mark.attack("A21")
SPANS = [BillSpan(date(2026, 6, 1), date(2026, 7, 1))]
START = "2026-06-01T00:00:00+00:00"
GOOD: dict[str, Any] = {
    "municipality": "St. Louis", "is_final": True, "attributes": {"meter": "three phase"},
    "approved_w": [["2026-01-01", None, 7600]], "events": [["peak", START, "2026-06-01T04:00:00+00:00"]],
    "prices": [["day-ahead", START, 3600, ["0.05", "-0.01"]]], "coincident": [START], "most_left_out": "0.1",
}  # fmt: skip


def written(folder: Path, document: object) -> Path:
    place = folder / "file.json"
    place.write_text(json.dumps(document))
    return place


def test_terms_of_the_right_shape_are_taken(tmp_path: Path) -> None:
    (terms,) = load_terms(written(tmp_path, GOOD), SPANS)
    assert (terms.is_final, terms.attributes, terms.approved_w[0].capacity_w) == (True, {"meter": "three phase"}, 7600)


@pytest.mark.parametrize(
    "bad",
    [
        {"prices": [["s", START, 3600, [text]]]}
        for text in ("1e999999999", "Infinity", "NaN", "sNaN", "1e-999999999", "-1e40")
    ]
    + [{"most_left_out": text} for text in ("1e999999999", "NaN", "-0.1", "1.1", "1e-999999999")]
    + [
        {"attributes": [1]}, {"attributes": {"a": {"b": 1}}}, {"is_final": "no"}, {"municipality": 5},
        {"approved_w": [["2026-01-01", None, "x"]]}, {"approved_w": [["2026-01-01", None, -5]]},
        {"approved_w": [["2026-01-01", None, 1e400]]}, {"coincident": ["2026-06-01T00:00:00"]},
        {"events": [[5, START, "2026-06-02T00:00:00+00:00"]]}, {"prices": [["s", START, 0.5, ["1"]]]},
        {"prices": [["s", "9999-12-31T23:59:59+00:00", 3600, ["1"] * 10]]}, {"prices": [["s", START, 10**18, ["1"]]]},
        {"prices": {"a": 1}}, {"events": 7}, {"municipality": "\x1b[31m"}, {"most_left_out": []},
    ],
    ids=lambda bad: json.dumps(bad)[:60],
)  # fmt: skip
def test_terms_of_another_shape_are_refused(tmp_path: Path, bad: dict[str, Any]) -> None:
    with pytest.raises(OpenAmiError):
        load_terms(written(tmp_path, GOOD | bad), SPANS)


@pytest.mark.parametrize("money", ["1e-999999999", "1e-40", "1e13", "NaN", "Infinity", "sNaN"])
def test_an_amount_that_would_fill_the_memory_when_it_is_written_is_refused(tmp_path: Path, money: str) -> None:
    for document in ({"year_to_date": {"charged": money}}, {"bank": [{"month": "2026-01-01", "amount": money}]}):
        with pytest.raises(OpenAmiError):
            load_carried(written(tmp_path, document))
