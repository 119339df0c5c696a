"""A message's number leads to its sealed frame in the gateway's segments, with the digests that pin it down."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from openami.app.devices.sealed_frames import SegmentsUnreadableError, find_frames
from openami.contracts.frame import SealedFrame, encode_frame_batch
from openami.kernel.ids import SystemTitle
from openami.network.gateway.segment import SegmentWriter
from openami.protocol.envelope.sealed import build_sealed
from openami.protocol.envelope.wrapper import wrap

TITLE, OTHER = b"OAM\x00\x00\x00\x00\x07", b"OAM\x00\x00\x00\x00\x08"
AT = datetime(2026, 10, 7, 5, 0, 3, tzinfo=UTC)
MS = int(AT.timestamp() * 1000)


def _frame(title: bytes, counter: int, seq: int) -> SealedFrame:
    body = bytes([0x30]) + counter.to_bytes(4) + b"\xaa" * 40
    octets = wrap(1, 1, build_sealed(title, body))
    return SealedFrame(5, seq, 2, SystemTitle(title), MS, octets)


def _segments(folder: Path) -> Path:
    writer = SegmentWriter(folder)
    for number, frames in enumerate(
        [[_frame(TITLE, 4711, 1), _frame(OTHER, 4711, 2)], [_frame(TITLE, 4712, 3)], [_frame(TITLE, 4711, 9)]]
    ):
        octets = encode_frame_batch(gateway_id=1, received_at_ms=MS + 800, frames=frames)
        writer.append(f"g-{number}", [(3, octets)], today=date(2026, 10, 7 + number // 2))
        if number != 1:
            writer.committed(f"g-{number}", 100 + number)
    writer.close()
    return folder


def test_a_frame_is_found_by_title_and_counter_and_names_segment_batch_and_stream(tmp_path: Path) -> None:
    folder = _segments(tmp_path)
    search = find_frames(folder, TITLE, {4711})
    first, again = search.found[4711]
    assert (first.segment, first.batch, first.stream_sequence) == ("2026-10-07/000001.seg", "g-0", 100)
    assert (first.collector, first.sequence, first.counter) == (5, 1, 4711)
    assert first.collected_at == AT
    assert first.sha256 == sha256(_frame(TITLE, 4711, 1).octets).hexdigest()
    assert first.segment_sha256 == sha256((folder / first.segment).read_bytes()).hexdigest()
    assert again.segment == "2026-10-08/000001.seg", "a replay is shown beside the first"
    assert search.segments == 2


def test_a_batch_that_was_never_committed_says_so_and_another_device_is_never_shown(tmp_path: Path) -> None:
    search = find_frames(_segments(tmp_path), TITLE, {4711, 4712, 4713})
    assert search.found[4712][0].stream_sequence is None
    assert 4713 not in search.found
    assert {f.system_title for fs in search.found.values() for f in fs} == {TITLE.hex()}


def test_a_damaged_segment_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    folder = _segments(tmp_path)
    file = folder / "2026-10-07" / "000001.seg"
    octets = bytearray(file.read_bytes())
    octets[40] ^= 1
    file.write_bytes(octets)
    search = find_frames(folder, TITLE, {4711})
    assert search.damaged == ("2026-10-07/000001.seg",)
    assert len(search.found[4711]) == 1


def test_a_folder_that_is_not_there_and_an_index_that_is_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SegmentsUnreadableError, match="no folder"):
        find_frames(tmp_path / "elsewhere", TITLE, {1})
    (tmp_path / "index.jsonl").write_text(json.dumps({"segment": "a"}) + "\n")
    with pytest.raises(SegmentsUnreadableError, match="no entry"):
        find_frames(tmp_path, TITLE, {1})
