"""Ed25519: the signature under which commands pass the gateway. Keys and signatures are raw octets.

Source: RFC 8032, 5.1.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from openami.kernel.errors import MisuseError

PRIVATE_KEY_OCTETS = 32
PUBLIC_KEY_OCTETS = 32
SIGNATURE_OCTETS = 64


def public_key_of(private_key: bytes) -> bytes:
    """Return the public key, 32 octets, of a private key of 32.

    Raises:
        MisuseError: another length.
    """
    return _private(private_key).public_key().public_bytes_raw()


def sign(octets: bytes, *, private_key: bytes) -> bytes:
    """Return the signature, 64 octets.

    Raises:
        MisuseError: the key has not 32 octets.
    """
    return _private(private_key).sign(octets)


def verifies(signature: bytes, octets: bytes, *, public_key: bytes) -> bool:
    """Tell whether a signature is this key's over these octets. Octets of any length are only ever false."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, octets)
    except (InvalidSignature, ValueError):
        return False
    return True


def _private(key: bytes) -> Ed25519PrivateKey:
    if len(key) != PRIVATE_KEY_OCTETS:
        raise MisuseError(f"a private key of Ed25519 has {PRIVATE_KEY_OCTETS} octets")
    return Ed25519PrivateKey.from_private_bytes(key)
