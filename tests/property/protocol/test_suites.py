"""Laws of the cipher suites."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.kernel.errors import MisuseError
from openami.security.suites.agreement import (
    agree_ephemeral,
    agree_one_pass,
    agree_static,
    signed_public_key,
    verified_public_key,
)
from openami.security.suites.batch import open_batch
from openami.security.suites.challenge import (
    ecdsa_answer,
    sha256_answer,
    verify_ecdsa_answer,
    verify_sha256_answer,
)
from openami.security.suites.curve import public_key_of, shared_secret
from openami.security.suites.errors import SuiteError
from openami.security.suites.gcm import decrypt_unverified, open_reference, open_sealed, seal

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


scalars = st.binary(min_size=32, max_size=32).filter(lambda b: 0 < int.from_bytes(b) < 2**255)
challenges = st.binary(min_size=8, max_size=64)


@settings(max_examples=20)
@given(scalars, scalars, titles, titles, st.binary(min_size=1, max_size=20))
def test_both_ends_agree_on_one_key_in_every_scheme(
    one: bytes, two: bytes, title: bytes, other: bytes, transaction: bytes
) -> None:
    for mine, theirs in ((one, public_key_of(two)), (two, public_key_of(one))):
        assert agree_ephemeral(mine, theirs, client_title=title, server_title=other) == agree_ephemeral(
            one, public_key_of(two), client_title=title, server_title=other
        )
        assert agree_one_pass(mine, theirs, originator=title, recipient=other) == agree_one_pass(
            one, public_key_of(two), originator=title, recipient=other
        )
        key = agree_static(mine, theirs, originator=title, recipient=other, transaction=transaction)
        again = agree_static(one, public_key_of(two), originator=title, recipient=other, transaction=transaction)
        next_key = agree_static(mine, theirs, originator=title, recipient=other, transaction=transaction + b"\x01")
        assert key == again != next_key


@settings(max_examples=20)
@given(scalars, titles, titles, challenges, challenges)
def test_an_answer_by_signature_proves_one_end_to_the_other_and_no_third(
    key: bytes, title: bytes, other: bytes, received: bytes, sent: bytes
) -> None:
    answer = ecdsa_answer(key, own_title=title, peer_title=other, received=received, sent=sent)
    public = public_key_of(key)
    # Seen from the other end, its own challenge is the one that was received here.
    assert verify_ecdsa_answer(public, answer, own_title=other, peer_title=title, received=sent, sent=received)
    stranger = b"OAMOTHER" if other != b"OAMOTHER" else b"OAMAGAIN"
    assert not verify_ecdsa_answer(public, answer, own_title=stranger, peer_title=title, received=sent, sent=received)
    assert not verify_ecdsa_answer(public, answer[1:], own_title=other, peer_title=title, received=sent, sent=received)
    secret = sha256_answer(key, own_title=title, peer_title=other, received=received, sent=sent)
    assert verify_sha256_answer(key, secret, own_title=other, peer_title=title, received=sent, sent=received)
    assert not verify_sha256_answer(title, secret, own_title=other, peer_title=title, received=sent, sent=received)


@pytest.mark.parametrize("suite", [1, 2])
@pytest.mark.parametrize("prefix", [b"", b"\x02"])
def test_an_ephemeral_key_is_taken_only_under_its_owners_signature(suite: int, prefix: bytes) -> None:
    size = 16 * (suite + 1)
    ephemeral, signing, stranger = (bytes((n,)) * size for n in (1, 2, 3))
    sent = signed_public_key(ephemeral, signing, suite=suite, prefix=prefix)
    owner = public_key_of(signing, suite=suite)
    assert verified_public_key(sent, owner, suite=suite, prefix=prefix) == public_key_of(ephemeral, suite=suite)
    for octets, key in ((sent, public_key_of(stranger, suite=suite)), (sent[:-1] + b"\x00", owner), (sent[:-1], owner)):
        with pytest.raises(SuiteError):
            verified_public_key(octets, key, suite=suite, prefix=prefix)
    with pytest.raises(SuiteError):
        verified_public_key(sent, owner, suite=suite, prefix=b"\x01")


@given(titles, counters, plaintexts, keys, keys, st.sampled_from([0x10, 0x30]), st.binary(min_size=1, max_size=40))
def test_a_tag_over_the_header_fails_when_the_header_is_altered(
    title: bytes, counter: int, plaintext: bytes, key: bytes, auth_key: bytes, control: int, header: bytes
) -> None:
    body = seal(title, counter, plaintext, key=key, auth_key=auth_key, control=control, header=header)
    assert open_sealed(title, body, key=key, auth_key=auth_key, header=header) == plaintext
    for altered in (b"", header + b"\x00", bytes((header[0] ^ 1,)) + header[1:]):
        with pytest.raises(SuiteError):
            open_sealed(title, body, key=key, auth_key=auth_key, header=altered)


def test_points_and_scalars_off_the_curve_are_refused() -> None:
    with pytest.raises(SuiteError, match="not a point"):
        shared_secret(bytes(31) + b"\x01", bytes(63) + b"\x01")
    with pytest.raises(SuiteError, match="64 octets"):
        shared_secret(bytes(31) + b"\x01", bytes(96))
    for scalar in (bytes(32), b"\xff" * 32, b"\x01" * 48):
        with pytest.raises(MisuseError):
            public_key_of(scalar)
    with pytest.raises(MisuseError):
        public_key_of(bytes(31) + b"\x01", suite=0)
