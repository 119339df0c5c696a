"""Keys that two parties agree on without sending them: the three schemes, and the derivation under them.

* Ephemeral unified C(2e, 0s): the security setup's ``key_agreement``; the client is party U, the server party V.
* One-pass Diffie-Hellman C(1e, 1s): the originator makes an ephemeral pair and signs its public key.
* Static unified C(0e, 2s): two static pairs; the transaction id is the nonce that keeps the keys of two messages apart.

Source: IEC 62056-5-3, 5.3.4.6 and tables 14 to 18; NIST SP 800-56A rev. 2, 5.8.1.1 (concatenation KDF; one round,
because no key here is longer than the hash).
"""

from __future__ import annotations

from hashlib import sha256, sha384

from openami.kernel.errors import MisuseError
from openami.security.suites.curve import (
    SUITES_WITH_CURVES,
    public_key_of,
    shared_secret,
    sign,
    signature_octets,
    verify_signature,
)
from openami.security.suites.errors import SuiteError
from openami.security.suites.gcm import KEY_OCTETS_BY_SUITE, TITLE_OCTETS

ALGORITHM_ID_BY_SUITE = {1: bytes.fromhex("60857405080300"), 2: bytes.fromhex("60857405080301")}
"""AES-GCM-128 and AES-GCM-256."""
MAX_TRANSACTION_OCTETS = 127
"""Longest transaction id that is a nonce: its length is one octet."""
_COUNTER = b"\x00\x00\x00\x01"


def derive_key(secret: bytes, *, party_u: bytes, party_v: bytes, suite: int = 1) -> bytes:
    """Return the key that both ends derive from Z: 16 octets for suite 1, 32 for suite 2.

    Args:
        secret: Z.
        party_u: system title of the party that begins, and its nonce where the scheme has one.
        party_v: system title of the other.
        suite: 1 or 2.

    Raises:
        MisuseError: a suite without key agreement.
    """
    if suite not in SUITES_WITH_CURVES:
        raise MisuseError(f"suite {suite} has no key agreement")
    digest = sha256 if suite == 1 else sha384
    derived = digest(_COUNTER + secret + ALGORITHM_ID_BY_SUITE[suite] + party_u + party_v).digest()
    return derived[: KEY_OCTETS_BY_SUITE[suite]]


def agree_ephemeral(
    private_key: bytes, peer_public_key: bytes, *, client_title: bytes, server_title: bytes, suite: int = 1
) -> bytes:
    """Return the key of C(2e, 0s), the same at both ends.

    Args:
        private_key: our ephemeral scalar.
        peer_public_key: the peer's ephemeral ``X || Y``, which the peer's signature has proved.
        client_title: party U, 8 octets.
        server_title: party V, 8 octets.
        suite: 1 or 2.

    Raises:
        SuiteError: the peer's point is not on the curve.
        MisuseError: a scalar or title of ours that is none.
    """
    _check_titles(client_title, server_title)
    secret = shared_secret(private_key, peer_public_key, suite=suite)
    return derive_key(secret, party_u=client_title, party_v=server_title, suite=suite)


def agree_one_pass(
    private_key: bytes, peer_public_key: bytes, *, originator: bytes, recipient: bytes, suite: int = 1
) -> bytes:
    """Return the key of C(1e, 1s): the originator's ephemeral pair with the recipient's static one.

    Args:
        private_key: our scalar: ephemeral at the originator, static at the recipient.
        peer_public_key: the other's ``X || Y``.
        originator: party U's title, 8 octets.
        recipient: party V's title, 8 octets.
        suite: 1 or 2.

    Raises:
        SuiteError: the peer's point is not on the curve.
        MisuseError: a scalar or title of ours that is none.
    """
    _check_titles(originator, recipient)
    secret = shared_secret(private_key, peer_public_key, suite=suite)
    return derive_key(secret, party_u=originator, party_v=recipient, suite=suite)


def agree_static(
    private_key: bytes,
    peer_public_key: bytes,
    *,
    originator: bytes,
    recipient: bytes,
    transaction: bytes,
    suite: int = 1,
) -> bytes:
    """Return the key of C(0e, 2s): both static pairs, with the transaction id as the nonce of party U.

    Args:
        private_key: our static scalar.
        peer_public_key: the other's static ``X || Y``.
        originator: party U's title, 8 octets.
        recipient: party V's title, 8 octets.
        transaction: transaction id of the message, 1 to 127 octets, never twice with one pair of keys.
        suite: 1 or 2.

    Raises:
        SuiteError: the peer's point is not on the curve.
        MisuseError: a scalar or title of ours that is none, or no nonce.
    """
    _check_titles(originator, recipient)
    if not 1 <= len(transaction) <= MAX_TRANSACTION_OCTETS:
        raise MisuseError(f"the nonce of static agreement has 1 to {MAX_TRANSACTION_OCTETS} octets")
    secret = shared_secret(private_key, peer_public_key, suite=suite)
    party_u = originator + bytes((len(transaction),)) + transaction
    return derive_key(secret, party_u=party_u, party_v=recipient, suite=suite)


def signed_public_key(
    ephemeral_private_key: bytes, signing_key: bytes, *, suite: int = 1, prefix: bytes = b""
) -> bytes:
    """Return what the originator of C(1e, 1s) and both ends of C(2e, 0s) send: ``X || Y || signature``.

    Args:
        ephemeral_private_key: the fresh scalar.
        signing_key: our signing scalar.
        suite: 1 or 2.
        prefix: signed before the point and not sent; the key id (one octet) in the security setup's ``key_agreement``.

    Raises:
        MisuseError: no scalar of the curve.
    """
    point = public_key_of(ephemeral_private_key, suite=suite)
    return point + sign(signing_key, prefix + point, suite=suite)


def verified_public_key(octets: bytes, peer_signing_key: bytes, *, suite: int = 1, prefix: bytes = b"") -> bytes:
    """Return the peer's ephemeral ``X || Y`` after its signature verifies.

    Args:
        octets: ``X || Y || signature`` from the peer.
        peer_signing_key: the peer's public signing key, from a source that we trust.
        suite: 1 or 2.
        prefix: as in :func:`signed_public_key`.

    Raises:
        SuiteError: another length, or a signature that is not the peer's.
    """
    half = signature_octets(suite)
    if len(octets) != 2 * half:
        raise SuiteError("short", f"a signed public key of suite {suite} has {2 * half} octets, not {len(octets)}")
    point = octets[:half]
    if not verify_signature(peer_signing_key, prefix + point, octets[half:], suite=suite):
        raise SuiteError("bad_signature", "the signature of the ephemeral public key does not verify")
    return point


def _check_titles(*titles: bytes) -> None:
    if any(len(title) != TITLE_OCTETS for title in titles):
        raise MisuseError(f"a system title has {TITLE_OCTETS} octets")
