"""Staff see what either door refused: the gateway's frames beside the head-end's, in one list and one count."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from openami.app.web.letters import Letters
from openami.contracts.deadletter import RefusalReason
from openami.headend.api import HeadendCounts, LastFrame, RefusedFrame
from openami.kernel.clock import FixedClock
from openami.network.gateway import batch
from openami.network.gateway.quarantine import Quarantine
from openami.portal.problem import ProblemError

BEGAN = datetime(2026, 11, 23, tzinfo=UTC)
TITLE = b"OAM00001"


class FakeHeadend:
    """Letters 0, 2, 4 ... s after the beginning, and their counts."""

    def __init__(self, letters: int) -> None:
        self.letters = [
            RefusedFrame(f"{n}-0", RefusalReason.REPLAY, "d", TITLE.hex(), n, 1, at, at, 9)
            for n in range(letters)
            for at in [BEGAN + timedelta(seconds=2 * n)]
        ][::-1]

    async def dead_letters(self, limit: int = 100, *, before: str | None = None) -> list[RefusedFrame]:
        older = [x for x in self.letters if before is None or int(x.letter_id[:-2]) < int(before[:-2])]
        return older[:limit]

    async def counts(self, *, now: datetime) -> HeadendCounts:  # a fake takes what its port takes
        refused: Mapping[RefusalReason, int] = {RefusalReason.REPLAY: 5, RefusalReason.DOWNGRADE: 1}
        return HeadendCounts(10, 4, refused, 8, 8)

    async def last_frames(self, limit: int = 100) -> list[LastFrame]:
        raise NotImplementedError

    async def last_frame_of(self, meter_id: UUID) -> LastFrame | None:
        raise NotImplementedError

    async def release_counter(self, letter_id: str, *, by: UUID, at: datetime, reason: str) -> bool:
        raise NotImplementedError


def letters_of(folder: Path, *, headend: int, gateway: int, collected_at_ms: int = 5) -> Letters:
    quarantine = Quarantine(folder / "quarantine")
    for n in range(gateway):
        title = TITLE if n % 2 else b"OAM00002"
        frame = batch.RefusedFrame(7, n, RefusalReason.DOWNGRADE, title, collected_at_ms, bytes(20))
        at = BEGAN + timedelta(seconds=2 * n + 1)
        quarantine.append([frame], refused_at_ms=int(at.timestamp() * 1000))
    (folder / "status.json").write_text(json.dumps({"counts": {"refused_downgrade": gateway}}))
    return Letters(FakeHeadend(headend), folder, FixedClock(BEGAN))


async def test_counts_of_both_doors_are_added(tmp_path: Path) -> None:
    counts = await letters_of(tmp_path, headend=3, gateway=9).counts()
    assert [(c.reason, c.count) for c in counts] == [("downgrade", 10), ("replay", 5)]


async def test_pages_hold_both_doors_by_time_and_each_letter_once(tmp_path: Path) -> None:
    letters = letters_of(tmp_path, headend=20, gateway=11)
    seen, before = [], None
    while True:
        page = await letters.page(limit=4, before=before)
        seen += page.letters
        if page.next_before is None:
            break
        before = page.next_before
        assert len(before) <= 64, "as long as the interface takes"
    assert [v.refused_at for v in seen] == sorted((v.refused_at for v in seen), reverse=True)
    assert len({v.letter_id for v in seen}) == len(seen) == 31
    assert {v.reason for v in seen} == {"replay", "downgrade"}


async def test_letters_of_one_device_come_from_both_doors(tmp_path: Path) -> None:
    page = await letters_of(tmp_path, headend=2, gateway=4).page(limit=10, system_title=TITLE.hex())
    assert [v.letter_id.split("-")[0] for v in page.letters] == ["gateway", "gateway", "1", "0"]


async def test_a_collectors_stamp_may_be_anything(tmp_path: Path) -> None:
    page = await letters_of(tmp_path, headend=0, gateway=1, collected_at_ms=2**64 - 1).page(limit=10)
    assert page.letters[0].collected_at < 253_402_300_800


async def test_without_a_gateway_the_head_ends_letters_are_there(tmp_path: Path) -> None:
    letters = Letters(FakeHeadend(2), tmp_path / "none", FixedClock(BEGAN))
    assert len((await letters.page(limit=10)).letters) == 2


@pytest.mark.parametrize(
    "before", ["x", "1", "1-0", "_1", "1-0_1-", "../../etc", "1-0_1-1_", "\u0661-0_", "9" * 40 + "-0_"]
)
async def test_a_page_that_never_was_is_refused_in_words(tmp_path: Path, before: str) -> None:
    letters = letters_of(tmp_path, headend=1, gateway=1)
    with pytest.raises(ProblemError) as refused:
        await letters.page(limit=10, before=before)
    assert refused.value.status == 400
