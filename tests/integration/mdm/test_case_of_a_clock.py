"""One clock fault of a whole firmware, from raw rows on: rules find it, one case holds it, one person closes it.

No finding is written by hand: meters send what their wrong clocks stamp, validation finds it by the voltage that mates
share, and after the fix each interval must hold what the world measured in it.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.integration.mdm.clock_world import MATES, Town, town
from tests.integration.mdm.office import LATER

from openami.app.engines.postgres import PostgresEngine
from openami.contracts.channel import Channel
from openami.contracts.day import DayTable
from openami.contracts.quality import QualityState
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.editing.decision import DecisionRefusedError
from openami.mdm.vee.grid import I64
from openami.sim.faults.metering.clocks import WrongClock

pytestmark = pytest.mark.engines
DAY, HOUR = 96, 4


class Laps:
    """How long each step took [s]."""

    def __init__(self) -> None:
        self.took: dict[str, float] = {}
        self._begun = time.perf_counter()

    def __call__(self, name: str) -> None:
        now = time.perf_counter()
        self.took[name], self._begun = round(now - self._begun, 1), now


async def closed_by_one_person(office: Town, lap: Laps) -> str:
    """Fold, look, preview, fix and run again; return the decision."""
    found = await office.findings("clock_shift")
    assert {f.service_point_id for f in found} == set(office.wrong)
    assert {f.evidence["shift_s"] for f in found} == {office.clock.ahead * 900}
    await office.cases("fold")
    (case,) = [c for c in await office.cases("list") if c["rule"] == "clock_shift"]
    assert (case["cause"], case["value"], case["open_items"]) == ("firmware", "fw-2.1", len(office.wrong))
    assert (case["evidence"]["findings"], case["evidence"]["elsewhere"]) == (len(found), 0)
    assert case["fix"]["kind"] == "shift_clock"
    assert case["signature"] == f"shift_s={office.clock.ahead * 900}"
    lap("fold and look")
    preview = await office.cases("fix", case["case"])
    assert (preview["state"], preview["second_person"]) == ("preview", None)
    assert preview["effect"]["settled"] >= len(found)
    lap("preview")
    fixed = await office.cases("fix", case["case"], "--reason", "firmware 2.1 lost its time zone", "--yes")
    assert fixed["state"] == "in_force"
    lap("fix")
    asked = await office.reruns()
    days = -(-office.clock.ends // DAY) - office.clock.begins // DAY
    assert asked <= len(office.wrong) * (days + 2)
    lap("run again")
    with pytest.raises(DecisionRefusedError, match="closed"):
        await office.cases("fix", case["case"])
    return str(fixed["decision"])


def edge_of(clock: WrongClock) -> I64:
    """Return the intervals whose readings the store holds under the stamp of a later one: they are estimated."""
    lost = clock.ends - clock.ahead if clock.ahead > 0 else clock.begins + clock.ahead
    return np.arange(lost, lost + abs(clock.ahead))


async def assert_true(office: Town) -> None:
    """Every interval holds what was measured in it, but for an hour that is estimated to the register, and says so."""
    edge = edge_of(office.clock)
    for channel in (Channel.DELIVERED, Channel.VOLTAGE):
        truth = office.scene.readings[channel].values[::MATES]
        values, quality = rows_of(await office.table(office.wrong, channel), office)
        wrong, said = values != truth, quality != QualityState.ACTUAL
        assert not (wrong & ~said).any(), np.argwhere(wrong & ~said)[:9].tolist()
        assert (said.sum(axis=1) == len(edge)).all()
        # Where both readings of a doubled stamp are equal by chance, what is estimated lies one interval beside.
        beyond = np.argwhere(np.delete(said, edge, axis=1))
        assert len(beyond) <= len(truth) // 50, beyond.tolist()
        assert not len(beyond) or np.ptp(beyond[:, 1]) <= abs(office.clock.ahead), beyond.tolist()
        if channel is Channel.DELIVERED:
            assert values.sum(axis=1).tolist() == truth.sum(axis=1).tolist()
    left = await office.findings()
    assert {f.rule for f in left} <= {"missing", "conflict"}
    assert {f.service_point_id for f in left} <= set(office.wrong)


async def assert_others_untouched(office: Town) -> None:
    others = [p for n, p in enumerate(office.points) if n % MATES]
    for channel in (Channel.DELIVERED, Channel.VOLTAGE):
        table = await office.table(others, channel)
        assert len(table) == len(others) * office.grid.days
        assert set(table.version.tolist()) == {1}


def rows_of(table: DayTable, office: Town) -> tuple[np.ndarray, np.ndarray]:
    """Return values and states as matrices in the order of the wrong places."""
    row_of = {p.bytes: n for n, p in enumerate(office.wrong)}
    values = np.zeros((len(row_of), office.grid.columns), np.int64)
    quality = np.zeros(values.shape, np.uint8)
    for one in table.rows():
        at = int(office.grid.day_at[office.grid.index_of(one.local_day)])
        cells = row_of[one.service_point_id.bytes], slice(at, at + len(one.values))
        values[cells], quality[cells] = one.values, one.quality
    return values, quality


@pytest.mark.parametrize(
    ("clock", "by_fleet"),
    [
        (WrongClock(DAY + 10 * HOUR, 4 * DAY + 15 * HOUR, HOUR), True),
        (WrongClock(DAY + 20 * HOUR, 4 * DAY + 3 * HOUR, -HOUR), False),
        (WrongClock(DAY, 4 * DAY, 2 * HOUR), True),
    ],
    ids=["fast from ten in the morning", "slow from the evening", "fast for three whole days"],
)
async def test_a_firmware_s_wrong_clock_is_one_case_that_one_person_closes(
    postgres: PostgresEngine, store_process: Path, short_tmp: Path, monkeypatch: pytest.MonkeyPatch,
    clock: WrongClock, by_fleet: bool,
) -> None:  # fmt: skip
    store: Any = SocketStore(store_process)
    try:
        async with town(
            postgres, store, short_tmp, monkeypatch, transformers=12, days=6, clock=clock, by_fleet=by_fleet
        ) as office:
            await office.nights()
            before = {
                c: rows_of(await office.table(office.wrong, c), office) for c in (Channel.DELIVERED, Channel.VOLTAGE)
            }
            said = Counter(f.rule for f in await office.findings())
            decision = await closed_by_one_person(office, Laps())
            await assert_true(office)
            await assert_others_untouched(office)
            await office.says("undo", decision, "--reason", "the clock was right", "--yes")
            await office.reruns(LATER + timedelta(minutes=2))
            for channel, (values, quality) in before.items():
                table = await office.table(office.wrong, channel)
                now = rows_of(table, office)
                assert now[0].tolist() == values.tolist()
                assert now[1].tolist() == quality.tolist()
                assert set(table.version.tolist()) == {1, 3}
            assert Counter(f.rule for f in await office.findings()) == said
            await assert_others_untouched(office)
    finally:
        await store.close()


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_five_thousand_findings_of_one_clock_are_closed_by_one_person(
    postgres: PostgresEngine, store_process: Path, short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = int(os.environ.get("OPENAMI_CLOCK_PLACES", "700"))
    store: Any = SocketStore(store_process)
    clock, lap = WrongClock(DAY + 10 * HOUR, 9 * DAY + 15 * HOUR, HOUR), Laps()
    try:
        async with town(
            postgres, store, short_tmp, monkeypatch, transformers=wrong, days=11, clock=clock, by_fleet=True
        ) as office:
            lap("write")
            await office.nights()
            lap("validate")
            said = Counter(f.rule for f in await office.findings())
            count = said["clock_shift"]
            sys.stderr.write(f"\nfound by the rules: {dict(said)} at {wrong} of {len(office.points)} places\n")
            await closed_by_one_person(office, lap)
            await assert_true(office)
            await assert_others_untouched(office)
            lap("compare with the truth")
            left = Counter(f.rule for f in await office.findings())
            sys.stderr.write(f"left: {dict(left)}; of {count} findings about clocks: {left['clock_shift']}\n")
            sys.stderr.write(f"seconds: {lap.took}\n")
            assert count >= 5_000 or wrong < 700
    finally:
        await store.close()
