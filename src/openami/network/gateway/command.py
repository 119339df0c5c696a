"""What the gateway checks of a command, without any key of a meter: who signed it, and that it is what was signed.

The class is the command process's word, which the signature covers; what the class may do here is decided here.
Only sealed APDUs go down: authenticated and encrypted, under a key of the meter's own. An association message is in
the clear but for its user information, and passes as an association alone.

Source: DESIGN section 4 (Downlink); requirements R3.5, R4.1, R6.1.
"""

from __future__ import annotations

from pathlib import Path

from openami.contracts.command import NEEDS_APPROVAL, Command, CommandClass, Refusal
from openami.network.downlink import MAX_TIME_LEFT_MS
from openami.network.gateway.check import AUTHENTICATED_AND_ENCRYPTED, BROADCAST_KEY, TAG_OCTETS
from openami.network.gateway.listed import HexLines
from openami.network.ports import SigningKeys
from openami.protocol.envelope.association import REQUESTS, parse_association
from openami.protocol.envelope.sealed import (
    SECURITY_HEADER_OCTETS,
    SERVICE_REQUESTS,
    parse_sealed_header,
    parse_service_sealed,
)
from openami.protocol.errors import PeerError
from openami.security.suites.ed25519 import PUBLIC_KEY_OCTETS, verifies

MAX_SIGNING_KEYS = 4
"""The key in use, the next one, and two that are being replaced."""
_SMALLEST_BODY = SECURITY_HEADER_OCTETS + TAG_OCTETS


class ListedSigningKeys:
    """Public keys of a text file, 64 hexadecimal digits a line. No file, no command passes.

    A file that cannot be read changes nothing: the last good one stays.

    Args:
        file: ``dmz/command_keys`` of the home; written whole or not at all by the command process.
    """

    def __init__(self, file: Path) -> None:
        self._list = HexLines(file, octets=PUBLIC_KEY_OCTETS, most=MAX_SIGNING_KEYS)

    def verifies(self, signature: bytes, octets: bytes) -> bool:
        """Tell whether one of the keys signed these octets."""
        return any(verifies(signature, octets, public_key=key) for key in self._list.lines or ())

    def refresh(self) -> None:
        """Read the file again if it changed."""
        self._list.refresh()


class NoSigningKeys:
    """Lets no command pass."""

    def verifies(self, signature: bytes, octets: bytes) -> bool:  # noqa: ARG002 - the port's signature
        """Tell that nobody's key signed this."""
        return False

    def refresh(self) -> None:
        """Do nothing."""


def refusal_of_command(command: Command, *, keys: SigningKeys, now_ms: int) -> Refusal | None:
    """Return why a command may not pass, or None. Expiry is the caller's affair but for one too far ahead.

    Args:
        command: as it came.
        keys: who may sign.
        now_ms: real time, milliseconds since the epoch.
    """
    if not keys.verifies(command.signature, command.signed_octets()):
        # A command process that has just started may be ahead of the second's look at its keys.
        keys.refresh()
        if not keys.verifies(command.signature, command.signed_octets()):
            return Refusal.BAD_SIGNATURE
    if not command.has_its_digest:
        return Refusal.BAD_DIGEST
    if command.expires_at_ms - now_ms > MAX_TIME_LEFT_MS:
        return Refusal.BAD_COMMAND
    if command.command_class in NEEDS_APPROVAL and not command.approvals:
        return Refusal.NEEDS_APPROVAL
    return None if _is_sealed(command) else Refusal.PLAINTEXT


def _is_sealed(command: Command) -> bool:
    apdu = command.apdu
    try:
        if apdu[0] in REQUESTS:
            sealed_at = parse_association(apdu).sealed_at
            if command.command_class is not CommandClass.ASSOCIATION or sealed_at is None:
                return False
            control, body_octets = apdu[sealed_at], len(apdu) - sealed_at
        else:
            is_service = apdu[0] in SERVICE_REQUESTS
            header = parse_service_sealed(apdu, title=b"") if is_service else parse_sealed_header(apdu)
            control, body_octets = header.security_control, len(apdu) - header.body_offset
    except PeerError:
        return False
    protected = control & AUTHENTICATED_AND_ENCRYPTED == AUTHENTICATED_AND_ENCRYPTED
    return protected and not control & BROADCAST_KEY and body_octets >= _SMALLEST_BODY
