"""Sessions with meters: one at a time per meter, an association kept a while and used again, every wait bounded.

The protocol is the client association's, sealing is the command process's, the way is the downlink's; here is who
does what when. A failure of any kind ends the association: the next session begins with a new one.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from openami.headend.command.classify import begins_as_request
from openami.headend.keeping.answer import Answer
from openami.headend.keeping.request import Lane, Request
from openami.headend.ports import (
    Downlink,
    DownlinkUnavailableError,
    ForgedAnswerError,
    NoAnswerError,
    Sealing,
    SealingRefusedError,
    SealingUnavailableError,
)
from openami.headend.session.operations import Circumstance, NotNowError, needs_management, perform, with_traffic
from openami.kernel.ids import SystemTitle
from openami.protocol.apdu.acse import Mechanism
from openami.protocol.association.client import ClientAssociation, ClientSettings
from openami.protocol.association.drive import EnvelopeSealing, drive_async
from openami.protocol.association.errors import AssociationRefusedError, ServiceRefusedError
from openami.protocol.association.form import Form
from openami.protocol.association.ports import AccessRefusedError, ActionRefusedError
from openami.protocol.association.steps import Steps
from openami.protocol.envelope.wrapper import HEADER_OCTETS, parse_wrapper, wrap
from openami.protocol.errors import PeerError

CONTROL = 0x30
"""Authenticated and encrypted: nothing less goes down."""
MANAGEMENT = 1
"""Client address with all rights."""
SERVER_PORT = 1
"""The management logical device."""
CHALLENGE_OCTETS = 16
MAX_ASSOCIATIONS = 2_000
"""Kept open at once; the one that was used least recently is closed first. Some 3 kB each."""
RELEASE_S = 5.0
"""Longest wait for the answer to a release: whoever wants the meter meanwhile waits with it."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SessionPolicy:
    """Time limits, real time [s].

    Args:
        exchange_s: longest wait for one answer.
        person_exchange_s: the same where a person waits.
        idle_s: an association that was not used for this long is not used again, and released where somebody asks
            for it (:meth:`Sessions.release`).
        session_s: after this no more is asked in one session: a meter that goes on with ever more blocks, each just in
            time, must not hold its place for hours. An image of 64 blocks needs half of it on a slow radio.
        person_session_s: the same where a person waits.
    """

    exchange_s: float = 20.0
    person_exchange_s: float = 10.0
    idle_s: float = 300.0
    session_s: float = 600.0
    person_session_s: float = 30.0


class SessionFailedError(Exception):
    """A session came to nothing. The text is for staff.

    Args:
        words: why.
        is_final: asking again cannot help.
    """

    def __init__(self, words: str, *, is_final: bool = False) -> None:
        super().__init__(words)
        self.is_final = is_final


@dataclass(slots=True)
class _Open:
    """An association in use or kept, and the generation of keys that it was made with; 0 for those in use."""

    client: ClientAssociation
    port: int
    used_at_s: float
    generation: int = 0


@dataclass(slots=True)
class _Meter:
    title: SystemTitle
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    open: _Open | None = None
    users: int = 0
    """Who holds the lock or waits for it: between two of them it is free, and the meter is not to be forgotten."""


@dataclass(slots=True)
class _Line:
    """One session's way to its meter: wraps, waits, counts."""

    downlink: Downlink
    title: SystemTitle
    port: int
    timeout_s: float
    session_s: float
    monotonic: Callable[[], float]
    generation: int = 0
    note_sealed: Callable[[bytes], None] = lambda _: None
    ends_at_s: float = 0.0
    octets: int = 0
    exchanges: int = 0

    def begin(self) -> None:
        """Start the session's time."""
        self.ends_at_s = self.monotonic() + self.session_s

    async def exchange(self, apdu: bytes) -> bytes:
        left_s = self.ends_at_s - self.monotonic()
        if left_s <= 0:
            raise SessionFailedError(f"the meter had not said all after {self.session_s:.0f} s")
        frame = wrap(self.port, SERVER_PORT, apdu)
        self.octets += len(frame)
        self.exchanges += 1
        answer = await self.downlink.exchange(self.title, frame, timeout_s=min(self.timeout_s, left_s))
        self.octets += len(answer)
        header, octets = parse_wrapper(answer)
        if (header.source_port, header.destination_port) != (SERVER_PORT, self.port):
            raise PeerError("wrong_port", "an answer between other ports than ours", HEADER_OCTETS)
        return octets


