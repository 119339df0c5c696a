"""Key material of one association, as an argument. Nothing here is ever shown.

An object of this class lives as long as an association; where keys come from, how they are kept and when they change is
somebody else's affair.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Keys:
    """What two ends know of each other.

    Args:
        encryption: global unicast encryption key, 16 octets (32 for suite 2).
        authentication: authentication key, as long.
        dedicated: key of this association alone; None where none was agreed on.
        broadcast: global broadcast encryption key; None where none is accepted.
        master: key that wraps keys (general-ciphering with a wrapped key); None where none is accepted.
        signing: our private signing key, 32 octets (48 for suite 2); None where we do not sign.
        peer_signing: the peer's public signing key, ``X || Y``; None where we take no signature.
        agreement: our static private key of key agreement; None where there is none.
        peer_agreement: the peer's static public key of key agreement; None where it is not known.
        counted_from: number of the send counter at which the global encryption key came: what it seals is counted from
            there.
    """

    encryption: bytes = field(repr=False)
    authentication: bytes = field(repr=False)
    dedicated: bytes | None = field(default=None, repr=False)
    broadcast: bytes | None = field(default=None, repr=False)
    master: bytes | None = field(default=None, repr=False)
    signing: bytes | None = field(default=None, repr=False)
    peer_signing: bytes | None = field(default=None, repr=False)
    agreement: bytes | None = field(default=None, repr=False)
    peer_agreement: bytes | None = field(default=None, repr=False)
    counted_from: int = 0
