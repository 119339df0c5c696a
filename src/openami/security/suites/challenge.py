"""Proofs of knowing a key: the answers of high-level security, and the password of the low one.

Each end answers the challenge that the other sent. In mechanisms 6 and 7 the answer also holds both system titles and
both challenges, the answering end's first: an answer cannot be turned round or carried to another pair.
Mechanism 5 (GMAC) is in :mod:`openami.security.suites.gcm`; 2, 3 and 4 (own making, MD5, SHA-1) are refused.

Source: IEC 62056-5-3, 5.3.7 (high-level security), table of authentication mechanisms.
"""

from __future__ import annotations

import hmac
from hashlib import sha256

from openami.security.suites.curve import sign, verify_signature


def is_same_secret(given: bytes, wanted: bytes) -> bool:
    """Compare a password with ours in a time that does not tell where they differ."""
    return hmac.compare_digest(given, wanted)


def ecdsa_answer(
    private_key: bytes, *, own_title: bytes, peer_title: bytes, received: bytes, sent: bytes, suite: int = 1
) -> bytes:
    """Return f of mechanism 7: our signature over ``own title | peer's title | challenge received | challenge sent``.

    Args:
        private_key: our signing scalar.
        own_title: our system title.
        peer_title: the peer's.
        received: the peer's challenge.
        sent: ours.
        suite: 1 or 2.

    Raises:
        MisuseError: no scalar of the curve.
    """
    return sign(private_key, own_title + peer_title + received + sent, suite=suite)


def verify_ecdsa_answer(
    peer_key: bytes,
    answer: bytes,
    *,
    own_title: bytes,
    peer_title: bytes,
    received: bytes,
    sent: bytes,
    suite: int = 1,
) -> bool:
    """Tell whether the peer answered our challenge by its signature; arguments as our end has them.

    Raises:
        SuiteError: the peer's public key is no point of the curve.
    """
    return verify_signature(peer_key, peer_title + own_title + sent + received, answer, suite=suite)


def sha256_answer(secret: bytes, *, own_title: bytes, peer_title: bytes, received: bytes, sent: bytes) -> bytes:
    """Return f of mechanism 6: SHA-256 over the secret and then what :func:`ecdsa_answer` signs."""
    return sha256(secret + own_title + peer_title + received + sent).digest()


def verify_sha256_answer(
    secret: bytes, answer: bytes, *, own_title: bytes, peer_title: bytes, received: bytes, sent: bytes
) -> bool:
    """Tell whether the peer answered our challenge with the secret, in constant time."""
    wanted = sha256_answer(secret, own_title=peer_title, peer_title=own_title, received=sent, sent=received)
    return hmac.compare_digest(wanted, answer)
