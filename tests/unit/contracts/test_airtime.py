"""Airtime messages hold what a day can hold, and nothing else is read."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.contracts.airtime import MAX_ROWS, AirtimeDay, decode_airtime, encode_airtime
from openami.contracts.errors import ContractError
from openami.kernel.errors import MisuseError
from openami.kernel.ids import SystemTitle

TITLE = SystemTitle(b"OAM\x00\x00\x00\x00\x01")
ROW = AirtimeDay(TITLE, date(2026, 7, 1), 1, 2, 3, 4)
rows = st.builds(
    AirtimeDay,
    title=st.binary(min_size=8, max_size=8).map(SystemTitle),
    day=st.dates(date(1970, 1, 1), date(2200, 1, 1)),
    own_ms=st.integers(0, 28_800_000),
    relayed_ms=st.integers(0, 28_800_000),
    beacon_ms=st.integers(0, 28_800_000),
    worst_ms=st.integers(0, 1_800_000),
)


@given(st.lists(rows, max_size=20))
def test_what_is_encoded_is_read_back(made: list[AirtimeDay]) -> None:
    assert decode_airtime(encode_airtime(made)) == made


@given(st.binary(max_size=200))
def test_any_octets_are_rows_or_one_kind_of_error(octets: bytes) -> None:
    try:
        decode_airtime(octets)
    except ContractError:
        return


@given(st.integers(0, 100), st.integers(0, 255))
def test_octets_that_a_bad_line_changed_are_rows_or_one_kind_of_error(place: int, value: int) -> None:
    octets = bytearray(encode_airtime([ROW] * 3))
    octets[place % len(octets)] = value
    try:
        decode_airtime(bytes(octets))
    except ContractError:
        return


@pytest.mark.parametrize("changed", [{"own_ms": -1}, {"own_ms": 86_400_000}, {"worst_ms": 1_800_001}, {"worst_ms": -1}])
def test_more_than_the_time_there_is_cannot_be(changed: dict[str, int]) -> None:
    values = {"own_ms": 1, "relayed_ms": 2, "beacon_ms": 3, "worst_ms": 4} | changed
    with pytest.raises(ContractError, match="more than the time there is"):
        AirtimeDay(TITLE, date(2026, 7, 1), **values)


def test_a_day_far_away_is_refused() -> None:
    octets = bytearray(encode_airtime([ROW]))
    octets[14:18] = (200_000).to_bytes(4, "big")
    with pytest.raises(ContractError, match="far away"):
        decode_airtime(bytes(octets))


def test_a_message_has_an_end() -> None:
    with pytest.raises(MisuseError):
        encode_airtime([AirtimeDay(TITLE, ROW.day + timedelta(days=n % 9), 0, 0, 0, 0) for n in range(MAX_ROWS + 1)])
