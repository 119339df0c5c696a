"""The gateway's desk for commands: what came from core, to whom it was handed, and what became of it.

Takes octets and the time, calls what it is given. On disk is only what the guard keeps of commands that change a
supply: their counts and ids outlive a restart. A gateway that dies forgets what was open; whoever asked sees no word
and stops waiting when the command's time is over, and so does the collector.

Routes are learned from frames whose envelope passed. No tag was verified here, so a hostile collector may claim a
known title and draw its commands; they end as "no answer", are opened by nobody, and the head-end sees which
collector its frames came by.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from openami.contracts.command import Command, CommandOutcome, OutcomeKind, Refusal, decode_command
from openami.contracts.errors import ContractError
from openami.kernel.ids import SystemTitle
from openami.network.downlink import Result, decode_result, encode_down
from openami.network.gateway.command import refusal_of_command
from openami.network.gateway.rate import CommandRates
from openami.network.gateway.routes import RouteBook
from openami.network.gateway.thresholds import SwitchingGuard
from openami.network.link import LinkMessage
from openami.network.ports import CommandBus, SigningKeys
from openami.protocol.envelope.association import REQUESTS
from openami.protocol.envelope.wrapper import wrap

MAX_OPEN = 20_000
"""Commands handed down whose RESULT has not come."""
MAX_REMEMBERED = 200_000
"""Request ids kept until they expire, so that none is carried out twice. Ten times what the rates let pass in the 20 s
that a session's command lives; where longer lives fill it, more are refused as busy until some have expired."""
ANSWER_GRACE_MS = 60_000
"""How long after its command's time an answer in the clear may still come up through a full spool."""
_NO_ANSWER = Result(OutcomeKind.NO_ANSWER)


@dataclass(frozen=True, slots=True)
class _Open:
    request_id: UUID
    title: bytes
    collector_id: int
    expires_at_ms: int


@dataclass(frozen=True, slots=True)
class Commanding:
    """What the road down needs.

    Args:
        bus: commands from core, and the word back.
        keys: whose commands pass.
        real_now_ms: real time, milliseconds since the epoch; commands expire by it.
    """

    bus: CommandBus
    keys: SigningKeys
    real_now_ms: Callable[[], int]


