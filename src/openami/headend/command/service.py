"""What the command process does: judge, seal, prove, sign, send. It believes no class that it has not found itself.

*Seal* judges the plain APDU it is given. *Send* gets a sealed one back, opens it with the meter's own key and judges
what is inside again, so a signature never stands under anything but what was sealed here and may go down.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from openami.contracts.command import NO_ID, Command, CommandClass, CommandEffect, Refusal
from openami.headend.command.classify import Effect, UnknownCommandError, begins_as_request, effect_of
from openami.headend.command.counters import SendCounters
from openami.headend.command.pairs import IN_USE, Pairs
from openami.headend.command.policy import needs_approval
from openami.headend.command.ports import (
    ApprovalRequest,
    Approvals,
    CommandRefusedError,
    CommandUnavailableError,
    Road,
    Warrant,
)
from openami.headend.listening.keyfeed import KeyFeed
from openami.kernel.clock import Clock
from openami.kernel.ids import SystemTitle
from openami.kernel.time import EPOCH
from openami.protocol.cosem.datetime import CosemDateTime
from openami.protocol.envelope.association import REQUESTS, parse_association
from openami.protocol.envelope.sealed import SERVICE_REQUESTS, parse_sealed_header, parse_service_sealed
from openami.protocol.envelope.wrapper import WrapperHeader, parse_wrapper
from openami.protocol.errors import PeerError
from openami.security.keys.table import KeyTable
from openami.security.suites.ed25519 import sign
from openami.security.suites.errors import SuiteError
from openami.security.suites.gcm import gmac_answer, open_sealed, seal

MAX_LIFE_MS = 300_000
"""Longest life of a command: half of what a gateway takes, so that two clocks may differ."""
NO_INSTANT_S = 2**63 - 1
"""Shift of a clock that is set to no instant: beyond every bound."""
CONTROLS = frozenset({0x30, 0x31})
"""Authenticated and encrypted, in suite 0 or 1; nothing weaker is made."""


@dataclass(frozen=True, slots=True)
class CommandEngines:
    """Everything outside that the command process talks to.

    Args:
        keys: keeps the table of key pairs up to date.
        approvals: what people approved.
        road: the way to the gateway.
        clock: domain time, to judge what a clock is set to.
        real_now: the host's clock; commands expire by it.
    """

    keys: KeyFeed
    approvals: Approvals
    road: Road
    clock: Clock
    real_now: Callable[[], datetime]


class CommandService:
    """Judges, seals and signs.

    Args:
        own_title: the installation's own system title, 8 octets.
        table: key pairs, kept up to date by ``engines.keys``.
        counters: our invocation counters.
        signing_key: Ed25519 private key, 32 octets.
        engines: what it talks to.
    """

    def __init__(
        self,
        *,
        own_title: bytes,
        table: KeyTable,
        counters: SendCounters,
        signing_key: bytes,
        engines: CommandEngines,
    ) -> None:
        self._own_title = own_title
        self._pairs = Pairs(table, engines.keys)
        self._counters = counters
        self._signing_key = signing_key
        self._engines = engines
        self.counts: Counter[str] = Counter()

    async def seal(self, title: SystemTitle, plaintext: bytes, *, control: int, generation: int = IN_USE) -> bytes:
        """Return ``SC | IC | ciphertext | tag``; see :class:`openami.headend.ports.Sealing`.

        Args:
            title: the meter.
            plaintext: the APDU.
            control: security control octet.
            generation: of the key pair, where it is not the one in use: a meter proves its new keys by them.

        Raises:
            CommandRefusedError: no key, no approval, or an APDU or protection that is not sent.
            CommandUnavailableError: an engine is away.
        """
        if control not in CONTROLS:
            raise CommandRefusedError(Refusal.PLAINTEXT, f"security control 0x{control:02x} is not sealed with")
        effect = _judged(plaintext)
        await self._approved(title, effect, plaintext)
        pair = await self._pairs.to_seal(title, generation)
        counter = await self._counters.take(pair.meter_id, pair.generation)
        self.counts[f"sealed_{effect.command_class.name.lower()}"] += 1
        own = self._own_title
        return seal(own, counter, plaintext, key=pair.key, auth_key=pair.auth_key, control=control)

    async def prove(self, title: SystemTitle, challenge: bytes, *, generation: int = IN_USE) -> bytes:
        """Return our answer ``SC | IC | tag`` to a meter's challenge; arguments as of :meth:`seal`.

        Raises:
            CommandRefusedError: as :meth:`seal`, or a challenge that begins as a request does.
            CommandUnavailableError: as :meth:`seal`.
        """
        if begins_as_request(challenge):
            # The answer would be the tag of that request, authenticated and not encrypted.
            self.counts["suspicious_challenges"] += 1
            raise CommandRefusedError(Refusal.PLAINTEXT, "a challenge that begins as a request does is not answered")
        pair = await self._pairs.to_seal(title, generation)
        counter = await self._counters.take(pair.meter_id, pair.generation)
        self.counts["proved"] += 1
        return gmac_answer(self._own_title, counter, challenge, key=pair.key, auth_key=pair.auth_key)

    async def send(self, title: SystemTitle, frame: bytes, *, request_id: UUID, expires_at_ms: int) -> None:
        """Sign what we have sealed and hand it to the DMZ.

        Args:
            title: the meter.
            frame: wrapper header, and the sealed APDU or an association message whose user information is sealed.
            request_id: the outcome names it.
            expires_at_ms: until when it may reach the meter, real time, milliseconds since the epoch; from now not
                more than ``MAX_LIFE_MS``.

        Raises:
            CommandRefusedError: not sealed here, or it may not go down.
            CommandUnavailableError: an engine is away, or its time was over before its turn came.
        """
        time_left_ms = expires_at_ms - (self._engines.real_now() - EPOCH) // timedelta(milliseconds=1)
        if time_left_ms > MAX_LIFE_MS:
            raise CommandRefusedError(Refusal.BAD_COMMAND, f"a life of {time_left_ms} ms")
        if time_left_ms <= 0:
            # Nobody waits for its answer any more, and a later command of the same meter may be on its way.
            self.counts["expired"] += 1
            raise CommandUnavailableError("the time for it was over before its turn came")
        header, apdu, body = self._sealed_part(frame)
        plaintext = self._opened(title, body)
        if plaintext is None:
            # Sealed by another command process, with keys that this one has not seen yet.
            await self._pairs.refresh()
            plaintext = self._opened(title, body)
        if plaintext is None:
            raise CommandRefusedError(Refusal.BAD_SIGNATURE, "not sealed here for this meter")
        effect = _judged(plaintext)
        warrant = await self._approved(title, effect, plaintext, spend_for=request_id)
        command = Command(
            request_id=request_id,
            title=title,
            command_class=effect.command_class,
            client_port=header.source_port,
            server_port=header.destination_port,
            expires_at_ms=expires_at_ms,
            approvals=warrant.approvals,
            apdu=apdu,
            digest=sha256(apdu).digest(),
            effect=effect.on_supply if effect.clock is None else CommandEffect.CLOCK,
            value=effect.limit if effect.clock is None else self._shift_s(effect.clock),
            order_id=warrant.order_id,
            requester=warrant.requester,
            feeder=warrant.feeder,
            load_w=warrant.load_w,
        )
        command = command.signed_with(sign(command.signed_octets(), private_key=self._signing_key))
        if effect.command_class not in {CommandClass.ASSOCIATION, CommandClass.READ}:
            # What changes a meter is on record before it can happen (requirement R7.1).
            await self._engines.road.record(command)
        await self._engines.road.send(command)
        self.counts[f"sent_{effect.command_class.name.lower()}"] += 1

    def _sealed_part(self, frame: bytes) -> tuple[WrapperHeader, bytes, bytes]:
        """Return header, APDU and its part from the security control on."""
        try:
            header, apdu = parse_wrapper(frame)
            if apdu[0] in REQUESTS:
                sealed_at = parse_association(apdu).sealed_at
                if sealed_at is None:
                    raise CommandRefusedError(Refusal.PLAINTEXT, "an association whose user information is not sealed")
                return header, apdu, apdu[sealed_at:]
            is_service = apdu[0] in SERVICE_REQUESTS
            own = self._own_title
            sealed = parse_service_sealed(apdu, title=own) if is_service else parse_sealed_header(apdu)
        except PeerError as error:
            raise CommandRefusedError(Refusal.PLAINTEXT, f"not a sealed APDU: {error.code}") from error
        if sealed.system_title != self._own_title:
            raise CommandRefusedError(Refusal.PLAINTEXT, "sealed under another system title than ours")
        return header, apdu, apdu[sealed.body_offset :]

    def _opened(self, title: SystemTitle, body: bytes) -> bytes | None:
        """Return what is inside, which shows that it was sealed here for this meter; None where no key opens it."""
        if body[0] not in CONTROLS:
            raise CommandRefusedError(Refusal.PLAINTEXT, f"security control 0x{body[0]:02x} is not sent")
        for pair in self._pairs.of(title):
            try:
                return open_sealed(self._own_title, body, key=pair.key, auth_key=pair.auth_key)
            except SuiteError:
                continue
        return None

    async def _approved(
        self, title: SystemTitle, effect: Effect, plaintext: bytes, *, spend_for: UUID = NO_ID
    ) -> Warrant:
        if not needs_approval(effect, now=self._engines.clock.now()):
            return Warrant()
        digest = sha256(plaintext).digest()
        request = ApprovalRequest(title, effect.command_class, digest, plaintext, effect.on_supply, spend_for)
        approvals = self._engines.approvals
        found = await (approvals.find(request) if spend_for == NO_ID else approvals.spend(request))
        if found is None:
            self.counts["without_approval"] += 1
            name = effect.command_class.name.lower()
            raise CommandRefusedError(Refusal.NEEDS_APPROVAL, f"a command of class {name} needs an approval")
        return found

    def _shift_s(self, clock: CosemDateTime) -> int:
        """Return by how far a clock would be off, seconds; the most there is where it has no instant."""
        try:
            return round(abs(clock.to_utc() - self._engines.clock.now()).total_seconds())
        except PeerError:
            return NO_INSTANT_S


def _judged(plaintext: bytes) -> Effect:
    try:
        return effect_of(plaintext)
    except UnknownCommandError as error:
        raise CommandRefusedError(Refusal.UNKNOWN_CLASS, str(error)) from error
