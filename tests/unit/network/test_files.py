"""The gateway's files: bounded, hashed, mended after a kill, swept when they are old."""

from __future__ import annotations

import json
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from openami.contracts.deadletter import RefusalReason
from openami.network.gateway.batch import RefusedFrame
from openami.network.gateway.quarantine import Quarantine
from openami.network.gateway.segment import RETENTION_DAYS, SegmentBatch, SegmentError, SegmentWriter, read_segment
from openami.network.gateway.titles import ListedTitles

TODAY = date(2026, 7, 1)


def index_of(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]


def test_a_segment_gives_back_what_was_appended(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path)
    writer.append("b-1", [(3, b"one"), (60, b"two")], today=TODAY)
    writer.committed("b-1", 77)
    writer.close()
    assert list(read_segment(tmp_path / "2026-07-01" / "000001.seg")) == [
        SegmentBatch("b-1", ((3, b"one"), (60, b"two"))),
        ("b-1", 77),
    ]


def test_a_new_day_and_a_full_segment_each_begin_a_new_file(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, segment_octets=100)
    for number in range(3):
        writer.append(f"b-{number}", [(0, bytes(80))], today=TODAY)
    writer.append("b-9", [(0, b"")], today=TODAY + timedelta(days=1))
    writer.close()
    assert [row["segment"] for row in index_of(tmp_path)] == [
        "2026-07-01/000001.seg",
        "2026-07-01/000002.seg",
        "2026-07-01/000003.seg",
        "2026-07-02/000001.seg",
    ]


def test_a_segment_that_a_kill_left_open_is_hashed_at_the_next_start_even_with_a_torn_index(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path)
    writer.append("b-1", [(0, b"x")], today=TODAY)
    file = tmp_path / "2026-07-01" / "000001.seg"
    (tmp_path / "index.jsonl").write_text('{"segment": "2026-')
    SegmentWriter(tmp_path)
    (row,) = index_of(tmp_path)
    assert row == {
        "segment": "2026-07-01/000001.seg",
        "sha256": sha256(file.read_bytes()).hexdigest(),
        "octets": file.stat().st_size,
    }


def test_a_torn_end_of_a_segment_is_left_out_and_damage_before_it_is_said(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path)
    writer.append("b-1", [(0, b"x")], today=TODAY)
    writer.append("b-2", [(0, b"y")], today=TODAY)
    writer.close()
    file = tmp_path / "2026-07-01" / "000001.seg"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    assert [r.batch_id for r in read_segment(file) if isinstance(r, SegmentBatch)] == ["b-1"]
    file.write_bytes(whole[:20] + b"?" + whole[21:])
    with pytest.raises(SegmentError, match="octet 0"):
        list(read_segment(file))


def test_days_beyond_the_retention_are_deleted_and_their_hashes_stay(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path)
    for days in (RETENTION_DAYS + 1, RETENTION_DAYS, 0):
        writer.append("b", [(0, b"x")], today=TODAY - timedelta(days=days))
    writer.close()
    assert writer.sweep(today=TODAY) == 1
    assert len(list(tmp_path.glob("*/*.seg"))) == 2
    assert len(index_of(tmp_path)) == 3


def test_a_flood_of_refused_frames_pushes_out_the_oldest_and_not_the_disk(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path, file_octets=1_000, max_files=3)
    for seq in range(100):
        frame = RefusedFrame(7, seq, RefusalReason.DOWNGRADE, b"OAM00001", 5, bytes(100))
        quarantine.append([frame], refused_at_ms=6)
    files = sorted(tmp_path.glob("*.jsonl"))
    assert len(files) == 3
    assert sum(f.stat().st_size for f in files) < 5_000
    assert json.loads(files[-1].read_text().splitlines()[-1])["seq"] == 99


def test_every_device_passes_until_there_is_a_list_and_a_spoiled_list_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "known_titles"
    titles = ListedTitles(file)
    assert b"OAM00001" in titles
    file.write_text(b"OAM00001".hex() + "\n")
    titles.refresh()
    assert b"OAM00001" in titles
    assert b"OAM00002" not in titles
    for spoiled in ("not hex\n", "4f41\n", "\u00e9\n"):
        file.write_text(spoiled)
        titles.refresh()
        assert b"OAM00001" in titles
        assert b"OAM00002" not in titles
