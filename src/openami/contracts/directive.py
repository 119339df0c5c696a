"""What core tells the DMZ as a standing fact: which meters there are, whom to believe no more, thresholds, releases.

A *directive* replaces the one before it of its kind and part; one with a lower number never does. The command process
signs it as it signs a command, under another name, so that neither can be taken for the other. Layout, big-endian:
magic ``OD01``, kind u8, part u8, number u64, made_at_ms u64, length u32, body, signature 64. The signature covers a
name of this layout and everything before itself.

Bodies are in :mod:`openami.contracts.directive_body`; a gateway takes a directive whose signature holds and whose
body it can read, or keeps the one that it has.

Source: DESIGN section 4 (core dials the DMZ); requirements R3.6 (signed, versioned thresholds), R5.2.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from enum import IntEnum

from openami.contracts.command import LAST_MS
from openami.contracts.errors import ContractError
from openami.contracts.stream import PARTITIONS

MAGIC = b"OD01"
SIGNATURE_OCTETS = 64
MAX_BODY_OCTETS = 3 * 1024 * 1024
"""A message of the bus has at most 4 MiB."""
MAX_NUMBER = 2**63 - 1
_SIGNED_NAME = b"openami directive v1\x00"
_HEAD = struct.Struct(">4sBBQQI")
MAX_DIRECTIVE_OCTETS = _HEAD.size + MAX_BODY_OCTETS + SIGNATURE_OCTETS


class DirectiveKind(IntEnum):
    """What a directive says."""

    KNOWN_TITLES = 1
    """Devices that may send; one part for each partition of titles, so that one new meter does not send them all."""
    REVOKED = 2
    """Certificates that are refused, and collectors of which nothing is believed."""
    THRESHOLDS = 3
    """How many commands may pass, and how much load."""
    RELEASE = 4
    """Quarantined frames and commands that people have released."""


PARTS = {kind: PARTITIONS if kind is DirectiveKind.KNOWN_TITLES else 1 for kind in DirectiveKind}
"""How many parts a kind has, numbered from 0."""
_KINDS = frozenset(DirectiveKind)


@dataclass(frozen=True, slots=True)
class Directive:
    """One standing fact.

    Args:
        kind: what it is about.
        part: 0, or the partition of the titles.
        number: rises with every directive of this kind and part, 1 to ``MAX_NUMBER``.
        made_at_ms: real time, milliseconds since the epoch.
        body: at most ``MAX_BODY_OCTETS``.
        signature: Ed25519 over :meth:`signed_octets`; zeros while unsigned.
    """

    kind: DirectiveKind
    part: int
    number: int
    made_at_ms: int
    body: bytes = field(repr=False)
    signature: bytes = field(default=bytes(SIGNATURE_OCTETS), repr=False)

    @property
    def place(self) -> tuple[DirectiveKind, int]:
        """What it replaces the last one of."""
        return self.kind, self.part

    def signed_octets(self) -> bytes:
        """Return what the signature covers."""
        return _SIGNED_NAME + self._head() + self.body

    def signed_with(self, signature: bytes) -> Directive:
        """Return the same directive with a signature, 64 octets."""
        return replace(self, signature=signature)

    def encode(self) -> bytes:
        """Return the directive as octets."""
        return self._head() + self.body + self.signature

    def _head(self) -> bytes:
        return _HEAD.pack(MAGIC, self.kind, self.part, self.number, self.made_at_ms, len(self.body))


def decode_directive(octets: bytes) -> Directive:
    """Read a directive. Its signature is not verified, its body not read.

    Raises:
        ContractError: not a whole directive, a kind or part there is not, or a value beyond its limit.
    """
    least = _HEAD.size + SIGNATURE_OCTETS
    if not least <= len(octets) <= MAX_DIRECTIVE_OCTETS:
        raise ContractError(f"directive: {len(octets)} octets, expected {least} to {MAX_DIRECTIVE_OCTETS}")
    magic, kind, part, number, made_at_ms, length = _HEAD.unpack_from(octets)
    if magic != MAGIC:
        raise ContractError(f"directive: magic {magic.hex()} at offset 0, expected {MAGIC.hex()}")
    if kind not in _KINDS or part >= PARTS[DirectiveKind(kind)]:
        raise ContractError(f"directive: kind {kind}, part {part}: there is none")
    if not 1 <= number <= MAX_NUMBER or made_at_ms > LAST_MS:
        raise ContractError(f"directive: number {number}, made at {made_at_ms}: beyond the limit")
    if length != len(octets) - least:
        raise ContractError(f"directive: a body of {length} octets in {len(octets)} octets")
    end = _HEAD.size + length
    return Directive(DirectiveKind(kind), part, number, made_at_ms, octets[_HEAD.size : end], octets[end:])
