"""Files of signals and of temperatures from anywhere: refused in words, in bounded time, and nothing steers a page."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import uuid4

import pytest

from openami.billing.signal.document import parse_statements
from openami.billing.tariff.clause import MAX_ITEMS
from openami.billing.tariff.errors import TariffError
from openami.mdm.weather.file import WeatherFileError
from openami.mdm.weather.read import parse_weather

pytestmark = pytest.mark.attack("A21")
NOW = datetime(2026, 7, 2, tzinfo=UTC)
HEAD = b'format = "openami-signals/1"\nsource = "report"\n'
PRICES = b'[[prices]]\nsignal = "day_ahead"\nfirst = 2026-06-01T00:00:00-05:00\ninterval_s = 3600\nprices = ["0.03"]\n'
METEO = (
    "latitude,longitude,elevation,utc_offset_seconds,timezone,timezone_abbreviation\n38.6,-90.1,139.0,-21600,{},GMT-6\n"
    "\ntime,temperature_2m_max (°C),temperature_2m_min (°C)\n2026-07-01,31.8,21.1\n"
)
GHCN = (
    '"STATION","DATE","NAME","TMAX","TMAX_ATTRIBUTES","TMIN","TMIN_ATTRIBUTES"\n"S1","2026-07-01",{},"3",",","1",","\n'
)


def read(octets: bytes) -> int:
    return len(parse_statements(octets, at=NOW, by="", new_id=uuid4))


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\0" * 100, id="NULs"),
        pytest.param((HEAD + PRICES).decode().encode("utf-16"), id="another encoding"),
        pytest.param(HEAD, id="states nothing"),
        pytest.param(HEAD.replace(b"report", b"re\\u001b[2Jport") + PRICES, id="a source that steers the terminal"),
        pytest.param(HEAD.replace(b"report", b"re\\u0000port") + PRICES, id="a source that no table takes"),
        pytest.param(HEAD.replace(b"report", b"x" * 5_000) + PRICES, id="a source without end"),
        pytest.param(HEAD + PRICES + PRICES, id="the same twice"),
        pytest.param(HEAD + PRICES.replace(b"0.03", b"1e999999999"), id="a price without end"),
        pytest.param(HEAD + PRICES.replace(b"0.03", b"NaN"), id="no price"),
        pytest.param(HEAD + PRICES.replace(b'"0.03"', b"0.03, " * 6_000), id="too many prices"),
        pytest.param(HEAD + PRICES.replace(b"3600", b"0"), id="prices of no time"),
        pytest.param(HEAD + PRICES.replace(b"-05:00", b""), id="no offset"),
        pytest.param(HEAD + PRICES.replace(b"2026-06", b"9999-12"), id="a year without bills"),
        pytest.param(HEAD + b"x = [" * 5_000, id="deep"),
        pytest.param(b"a." * 100_000 + b"b = 1", id="dots"),
    ],
)
def test_a_bad_file_of_signals_is_refused_in_words(octets: bytes) -> None:
    with pytest.raises(TariffError) as refused:
        read(octets)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 500


def test_as_many_statements_as_a_file_may_hold_are_read_without_comparing_each_with_each() -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    hours = [(begin + timedelta(hours=n)).isoformat() for n in range(MAX_ITEMS + 1)]
    rows = [{"signal": "s", "first": a, "end": b} for a, b in pairwise(hours)]
    prices = [{"signal": "s", "first": r["first"], "interval_s": 3600, "prices": ["0.1"]} for r in rows]
    document = {"format": "openami-signals/1", "source": "r", "events": rows, "prices": prices}
    assert read(json.dumps(document).encode()) == 2 * MAX_ITEMS
    document["events"] = [*rows[1:], {**rows[0], "end": rows[3]["end"]}]
    with pytest.raises(TariffError, match="the same signal and time"):
        read(json.dumps(document).encode())


@pytest.mark.parametrize("words", ["a\x1b]0;x\x07", "a\0", "a\x9b2J", "a\u202eb", "a\x08"])
@pytest.mark.parametrize("text", [METEO, GHCN], ids=["open-meteo", "ghcn"])
def test_a_name_of_a_station_steers_neither_terminal_nor_page(text: str, words: str) -> None:
    with pytest.raises(WeatherFileError, match="which no page can show") as refused:
        parse_weather(text.format(words).encode())
    assert str(refused.value).isprintable()


def test_cells_that_a_table_program_would_run_are_words_here() -> None:
    assert parse_weather(GHCN.format('"=cmd|x"').encode()).name == "=cmd|x"
