"""Exchanges with meters on top of the one-way roads: a command goes down, its answer comes up as any frame does.

An answer is told from a push by what it is, and from another command's answer by its digest, which the network's word
about the command names. The intake has opened it by then, in the same counter window as the meter's pushes, so a
replayed answer never gets here. One exchange a meter at a time; what nobody waits for is dropped.

Source: DESIGN section 4 (Downlink).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from uuid import UUID

from openami.contracts.command import CommandOutcome, OutcomeKind, Refusal
from openami.headend.listening.intake import Answer
from openami.headend.ports import CommandSender, DownlinkUnavailableError, NoAnswerError
from openami.kernel.errors import MisuseError
from openami.kernel.ids import SystemTitle

MAX_CANDIDATES = 4
"""Answers of one meter that are kept until the network says which it was."""
MAX_OPENED = 10_000
"""Opened answers kept for sessions that have not read them; the oldest goes."""
_REFUSED_WORDS = {
    Refusal.NO_ROUTE: "no collector hears this meter now",
    Refusal.BUSY: "the collector has too much to do",
    Refusal.OVER_RATE: "the gateway has passed as many commands of this kind as it may for now",
    Refusal.QUARANTINED: "over a threshold: the gateway keeps it until two people release it",
    Refusal.METER_CAP: "this meter was switched as often as a meter may be in a day",
    Refusal.FEEDER_CAP: "this feeder's load may not change by more for some minutes",
    Refusal.VALUE_BOUND: "the value is beyond what the gateway passes for anybody",
}
_NO_WORD = "nothing was heard of it"
_WORDS = {
    OutcomeKind.ANSWERED: "the meter answered, and the answer has not arrived",
    OutcomeKind.DELIVERED: "the meter took it and sent no answer",
    OutcomeKind.NO_ANSWER: "the collector called it on the radio, and it did not answer",
    OutcomeKind.EXPIRED: "its time was over before the meter could be called",
}


@dataclass(slots=True)
class _Waiting:
    request_id: UUID
    done: asyncio.Future[Answer]
    candidates: dict[bytes, Answer] = field(default_factory=dict)
    word: CommandOutcome | None = None


class Exchanges:
    """:class:`openami.headend.ports.Downlink` of one head-end.

    Args:
        sender: signs a frame and hands it to the DMZ.
        new_id: makes request ids.
    """

    def __init__(self, sender: CommandSender, *, new_id: Callable[[], UUID]) -> None:
        self._sender = sender
        self._new_id = new_id
        self._waiting: dict[SystemTitle, _Waiting] = {}
        self._opened: dict[tuple[SystemTitle, bytes], bytes] = {}
        self.counts: Counter[str] = Counter()

    async def exchange(self, title: SystemTitle, octets: bytes, *, timeout_s: float) -> bytes:
        """Send a wrapper frame to a meter and return the wrapper frame that it answers with.

        Raises:
            NoAnswerError, DownlinkUnavailableError: see the port.
            SealingRefusedError: the command process will not sign it.
            MisuseError: an exchange with this meter is open.
        """
        if title in self._waiting:
            raise MisuseError(f"an exchange with {title} is open")
        entry = _Waiting(self._new_id(), asyncio.get_running_loop().create_future())
        self._waiting[title] = entry
        try:
            async with asyncio.timeout(timeout_s):
                await self._sender.send(title, octets, request_id=entry.request_id, time_left_s=timeout_s)
                answer = await entry.done
        except TimeoutError:
            self.counts["no_answer"] += 1
            word = _WORDS[entry.word.kind] if entry.word is not None else _NO_WORD
            raise NoAnswerError(f"no answer within {timeout_s:.0f} s: {word}") from None
        finally:
            del self._waiting[title]
            if entry.done.done() and not entry.done.cancelled():
                # A word that came together with the time-out was looked at, too.
                entry.done.exception()
        self.counts["answered"] += 1
        self._remember(title, answer)
        return answer.frame

    def answered(self, answers: Sequence[Answer]) -> None:
        """Take what meters answered, as the intake passed it."""
        for answer in answers:
            title = SystemTitle(answer.title)
            entry = self._waiting.get(title)
            if entry is None or len(entry.candidates) >= MAX_CANDIDATES:
                self.counts["unasked"] += 1
                continue
            entry.candidates[sha256(answer.frame).digest()] = answer
            self._match(entry)

    def told(self, outcome: CommandOutcome) -> None:
        """Take the network's word about a command."""
        entry = self._waiting.get(outcome.title)
        # A word about an earlier command of this meter says nothing about the one that is open.
        if entry is None or entry.request_id != outcome.request_id or entry.done.done():
            return
        entry.word = outcome
        if outcome.kind is OutcomeKind.ANSWERED:
            self._match(entry)
        elif outcome.kind is OutcomeKind.REFUSED:
            words = _REFUSED_WORDS.get(outcome.refusal, f"the gateway refuses it ({outcome.refusal.name.lower()})")
            self.counts[f"refused_{outcome.refusal.name.lower()}"] += 1
            entry.done.set_exception(DownlinkUnavailableError(f"not handed over: {words}", outcome.refusal))
        else:
            self.counts["no_answer"] += 1
            entry.done.set_exception(NoAnswerError(f"no answer: {_WORDS[outcome.kind]}"))

    def take_opened(self, title: SystemTitle, sealed: bytes) -> bytes | None:
        """Return the plain APDU of an answer that an exchange returned, once; None where there is none.

        Args:
            title: the meter.
            sealed: the answer from its security control on.
        """
        return self._opened.pop((title, sealed), None)

    def _match(self, entry: _Waiting) -> None:
        if entry.word is None or entry.word.kind is not OutcomeKind.ANSWERED or entry.done.done():
            return
        answer = entry.candidates.get(entry.word.answer)
        if answer is not None:
            entry.done.set_result(answer)

    def _remember(self, title: SystemTitle, answer: Answer) -> None:
        if answer.sealed is None or answer.plaintext is None:
            return
        if len(self._opened) >= MAX_OPENED:
            del self._opened[next(iter(self._opened))]
        self._opened[title, answer.sealed] = answer.plaintext
