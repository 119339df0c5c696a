"""What a gateway says about its thresholds: every warning and everything it keeps; what is asked over and over, calmly.

Source: requirement R7.4.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from uuid import UUID

import structlog

from openami.contracts.command import Command
from openami.contracts.threshold_word import ThresholdRule, ThresholdWord, WordKind
from openami.network.gateway.thresholds.judge import Reach

CALM_MS = 60_000
"""A refusal that is not kept is told once in this time for each rule and feeder or meter: who is refused asks on."""
_log = structlog.get_logger(__name__)


class ThresholdVoice:
    """The words of one gateway.

    Args:
        gateway_id: who says them.
        tell: takes each word; must not wait.
    """

    def __init__(self, gateway_id: int, tell: Callable[[ThresholdWord], None]) -> None:
        self._gateway_id = gateway_id
        self._tell = tell
        self._told_ms: dict[tuple[ThresholdRule, Hashable], int] = {}
        self._blind_ms = -CALM_MS
        self.version = 0

    def renewed(self, version: int, *, now_ms: int) -> None:
        """Say that thresholds of another version hold."""
        self.version = version
        self._tell(ThresholdWord(WordKind.RENEWED, now_ms, self._gateway_id, version))

    def blind(self, *, now_ms: int) -> None:
        """Say, once in a while, that what passes cannot be written down."""
        if now_ms - self._blind_ms >= CALM_MS:
            self._blind_ms = now_ms
            self._tell(ThresholdWord(WordKind.BLIND, now_ms, self._gateway_id, self.version))

    def refused(self, reach: Reach, command: Command, *, now_ms: int) -> None:
        """Say, once in a while, that a command was turned away and is not kept."""
        key = (reach.rule, reach.key)
        if now_ms - self._told_ms.get(key, -CALM_MS) >= CALM_MS:
            self._told_ms[key] = now_ms
            self.say(WordKind.REFUSED, reach, command, now_ms=now_ms)

    def say(self, kind: WordKind, reach: Reach, command: Command, *, now_ms: int, held_id: UUID | None = None) -> None:
        """Say a word about a command."""
        _log.warning("gateway.threshold", kind=kind.value, rule=reach.rule.value, reached=reach.reached, of=reach.limit)
        self._tell(
            ThresholdWord(
                kind,
                now_ms,
                self._gateway_id,
                self.version,
                rule=reach.rule,
                reached=reach.reached,
                limit=reach.limit,
                held_id=held_id,
                title=command.title,
                effect=command.effect,
                order_id=command.order_id,
                requester=command.requester,
                feeder=command.feeder,
                load_w=command.load_w,
            )
        )

    def tidy(self, *, now_ms: int) -> None:
        """Forget what was said long enough ago."""
        self._told_ms = {key: at_ms for key, at_ms in self._told_ms.items() if now_ms - at_ms < CALM_MS}
