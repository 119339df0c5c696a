"""Whether one more command is within the thresholds, and which of them are near. Pure: counts, and the time.

The order of the rules says what becomes of a command over several: a meter's day and the counts of requester and
utility come first, because what is over them is kept for two people to look at; the feeder's come last, because what
is over those may simply come again in some minutes.

Source: requirement R3.6.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from uuid import UUID

from openami.contracts.command import CommandEffect, Refusal
from openami.contracts.threshold import COUNTED, Thresholds
from openami.contracts.threshold_word import ThresholdRule
from openami.network.gateway.thresholds.window import SlidingSums

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
SPANS_MS = {
    ThresholdRule.METER_DAY: DAY_MS,
    ThresholdRule.REQUESTER_HOUR: HOUR_MS,
    ThresholdRule.UTILITY_HOUR: HOUR_MS,
    ThresholdRule.UTILITY_DAY: DAY_MS,
    ThresholdRule.FEEDER_METERS: 15 * MINUTE_MS,
    ThresholdRule.FEEDER_LOAD: 15 * MINUTE_MS,
    ThresholdRule.FEEDER_RAMP: 5 * MINUTE_MS,
}
_REFUSAL_OF = {
    ThresholdRule.METER_DAY: Refusal.METER_CAP,
    ThresholdRule.REQUESTER_HOUR: Refusal.QUARANTINED,
    ThresholdRule.UTILITY_HOUR: Refusal.QUARANTINED,
    ThresholdRule.UTILITY_DAY: Refusal.QUARANTINED,
    ThresholdRule.FEEDER_METERS: Refusal.FEEDER_CAP,
    ThresholdRule.FEEDER_LOAD: Refusal.FEEDER_CAP,
    ThresholdRule.FEEDER_RAMP: Refusal.FEEDER_CAP,
}
KEPT = frozenset({Refusal.QUARANTINED, Refusal.METER_CAP})
"""What is refused for these is kept until two people release it; then the counts that held it do not."""


@dataclass(frozen=True, slots=True)
class Switched:
    """What is counted of a command.

    Args:
        title: the meter's, 8 octets.
        effect: what it does.
        requester: who asked for it.
        feeder: number of the feeder; 0 where it is not known: all of those count as one.
        load_w: load, W; 0 where it is not known.
    """

    title: bytes
    effect: CommandEffect
    requester: UUID
    feeder: int
    load_w: int


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a threshold would be filled.

    Args:
        rule: which.
        key: of whom.
        reached: count, or load in W, with this command.
        limit: what may be.
    """

    rule: ThresholdRule
    key: Hashable
    reached: int
    limit: int


@dataclass(frozen=True, slots=True)
class Over:
    """The threshold that a command would break, and what it is refused with."""

    refusal: Refusal
    reach: Reach


class SwitchingJudge:
    """Counts of what passed, against thresholds.

    Args:
        thresholds: in force; may be replaced at any time, and what was counted stays counted.
    """

    def __init__(self, thresholds: Thresholds) -> None:
        self.thresholds = thresholds
        self._sums = {rule: SlidingSums(span_ms) for rule, span_ms in SPANS_MS.items()}
        self._warned: dict[tuple[ThresholdRule, Hashable], int] = {}

    def over(self, switched: Switched, *, now_ms: int, released: bool = False) -> Over | None:
        """Return the first threshold that one more command would break; None where it may pass.

        Args:
            switched: the command.
            now_ms: real time, milliseconds since the epoch.
            released: whether two people released it: then counts do not hold it, and what a feeder can bear does.
        """
        for reach in self._reaches(switched, now_ms):
            refusal = _REFUSAL_OF[reach.rule]
            if reach.reached <= reach.limit or (released and refusal in KEPT):
                continue
            if reach.rule is ThresholdRule.METER_DAY and switched.effect is CommandEffect.RECONNECT:
                continue
            if reach.rule is ThresholdRule.FEEDER_RAMP and reach.reached == self._load_w(switched):
                # The only one in five minutes: a load above the whole ramp must be able to come back some time.
                continue
            return Over(refusal, reach)
        return None

    def count(self, switched: Switched, *, now_ms: int) -> list[Reach]:
        """Count a command that passes; return the thresholds that people should be warned of now, each once a span."""
        reaches = list(self._reaches(switched, now_ms))
        for reach, amount in zip(reaches, self._amounts(switched), strict=True):
            self._sums[reach.rule].add(reach.key, amount, now_ms=now_ms)
        return [r for r in reaches if self._is_news(r, now_ms)]

    def take_back(self, switched: Switched) -> None:
        """Take back what :meth:`count` has just counted."""
        for (rule, key, _), amount in zip(self._rules(switched), self._amounts(switched), strict=True):
            self._sums[rule].take_back(key, amount)

    def sweep(self, *, now_ms: int) -> None:
        """Forget what has left every window. For once in a minute or so."""
        for sums in self._sums.values():
            sums.sweep(now_ms=now_ms)
        self._warned = {key: until_ms for key, until_ms in self._warned.items() if until_ms > now_ms}

    def _is_news(self, reach: Reach, now_ms: int) -> bool:
        if reach.rule is ThresholdRule.METER_DAY or reach.reached * 100 < reach.limit * self.thresholds.warn_percent:
            # A meter that was switched off and on again is at its limit every time: nobody is called for that.
            return False
        key = (reach.rule, reach.key)
        is_news = self._warned.get(key, 0) <= now_ms
        if is_news:
            self._warned[key] = now_ms + SPANS_MS[reach.rule]
        return is_news

    def _reaches(self, switched: Switched, now_ms: int) -> Iterator[Reach]:
        for (rule, key, limit), amount in zip(self._rules(switched), self._amounts(switched), strict=True):
            yield Reach(rule, key, self._sums[rule].total(key, now_ms=now_ms) + amount, limit)

    def _rules(self, switched: Switched) -> list[tuple[ThresholdRule, Hashable, int]]:
        """Return the rules that a command counts for: which, for whom, and how much may be."""
        limits, feeder, effect = self.thresholds, switched.feeder, switched.effect
        rules: list[tuple[ThresholdRule, Hashable, int]] = [(ThresholdRule.METER_DAY, switched.title, limits.meter_day)]
        if effect is CommandEffect.RECONNECT:
            return [*rules, (ThresholdRule.FEEDER_RAMP, feeder, limits.ramp_of_feeder(feeder))]
        if effect not in COUNTED:
            return []
        of_effect = limits.effects[effect]
        return [
            *rules,
            (ThresholdRule.REQUESTER_HOUR, (effect, switched.requester), of_effect.requester_hour),
            (ThresholdRule.UTILITY_HOUR, effect, of_effect.utility_hour),
            (ThresholdRule.UTILITY_DAY, effect, of_effect.utility_day),
            (ThresholdRule.FEEDER_METERS, feeder, limits.meters_of_feeder(feeder)),
            (ThresholdRule.FEEDER_LOAD, feeder, limits.feeder_load_w),
        ]

    def _amounts(self, switched: Switched) -> list[int]:
        """Return what a command counts for each of its rules: one, or its load."""
        loads = {ThresholdRule.FEEDER_LOAD, ThresholdRule.FEEDER_RAMP}
        return [self._load_w(switched) if rule in loads else 1 for rule, _, _ in self._rules(switched)]

    def _load_w(self, switched: Switched) -> int:
        return switched.load_w or self.thresholds.assumed_load_w
