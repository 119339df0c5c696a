"""Requests to the command process and its replies, as octets. Bounded; any octets give a value or ContractError.

Requests begin with version 3 and the meter's title: *seal* goes on with ``generation u32 | control u8 | plain APDU``,
*prove* with ``generation u32`` and the challenge, *send* with ``request id 16 | expires at i64 [ms] | wrapper frame``;
generation 0 is the key pair in use. Of new keys: *keys_begin* ends there, *keys_parameter* goes on with
``generation u32``, *keys_proved* with ``generation u32`` and what the meter sealed with them. A reply is ``version u8 |
status u8 | octets``: status 0 the result, 1 refused (``refusal u8 | text``), 2 unavailable (text).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any
from uuid import UUID

from openami.contracts.command import MAX_APDU_OCTETS, Refusal
from openami.contracts.errors import ContractError
from openami.kernel.ids import SystemTitle

VERSION = 3
"""Version 2 named no generation of keys; in version 1 the life of a *send* was counted from when it was taken up."""
MAX_CHALLENGE_OCTETS = 64
MAX_TEXT_OCTETS = 400
_SEAL = struct.Struct(">B8sIB")
_PROVE = struct.Struct(">B8sI")
_BEGUN = struct.Struct(">IB")
_SEND = struct.Struct(">B8s16sq")
_REPLY = struct.Struct(">BB")
MAX_REQUEST_OCTETS = _SEND.size + 8 + MAX_APDU_OCTETS
_REFUSALS = frozenset(Refusal) - {Refusal.NONE}


class Status(IntEnum):
    """How a request ended."""

    DONE = 0
    REFUSED = 1
    UNAVAILABLE = 2


@dataclass(frozen=True, slots=True)
class SealRequest:
    """Seal an APDU; see :class:`openami.headend.ports.Sealing`."""

    title: SystemTitle
    control: int
    plaintext: bytes = field(repr=False)
    generation: int = 0

    def encode(self) -> bytes:
        """Return it as octets."""
        return _SEAL.pack(VERSION, self.title.octets, self.generation, self.control) + self.plaintext


@dataclass(frozen=True, slots=True)
class ProveRequest:
    """Answer a challenge; see :class:`openami.headend.ports.Sealing`."""

    title: SystemTitle
    challenge: bytes = field(repr=False)
    generation: int = 0

    def encode(self) -> bytes:
        """Return it as octets."""
        return _PROVE.pack(VERSION, self.title.octets, self.generation) + self.challenge


@dataclass(frozen=True, slots=True)
class KeysRequest:
    """About new keys of a meter; see :class:`openami.headend.ports.KeyProcess`.

    Args:
        title: the meter.
        generation: which keys; 0 where they are asked for.
        sealed: what the meter sealed with them, from the security control on; empty where it is not asked.
    """

    title: SystemTitle
    generation: int = 0
    sealed: bytes = field(default=b"", repr=False)

    def encode(self) -> bytes:
        """Return it as octets."""
        return _PROVE.pack(VERSION, self.title.octets, self.generation) + self.sealed


@dataclass(frozen=True, slots=True)
class SendRequest:
    """Sign a wrapper frame around a sealed APDU and hand it to the DMZ.

    Args:
        title: the meter.
        request_id: fresh and random; the outcome names it.
        expires_at_ms: until when it may reach the meter, real time, milliseconds since the epoch.
        frame: wrapper header and APDU.
    """

    title: SystemTitle
    request_id: UUID
    expires_at_ms: int
    frame: bytes

    def encode(self) -> bytes:
        """Return it as octets."""
        return _SEND.pack(VERSION, self.title.octets, self.request_id.bytes, self.expires_at_ms) + self.frame


@dataclass(frozen=True, slots=True)
class Reply:
    """How a request ended: octets where it was done, words (and a refusal) where it was not."""

    status: Status
    octets: bytes = field(default=b"", repr=False)
    refusal: Refusal = Refusal.NONE
    text: str = ""

    def encode(self) -> bytes:
        """Return it as octets; words are cut to their limit."""
        head = _REPLY.pack(VERSION, self.status)
        if self.status is Status.DONE:
            return head + self.octets
        words = self.text.encode()[:MAX_TEXT_OCTETS]
        return head + (bytes((self.refusal,)) if self.status is Status.REFUSED else b"") + words


def decode_seal(octets: bytes) -> SealRequest:
    """Read a request to seal. Raises ContractError."""
    title, generation, control = _head(_SEAL, octets)
    return SealRequest(SystemTitle(title), control, octets[_SEAL.size :], generation)


def decode_prove(octets: bytes) -> ProveRequest:
    """Read a request to prove. Raises ContractError."""
    title, generation = _head(_PROVE, octets)
    challenge = octets[_PROVE.size :]
    if not 1 <= len(challenge) <= MAX_CHALLENGE_OCTETS:
        raise ContractError(f"command request: a challenge of {len(challenge)} octets")
    return ProveRequest(SystemTitle(title), challenge, generation)


def decode_keys(octets: bytes) -> KeysRequest:
    """Read a request about new keys. Raises ContractError."""
    # Unlike the others it may end with its head.
    title, generation = _head(_PROVE, octets, least=0)
    return KeysRequest(SystemTitle(title), generation, octets[_PROVE.size :])


def encode_begun(generation: int, *, is_fresh: bool) -> bytes:
    """Return the reply to *keys_begin*: which generation, and whether it was made just now."""
    return _BEGUN.pack(generation, is_fresh)


def decode_begun(octets: bytes) -> tuple[int, bool]:
    """Read that reply. Raises ContractError."""
    if len(octets) != _BEGUN.size or octets[-1] > 1:
        raise ContractError(f"command reply: {len(octets)} octets that name no generation of keys")
    generation, is_fresh = _BEGUN.unpack(octets)
    return generation, bool(is_fresh)


def decode_send(octets: bytes) -> SendRequest:
    """Read a request to send. Raises ContractError."""
    title, request_id, expires_at_ms = _head(_SEND, octets)
    return SendRequest(SystemTitle(title), UUID(bytes=request_id), expires_at_ms, octets[_SEND.size :])


def decode_reply(octets: bytes) -> Reply:
    """Read a reply. Raises ContractError."""
    if len(octets) < _REPLY.size or octets[0] != VERSION or octets[1] > max(Status):
        raise ContractError(f"command reply: {len(octets)} octets that are none")
    status, rest = Status(octets[1]), octets[_REPLY.size :]
    if status is Status.DONE:
        return Reply(status, rest)
    refusal = Refusal.NONE
    if status is Status.REFUSED:
        if not rest or rest[0] not in _REFUSALS:
            raise ContractError("command reply: a refusal without its reason")
        refusal, rest = Refusal(rest[0]), rest[1:]
    return Reply(status, refusal=refusal, text=rest[:MAX_TEXT_OCTETS].decode(errors="replace"))


def _head(layout: struct.Struct, octets: bytes, *, least: int = 1) -> tuple[Any, ...]:
    if not layout.size + least <= len(octets) <= MAX_REQUEST_OCTETS or octets[0] != VERSION:
        raise ContractError(f"command request: {len(octets)} octets that are none")
    _, *fields = layout.unpack_from(octets)
    return tuple(fields)
