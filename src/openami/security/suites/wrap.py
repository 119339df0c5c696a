"""Key wrap and key agreement of the suites.

Source: RFC 3394 (AES key wrap); IEC 62056-5-3, 5.3.4.6 (key agreement, NIST concatenation KDF of SP 800-56A).
"""

from __future__ import annotations

from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    SECP256R1,
    EllipticCurvePublicKey,
    derive_private_key,
)
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from openami.kernel.errors import MisuseError
from openami.security.suites.errors import SuiteError

AES_GCM_128_ALGORITHM_ID = bytes.fromhex("60857405080300")
P256_PRIVATE_OCTETS = 32
P256_PUBLIC_OCTETS = 64
_KEY_OCTETS = (16, 24, 32)


def wrap_key(key: bytes, *, wrapping_key: bytes) -> bytes:
    """Return the key wrapped under the wrapping key, 8 octets longer.

    Raises:
        MisuseError: a key of a length that AES does not have.
    """
    if len(key) not in _KEY_OCTETS or len(wrapping_key) not in _KEY_OCTETS:
        raise MisuseError("AES keys have 16, 24 or 32 octets")
    return aes_key_wrap(wrapping_key, key)


def unwrap_key(wrapped: bytes, *, wrapping_key: bytes) -> bytes:
    """Return the key inside.

    Raises:
        SuiteError: the integrity check fails.
        MisuseError: a wrapping key of a length that AES does not have.
    """
    if len(wrapping_key) not in _KEY_OCTETS:
        raise MisuseError("AES keys have 16, 24 or 32 octets")
    try:
        return aes_key_unwrap(wrapping_key, wrapped)
    except InvalidUnwrap:
        raise SuiteError(
            "bad_wrap", "the wrapped key fails its integrity check: wrong key, or altered octets"
        ) from None


def shared_secret_p256(private_key: bytes, peer_public_key: bytes) -> bytes:
    """Return Z of elliptic-curve Diffie-Hellman on P-256, 32 octets.

    Args:
        private_key: the scalar, 32 octets big-endian.
        peer_public_key: X and Y, 64 octets.

    Raises:
        SuiteError: the peer's point is not on the curve.
        MisuseError: our own scalar is not one.
    """
    if len(private_key) != P256_PRIVATE_OCTETS:
        raise MisuseError(f"a P-256 private key has {P256_PRIVATE_OCTETS} octets")
    if len(peer_public_key) != P256_PUBLIC_OCTETS:
        raise SuiteError("bad_point", f"a P-256 public key has {P256_PUBLIC_OCTETS} octets")
    try:
        public = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), b"\x04" + peer_public_key)
    except ValueError:
        raise SuiteError("bad_point", "the public key is not a point of P-256") from None
    try:
        private = derive_private_key(int.from_bytes(private_key), SECP256R1())
    except ValueError:
        raise MisuseError("the private key is not a P-256 scalar") from None
    return private.exchange(ECDH(), public)


def derive_key_128(secret: bytes, *, party_u: bytes, party_v: bytes) -> bytes:
    """Return the 16-octet key that both ends derive from Z.

    Args:
        secret: Z.
        party_u: system title of the party that begins, 8 octets.
        party_v: system title of the other, 8 octets.
    """
    return sha256(b"\x00\x00\x00\x01" + secret + AES_GCM_128_ALGORITHM_ID + party_u + party_v).digest()[:16]
