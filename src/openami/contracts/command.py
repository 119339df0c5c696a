"""What goes down to a meter, and what became of it.

A *command* is one sealed APDU for one meter, signed by the command process: the gateway passes nothing else. It is an
AARQ or RLRQ whose user information is sealed, or a general-glo-ciphering APDU; nobody on the way can read more.
Layout, big-endian: magic ``OC02``, request id 16, system title 8, class u8, effect u8, client port u16, server port
u16, expires_at_ms u64, value i64, order id 16, requester 16, feeder u32, load_w u32, SHA-256 of the APDU 32, approvals
u8 and 16 octets each, signature 64, length u32, APDU. The signature covers a name of this layout and everything before
itself, so the APDU by its digest. ``OC01`` named no effect and no order; a gateway of this release refuses it, for what
cannot be counted cannot be held to a threshold.

An *outcome* is the network's word about a command: magic ``OO01``, request id 16, system title 8, kind u8, refusal
u8, at_ms u64, SHA-256 of the answer 32 (zeros where there is none). The answer itself comes as any frame does; its
digest here says to which command it belongs, so that a late one is never taken for another's. Times are real, not
domain time: a command must not be carried out when nobody waits for it any more.

Source: DESIGN section 4 (Downlink); requirements R3.4, R3.5.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from enum import IntEnum
from hashlib import sha256
from uuid import UUID

from openami.contracts.errors import ContractError
from openami.contracts.frame import MAX_FRAME_OCTETS
from openami.kernel.ids import SystemTitle

COMMAND_MAGIC = b"OC02"
OUTCOME_MAGIC = b"OO01"
MAX_APDU_OCTETS = MAX_FRAME_OCTETS - 8 - 4
"""A frame of the link less its wrapper header and the time it has left."""
MAX_APPROVALS = 8
"""Two people approve; the rest is room for rules to come."""
SIGNATURE_OCTETS = 64
LAST_MS = 253_402_214_400_000
"""9999-12-31T00:00Z: what expires later is no instant."""
NO_ID = UUID(int=0)
"""Of a command that no order asked for."""
MAX_U32 = 0xFFFF_FFFF
_SIGNED_NAME = b"openami command v2\x00"
_HEAD = struct.Struct(">4s16s8sBBHHQq16s16sII32sB")
_LENGTH = struct.Struct(">I")
_OUTCOME = struct.Struct(">4s16s8sBBQ32s")
MAX_COMMAND_OCTETS = _HEAD.size + 16 * MAX_APPROVALS + SIGNATURE_OCTETS + _LENGTH.size + MAX_APDU_OCTETS


class CommandClass(IntEnum):
    """What a command does, as derived from the plain APDU by whoever seals it. Thresholds are by class."""

    ASSOCIATION = 1
    READ = 2
    WRITE = 3
    SWITCH = 4
    FIRMWARE = 5
    KEY = 6


_CLASSES = frozenset(CommandClass)

NEEDS_APPROVAL = frozenset({CommandClass.SWITCH, CommandClass.FIRMWARE, CommandClass.KEY})
"""Classes that never pass without an approval. A write may, where policy allows it (the clock)."""


class CommandEffect(IntEnum):
    """What a command does to a customer's supply or a meter's clock, as found in the plain APDU. Thresholds count it.

    OTHER is a switching command of which nobody can say which way it goes (a script, a schedule, several at once); it
    counts as a disconnection.
    """

    NONE = 0
    DISCONNECT = 1
    RECONNECT = 2
    LIMIT = 3
    OTHER = 4
    CLOCK = 5


SWITCHING = frozenset({CommandEffect.DISCONNECT, CommandEffect.RECONNECT, CommandEffect.LIMIT, CommandEffect.OTHER})
_NOTHING = frozenset({CommandEffect.NONE})
_EFFECTS_OF_CLASS = {
    CommandClass.ASSOCIATION: _NOTHING,
    CommandClass.READ: _NOTHING,
    CommandClass.WRITE: frozenset({CommandEffect.NONE, CommandEffect.CLOCK}),
    CommandClass.SWITCH: SWITCHING,
    # A list is as grave as its gravest part, and what stands beside that part has its effect all the same.
    CommandClass.FIRMWARE: _NOTHING | SWITCHING,
    CommandClass.KEY: _NOTHING | SWITCHING,
}


class OutcomeKind(IntEnum):
    """What became of a command."""

    DELIVERED = 1
    ANSWERED = 2
    NO_ANSWER = 3
    EXPIRED = 4
    REFUSED = 5


class Refusal(IntEnum):
    """Why a command was refused. Staff screens print these in words."""

    NONE = 0
    BAD_COMMAND = 1
    BAD_SIGNATURE = 2
    BAD_DIGEST = 3
    PLAINTEXT = 4
    NEEDS_APPROVAL = 5
    OVER_RATE = 6
    REPEATED = 7
    NO_ROUTE = 8
    BUSY = 9
    UNKNOWN_CLASS = 10
    UNKNOWN_TITLE = 11
    QUARANTINED = 12
    """Over a threshold: the gateway keeps what it was until two people release it; then its order may send it anew."""
    METER_CAP = 13
    """This meter was switched as often as a meter may be in a day; kept and released as QUARANTINED is."""
    FEEDER_CAP = 14
    """This feeder's load may not change by more in so short a time; a reconnection may come again in some minutes."""
    VALUE_BOUND = 15
    """A limit so low, or a clock shifted so far, that it passes for nobody."""
    BELOW_SECURITY_LEVEL = 16
    BLOCKED = 17
    NOT_DUE = 18


