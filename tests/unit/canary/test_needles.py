"""The search for canaries: a finder that finds nothing must have been able to."""

from __future__ import annotations

import base64
import json
import zlib
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.canary.needles import Finder

NAME, ACCOUNT = "Wrenqual Fosterling", UUID("8f14e45f-ceea-467f-a9e6-3a1c5d9b0e77")
FINDER = Finder({"name": b"Wrenqual", "address": b"17 Fosterling Yard"}, {"account": ACCOUNT.bytes})
WRITTEN = {
    "plain": b"Wrenqual",
    "capitals": b"WRENQUAL",
    "json": json.dumps({"n": NAME}).encode(),
    "utf-16": NAME.encode("utf-16"),
    "utf-16-be": NAME.encode("utf-16-be"),
    "hex": NAME.encode().hex().encode(),
    "hex in capitals": NAME.encode().hex().upper().encode(),
    "base64": base64.b64encode(NAME.encode()),
    "base64 one further": base64.b64encode(b"x" + NAME.encode()),
    "base64 two further": base64.b64encode(b"xy" + NAME.encode()),
    "url-safe base64": base64.urlsafe_b64encode(NAME.encode()),
    "backwards": NAME[::-1].encode(),
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
@pytest.mark.parametrize("before", [0, 1, 7, 8, 100])
def test_a_name_is_found_however_it_is_written_and_wherever_it_stands(written: bytes, before: int) -> None:
    assert "name" in FINDER.names_in(bytes(before) + written + bytes(9))


@pytest.mark.parametrize("written", [
    ACCOUNT.bytes, str(ACCOUNT).encode(), ACCOUNT.hex.encode(), str(ACCOUNT).upper().encode(),
    base64.b64encode(ACCOUNT.bytes), ACCOUNT.bytes[::-1],
])  # fmt: skip
def test_a_number_is_found_however_it_is_written(written: bytes) -> None:
    finder = Finder({"text": str(ACCOUNT).encode()}, {"account": ACCOUNT.bytes})
    assert finder.names_in(b"abc" + written + b"defghijkl") & {"account", "text"}


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_a_word_is_found_between_any_octets(before: bytes, after: bytes) -> None:
    assert "address" in FINDER.names_in(before + b"17 Fosterling Yard" + after)


@given(st.binary(max_size=2_000))
def test_what_is_not_there_is_not_found(octets: bytes) -> None:
    assert FINDER.names_in(octets) == {
        n for n, w in {"name": b"wrenqual", "address": b"17 fosterling yard"}.items() if w in octets.lower()
    }


def test_the_beginning_of_a_word_is_no_word() -> None:
    assert FINDER.names_in(b"17 Fosterling Yarn" + ACCOUNT.bytes[:15] + b"\0") == set()


def test_what_was_compressed_is_not_seen_so_it_must_be_opened_first() -> None:
    packed = zlib.compress(NAME.encode() * 10)
    assert FINDER.names_in(packed) == set()
    assert FINDER.names_in(zlib.decompress(packed)) == {"name"}
