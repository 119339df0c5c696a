"""The two error families of the protocol: bad octets from a peer, and our own misuse."""

from __future__ import annotations

from openami.kernel.errors import MisuseError, OpenAmiError


class PeerError(OpenAmiError):
    """Octets from a peer are not what they claim to be. Any octets into any decoder give a value or this.

    Args:
        code: a stable word, for example ``cut``, ``bad_fcs``, ``unknown_type``.
        message: what is wrong, for people; holds no reading and no key.
        offset: where, in octets from the start of what the decoder was given.
    """

    def __init__(self, code: str, message: str, offset: int) -> None:
        super().__init__(f"{message} (at octet {offset})")
        self.code = code
        self.message = message
        self.offset = offset


class UsageError(MisuseError):
    """We asked the protocol for something that it cannot say: our bug, not the peer's."""
