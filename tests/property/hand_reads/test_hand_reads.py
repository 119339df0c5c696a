"""Usage of a register read by hand is what the register advanced, and one slip of the pen never gets through unseen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from openami.mdm.hand_reads.desk import used
from openami.mdm.hand_reads.estimate import estimated
from openami.mdm.hand_reads.judge import HIGH_RATIO, LOW_RATIO, MIN_DIFFERENCE_WH_DAY, Proposed, judged
from openami.mdm.hand_reads.miskeyed import candidates
from openami.mdm.hand_reads.read import PastRead, ReadState, Register, Road

START = datetime(2025, 1, 1, 6, tzinfo=UTC)
KWH = 1000
REGISTER = Register(capacity=100_000 * KWH, resolution=KWH, limit_per_hour=48_000)
MONTH = 30


def month(number: int) -> datetime:
    return START + timedelta(days=MONTH * number)


@given(st.integers(0, 99_999), st.lists(st.integers(0, 5_000), min_size=2, max_size=30), st.data())
def test_actual_reads_add_up_whatever_estimates_lie_between(
    base: int, used_kwh: list[int], data: st.DataObject
) -> None:
    reads = [PastRead(month(0), base * KWH)]
    total = base
    for number, kwh in enumerate(used_kwh, 1):
        total += kwh
        is_estimate = number < len(used_kwh) and data.draw(st.booleans())
        shown = total + (data.draw(st.integers(-4_000, 4_000)) if is_estimate else 0)
        reads.append(PastRead(month(number), shown % 100_000 * KWH, is_estimate))
    found = used(reads, REGISTER)
    assert all(u.usage_wh >= 0 for u in found)
    assert all(earlier.end == later.start for earlier, later in pairwise(found))
    assert sum(u.usage_wh for u in found) == sum(used_kwh) * KWH


@given(st.integers(200, 3_000), st.integers(10_000, 60_000), st.randoms(use_true_random=False))
def test_one_slip_that_matters_is_held_and_the_read_that_was_meant_is_shown_or_nearer_ones_are(
    kwh: int, base: int, dice: object
) -> None:
    reads = [PastRead(month(n), (base + n * kwh) * KWH) for n in range(4)]
    meant = base + 4 * kwh
    slips = sorted(candidates(meant, digits=5))
    written = slips[dice.randrange(len(slips))]  # type: ignore[attr-defined]
    usage = written - reads[-1].value // KWH
    expected = kwh
    off = abs(usage - expected) * KWH / MONTH > MIN_DIFFERENCE_WH_DAY
    assume(off and not expected * LOW_RATIO <= usage <= expected * HIGH_RATIO)
    found = judged(Proposed(month(4), written * KWH, Road.DIALS), reads, REGISTER)
    assert found.state is ReadState.HELD
    assert found.candidates
    assert abs(found.candidates[0] - meant * KWH) <= expected * KWH // 2


@given(st.lists(st.integers(0, 30_000), min_size=1, max_size=14), st.integers(1, 90))
def test_an_estimate_never_runs_back_nor_beyond_what_the_meter_can_take(used_kwh: list[int], days: int) -> None:
    total, reads = 0, [PastRead(month(0), 0)]
    for number, kwh in enumerate(used_kwh, 1):
        total += kwh
        reads.append(PastRead(month(number), total % 100_000 * KWH))
    at = month(len(used_kwh)) + timedelta(days=days)
    made = estimated(reads, REGISTER, at, serial="S-1")
    passed = (made.value - reads[-1].value) % (REGISTER.capacity or 1)
    assert made.value % KWH == 0
    assert 0 <= passed <= 48_000 * 24 * days
    assert judged(Proposed(at, made.value, Road.ESTIMATE), reads, REGISTER).state is ReadState.ACCEPTED
