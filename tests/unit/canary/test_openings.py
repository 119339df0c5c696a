"""Sealed APDUs are found and opened wherever they stand, and octets that are none do no harm."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.canary.openings import GENERAL_GLO, KeyRing

from openami.protocol import apdu
from openami.security.suites.gcm import seal

TITLE, KEY, AUTH_KEY = b"OAM\0\0\0\0\7", b"k" * 16, b"a" * 16
SEALED = apdu.general_glo(TITLE, seal(TITLE, 1, b"plain text", key=KEY, auth_key=AUTH_KEY))


def ring() -> KeyRing:
    return KeyRing(
        {b"another!": [(bytes(16), bytes(16))], TITLE: [(b"x" * 16, AUTH_KEY), (KEY, AUTH_KEY)]}, b"client!!"
    )


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_an_apdu_is_opened_between_any_octets_with_any_of_its_keys(before: bytes, after: bytes) -> None:
    assert b"plain text" in list(ring().anywhere(before + SEALED + after))


@given(st.lists(st.one_of(st.just(GENERAL_GLO), st.binary(max_size=30)), max_size=12))
def test_octets_that_are_no_apdu_open_to_nothing(parts: list[bytes]) -> None:
    assert list(ring().anywhere(b"".join(parts))) == []


def test_a_key_that_is_not_there_leaves_it_shut_and_counted() -> None:
    poor = KeyRing({TITLE: [(b"x" * 16, AUTH_KEY)]}, b"client!!")
    assert list(poor.anywhere(SEALED)) == []
    assert (poor.opened, poor.shut) == (0, 1)
