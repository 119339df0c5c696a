"""The column reader of clear heads says what the protocol's own parser says, for any octets."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.contracts.frame import FrameClass, SealedFrame, decode_frame_batches, encode_frame_batch
from openami.headend.listening.envelope import LENGTH_AT, read_clear_heads
from openami.kernel.ids import SystemTitle
from openami.protocol.envelope import build_sealed, parse_sealed_header, parse_wrapper, wrap
from openami.protocol.errors import PeerError

TITLE = b"OAM\x00\x00\x00\x00\x07"


def sound_by_parser(frame: bytes) -> tuple[int, int] | None:
    """Return (counter, offset of the ciphertext) where the slow parsers find nothing wrong."""
    try:
        header = parse_sealed_header(parse_wrapper(frame)[1])
    except PeerError:
        return None
    room = len(frame) - 8 - header.body_offset
    if header.system_title != TITLE or header.security_control != 0x30 or room < 5 + 12:
        return None
    return header.invocation_counter, 8 + header.body_offset + 5


def frame_of(body: int, control: int = 0x30, counter: int = 0x01020304) -> bytes:
    return wrap(1, 103, build_sealed(TITLE, bytes([control]) + counter.to_bytes(4) + bytes(body)))


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """Whole frames around the edges of the length octets, some altered, some cut, some any octets."""
    octets = bytearray(
        frame_of(
            draw(
                st.sampled_from([0, 11, 12, 13, 110, 111, 112, 113, 121, 122, 123, 124, 200, 249, 250, 251, 252, 300])
            ),
            draw(st.sampled_from([0x30, 0x30, 0x30, 0x20, 0x10, 0x31, 0x70])),
            draw(st.integers(0, 2**32 - 1)),
        )
    )
    kind = draw(st.sampled_from(["whole", "altered", "cut", "long form", "any"]))
    if kind == "altered":
        octets[draw(st.integers(0, min(30, len(octets) - 1)))] = draw(st.integers(0, 255))
    elif kind == "cut":
        del octets[draw(st.integers(0, len(octets))) :]
    elif kind == "long form" and octets[LENGTH_AT] < 0x80:
        octets[LENGTH_AT : LENGTH_AT + 1] = bytes([0x81, octets[LENGTH_AT]])
        octets[6:8] = (len(octets) - 8).to_bytes(2)
    elif kind == "any":
        return draw(st.binary(max_size=60))
    return bytes(octets)


@settings(max_examples=500)
@given(batch=st.lists(frames(), max_size=8))
def test_columns_and_parser_agree(batch: list[bytes]) -> None:
    sealed = [SealedFrame(1, 1, FrameClass.PROFILE, SystemTitle(TITLE), 0, frame) for frame in batch]
    octets = encode_frame_batch(gateway_id=1, received_at_ms=0, frames=sealed)
    heads = read_clear_heads(decode_frame_batches([octets]).frames)
    for index, frame in enumerate(batch):
        expected = sound_by_parser(frame)
        assert bool(heads.sound[index]) == (expected is not None)
        if expected is not None:
            assert (int(heads.counter[index]), int(heads.body_at[index])) == expected
    grouped = sorted((int(i), g.octets[k].tobytes()) for g in heads.groups for k, i in enumerate(g.index))
    assert grouped == [(i, batch[i]) for i in np.flatnonzero(heads.sound).tolist()]
    assert sorted(r.index for r in heads.refusals) == np.flatnonzero(~heads.sound).tolist()
