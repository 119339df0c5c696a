"""Whatever is asked and whenever it is killed, no window of time holds more than its threshold."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.network.thresholds.made import DAY_MS, HOUR_MS, MINUTE_MS, Rig, switch

from openami.contracts.command import Command, CommandEffect
from openami.contracts.threshold import BUILT_IN, EffectLimits

OFF, ON, LIMIT = CommandEffect.DISCONNECT, CommandEffect.RECONNECT, CommandEffect.LIMIT
SMALL = replace(
    BUILT_IN,
    effects=dict.fromkeys((OFF, LIMIT, CommandEffect.OTHER), EffectLimits(3, 5, 8)),
    feeder_meters=4,
    feeder_load_w=9_000,
    ramp_w=7_000,
)
Passed = list[tuple[int, Command]]
steps = st.lists(
    st.tuples(
        st.sampled_from([OFF, OFF, ON, LIMIT]),
        st.integers(0, 5),
        st.integers(1, 2),
        st.integers(0, 2),
        st.sampled_from([0, 1_000, 4_000]),
        st.sampled_from([0, 0, 1, MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS, HOUR_MS, DAY_MS // 2]),
        st.sampled_from(["", "", "", "kill", "no collector"]),
    ),
    max_size=60,
)


def most(passed: Passed, span_ms: int, key: Callable[[Command], object], amount: Callable[[Command], int]) -> int:
    """The most in any window, looked for at the end of each: by hand, without the guard's own sums."""
    found = 0
    for end, last in passed:
        inside = [c for at, c in passed if end - span_ms < at <= end and key(c) == key(last)]
        found = max(found, sum(map(amount, inside)))
    return found


def of(passed: Passed, effects: Iterable[CommandEffect]) -> Passed:
    return [(at, c) for at, c in passed if c.effect in set(effects)]


def load_w(command: Command) -> int:
    return command.load_w or SMALL.assumed_load_w


def check(passed: Passed) -> None:
    off = of(passed, [OFF, LIMIT])
    assert most(off, HOUR_MS, lambda c: (c.effect, c.requester), lambda _: 1) <= 3
    assert most(off, HOUR_MS, lambda c: c.effect, lambda _: 1) <= 5
    assert most(off, DAY_MS, lambda c: c.effect, lambda _: 1) <= 8
    assert most(off, 15 * MINUTE_MS, lambda c: c.feeder, lambda _: 1) <= 4
    assert most(off, 15 * MINUTE_MS, lambda c: c.feeder, load_w) <= 9_000
    assert most(of(passed, [ON]), 5 * MINUTE_MS, lambda c: c.feeder, load_w) <= 7_000
    for end, last in off:
        earlier = [c for at, c in passed if end - DAY_MS < at <= end and c.title == last.title]
        assert earlier.index(last) <= 1, "a meter was switched off as its third switch in a day"


@settings(max_examples=120, deadline=None)
@given(steps)
def test_a14_a15_no_window_ever_holds_more_than_its_threshold(
    script: list[tuple[CommandEffect, int, int, int, int, int, str]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        rig, passed = Rig(Path(folder), SMALL), Passed()
        for effect, meter, requester, feeder, load, wait_ms, then in script:
            rig.now_ms += wait_ms
            command = switch(meter, effect, requester=requester, feeder=feeder, load_w=load)
            refusal = rig.says(command)
            if refusal is None and then == "no collector":
                rig.guard.take_back(command)
            elif refusal is None:
                passed.append((rig.now_ms, command))
            elif effect is ON:
                others = [c for at, c in of(passed, [ON]) if at > rig.now_ms - 5 * MINUTE_MS and c.feeder == feeder]
                assert others, "a reconnection was refused on a feeder that had none"
            if then == "kill":
                rig.start()
        check(passed)
