"""A reader's sheet may hold anything: each line is answered, and nothing but the declared error leaves the parser."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.contracts.channel import Channel
from openami.mdm.hand_reads.read import HandReadError, Road
from openami.mdm.hand_reads.sheet import SheetRead, SheetRefusal, parse_sheet

HEAD = "meter,at,value,road,mark,channel\n"


def test_a_sheet_is_read_line_by_line() -> None:
    text = HEAD + "S-1,2026-05-01,123.5,dials,R-7,\nS-2,2026-05-01T10:00-05:00,9,photo,,received\n"
    first, second = parse_sheet(text.encode(), unit="kWh")
    assert first == SheetRead(2, "S-1", date(2026, 5, 1), 123_500, Road.DIALS, "R-7", Channel.DELIVERED)
    assert second == SheetRead(3, "S-2", datetime(2026, 5, 1, 15, tzinfo=UTC), 9_000, Road.PHOTO, "", Channel.RECEIVED)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("S-1,1.5.2026,1,dials,,", "no day"),
        ("S-1,2026-05-01T10:00,1,dials,,", "with its offset"),
        ("S-1,2026-05-01,-1,dials,,", "no count"),
        ("S-1,2026-05-01,1e9,dials,,", "no count"),
        ("S-1,2026-05-01,9999999999999,dials,,", "no count"),
        ("S-1,2026-05-01,0.0001,dials,,", "no count"),
        ("S-1,2026-05-01,\u0661,dials,,", "no count"),
        ("S-1,2026-05-01,1,guess,,", "no road"),
        ("S-1,2026-05-01,1,estimate,,", "no road"),
        ("S-1,2026-05-01,1,dials," + "x" * 101 + ",", "a mark"),
        ("S-1,2026-05-01,1,dials,,power", "no channel"),
        (",2026-05-01,1,dials,,", "no serial"),
        ("S-1,2026-05-01", "no count"),
    ],
)
def test_a_line_that_cannot_be_read_is_refused_alone(line: str, told: str) -> None:
    found = parse_sheet((HEAD + line + "\nS-1,2026-05-02,1,dials,,\n").encode(), unit="Wh")
    assert isinstance(found[0], SheetRefusal)
    assert told in found[0].reason
    assert isinstance(found[1], SheetRead)


@pytest.mark.parametrize("octets", [b"", b"\xff\xfe", b"a,b\n1,2\n", b'at,value\n"x', b"at,value\n" + b"\x00" * 9])
def test_what_is_no_sheet_is_refused_or_empty(octets: bytes) -> None:
    with suppress(HandReadError):
        assert all(isinstance(e, SheetRefusal) for e in parse_sheet(octets, unit="Wh"))


def test_the_unit_is_declared() -> None:
    with pytest.raises(HandReadError, match="Wh or kWh"):
        parse_sheet(HEAD.encode(), unit="")


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda t: (HEAD + t).encode("utf-8", "surrogatepass")))
def test_no_octets_make_another_error(octets: bytes) -> None:
    with suppress(HandReadError):
        parse_sheet(octets, unit="kWh")
