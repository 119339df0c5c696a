"""A rate file is a stranger's: its words reach terminals, papers and tables, and its figures the engine."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import pytest

from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.load import parse_rate

pytestmark = pytest.mark.attack("A21")
RATE: dict[str, Any] = {
    "format": "openami-rate/1", "code": "ours", "name": "Ours", "currency": "USD",
    "versions": [
        {
            "fixed": [{"name": "Customer charge", "amount": "9.00"}],
            "periods": {"on": {"name": "on", "blocks": [{"price": "0.30"}]}},
            "seasons": [
                {"name": "all", "months": list(range(1, 13)), "days": {"every_day": [["00:00", "24:00", "on"]]}}
            ],
        }
    ],
}  # fmt: skip


def test_the_rate_is_one_that_can_be_read() -> None:
    assert parse_rate(json.dumps(RATE).encode(), code="x").code == "ours"


@pytest.mark.parametrize(
    "name", ["\x1b[31mred", "a\x00b", "a\rb", "\ud800", "a\x9bb", "a\u202eb"],
    ids=["escape", "NUL", "return", "half a pair", "C1", "turned around"],
)  # fmt: skip
@pytest.mark.parametrize("where", ["name", "code", "fixed", "period key"])
def test_a_text_that_steers_a_terminal_or_that_no_table_holds_is_refused_by_its_clause(name: str, where: str) -> None:
    rate = copy.deepcopy(RATE)
    if where == "fixed":
        rate["versions"][0]["fixed"][0]["name"] = name
    elif where == "period key":
        rate["versions"][0]["periods"][name] = rate["versions"][0]["periods"]["on"]
    else:
        rate[where] = name
    with pytest.raises(TariffError) as refused:
        parse_rate(json.dumps(rate).encode(), code="x")
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("price", ["1e999999999", "-1e999999999", "1e-999999999", "1e40", "sNaN"])
@pytest.mark.parametrize("quoted", [True, False])
def test_a_figure_beyond_all_size_is_refused_by_its_clause(price: str, quoted: bool) -> None:
    text = json.dumps(RATE).replace('"0.30"', f'"{price}"' if quoted else price)
    with pytest.raises(TariffError):
        parse_rate(text.encode(), code="x")


@pytest.mark.parametrize("currency", ["US\nD", "usd", "DOLLARS", "", "U$D"])
def test_a_currency_is_three_capital_letters(currency: str) -> None:
    with pytest.raises(TariffError, match="currency"):
        parse_rate(json.dumps(RATE | {"currency": currency}).encode(), code="x")


def test_a_urdb_record_keeps_its_words_without_what_steers() -> None:
    record = {
        "name": "Evil \x1b[31m rate \ud800", "utility": "U\u202eX", "sector": "\x9bResidential", "label": "a\x00b",
        "energyratestructure": [[{"rate": 0.1}]], "energyweekdayschedule": [[0] * 24] * 12,
        "energyweekendschedule": [[0] * 24] * 12,
    }  # fmt: skip
    schedule = parse_rate(json.dumps(record).encode(), code="x")
    assert schedule.name == "Evil  [31m rate  "
    assert not {"\x1b", "\x9b", "\x00", "\ud800", "\u202e"} & set("".join(_texts(asdict(schedule))))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (text for pair in value.items() for one in pair for text in _texts(one))
    elif isinstance(value, list | tuple | set | frozenset):
        yield from (text for one in value for text in _texts(one))
