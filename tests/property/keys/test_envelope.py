"""A wrapped key opens in its own context and in no other."""

from __future__ import annotations

import pickle
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openami.security.keys.context import KeyContext, KeyUse
from openami.security.keys.envelope import KeyBindingError, fingerprint_of, unwrap_key, wrap_key
from openami.security.keys.secret import Secret

CONTEXT = KeyContext(UUID(int=1), UUID(int=2), KeyUse.ENCRYPTION, 1, 0)
UNDER = Secret(b"w" * 32)
keys = st.binary(min_size=16, max_size=32).map(Secret)


@given(key=keys, nonce=st.binary(min_size=12, max_size=12))
def test_a_key_comes_back_from_its_own_context(key: Secret, nonce: bytes) -> None:
    wrapped = wrap_key(key, under=UNDER, context=CONTEXT.octets(), nonce=nonce)
    assert unwrap_key(wrapped, under=UNDER, context=CONTEXT.octets()) == key
    assert key.reveal() not in wrapped


@pytest.mark.attack("A13")
@pytest.mark.parametrize(
    "other",
    [
        replace(CONTEXT, installation=UUID(int=9)),
        replace(CONTEXT, meter=UUID(int=9)),
        replace(CONTEXT, use=KeyUse.AUTHENTICATION),
        replace(CONTEXT, generation=2),
        replace(CONTEXT, suite=1),
    ],
    ids=["installation", "meter", "use", "generation", "suite"],
)
def test_a_key_moved_to_another_context_does_not_open(other: KeyContext) -> None:
    wrapped = wrap_key(Secret(b"k" * 16), under=UNDER, context=CONTEXT.octets(), nonce=bytes(12))
    with pytest.raises(KeyBindingError):
        unwrap_key(wrapped, under=UNDER, context=other.octets())


@pytest.mark.attack("A13")
@given(bit=st.integers(0, (1 + 12 + 16 + 16) * 8 - 1))
def test_any_flipped_bit_of_a_wrapped_key_is_noticed(bit: int) -> None:
    wrapped = bytearray(wrap_key(Secret(b"k" * 16), under=UNDER, context=CONTEXT.octets(), nonce=bytes(12)))
    wrapped[bit // 8] ^= 1 << bit % 8
    with pytest.raises(KeyBindingError):
        unwrap_key(bytes(wrapped), under=UNDER, context=CONTEXT.octets())


@given(st.binary(max_size=80))
def test_any_octets_are_refused_in_one_way(octets: bytes) -> None:
    with pytest.raises(KeyBindingError):
        unwrap_key(octets, under=UNDER, context=b"")


@given(one=keys, two=keys)
def test_fingerprints_are_equal_for_equal_keys_alone(one: Secret, two: Secret) -> None:
    assert (fingerprint_of(one, under=UNDER) == fingerprint_of(two, under=UNDER)) == (one == two)


@pytest.mark.attack("A34")
@given(keys)
def test_a_secret_never_prints_and_never_pickles(key: Secret) -> None:
    assert repr(key) == str(key) == f"{key}" == "Secret(***)"
    with pytest.raises(TypeError):
        pickle.dumps(key)
