"""The gateway's thresholds: how many pass, what is kept, what is said, and what two people can let through."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from tests.unit.network.thresholds.made import DAY_MS, HOUR_MS, MINUTE_MS, NOW_MS, Rig, switch, title

from openami.contracts.command import CommandClass, CommandEffect, Refusal
from openami.contracts.threshold import BUILT_IN, EffectLimits, FeederSize
from openami.contracts.threshold_word import ThresholdRule, WordKind
from openami.network.gateway.thresholds.held import HeldFileError, read_held
from openami.network.gateway.thresholds.record import ROW_OCTETS

OFF, ON, LIMIT, OTHER = (
    CommandEffect.DISCONNECT,
    CommandEffect.RECONNECT,
    CommandEffect.LIMIT,
    CommandEffect.OTHER,
)
WIDE = replace(
    BUILT_IN,
    effects=dict.fromkeys((OFF, LIMIT, OTHER), EffectLimits(10_000, 10_000, 10_000)),
    feeder_meters=10_000,
    feeder_load_w=2**32 - 1,
)


@pytest.mark.parametrize("effect", [OFF, LIMIT])
def test_ten_of_one_requester_pass_in_any_hour(effect: CommandEffect) -> None:
    rig = Rig()
    assert rig.passed([switch(m, effect) for m in range(30)]) == 10
    rig.now_ms += HOUR_MS - 1
    assert rig.passed([switch(m, effect) for m in range(100, 130)]) == 0
    rig.now_ms += 1
    assert rig.passed([switch(m, effect) for m in range(200, 230)]) == 10


def test_what_a_script_does_nobody_knows_and_two_an_hour_pass() -> None:
    assert Rig().passed([switch(m, OTHER) for m in range(30)]) == 2


def test_fifty_of_all_requesters_pass_in_an_hour_and_a_hundred_in_a_day() -> None:
    rig = Rig()
    passed = []
    for hour in range(24):
        commands = [switch(100 * hour + m, requester=m // 5, feeder=m) for m in range(60)]
        passed.append(rig.passed(commands))
        rig.now_ms += HOUR_MS
    assert passed == [50, 50] + [0] * 22
    assert rig.passed([switch(5_000)]) == 1


def test_a_meter_is_switched_twice_a_day_and_a_reconnection_is_never_counted_out() -> None:
    rig = Rig(thresholds=WIDE)
    for effect in (OFF, ON):
        rig.now_ms += 10 * MINUTE_MS
        assert rig.says(switch(1, effect)) is None
    assert rig.says(switch(1, OFF)) is Refusal.METER_CAP
    rig.now_ms += 10 * MINUTE_MS
    assert rig.says(switch(1, ON)) is None
    rig.now_ms += DAY_MS - 10 * MINUTE_MS
    assert rig.says(switch(1, OFF)) is None


def test_reconnections_have_no_count_and_a_ramp_by_load() -> None:
    rig = Rig()
    passed: list[int] = []
    for _ in range(4):
        passed.append(rig.passed([switch(1_000 * len(passed) + m, ON, load_w=5_000) for m in range(200)]))
        rig.now_ms += 5 * MINUTE_MS
    assert passed == [50, 50, 50, 50]
    assert rig.says(switch(9_999, ON, load_w=5_000)) is None


def test_reconnections_of_other_feeders_go_beside_each_other() -> None:
    rig = Rig()
    assert rig.passed([switch(m, ON, feeder=m % 10, load_w=5_000) for m in range(1_000)]) == 500


def test_a_load_above_the_whole_ramp_comes_back_alone() -> None:
    rig = Rig()
    assert rig.says(switch(1, ON, load_w=400_000)) is None
    assert rig.says(switch(2, ON, load_w=1)) is Refusal.FEEDER_CAP
    rig.now_ms += 5 * MINUTE_MS
    assert rig.says(switch(2, ON, load_w=1)) is None


def test_a_feeder_loses_no_more_than_its_load_in_a_quarter_of_an_hour() -> None:
    rig = Rig(thresholds=replace(WIDE, feeder_load_w=1_000_000))
    assert rig.passed([switch(m, load_w=300_000) for m in range(9)]) == 3
    assert rig.says(switch(50, load_w=300_000, feeder=2)) is None
    rig.now_ms += 15 * MINUTE_MS
    assert rig.passed([switch(m, load_w=300_000) for m in range(100, 109)]) == 3


def test_a_feeder_loses_no_more_than_two_percent_of_its_meters() -> None:
    sizes = {1: FeederSize(800, 4_000_000), 2: FeederSize(10, 50_000)}
    rig = Rig(thresholds=replace(WIDE, feeders=sizes))
    assert rig.passed([switch(m, feeder=1) for m in range(50)]) == 16
    assert rig.passed([switch(100 + m, feeder=2) for m in range(50)]) == 1


def test_a_load_that_nobody_named_is_assumed() -> None:
    rig = Rig()
    assert rig.passed([switch(m, ON, load_w=0) for m in range(100)]) == 50


def test_what_names_no_feeder_counts_as_one_feeder() -> None:
    rig = Rig(thresholds=replace(WIDE, feeder_meters=20))
    assert rig.passed([switch(m, feeder=0) for m in range(50)]) == 20


@pytest.mark.parametrize(
    ("command", "refusal"),
    [
        pytest.param(switch(1, LIMIT, value=999), Refusal.VALUE_BOUND, id="a limit that is a disconnection"),
        pytest.param(switch(1, LIMIT, value=1_000), None, id="the lowest limit"),
        pytest.param(switch(1, LIMIT, value=-1), Refusal.VALUE_BOUND, id="a limit below nothing"),
        pytest.param(
            switch(1, CommandEffect.CLOCK, command_class=CommandClass.WRITE, approvals=()) , None, id="the right time"
        ),
        pytest.param(
            replace(switch(1, CommandEffect.CLOCK, command_class=CommandClass.WRITE, approvals=()), value=300),
            None,
            id="five minutes",
        ),
        pytest.param(
            replace(switch(1, CommandEffect.CLOCK, command_class=CommandClass.WRITE, approvals=()), value=301),
            Refusal.NEEDS_APPROVAL,
            id="A19 more than five minutes and nobody approved it",
        ),
        pytest.param(
            replace(switch(1, CommandEffect.CLOCK, command_class=CommandClass.WRITE), value=301),
            None,
            id="more than five minutes with approvals",
        ),
        pytest.param(
            replace(switch(1, CommandEffect.CLOCK, command_class=CommandClass.WRITE), value=3_601),
            Refusal.VALUE_BOUND,
            id="A19 more than an hour whoever approved it",
        ),
        pytest.param(
            replace(switch(1, CommandEffect.CLOCK, command_class=CommandClass.WRITE), value=2**63 - 1),
            Refusal.VALUE_BOUND,
            id="A19 no instant",
        ),
    ],
)  # fmt: skip
def test_values_have_bounds(command: object, refusal: Refusal | None) -> None:
    rig = Rig()
    assert rig.says(command) is refusal  # type: ignore[arg-type]  # a command
    assert [w.kind for w in rig.words] == ([WordKind.REFUSED] if refusal else [])


def test_people_are_warned_once_before_a_threshold_and_told_of_all_that_is_kept() -> None:
    rig = Rig()
    for meter in range(14):
        rig.says(switch(meter))
    told = [(w.kind, w.rule, w.reached, w.limit) for w in rig.words]
    assert told == [
        (WordKind.WARNED, ThresholdRule.REQUESTER_HOUR, 8, 10),
        *[(WordKind.HELD, ThresholdRule.REQUESTER_HOUR, 11, 10)] * 4,
    ]
    assert [w.title for w in rig.words[1:]] == [title(m) for m in range(10, 14)]
    rig.now_ms += HOUR_MS
    for meter in range(100, 110):
        rig.says(switch(meter))
    assert [w.kind for w in rig.words[5:]] == [WordKind.WARNED]


def test_who_asks_again_is_kept_once_and_not_told_again() -> None:
    rig = Rig()
    rig.passed([switch(m) for m in range(10)])
    rig.words.clear()
    first = switch(10)
    assert [rig.says(c) for c in (first, switch(10), switch(10))] == [Refusal.QUARANTINED] * 3
    [kept] = rig.guard.held
    assert (kept.held_id, kept.tries, len(rig.words)) == (first.request_id, 3, 1)


def test_a_feeders_refusal_is_told_once_a_minute() -> None:
    rig = Rig(thresholds=replace(WIDE, feeder_meters=1))
    rig.passed([switch(m) for m in range(50)])
    assert Counter((w.kind, w.rule) for w in rig.words) == {
        (WordKind.WARNED, ThresholdRule.FEEDER_METERS): 1,
        (WordKind.REFUSED, ThresholdRule.FEEDER_METERS): 1,
    }
    rig.now_ms += MINUTE_MS
    rig.says(switch(99))
    assert len(rig.words) == 3
    assert list(rig.guard.held) == []


def test_what_two_people_release_passes_once_and_still_counts() -> None:
    rig = Rig()
    rig.passed([switch(m) for m in range(10)])
    rig.says(switch(10))
    rig.says(switch(11))
    first, second = rig.guard.held
    rig.guard.release({first.held_id})
    assert rig.says(switch(11)) is Refusal.QUARANTINED
    assert rig.says(switch(10, order=2)) is Refusal.QUARANTINED, "another order was not released"
    assert rig.says(switch(10, ON)) is None, "a reconnection was never held"
    assert rig.says(switch(10)) is None
    assert rig.says(switch(10)) is Refusal.METER_CAP, "it serves once"
    assert [w.held_id for w in rig.words if w.kind is WordKind.RELEASED] == [first.held_id]
    assert second.held_id in {one.held_id for one in rig.guard.held}


def test_a_release_is_not_used_up_by_a_command_that_no_collector_took_and_then_by_no_kill(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.passed([switch(m) for m in range(11)])
    rig.guard.look_around(now_ms=rig.now_ms)
    [kept] = rig.guard.held
    rig.guard.release({kept.held_id})
    rig.words.clear()
    lost = switch(10)
    assert rig.says(lost, is_taken=False) is None
    rig.guard.take_back(lost)
    assert ([one.held_id for one in rig.guard.held], rig.words) == ([kept.held_id], [])
    assert rig.says(switch(10)) is None
    assert (list(rig.guard.held), [w.kind for w in rig.words]) == ([], [WordKind.RELEASED])
    rig.start()
    rig.guard.release({kept.held_id})
    assert rig.says(switch(10)) is Refusal.QUARANTINED


def test_a_release_does_not_lift_what_a_feeder_can_bear() -> None:
    rig = Rig(thresholds=replace(BUILT_IN, feeder_load_w=21_000))
    rig.passed([switch(m) for m in range(10)])
    rig.says(switch(10))
    [kept] = rig.guard.held
    rig.guard.release({kept.held_id})
    assert rig.says(switch(10)) is Refusal.FEEDER_CAP
    rig.now_ms += 15 * MINUTE_MS
    assert rig.says(switch(10)) is None


def test_other_thresholds_hold_from_the_next_command_and_forget_nothing() -> None:
    rig = Rig()
    rig.passed([switch(m) for m in range(10)])
    twelve = replace(BUILT_IN, version=7, effects={**BUILT_IN.effects, OFF: EffectLimits(12, 50, 100)})
    rig.guard.renew(twelve, now_ms=rig.now_ms)
    assert rig.passed([switch(m) for m in range(20, 30)]) == 2
    assert [(w.kind, w.version) for w in rig.words if w.kind is WordKind.RENEWED] == [(WordKind.RENEWED, 7)]


def test_what_no_collector_took_is_not_counted(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    for meter in range(30):
        command = switch(meter)
        assert rig.says(command) is None
        rig.guard.take_back(command)
    rig.start()
    assert rig.passed([switch(m) for m in range(100, 130)]) == 10


def test_counts_ids_and_what_is_kept_survive_a_kill(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    commands = [switch(m) for m in range(12)]
    assert rig.passed(commands) == 10
    rig.guard.look_around(now_ms=rig.now_ms)
    rig.now_ms += HOUR_MS // 2
    rig.start()
    assert set(rig.guard.remembered) == {c.request_id for c in commands[:10]}
    assert rig.passed([switch(m) for m in range(20, 30)]) == 0
    assert [one.held_id for one in rig.guard.held][:2] == [c.request_id for c in commands[10:]]
    rig.now_ms += DAY_MS
    rig.start()
    assert rig.guard.remembered == {}


@pytest.mark.parametrize("cut", range(1, ROW_OCTETS, 7))
def test_a_row_that_a_power_cut_tore_costs_that_row_alone(tmp_path: Path, cut: int) -> None:
    rig = Rig(tmp_path)
    rig.passed([switch(m) for m in range(5)])
    file = tmp_path / "passed_commands"
    file.write_bytes(file.read_bytes()[:-cut])
    rig.start()
    assert len(rig.guard.remembered) == 4
    assert rig.passed([switch(m) for m in range(100, 130)]) == 6
    rig.start()
    assert len(rig.guard.remembered) == 10


def test_with_a_disk_that_refuses_nothing_passes(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    assert rig.says(switch(1)) is None
    (tmp_path / "passed_commands").unlink()
    (tmp_path / "passed_commands").mkdir()
    assert [rig.says(switch(2)) for _ in range(5)] == [Refusal.BUSY] * 5
    assert [w.kind for w in rig.words] == [WordKind.BLIND], "people hear of it, and not five times"
    rig.start()
    assert rig.says(switch(3)) is Refusal.BUSY


def test_the_record_of_a_day_is_all_that_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openami.network.gateway.thresholds.record.SMALLEST_REWRITE", 4)
    rig = Rig(tmp_path, WIDE)
    for meter in range(40):
        assert rig.says(switch(meter, load_w=1)) is None
        rig.now_ms += HOUR_MS
        rig.guard.look_around(now_ms=rig.now_ms)
    assert len(rig.guard.remembered) == 23
    assert (tmp_path / "passed_commands").stat().st_size <= 2 * 24 * ROW_OCTETS


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openami.network.gateway.thresholds.held.MAX_HELD", 3)
    rig = Rig()
    assert rig.passed([switch(m) for m in range(100)]) == 10
    assert len(rig.guard.held) == 3


def test_what_nobody_asks_for_again_is_forgotten_in_a_week() -> None:
    rig = Rig()
    rig.passed([switch(m) for m in range(11)])
    rig.now_ms += 7 * DAY_MS
    rig.guard.look_around(now_ms=rig.now_ms)
    assert len(rig.guard.held) == 0


@pytest.mark.parametrize("content", [b"{", b"[1]", b'[{"held_id": "x"}]', b"\xff", b"null", b"[" * 5_000])
def test_a_spoiled_file_of_kept_commands_is_a_declared_error_and_stops_nobody(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "held_commands.json").write_bytes(content)
    with pytest.raises(HeldFileError):
        read_held(tmp_path / "held_commands.json")
    assert len(Rig(tmp_path).guard.held) == 0


def test_a_clock_that_is_set_back_opens_no_window() -> None:
    rig = Rig()
    rig.passed([switch(m) for m in range(10)])
    rig.now_ms -= 2 * HOUR_MS
    assert rig.passed([switch(m) for m in range(20, 30)]) == 0
    rig.now_ms = NOW_MS + HOUR_MS
    assert rig.passed([switch(m) for m in range(20, 30)]) == 10


def test_a_read_and_a_key_are_none_of_its_affair() -> None:
    rig = Rig()
    key = switch(1, CommandEffect.NONE, command_class=CommandClass.KEY)
    read = switch(1, CommandEffect.NONE, command_class=CommandClass.READ, order_id=UUID(int=0))
    assert rig.passed([key, read] * 500) == 1_000
    assert rig.guard.remembered == {}
