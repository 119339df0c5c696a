"""By how much counters jump: not at a restart, far at a restore, by the time that passed where nothing else tells."""

from __future__ import annotations

from uuid import UUID

import pytest

from openami.headend.command.epoch import MAX_JUMP, STILL_S, KeptEpoch, jump_of

OLD, NEW, OTHER = UUID(int=1), UUID(int=2), UUID(int=3)
NOW_S = 2_000_000


def kept(*tokens: UUID, ago_s: int = 0) -> KeptEpoch:
    return KeptEpoch(UUID(int=9), tokens, NOW_S - ago_s)


@pytest.mark.parametrize(
    ("home", "found", "has_witnesses", "jump"),
    [
        pytest.param(None, None, False, 0, id="a new installation"),
        pytest.param(None, None, True, MAX_JUMP, id="A3 a home that lost its tokens"),
        pytest.param(kept(NEW), NEW, True, 0, id="a restart"),
        pytest.param(kept(OLD, NEW), OLD, True, 0, id="a kill before the database had the token"),
        pytest.param(kept(OLD, NEW), NEW, True, 0, id="a kill after it had"),
        pytest.param(kept(NEW), OLD, True, MAX_JUMP, id="A3 a database that was set back"),
        pytest.param(kept(NEW), None, True, MAX_JUMP, id="A3 a database of before our time"),
        pytest.param(kept(NEW), None, False, MAX_JUMP, id="A3 another database"),
        pytest.param(kept(OLD, NEW), OTHER, True, MAX_JUMP, id="A3 a fail-over to a copy that is behind"),
        pytest.param(kept(NEW, ago_s=STILL_S), NEW, True, 0, id="three minutes of rest"),
        pytest.param(kept(NEW, ago_s=604_800), NEW, True, 604_800, id="A3 all set back by a week"),
        pytest.param(kept(NEW, ago_s=1_900_000), NEW, True, MAX_JUMP, id="A3 all set back by three weeks"),
        pytest.param(kept(NEW, ago_s=-1), NEW, True, MAX_JUMP, id="A3 a clock that was set back"),
    ],
)
def test_counters_jump(home: KeptEpoch | None, found: UUID | None, *, has_witnesses: bool, jump: int) -> None:
    assert jump_of(home, found=found, has_witnesses=has_witnesses, now_s=NOW_S) == jump