NO_DIGEST = bytes(32)
_KINDS = frozenset(OutcomeKind)
_REFUSALS = frozenset(Refusal)


@dataclass(frozen=True, slots=True)
class Command:
    """One sealed APDU on its way to one meter.

    Args:
        request_id: random; a gateway carries out each once.
        title: the meter.
        command_class: what it does.
        client_port, server_port: wrapper ports, 0 to 65,535.
        expires_at_ms: real time after which it must not reach the meter, milliseconds since the epoch.
        approvals: ids of the approvals it rests on, at most ``MAX_APPROVALS``.
        apdu: the sealed APDU, 1 to ``MAX_APDU_OCTETS`` octets.
        digest: SHA-256 that the signature covers; :func:`decode_command` has not compared it with the APDU.
        signature: Ed25519 over :meth:`signed_octets`; zeros while unsigned.
        effect: what it does to supply or clock.
        value: of a LIMIT the lowest threshold that it sets, in the unit of the register that the limiter watches; of
            a CLOCK by how far it is off the right time, seconds; 0 otherwise.
        order_id: the approved order that asked for it; ``NO_ID`` for none.
        requester: who asked for that order; ``NO_ID`` for nobody.
        feeder: number of the feeder that serves the meter, 0 to 2^32-1; 0 where it is not known.
        load_w: load that it switches, 0 to 2^32-1 W; 0 where it is not known.
    """

    request_id: UUID
    title: SystemTitle
    command_class: CommandClass
    client_port: int
    server_port: int
    expires_at_ms: int
    approvals: tuple[UUID, ...]
    apdu: bytes
    digest: bytes
    signature: bytes = bytes(SIGNATURE_OCTETS)
    effect: CommandEffect = CommandEffect.NONE
    value: int = 0
    order_id: UUID = NO_ID
    requester: UUID = NO_ID
    feeder: int = 0
    load_w: int = 0

    @property
    def has_its_digest(self) -> bool:
        """Whether the digest is that of the APDU."""
        return sha256(self.apdu).digest() == self.digest

    def signed_octets(self) -> bytes:
        """Return what the signature covers."""
        return _SIGNED_NAME + self._head()

    def signed_with(self, signature: bytes) -> Command:
        """Return the same command with a signature, 64 octets."""
        return replace(self, signature=signature)

    def encode(self) -> bytes:
        """Return the command as octets."""
        return self._head() + self.signature + _LENGTH.pack(len(self.apdu)) + self.apdu

    def _head(self) -> bytes:
        head = _HEAD.pack(
            COMMAND_MAGIC,
            self.request_id.bytes,
            self.title.octets,
            self.command_class,
            self.effect,
            self.client_port,
            self.server_port,
            self.expires_at_ms,
            self.value,
            self.order_id.bytes,
            self.requester.bytes,
            self.feeder,
            self.load_w,
            self.digest,
            len(self.approvals),
        )
        return head + b"".join(a.bytes for a in self.approvals)


