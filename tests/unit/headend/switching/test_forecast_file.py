"""A forecast is read as it was exported, or refused with its line."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.headend.switching.forecast_file import ForecastFileError, parse_forecast

HEAD = "issued,2026-01-13T12:00:00Z\nat,temperature_f,heat_index_f\n"


def test_a_forecast_is_read_in_order_of_time() -> None:
    rows = "2026-01-13T14:00:00Z,42.5,\n2026-01-13T07:00:00-06:00,41,105\n\n"
    found = parse_forecast((HEAD + rows).encode())
    assert found.issued_at == datetime(2026, 1, 13, 12, tzinfo=UTC)
    assert [(h.at.hour, h.temperature_f, h.heat_index_f) for h in found.hours] == [(13, 41.0, 105.0), (14, 42.5, None)]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "line 1"),
        (HEAD, "1 to 744 hours"),
        (HEAD.replace("2026", "soon") + "2026-01-13T14:00:00Z,1,", "line 1"),
        (HEAD + "2026-01-13T14:00:00,1,", "line 3"),
        (HEAD + "2026-01-13T14:00:00Z,warm,", "line 3"),
        (HEAD + "2026-01-13T14:00:00Z,nan,", "line 3"),
        (HEAD + "2026-01-13T14:00:00Z,1e9,", "line 3"),
        (HEAD + "2026-01-13T14:00:00Z,1", "three columns"),
        (HEAD + "2026-01-13T14:00:00Z,1,\n2026-01-13T14:00:00Z,2,", "twice"),
        (HEAD + "2026-03-13T14:00:00Z,1,", "31 days"),
        ("x" * 300_000, "at most"),
    ],
)
def test_what_is_no_forecast_is_refused_in_words(text: str, word: str) -> None:
    with pytest.raises(ForecastFileError, match=word):
        parse_forecast(text.encode())


@given(st.binary(max_size=200))
def test_any_octets_are_a_forecast_or_refused(octets: bytes) -> None:
    with pytest.raises(ForecastFileError):
        parse_forecast(HEAD.encode() + b"," + octets)
