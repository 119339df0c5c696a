"""The elliptic curves of the suites: signatures and the shared secret, in the raw forms that DLMS sends.

Suite 1 is P-256 with SHA-256, suite 2 P-384 with SHA-384. A private key is its scalar, a public key ``X || Y``, a
signature ``r || s``, all big-endian and of fixed length. Signing is deterministic (RFC 6979): this room takes no dice,
and a device with poor randomness cannot give its key away by repeating a nonce.

Source: IEC 62056-5-3, 5.3.4 (ECDSA, ECDH); FIPS 186-5; RFC 6979.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    ECDSA,
    SECP256R1,
    SECP384R1,
    EllipticCurve,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    derive_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from openami.kernel.errors import MisuseError
from openami.security.suites.errors import SuiteError

SUITES_WITH_CURVES = (1, 2)


@dataclass(frozen=True, slots=True)
class _Curve:
    name: str
    curve: EllipticCurve
    digest: HashAlgorithm
    scalar_octets: int


_CURVES: Mapping[int, _Curve] = {
    1: _Curve("P-256", SECP256R1(), SHA256(), 32),
    2: _Curve("P-384", SECP384R1(), SHA384(), 48),
}


def _curve(suite: int) -> _Curve:
    try:
        return _CURVES[suite]
    except KeyError:
        raise MisuseError(f"suite {suite} has no curve; suites {SUITES_WITH_CURVES} have") from None


def _private(private_key: bytes, suite: int) -> EllipticCurvePrivateKey:
    curve = _curve(suite)
    if len(private_key) != curve.scalar_octets:
        raise MisuseError(f"a {curve.name} private key has {curve.scalar_octets} octets")
    try:
        return derive_private_key(int.from_bytes(private_key), curve.curve)
    except ValueError:
        raise MisuseError(f"the private key is not a {curve.name} scalar") from None


def _public(public_key: bytes, suite: int) -> EllipticCurvePublicKey:
    curve = _curve(suite)
    if len(public_key) != 2 * curve.scalar_octets:
        raise SuiteError("bad_point", f"a {curve.name} public key has {2 * curve.scalar_octets} octets")
    try:
        return EllipticCurvePublicKey.from_encoded_point(curve.curve, b"\x04" + public_key)
    except ValueError:
        raise SuiteError("bad_point", f"the public key is not a point of {curve.name}") from None


def signature_octets(suite: int) -> int:
    """Return the length of a signature: 64 for suite 1, 96 for suite 2.

    Raises:
        MisuseError: a suite without a curve.
    """
    return 2 * _curve(suite).scalar_octets


def public_key_of(private_key: bytes, *, suite: int = 1) -> bytes:
    """Return ``X || Y`` of a private key.

    Args:
        private_key: the scalar, 32 octets (suite 1) or 48 (suite 2).
        suite: 1 or 2.

    Raises:
        MisuseError: no scalar of the curve.
    """
    point = _private(private_key, suite).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return point[1:]


def check_public_key(public_key: bytes, *, suite: int = 1) -> None:
    """Pass if octets are a public key ``X || Y``.

    Raises:
        SuiteError: another length, or no point of the curve.
        MisuseError: a suite without a curve.
    """
    _public(public_key, suite)


def sign(private_key: bytes, message: bytes, *, suite: int = 1) -> bytes:
    """Return the signature ``r || s`` of a message.

    Args:
        private_key: the signing scalar.
        message: any octets; hashed here.
        suite: 1 or 2.

    Raises:
        MisuseError: no scalar of the curve.
    """
    curve = _curve(suite)
    der = _private(private_key, suite).sign(message, ECDSA(curve.digest, deterministic_signing=True))
    r, s = decode_dss_signature(der)
    return r.to_bytes(curve.scalar_octets) + s.to_bytes(curve.scalar_octets)


def verify_signature(public_key: bytes, message: bytes, signature: bytes, *, suite: int = 1) -> bool:
    """Tell whether a signature ``r || s`` is the key's over the message.

    Args:
        public_key: ``X || Y`` of the signer, from a source that we trust.
        message: the octets signed.
        signature: from the peer; any octets.
        suite: 1 or 2.

    Raises:
        SuiteError: the public key is no point of the curve.
    """
    curve = _curve(suite)
    public = _public(public_key, suite)
    half = curve.scalar_octets
    if len(signature) != 2 * half:
        return False
    der = encode_dss_signature(int.from_bytes(signature[:half]), int.from_bytes(signature[half:]))
    try:
        public.verify(der, message, ECDSA(curve.digest))
    except InvalidSignature:
        return False
    return True


def shared_secret(private_key: bytes, peer_public_key: bytes, *, suite: int = 1) -> bytes:
    """Return Z of elliptic-curve Diffie-Hellman, 32 octets (suite 1) or 48 (suite 2).

    Args:
        private_key: our scalar.
        peer_public_key: the peer's ``X || Y``.
        suite: 1 or 2.

    Raises:
        SuiteError: the peer's point is not on the curve.
        MisuseError: our own scalar is not one.
    """
    return _private(private_key, suite).exchange(ECDH(), _public(peer_public_key, suite))
