"""A batch of frames comes back as it was, and octets that are none are refused, whether the frames are equal or not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from openami.contracts.errors import ContractError
from openami.contracts.frame import (
    FrameClass,
    SealedFrame,
    decode_frame_batch,
    decode_frame_batches,
    encode_frame_batch,
)
from openami.kernel.ids import SystemTitle

frames = st.builds(
    SealedFrame,
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**64 - 1),
    st.sampled_from(FrameClass).map(int),
    st.binary(min_size=8, max_size=8).map(SystemTitle),
    st.integers(0, 2**64 - 1),
    st.sampled_from((0, 1, 7, 7, 7, 40)).flatmap(lambda size: st.binary(min_size=size, max_size=size)),
)
batches = st.lists(frames, max_size=6)


@given(batches)
def test_frames_come_back_as_they_were(sent: list[SealedFrame]) -> None:
    got = decode_frame_batch(encode_frame_batch(gateway_id=3, received_at_ms=4, frames=sent))
    assert (got.gateway_id, got.received_at_ms, list(got.frames)) == (3, 4, sent)


@given(st.lists(batches, max_size=3), st.sets(st.integers(0, 3)))
def test_batches_side_by_side_hold_the_frames_of_all_that_can_be_read(
    sent: list[list[SealedFrame]], spoiled: set[int]
) -> None:
    octets = [encode_frame_batch(gateway_id=1, received_at_ms=n, frames=frames) for n, frames in enumerate(sent)]
    read = decode_frame_batches([b"not" + o if n in spoiled else o for n, o in enumerate(octets)])
    flat = [(n, frame) for n, batch in enumerate(sent) if n not in spoiled for frame in batch]
    assert [read.frames.frame(i) for i in range(len(read.frames))] == [frame.octets for _, frame in flat]
    assert [title.to_bytes(8) for title in read.frames.title.tolist()] == [f.system_title.octets for _, f in flat]
    assert read.batch.tolist() == read.received_at_ms.tolist() == [n for n, _ in flat]
    assert set(read.errors) == spoiled & set(range(len(sent)))


@given(batches, st.integers(0, 400), st.integers(0, 255))
def test_an_altered_batch_is_read_whole_or_refused(sent: list[SealedFrame], place: int, octet: int) -> None:
    octets = bytearray(encode_frame_batch(gateway_id=3, received_at_ms=4, frames=sent))
    octets[place % len(octets)] = octet
    try:
        got = decode_frame_batch(bytes(octets))
    except ContractError:
        return
    again = encode_frame_batch(gateway_id=got.gateway_id, received_at_ms=got.received_at_ms, frames=got.frames)
    assert again == bytes(octets)