class CommandDesk:
    """Commands of one gateway.

    Args:
        keys: who may sign.
        send: hands a DOWN to a collector and tells whether it took it.
        tell: takes the word about a command.
        first_number: commands are numbered from here; beyond every number of an earlier run.
        rates: how fast each class may go.
        guard: thresholds of what changes a supply.
        book: by which collector each meter is heard.
    """

    def __init__(
        self,
        *,
        keys: SigningKeys,
        send: Callable[[int, bytes], bool],
        tell: Callable[[CommandOutcome], None],
        first_number: int = 1,
        rates: CommandRates | None = None,
        book: RouteBook | None = None,
        guard: SwitchingGuard | None = None,
    ) -> None:
        self.book = book or RouteBook()
        self.counts: Counter[str] = Counter()
        self._keys = keys
        self._send = send
        self._tell = tell
        self._next_number = first_number
        self.rates = rates or CommandRates()
        self._open: dict[int, _Open] = {}
        self._numbers: dict[int, set[int]] = {}
        self.guard = guard or SwitchingGuard()
        # What changed a supply is remembered through a restart; of the rest, the meter's counter refuses a second copy.
        self._remembered: dict[UUID, int] = self.guard.remembered
        self._in_clear: dict[bytes, tuple[int, int, bool]] = {}

    def take(self, octets: bytes, *, now_ms: int) -> None:
        """Check a command and hand it down, or say why not.

        Args:
            octets: as they came from the bus.
            now_ms: real time, milliseconds since the epoch.
        """
        self.counts["commands"] += 1
        try:
            command = decode_command(octets)
        except ContractError:
            # Nobody can be told: there is no request id to tell it by.
            self.counts["commands_unreadable"] += 1
            return
        if command.expires_at_ms <= now_ms:
            self._say(command.request_id, command.title, Result(OutcomeKind.EXPIRED), now_ms)
            return
        refusal = refusal_of_command(command, keys=self._keys, now_ms=now_ms) or self._admit(command, now_ms)
        if refusal is None:
            refusal = self._hand_down(command, now_ms)
        if refusal is not None:
            self._say(command.request_id, command.title, Result(OutcomeKind.REFUSED, refusal), now_ms)

    def _admit(self, command: Command, now_ms: int) -> Refusal | None:
        if command.request_id in self._remembered:
            return Refusal.REPEATED
        if command.title.octets not in self.book.routes:
            return Refusal.NO_ROUTE
        if len(self._open) >= MAX_OPEN or len(self._remembered) >= MAX_REMEMBERED:
            return Refusal.BUSY
        if not self.rates.takes(command.command_class, now_ms=now_ms):
            return Refusal.OVER_RATE
        if (refusal := self.guard.admit(command, now_ms=now_ms)) is not None:
            self.rates.give_back(command.command_class)
            return refusal
        self._remembered[command.request_id] = command.expires_at_ms
        return None

    def _hand_down(self, command: Command, now_ms: int) -> Refusal | None:
        title, collector_id = command.title.octets, self.book.routes[command.title.octets]
        number = self._next_number
        self._next_number += 1
        frame = wrap(command.client_port, command.server_port, command.apdu)
        down = encode_down(number, title, frame, time_left_ms=command.expires_at_ms - now_ms)
        if not self._send(collector_id, down):
            # It went nowhere: it may come again, and takes nothing from those that can be handed down.
            del self._remembered[command.request_id]
            self.rates.give_back(command.command_class)
            self.guard.take_back(command)
            return Refusal.NO_ROUTE
        self.guard.handed_down(command, now_ms=now_ms)
        self._open[number] = _Open(command.request_id, title, collector_id, command.expires_at_ms)
        self._numbers.setdefault(collector_id, set()).add(number)
        until_ms = command.expires_at_ms + ANSWER_GRACE_MS
        self._in_clear[title] = (collector_id, until_ms, command.apdu[0] in REQUESTS)
        self.counts[f"handed_down_{command.command_class.name.lower()}"] += 1
        return None

    def result(self, collector_id: int, message: LinkMessage, *, now_ms: int) -> None:
        """Take a RESULT. One of a command that is not open, or of another collector or meter, changes nothing.

        Raises:
            LinkError: its body is none.
        """
        result = decode_result(message.body)
        entry = self._open.get(message.seq)
        if entry is None or entry.collector_id != collector_id or entry.title != message.title:
            self.counts["results_of_nothing"] += 1
            return
        self._end(message.seq, result, now_ms)

    def is_asked(self, title: bytes) -> bool:
        """Tell whether a command was handed down to a meter whose answer may still come."""
        return title in self._in_clear

    def expects_in_clear(self, title: bytes, collector_id: int, *, is_association: bool, now_ms: int) -> bool:
        """Tell whether an answer in the clear may come from there now; each command lets one pass.

        Args:
            title: the meter's.
            collector_id: who brings it.
            is_association: whether it answers an association; else it refuses a request.
            now_ms: real time, milliseconds since the epoch.
        """
        expected = self._in_clear.get(title)
        if expected is None:
            return False
        by, until_ms, may_associate = expected
        if by != collector_id or until_ms < now_ms or (is_association and not may_associate):
            return False
        del self._in_clear[title]
        return True

    def collector_left(self, collector_id: int, *, now_ms: int) -> None:
        """Say "no answer" for what a collector had in hand: its RESULT could come by this connection alone."""
        for number in list(self._numbers.get(collector_id, ())):
            self._end(number, _NO_ANSWER, now_ms)

    def end_overdue(self, *, now_ms: int) -> None:
        """Say "no answer" for what has waited too long, and forget ids that have expired."""
        for number in [n for n, entry in self._open.items() if entry.expires_at_ms <= now_ms]:
            self._end(number, _NO_ANSWER, now_ms)
        for request_id in [i for i, expires in self._remembered.items() if expires <= now_ms]:
            del self._remembered[request_id]
        for title in [t for t, (_, until_ms, _) in self._in_clear.items() if until_ms < now_ms]:
            del self._in_clear[title]

    def _end(self, number: int, result: Result, now_ms: int) -> None:
        entry = self._open.pop(number)
        numbers = self._numbers[entry.collector_id]
        numbers.discard(number)
        if not numbers:
            del self._numbers[entry.collector_id]
        self._say(entry.request_id, SystemTitle(entry.title), result, now_ms)

    def _say(self, request_id: UUID, title: SystemTitle, result: Result, now_ms: int) -> None:
        word = result.refusal if result.kind is OutcomeKind.REFUSED else result.kind
        self.counts[f"command_{word.name.lower()}"] += 1
        self._tell(CommandOutcome(request_id, title, result.kind, now_ms, result.refusal, result.answer))
