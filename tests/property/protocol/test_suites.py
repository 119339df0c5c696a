"""Laws of the cipher suites."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.kernel.errors import MisuseError
from openami.security.suites.errors import SuiteError
from openami.security.suites.gcm import decrypt_unverified, open_batch, open_reference, open_sealed, seal

keys = st.binary(min_size=16, max_size=16)
titles = st.binary(min_size=8, max_size=8)
counters = st.integers(0, 0xFFFF_FFFF)
plaintexts = st.binary(max_size=300)
controls = st.sampled_from([0x10, 0x30, 0x11, 0x31, 0x50, 0x70])


@given(titles, counters, plaintexts, keys, keys, controls)
def test_what_is_sealed_opens_to_itself_both_ways(
    title: bytes, counter: int, plaintext: bytes, key: bytes, auth_key: bytes, control: int
) -> None:
    body = seal(title, counter, plaintext, key=key, auth_key=auth_key, control=control)
    assert body[0] == control
    assert int.from_bytes(body[1:5]) == counter
    assert open_sealed(title, body, key=key, auth_key=auth_key) == plaintext
    assert open_reference(title, body, key=key, auth_key=auth_key) == plaintext
    assert decrypt_unverified(title, body, key=key) == plaintext


@given(titles, st.binary(max_size=120), keys, keys)
def test_both_implementations_say_the_same_of_any_octets(
    title: bytes, body: bytes, key: bytes, auth_key: bytes
) -> None:
    def verdict(opener: object) -> object:
        try:
            return opener(title, body, key=key, auth_key=auth_key)  # type: ignore[operator]  # either opener
        except SuiteError as error:
            return error.code

    assert verdict(open_sealed) == verdict(open_reference)


@given(titles, counters, st.binary(min_size=1, max_size=60), keys, keys, st.data())
def test_any_flipped_bit_is_refused(
    title: bytes, counter: int, plaintext: bytes, key: bytes, auth_key: bytes, data: st.DataObject
) -> None:
    body = bytearray(seal(title, counter, plaintext, key=key, auth_key=auth_key))
    bit = data.draw(st.integers(0, len(body) * 8 - 1))
    body[bit // 8] ^= 1 << bit % 8
    for opener in (open_sealed, open_reference):
        with pytest.raises(SuiteError):
            opener(title, bytes(body), key=key, auth_key=auth_key)
    pair = key + auth_key
    opened = open_batch([title], [int.from_bytes(body[1:5])], [body[0]], [bytes(body[5:])], [pair])
    assert opened == [None]


@given(st.lists(st.tuples(titles, counters, plaintexts, keys, keys, st.booleans()), max_size=8))
def test_a_batch_opens_as_its_rows_do(rows: list[tuple[bytes, int, bytes, bytes, bytes, bool]]) -> None:
    bodies = [seal(t, c, p, key=k, auth_key=a) for t, c, p, k, a, _ in rows]
    opened = open_batch(
        [r[0] for r in rows],
        [r[1] for r in rows],
        [b[0] for b in bodies],
        [b[5:] for b in bodies],
        [r[3] + r[4] if r[5] else None for r in rows],
    )
    assert opened == [r[2] if r[5] else None for r in rows]


def test_an_encryption_only_body_opens_only_when_asked() -> None:
    key, auth_key, title = bytes(16), bytes(range(16)), b"OAM12345"
    body = seal(title, 1, b"reading", key=key, auth_key=auth_key, control=0x20)
    assert len(body) == 5 + 7
    with pytest.raises(SuiteError) as refused:
        open_sealed(title, body, key=key, auth_key=auth_key)
    assert refused.value.code == "unauthenticated"
    assert open_sealed(title, body, key=key, auth_key=auth_key, allow_unauthenticated=True) == b"reading"
    assert open_batch([title], [1], [0x20], [body[5:]], [key + auth_key]) == [None]


@pytest.mark.parametrize("control", [0x00, 0xB0, 0x3F, 0x33])
def test_a_control_that_cannot_be_honored_is_refused_on_both_sides(control: int) -> None:
    key, title = bytes(16), b"OAM12345"
    with pytest.raises(MisuseError):
        seal(title, 1, b"", key=key, auth_key=key, control=control)
    with pytest.raises(SuiteError):
        open_sealed(title, bytes((control,)) + bytes(30), key=key, auth_key=key)


def test_suite_2_uses_keys_of_256_bits() -> None:
    key, title = bytes(range(32)), b"OAM12345"
    body = seal(title, 7, b"x", key=key, auth_key=key, control=0x32)
    assert open_sealed(title, body, key=key, auth_key=key) == b"x"
    assert open_reference(title, body, key=key, auth_key=key) == b"x"
    with pytest.raises(SuiteError, match="32 octets"):
        open_sealed(title, body, key=key[:16], auth_key=key)