def decode_command(octets: bytes) -> Command:
    """Read a command. Neither signature nor digest is verified.

    Raises:
        ContractError: not a whole command, a class there is not, or a value beyond its limit.
    """
    if not _HEAD.size <= len(octets) <= MAX_COMMAND_OCTETS:
        raise ContractError(f"command: {len(octets)} octets, expected {_HEAD.size} to {MAX_COMMAND_OCTETS}")
    fields = _HEAD.unpack_from(octets)
    magic, request_id, title, kind, effect, client, server, expires_at_ms, value, *_, digest, count = fields
    order_id, requester, feeder, load_w = fields[9:13]
    if magic != COMMAND_MAGIC:
        raise ContractError(f"command: magic {magic.hex()} at offset 0, expected {COMMAND_MAGIC.hex()}")
    if kind not in _CLASSES:
        raise ContractError(f"command: class {kind} is none")
    if effect not in _EFFECTS_OF_CLASS[kind]:
        raise ContractError(f"command: effect {effect} is none of class {kind}")
    if count > MAX_APPROVALS or expires_at_ms > LAST_MS:
        raise ContractError(f"command: {count} approvals, expires at {expires_at_ms}: beyond the limit")
    at = _HEAD.size + 16 * count
    end = at + SIGNATURE_OCTETS + _LENGTH.size
    _check_apdu(octets, end)
    return Command(
        request_id=UUID(bytes=request_id),
        title=SystemTitle(title),
        command_class=CommandClass(kind),
        client_port=client,
        server_port=server,
        expires_at_ms=expires_at_ms,
        approvals=tuple(UUID(bytes=octets[i : i + 16]) for i in range(_HEAD.size, at, 16)),
        apdu=octets[end:],
        digest=digest,
        signature=octets[at : at + SIGNATURE_OCTETS],
        effect=CommandEffect(effect),
        value=value,
        order_id=UUID(bytes=order_id),
        requester=UUID(bytes=requester),
        feeder=feeder,
        load_w=load_w,
    )


def _check_apdu(octets: bytes, start: int) -> None:
    if len(octets) < start:
        raise ContractError(f"command: {len(octets)} octets, cut before the APDU at offset {start}")
    (length,) = _LENGTH.unpack_from(octets, start - _LENGTH.size)
    if not 1 <= length <= MAX_APDU_OCTETS or length != len(octets) - start:
        raise ContractError(f"command: an APDU of {length} octets does not fit at offset {start}")


@dataclass(frozen=True, slots=True)
class CommandOutcome:
    """What became of one command.

    Args:
        request_id: the command's.
        title: the meter.
        kind: what.
        at_ms: real time when it was said, milliseconds since the epoch.
        refusal: why, where the kind is REFUSED; NONE otherwise.
        answer: SHA-256 of the wrapper frame that the meter answered with, where the kind is ANSWERED.
    """

    request_id: UUID
    title: SystemTitle
    kind: OutcomeKind
    at_ms: int
    refusal: Refusal = Refusal.NONE
    answer: bytes = NO_DIGEST

    def encode(self) -> bytes:
        """Return the outcome as octets."""
        return _OUTCOME.pack(
            OUTCOME_MAGIC,
            self.request_id.bytes,
            self.title.octets,
            self.kind,
            self.refusal,
            self.at_ms,
            self.answer,
        )


def decode_outcome(octets: bytes) -> CommandOutcome:
    """Read an outcome.

    Raises:
        ContractError: not an outcome; a refusal without its reason, or a reason without a refusal.
    """
    if len(octets) != _OUTCOME.size:
        raise ContractError(f"outcome: {len(octets)} octets, expected {_OUTCOME.size}")
    magic, request_id, title, kind, refusal, at_ms, answer = _OUTCOME.unpack(octets)
    if magic != OUTCOME_MAGIC or kind not in _KINDS or refusal not in _REFUSALS or at_ms > LAST_MS:
        raise ContractError(f"outcome: magic {magic.hex()}, kind {kind}, refusal {refusal}, at {at_ms}")
    if (kind == OutcomeKind.REFUSED) != (refusal != Refusal.NONE):
        raise ContractError(f"outcome: kind {kind} with refusal {refusal}")
    if kind != OutcomeKind.ANSWERED and answer != NO_DIGEST:
        raise ContractError(f"outcome: kind {kind} with an answer")
    return CommandOutcome(
        UUID(bytes=request_id), SystemTitle(title), OutcomeKind(kind), at_ms, Refusal(refusal), answer
    )