@dataclass(frozen=True, slots=True)
class _Bodies:
    """The sealing process for one meter, as the association's driver asks it."""

    sealing: Sealing
    title: SystemTitle
    generation: int
    note_sealed: Callable[[bytes], None]

    async def seal(self, plaintext: bytes, *, control: int) -> bytes:
        return await self.sealing.seal(self.title, plaintext, control=control, generation=self.generation)

    async def open(self, sealed: bytes) -> bytes:
        plaintext = await self.sealing.open(self.title, sealed)
        self.note_sealed(sealed)
        return plaintext

    async def prove(self, challenge: bytes) -> bytes:
        if begins_as_request(challenge):
            # The command process would refuse, for good; a new attempt brings a new challenge.
            raise PeerError("bad_challenge", "a challenge that begins as a request does", 0)
        return await self.sealing.prove(self.title, challenge, generation=self.generation)

    async def verify(self, challenge: bytes, answer: bytes) -> bool:
        return await self.sealing.verify(self.title, challenge, answer)


class Sessions:
    """All sessions of a head-end.

    Args:
        sealing: holds the keys.
        downlink: the way to the meters.
        own_title: system title that we seal under.
        secret: gives that many octets nobody can guess.
        monotonic: real time that never jumps [s].
        policy: time limits.
        new_keys_of: generation of the keys that a meter may have taken without our knowing; 0 for none.
    """

    def __init__(
        self,
        *,
        sealing: Sealing,
        downlink: Downlink,
        own_title: SystemTitle,
        secret: Callable[[int], bytes],
        monotonic: Callable[[], float],
        policy: SessionPolicy | None = None,
        new_keys_of: Callable[[SystemTitle], int] = lambda _: 0,
    ) -> None:
        self._sealing = sealing
        self._downlink = downlink
        self._own_title = own_title
        self._secret = secret
        self._monotonic = monotonic
        self._policy = policy or SessionPolicy()
        self._new_keys_of = new_keys_of
        self._meters: OrderedDict[bytes, _Meter] = OrderedDict()

    async def perform(self, request: Request, around: Circumstance) -> Answer:
        """Ask a meter and return its answer.

        Args:
            request: what is asked.
            around: the meter's profile, zone and time.

        Raises:
            SessionFailedError: no answer, a refusal, or an answer that does not pass; in words.
            DownlinkUnavailableError, SealingUnavailableError, SealingRefusedError: as the ports say.
        """
        policy, clients = self._policy, around.profile.clients
        limit_s, session_s = policy.exchange_s, policy.session_s
        if request.lane is Lane.PERSON:
            limit_s, session_s = policy.person_exchange_s, policy.person_session_s
        port = clients.get("management", MANAGEMENT)
        if not needs_management(request.kind):
            port = clients.get("reader", port)
        line = _Line(self._downlink, request.title, port, limit_s, session_s, self._monotonic)
        try:
            answer = await self._run(line, lambda client: perform(client, request, around))
        finally:
            around.spent(line.exchanges)
        return with_traffic(answer, octets=line.octets, exchanges=line.exchanges)

    async def run(self, title: SystemTitle, operation: Callable[[ClientAssociation], Steps[T]], *, port: int) -> T:
        """Run an operation of one's own with a meter and return its value: firmware, keys.

        Args:
            title: the meter.
            operation: steps over an open association.
            port: client address.

        Raises:
            SessionFailedError, DownlinkUnavailableError, SealingUnavailableError, SealingRefusedError: as
                :meth:`perform`.
        """
        return await self._run(self._line(title, port), operation)

    async def run_with_keys(
        self,
        title: SystemTitle,
        operation: Callable[[ClientAssociation], Steps[T]],
        *,
        port: int,
        generation: int = 0,
        note_sealed: Callable[[bytes], None] = lambda _: None,
    ) -> T:
        """As :meth:`run`, over a new association that is made with certain keys and ends with the operation.

        Args:
            title: the meter.
            operation: steps over the association.
            port: client address.
            generation: of the keys; 0 for those in use.
            note_sealed: hears what the meter sealed, from the security control on, once it was opened.

        Raises:
            SessionFailedError, DownlinkUnavailableError, SealingUnavailableError, SealingRefusedError: as :meth:`run`.
        """
        line = self._line(title, port)
        line.generation, line.note_sealed = generation, note_sealed
        return await self._run(line, operation, is_alone=True)

    async def _run(
        self, line: _Line, operation: Callable[[ClientAssociation], Steps[T]], *, is_alone: bool = False
    ) -> T:
        meter = self._meter(line.title)
        meter.users += 1
        try:
            async with meter.lock:
                line.begin()
                if is_alone:
                    meter.open = None
                ends = True
                try:
                    value = await self._in_words(self._ask(meter, line, operation))
                    ends = is_alone
                    return value
                finally:
                    if ends:
                        meter.open = None
        finally:
            meter.users -= 1

    def resting(self, *, idle_s: float | None = None) -> list[SystemTitle]:
        """Return the meters whose association nobody uses, the longest unused first.

        Args:
            idle_s: for how long [s]; None for as long as the policy keeps one to be used again.
        """
        before_s = self._monotonic() - (self._policy.idle_s if idle_s is None else idle_s)
        unused = [m for m in self._meters.values() if not m.users]
        return [m.title for m in unused if m.open is not None and m.open.used_at_s <= before_s]

    async def release(self, title: SystemTitle) -> None:
        """Release a meter's association; at our end it is closed whatever the meter or the way to it says."""
        meter = self._meters.get(title.octets)
        if meter is not None and not meter.users:
            await self._release(meter)
            self.forget(title)

    def forget(self, title: SystemTitle) -> None:
        """Know nothing of a meter any more, if nobody uses it now."""
        meter = self._meters.get(title.octets)
        if meter is not None and not meter.users:
            del self._meters[title.octets]

    def _line(self, title: SystemTitle, port: int) -> _Line:
        policy = self._policy
        return _Line(self._downlink, title, port, policy.exchange_s, policy.session_s, self._monotonic)

    def _meter(self, title: SystemTitle) -> _Meter:
        meter = self._meters.setdefault(title.octets, _Meter(title))
        self._meters.move_to_end(title.octets)
        for other in list(self._meters.values())[: max(0, len(self._meters) - MAX_ASSOCIATIONS)]:
            # Not released: the meter forgets it by itself, and an exchange for it costs somebody else's air.
            if not other.users:
                del self._meters[other.title.octets]
        return meter

    async def _ask(self, meter: _Meter, line: _Line, operation: Callable[[ClientAssociation], Steps[T]]) -> T:
        open_ = meter.open
        idle_s = self._monotonic() - open_.used_at_s if open_ is not None else 0.0
        if open_ is None or open_.port != line.port or idle_s > self._policy.idle_s:
            # Of one that rested for long the meter may know nothing any more; a new one takes its place there, too.
            open_ = meter.open = await self._associated(line)
        line.generation = open_.generation
        value = await self._drive(operation(open_.client), line)
        open_.used_at_s = self._monotonic()
        return value

    async def _associated(self, line: _Line) -> _Open:
        """Make an association: with the keys in use, and where they are refused with those that the meter may have."""
        try:
            return await self._associate(line)
        except AssociationRefusedError:
            maybe = 0 if line.generation else self._new_keys_of(line.title)
            if not maybe:
                raise
            line.generation = maybe
            return await self._associate(line)

    async def _associate(self, line: _Line) -> _Open:
        client = ClientAssociation(self._settings(line.title))
        await self._drive(client.associate(challenge=self._secret(CHALLENGE_OCTETS)), line)
        return _Open(client, line.port, self._monotonic(), line.generation)

    async def _release(self, meter: _Meter) -> None:
        async with meter.lock:
            open_, meter.open = meter.open, None
            if open_ is None:
                return
            line = self._line(meter.title, open_.port)
            line.timeout_s = min(line.timeout_s, RELEASE_S)
            line.generation = open_.generation
            line.begin()
            try:
                await self._in_words(self._drive(open_.client.release(), line))
            except (SessionFailedError, DownlinkUnavailableError, SealingUnavailableError, SealingRefusedError):
                # Closed at our end whatever the meter says.
                return

    def _settings(self, title: SystemTitle) -> ClientSettings:
        return ClientSettings(
            mechanism=Mechanism.HIGH_GMAC,
            control=CONTROL,
            form=Form.GLO,
            own_title=self._own_title.octets,
            expected_title=title.octets,
        )

    async def _drive(self, steps: Steps[T], line: _Line) -> T:
        bodies = EnvelopeSealing(
            _Bodies(self._sealing, line.title, line.generation, line.note_sealed), own_title=self._own_title.octets
        )
        return await drive_async(steps, sealing=bodies, exchange=line.exchange)

    async def _in_words(self, work: Awaitable[T]) -> T:
        """Await the work and say in words what went wrong between us and the meter."""
        try:
            return await work
        except NoAnswerError as error:
            raise SessionFailedError(str(error)) from error
        except ForgedAnswerError as error:
            raise SessionFailedError("an answer does not verify under the meter's keys") from error
        except AssociationRefusedError as error:
            raise SessionFailedError(f"the meter refuses us ({error})") from error
        except ServiceRefusedError as error:
            raise SessionFailedError(f"the meter could not serve the request ({error})") from error
        except (AccessRefusedError, ActionRefusedError) as error:
            raise SessionFailedError(f"the meter does not allow it ({error})", is_final=True) from error
        except NotNowError as error:
            raise SessionFailedError(str(error)) from error
        except PeerError as error:
            raise SessionFailedError(f"an answer that cannot be read ({error.code})") from error
