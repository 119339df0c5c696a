"""What a backup's seal opens, and that it opens nothing else."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.security.sealed_stream import CHUNK_OCTETS, OpeningReader, SealError, SealingWriter, key_name, opened

KEY, SALT = bytes(range(32)), bytes(16)


def sealed(*pieces: bytes, key: bytes = KEY, name: str = "a", salt: bytes = SALT) -> bytes:
    sink = io.BytesIO()
    writer = SealingWriter(sink, key, name, salt)
    for piece in pieces:
        writer.write(piece)
    writer.finish()
    assert writer.written == len(sink.getvalue())
    return sink.getvalue()


def read(octets: bytes, *, key: bytes = KEY, name: str = "a") -> bytes:
    return b"".join(opened(io.BytesIO(octets), key=key, name=name))


@given(st.lists(st.binary(max_size=3000), max_size=6), st.integers(1, 4000))
@settings(max_examples=60)
def test_what_was_sealed_is_read_again_however_it_is_cut(pieces: list[bytes], step: int) -> None:
    octets = sealed(*pieces)
    reader = OpeningReader(io.BytesIO(octets), KEY, "a")
    got = []
    while piece := reader.read(step):
        got.append(piece)
    assert b"".join(got) == b"".join(pieces) == read(octets)


@pytest.mark.parametrize("length", [0, 1, CHUNK_OCTETS - 1, CHUNK_OCTETS, CHUNK_OCTETS + 1, 2 * CHUNK_OCTETS])
def test_lengths_around_a_chunk_are_whole(length: int) -> None:
    assert len(read(sealed(bytes(length)))) == length


@given(st.binary(min_size=1, max_size=200), st.data())
@settings(max_examples=150)
def test_a_stream_changed_or_cut_at_any_octet_does_not_open(content: bytes, data: st.DataObject) -> None:
    octets = bytearray(sealed(content))
    at = data.draw(st.integers(0, len(octets) - 1))
    if data.draw(st.booleans()):
        octets[at] ^= data.draw(st.integers(1, 255))
    else:
        del octets[at:]
    with pytest.raises(SealError):
        read(bytes(octets))


def test_chunks_of_one_stream_cannot_be_reordered_dropped_or_joined_to_another() -> None:
    whole = sealed(bytes(CHUNK_OCTETS) + b"b" * CHUNK_OCTETS + b"c")
    head, chunk = 9 + 16, 5 + CHUNK_OCTETS + 16
    first, second, rest = whole[head : head + chunk], whole[head + chunk : head + 2 * chunk], whole[head + 2 * chunk :]
    for parts in ((second, first, rest), (first, rest), (first, second), (first, second, rest, rest)):
        with pytest.raises(SealError):
            read(whole[:head] + b"".join(parts))


def test_a_stream_opens_under_its_own_name_and_key_alone() -> None:
    octets = sealed(b"secret")
    for key, name in ((bytes(32), "a"), (KEY, "b")):
        with pytest.raises(SealError, match="not authentic"):
            read(octets, key=key, name=name)
    with pytest.raises(SealError, match="32 octets"):
        sealed(b"", key=b"short")


def test_a_keys_name_does_not_hold_the_key() -> None:
    assert KEY.hex()[:16] not in key_name(KEY)
    assert key_name(KEY) != key_name(bytes(32))
