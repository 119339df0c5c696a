"""What an HDLC link tells whoever drives it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from openami.protocol.envelope.link.address import HdlcAddress
from openami.protocol.envelope.link.parameters import LinkParameters


class DisconnectReason(Enum):
    """Why a link is down."""

    ASKED = "asked"
    """This end asked, and the peer said yes or nothing."""
    PEER = "peer"
    """The peer asked, or does not know the link any more."""
    REFUSED = "refused"
    """The peer does not want a link."""
    NO_ANSWER = "no_answer"
    """The peer did not answer, however often it was asked."""
    REJECTED = "rejected"
    """One end sent what the link's rules do not allow."""
    INACTIVE = "inactive"
    """Nothing came for the inactivity time."""


@dataclass(frozen=True, slots=True)
class Connected:
    """The link is up; whatever an earlier one had under way is lost.

    Args:
        peer: the other end's address.
        parameters: what holds, from the view of this end.
    """

    peer: HdlcAddress
    parameters: LinkParameters


@dataclass(frozen=True, slots=True)
class ApduReceived:
    """A whole APDU, once and in order."""

    apdu: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class UnnumberedReceived:
    """A whole APDU that came outside the numbers: it may come twice or not at all."""

    apdu: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The link is down. What was sent and not answered may have arrived or not."""

    reason: DisconnectReason


LinkEvent = Connected | ApduReceived | UnnumberedReceived | Disconnected
