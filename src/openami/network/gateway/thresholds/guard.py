"""The gateway's last word on commands that change a supply or a clock: pass, be kept aside, or come again later.

It stands behind the signature and before the collector. A command passes when it is within every threshold and that is
on disk. What is over one is kept, told to core and refused by name. The clock's and the limiter's values have bounds
that no release lifts.

Source: requirements R3.6, R3.8 (bounds that no role can pass); attacks A14, A15, A19.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from uuid import UUID

import structlog

from openami.contracts.command import SWITCHING, Command, Refusal
from openami.contracts.directive import Directive
from openami.contracts.directive_body import decode_released
from openami.contracts.threshold import BUILT_IN, Thresholds, decode_thresholds
from openami.contracts.threshold_word import ThresholdWord, WordKind
from openami.network.gateway.thresholds.bounds import beyond
from openami.network.gateway.thresholds.held import HELD, HeldCommand, HeldCommands
from openami.network.gateway.thresholds.judge import KEPT, Over, Reach, Switched, SwitchingJudge
from openami.network.gateway.thresholds.record import Passed, PassedRecord, RecordError
from openami.network.gateway.thresholds.voice import ThresholdVoice

PASSED = "passed_commands"
"""Name of the record in the gateway's folder."""
TIDY_EVERY_MS = 60_000
_log = structlog.get_logger(__name__)


class SwitchingGuard:
    """Thresholds of one gateway.

    Args:
        gateway_id: who says the words.
        folder: where the record and the held commands are; None for nowhere.
        tell: takes each word; must not wait.
        now_ms: real time at the start, milliseconds since the epoch.
        thresholds: in force from the start.
    """

    def __init__(
        self,
        *,
        gateway_id: int = 0,
        folder: Path | None = None,
        tell: Callable[[ThresholdWord], None] = lambda _: None,
        now_ms: int = 0,
        thresholds: Thresholds = BUILT_IN,
    ) -> None:
        self._voice = ThresholdVoice(gateway_id, tell)
        self._voice.version = thresholds.version
        self._judge = SwitchingJudge(thresholds)
        self._record = PassedRecord(folder / PASSED if folder else None, now_ms=now_ms)
        self.held = HeldCommands(folder / HELD if folder else None)
        self._released: frozenset[UUID] = frozenset()
        self._passing: dict[UUID, HeldCommand] = {}
        self._tidied_ms = now_ms
        for passed in sorted(self._record.rows.values(), key=lambda p: p.at_ms):
            self._judge.count(passed.switched, now_ms=passed.at_ms)

    @property
    def remembered(self) -> dict[UUID, int]:
        """The request ids of what passed, with the instants at which they expire, milliseconds since the epoch."""
        return {request_id: passed.expires_at_ms for request_id, passed in self._record.rows.items()}

    @property
    def thresholds(self) -> Thresholds:
        """What is in force."""
        return self._judge.thresholds

    def renew(self, thresholds: Thresholds, *, now_ms: int) -> None:
        """Hold to other thresholds from now on; what was counted stays counted."""
        if thresholds != self._judge.thresholds:
            self._judge.thresholds = thresholds
            self._voice.renewed(thresholds.version, now_ms=now_ms)

    def release(self, held_ids: Collection[UUID]) -> None:
        """Take the ids of all held commands that two people have released; each lets one command pass."""
        self._released = frozenset(held_ids)

    def is_released(self, held_id: UUID) -> bool:
        """Tell whether people have released a kept command."""
        return held_id in self._released

    def take_thresholds(self, directive: Directive) -> None:
        """Put the thresholds of a directive into force. Raises ContractError."""
        self.renew(decode_thresholds(directive.body), now_ms=directive.made_at_ms)

    def take_released(self, directive: Directive) -> None:
        """Take what a directive releases. Raises ContractError."""
        self.release(decode_released(directive.body).commands)

    def admit(self, command: Command, *, now_ms: int) -> Refusal | None:
        """Count a command that may pass and return None, or return why it may not.

        Args:
            command: verified, and with a route.
            now_ms: real time, milliseconds since the epoch.
        """
        if (bound := beyond(command, self.thresholds)) is not None:
            self._voice.refused(bound.reach, command, now_ms=now_ms)
            return bound.refusal
        if command.effect not in SWITCHING:
            return None
        held = self.held.of(command)
        is_released = held is not None and held.held_id in self._released
        over = self._judge.over(_switched(command), now_ms=now_ms, released=is_released)
        if over is not None:
            return self._refuse(command, over, now_ms)
        return self._pass(command, held if is_released else None, now_ms)

    def handed_down(self, command: Command, *, now_ms: int) -> None:
        """A collector took what :meth:`admit` let pass: a release that it rested on is used up."""
        released = self._passing.pop(command.request_id, None)
        if released is not None:
            self.held.let_go(released)
            # At once: a kill must not make it serve twice.
            self.held.keep()
            reach = Reach(released.rule, None, released.reached, released.limit)
            self._voice.say(WordKind.RELEASED, reach, command, now_ms=now_ms, held_id=released.held_id)

    def take_back(self, command: Command) -> None:
        """Take back what :meth:`admit` has just counted: no collector took it. A release that it rested on stays."""
        self._passing.pop(command.request_id, None)
        if command.effect in SWITCHING:
            self._judge.take_back(_switched(command))
            self._record.take_back(command.request_id)

    def look_around(self, *, now_ms: int) -> None:
        """Write down what is held; drop what is old. For once a second; blocking for a file of some 100 kB."""
        self.held.keep()
        if now_ms - self._tidied_ms >= TIDY_EVERY_MS:
            self._tidied_ms = now_ms
            self._judge.sweep(now_ms=now_ms)
            self._voice.tidy(now_ms=now_ms)
            self._record.tidy(now_ms=now_ms)
            self.held.tidy(now_ms=now_ms)

    def _pass(self, command: Command, released: HeldCommand | None, now_ms: int) -> Refusal | None:
        passed = Passed(command.request_id, now_ms, command.expires_at_ms, _switched(command))
        try:
            self._record.append(passed)
        except RecordError as error:
            # What cannot be counted after a restart does not pass.
            _log.error("gateway.not_recorded", problem=str(error))
            self._voice.blind(now_ms=now_ms)
            return Refusal.BUSY
        for reach in self._judge.count(passed.switched, now_ms=now_ms):
            self._voice.say(WordKind.WARNED, reach, command, now_ms=now_ms)
        if released is not None:
            self._passing[command.request_id] = released
        return None

    def _refuse(self, command: Command, over: Over, now_ms: int) -> Refusal:
        if over.refusal not in KEPT:
            self._voice.refused(over.reach, command, now_ms=now_ms)
            return over.refusal
        if (new := self.held.hold(command, over, now_ms=now_ms)) is not None:
            self._voice.say(WordKind.HELD, over.reach, command, now_ms=now_ms, held_id=new.held_id)
        return over.refusal


def _switched(command: Command) -> Switched:
    return Switched(command.title.octets, command.effect, command.requester, command.feeder, command.load_w)
