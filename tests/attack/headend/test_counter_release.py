"""A counter jump is held until a person believes it; what they release is one genuine frame, and nothing else moves."""

from __future__ import annotations

import numpy as np
import pytest

from openami.app.bench.pushes import PushFactory
from openami.headend.listening.release import CounterRelease, lift
from openami.headend.listening.window import MAX_JUMP, WIDTH, CounterWindows, Verdict
from openami.protocol.push import load_profile_body
from openami.security.keys.table import KeyTable

KNOWN, JUMPED = 40, 40 + MAX_JUMP + 5
FACTORY = PushFactory(meters=2)


def heard() -> tuple[KeyTable, CounterWindows]:
    """Return two meters that were heard up to a counter."""
    table = KeyTable()
    table.merge(FACTORY.key_columns())
    windows = CounterWindows(len(table))
    windows.accept(np.arange(2), np.array([KNOWN, KNOWN]))
    return table, windows


def released(octets: bytes, *, meter: int = 0) -> CounterRelease:
    frame = FACTORY.frame(meter, octets)
    return CounterRelease(1, "9-0", frame.system_title.octets, octets)


def verdicts(windows: CounterWindows, *counters: int, row: int = 0) -> list[Verdict]:
    return [Verdict(v) for c in counters for v in windows.accept(np.array([row]), np.array([c])).tolist()]


def test_the_meter_is_heard_from_the_released_frame_on() -> None:
    table, windows = heard()
    assert lift(released(FACTORY.profile_push(0, JUMPED)), table, windows)
    assert verdicts(windows, JUMPED, JUMPED + 1, JUMPED) == [Verdict.ACCEPTED, Verdict.ACCEPTED, Verdict.REPLAY]


def test_what_lies_below_within_the_window_came_in_its_own_time_or_not_at_all() -> None:
    table, windows = heard()
    lift(released(FACTORY.profile_push(0, JUMPED)), table, windows)
    assert verdicts(windows, JUMPED - 1, KNOWN, KNOWN + 1, JUMPED - 1 - WIDTH) == [Verdict.REPLAY] * 4


def test_no_other_meter_moves() -> None:
    table, windows = heard()
    lift(released(FACTORY.profile_push(0, JUMPED)), table, windows)
    assert verdicts(windows, KNOWN, KNOWN + 1, JUMPED, row=1) == [Verdict.REPLAY, Verdict.ACCEPTED, Verdict.JUMP]


def test_a_release_never_moves_a_window_down() -> None:
    table, windows = heard()
    older = released(FACTORY.profile_push(0, JUMPED))
    lift(released(FACTORY.profile_push(0, JUMPED + 7)), table, windows)
    assert verdicts(windows, JUMPED + 7) == [Verdict.ACCEPTED]
    assert not lift(older, table, windows)
    assert not lift(released(FACTORY.profile_push(0, JUMPED + 7)), table, windows)
    assert verdicts(windows, JUMPED + 7, JUMPED + 8) == [Verdict.REPLAY, Verdict.ACCEPTED]


BODY = load_profile_body(FACTORY.rows(0))
GENUINE = FACTORY.profile_push(0, JUMPED)


@pytest.mark.parametrize(
    "octets",
    [
        GENUINE[:-1] + bytes([GENUINE[-1] ^ 1]),
        GENUINE[:-1],
        FACTORY.octets(0, JUMPED, BODY, key=bytes(range(16))),
        FACTORY.profile_push(1, JUMPED),
        GENUINE[:8],
        b"",
    ],
    ids=["altered", "cut", "another key", "another meter's frame", "a header alone", "nothing"],
)
def test_what_its_own_keys_did_not_seal_moves_nothing(octets: bytes) -> None:
    table, windows = heard()
    release = CounterRelease(1, "9-0", FACTORY.frame(0, GENUINE).system_title.octets, octets)
    assert not lift(release, table, windows)
    assert verdicts(windows, JUMPED) == [Verdict.JUMP]
    assert verdicts(windows, JUMPED, row=1) == [Verdict.JUMP]
