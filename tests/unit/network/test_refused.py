"""What the gateway refused can be read back for the staff page: newest first, bounded, whatever a kill left behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openami.contracts.deadletter import RefusalReason
from openami.network.gateway import refused
from openami.network.gateway.batch import RefusedFrame
from openami.network.gateway.quarantine import Quarantine, QuarantineError
from openami.network.gateway.refused import newest_refused, refused_counts


def fill(folder: Path, count: int, *, first: int = 0, octets: int = 100, file_octets: int = 8 << 20) -> None:
    quarantine = Quarantine(folder / "quarantine", file_octets=file_octets)
    for seq in range(first, first + count):
        frame = RefusedFrame(7, seq, RefusalReason.DOWNGRADE, b"OAM00001", 5, bytes(octets))
        quarantine.append([frame], refused_at_ms=1000 * seq)


def test_pages_walk_through_all_files_newest_first_and_meet_each_frame_once(tmp_path: Path) -> None:
    fill(tmp_path, 50, file_octets=2_000)
    assert len(list((tmp_path / "quarantine").iterdir())) > 3
    seen, before = [], None
    while page := newest_refused(tmp_path, limit=7, before=before):
        seen += [f.seq for f in page]
        before = (page[-1].file_no, page[-1].offset)
    assert seen == sorted(seen, reverse=True)
    assert seen[0] == 49
    assert len(set(seen)) == len(seen) >= 7 * 3


@pytest.mark.parametrize("block", [1, 7, 64, 1 << 18])
def test_the_size_of_a_read_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    fill(tmp_path, 5, octets=20)
    monkeypatch.setattr(refused, "BLOCK_OCTETS", block)
    found = newest_refused(tmp_path, limit=10)
    assert [(f.seq, f.octets, f.system_title) for f in found] == [(s, 20, b"OAM00001".hex()) for s in (4, 3, 2, 1, 0)]


def test_a_line_that_a_kill_tore_costs_itself_alone(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    file = tmp_path / "quarantine" / "00000001.jsonl"
    with file.open("ab") as out:
        out.write(b'{"collector_id":7,"seq":3,"rea')
    assert [f.seq for f in newest_refused(tmp_path, limit=10)] == [2, 1, 0]
    fill(tmp_path, 1, first=3)
    assert [f.seq for f in newest_refused(tmp_path, limit=10)] == [3, 2, 1, 0]


def test_a_frame_that_came_again_after_a_lost_connection_is_listed_once(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    fill(tmp_path, 2)
    assert [f.seq for f in newest_refused(tmp_path, limit=10)] == [1, 0]


def test_a_full_quarantine_is_read_up_to_the_limit_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, 100)
    monkeypatch.setattr(refused, "MAX_READ_OCTETS", 4_000)
    assert 0 < len(newest_refused(tmp_path, limit=100)) < 20


@pytest.mark.parametrize(
    "junk", [b"", b"\n\n", b"[" * 5000 + b"\n", b'{"seq": 1}\n', b"\xff\n", b'{"seq":' + b"9" * 5000 + b"}\n"]
)
def test_junk_in_the_quarantine_is_passed_over(tmp_path: Path, junk: bytes) -> None:
    fill(tmp_path, 1)
    with (tmp_path / "quarantine" / "00000001.jsonl").open("ab") as out:
        out.write(junk)
    assert [f.seq for f in newest_refused(tmp_path, limit=10)] == [0]


def test_counts_come_from_the_status_file_and_name_reasons_alone(tmp_path: Path) -> None:
    assert refused_counts(tmp_path) == {}
    assert newest_refused(tmp_path, limit=5) == []
    counts = {"refused_oversize": 3, "refused_revoked": 9, "published": 5}
    (tmp_path / "status.json").write_text(json.dumps({"counts": counts}))
    assert refused_counts(tmp_path) == {RefusalReason.OVERSIZE: 3}
    (tmp_path / "status.json").write_text("{")
    with pytest.raises(QuarantineError):
        refused_counts(tmp_path)
