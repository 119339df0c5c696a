"""A14, A15: storms of commands that are signed and approved as they should be. The gateway counts all the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.unit.network.test_desk import OneKey, signed
from tests.unit.network.thresholds.made import DAY_MS, HOUR_MS, MINUTE_MS, NOW_MS, switch

from openami.contracts.command import Command, CommandEffect, CommandOutcome, Refusal
from openami.contracts.threshold_word import ThresholdRule, ThresholdWord, WordKind
from openami.network.gateway.desk import CommandDesk
from openami.network.gateway.thresholds import SwitchingGuard

OFF, ON = CommandEffect.DISCONNECT, CommandEffect.RECONNECT


@dataclass
class Town:
    """A gateway's desk with a collector that takes everything, and what came out of it."""

    folder: Path
    now_ms: int = NOW_MS
    down: list[Command] = field(default_factory=list)
    said: list[CommandOutcome] = field(default_factory=list)
    words: list[ThresholdWord] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.handed = 0
        self.restart()

    def restart(self) -> None:
        """Start the gateway, or start it again after a kill."""
        guard = SwitchingGuard(gateway_id=1, folder=self.folder, tell=self.words.append, now_ms=self.now_ms)
        self.desk = CommandDesk(keys=OneKey(), send=self.send, tell=self.said.append, guard=guard)

    def send(self, collector_id: int, octets: bytes) -> bool:
        self.handed += 1
        return True

    def take(self, commands: Iterable[Command]) -> int:
        """Let commands come now; return how many went down."""
        before = len(self.down)
        for command in commands:
            handed = self.handed
            self.desk.book.heard(command.title.octets, 7)
            self.desk.take(signed(replace(command, expires_at_ms=self.now_ms + 20_000)), now_ms=self.now_ms)
            if self.handed > handed:
                self.down.append(command)
        return len(self.down) - before

    @property
    def refusals(self) -> Counter[Refusal]:
        return Counter(outcome.refusal for outcome in self.said)


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def test_a14_of_five_hundred_good_disconnections_of_one_operator_ten_go_down(town: Town) -> None:
    assert town.take(switch(m, feeder=m % 50) for m in range(500)) == 10
    assert town.refusals == {Refusal.QUARANTINED: 490}
    assert len(town.desk.guard.held) == 490
    assert Counter(w.kind for w in town.words) == {WordKind.WARNED: 1, WordKind.HELD: 490}
    assert {w.at_ms for w in town.words} == {NOW_MS}, "people are called at once"


def test_a14_a_gateway_that_is_killed_in_a_storm_has_not_forgotten(town: Town) -> None:
    passed = 0
    for m in range(500):
        passed += town.take([switch(m, feeder=m % 50)])
        if m % 3 == 0:
            town.restart()
    assert passed == 10


def test_a14_a_feeder_loses_no_more_than_its_cap_whoever_asks(town: Town) -> None:
    assert town.take(switch(m, requester=m, feeder=3) for m in range(500)) == 20
    assert town.refusals == {Refusal.FEEDER_CAP: 480}


def test_a14_a_feeder_loses_no_more_than_a_megawatt(town: Town) -> None:
    assert town.take(switch(m, requester=m, feeder=3, load_w=90_000) for m in range(500)) == 11


def test_a15_twenty_operators_together_are_one_utility(town: Town) -> None:
    assert town.take(switch(m, requester=m % 20, feeder=m % 50) for m in range(500)) == 50
    held = Counter(w.rule for w in town.words if w.kind is WordKind.HELD)
    assert held == {ThresholdRule.UTILITY_HOUR: 450}


def test_a15_slow_and_low_ends_at_the_day(town: Town) -> None:
    passed = 0
    for minute in range(24 * 60):
        town.now_ms = NOW_MS + minute * MINUTE_MS
        passed += town.take([switch(minute, requester=minute % 20, feeder=minute % 50)])
    assert passed == 100


def test_a15_a_surge_of_reconnections_comes_back_by_the_ramp(town: Town) -> None:
    waiting = [switch(m, ON, requester=m, feeder=1, load_w=2_500) for m in range(500)]
    passed: list[int] = []
    while waiting and len(passed) < 10:
        done = town.take(waiting)
        passed.append(done)
        waiting = [replace(c, request_id=switch(0).request_id) for c in waiting[done:]]
        town.now_ms += 5 * MINUTE_MS
    assert passed == [100] * 5
    assert town.refusals[Refusal.QUARANTINED] == 0


def test_a15_on_and_off_ends_after_two_switches(town: Town) -> None:
    passed: Counter[CommandEffect] = Counter()
    for turn in range(288):
        town.now_ms = NOW_MS + turn * 5 * MINUTE_MS
        effect = (OFF, ON)[turn % 2]
        passed[effect] += town.take([switch(1, effect, requester=turn)])
    assert passed[OFF] == 1
    assert passed[ON] == 144, "to leave somebody without supply is not what stops a game"
    assert town.refusals == {Refusal.METER_CAP: 143}


def test_a15_a_limit_or_a_script_is_no_way_around(town: Town) -> None:
    limit = [switch(m, CommandEffect.LIMIT, requester=m, feeder=m, value=1_000) for m in range(500)]
    script = [switch(1_000 + m, CommandEffect.OTHER, requester=m, feeder=m) for m in range(500)]
    assert (town.take(limit), town.take(script)) == (50, 5)
    assert town.take([switch(3_000, CommandEffect.LIMIT, value=0)]) == 0


def test_a14_the_same_storm_signed_again_is_kept_once(town: Town) -> None:
    for _ in range(5):
        town.take(switch(m) for m in range(60))
        town.now_ms += MINUTE_MS
    assert len(town.down) == 10
    # Ten of them were done, and asking for those again is asking anew.
    assert len(town.desk.guard.held) == 60


def test_a14_two_people_may_let_a_held_one_pass_and_its_neighbours_stay(town: Town) -> None:
    town.take(switch(m, feeder=m % 50) for m in range(100))
    chosen = next(one for one in town.desk.guard.held if one.title == switch(42).title)
    town.desk.guard.release([chosen.held_id])
    assert town.take(switch(m, feeder=m % 50) for m in range(10, 100)) == 1
    assert town.down[-1].title == switch(42).title


def test_a15_the_thresholds_of_an_hour_are_open_again_after_it(town: Town) -> None:
    town.take(switch(m, feeder=m % 50) for m in range(500))
    town.now_ms += HOUR_MS
    assert town.take(switch(1_000 + m, feeder=m % 50) for m in range(500)) == 10
    town.now_ms += DAY_MS
    assert town.take(switch(2_000 + m, feeder=m % 50) for m in range(500)) == 10
