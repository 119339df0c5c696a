"""AES-GCM of DLMS with its 12-octet tag: seal and open, one at a time.

The sealed body is ``SC (1) | IC (4) | ciphertext | tag (12)``. SC's bits: 0x10 authenticated, 0x20 encrypted, 0x40 key
set, 0x80 compressed, low nibble the suite id. The initialization vector is the system title (8) and IC (4); the
additional data are SC and the authentication key, then the plaintext where nothing is encrypted.

Verification exists twice: :func:`open_reference` by the library's own tag check, and a faster one by two one-shot
encryptions; :mod:`openami.security.suites.batch` has the latter for many bodies at once. A property test holds them
equal. Nothing is returned before the tag verifies; the functions that return octets without a tag say so in their name.

Source: IEC 62056-5-3, 5.7 (cryptographic protection of xDLMS APDUs); NIST SP 800-38D.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import GCM

from openami.kernel.errors import MisuseError
from openami.security.suites.errors import SuiteError

TAG_OCTETS = 12
TITLE_OCTETS = 8
HEADER_OCTETS = 5
"""Security control and invocation counter."""
MAX_COUNTER = 0xFFFF_FFFF
AUTHENTICATED = 0x10
ENCRYPTED = 0x20
COMPRESSED = 0x80
AUTHENTICATED_AND_ENCRYPTED = AUTHENTICATED | ENCRYPTED
KEY_OCTETS_BY_SUITE = {0: 16, 1: 16, 2: 32}
_LIBRARY_TAG_OCTETS = 16


@dataclass(frozen=True, slots=True)
class _Sealed:
    """A body taken apart; ``tag`` is empty where none is sent."""

    control: int
    initialization_vector: bytes
    payload: bytes
    tag: bytes


def is_authenticated(control: int) -> bool:
    """Tell whether a security control octet promises a tag.

    >>> is_authenticated(0x30), is_authenticated(0x21)
    (True, False)
    """
    return bool(control & AUTHENTICATED)


def _check_own_arguments(title: bytes, counter: int, key: bytes, auth_key: bytes, control: int) -> None:
    if len(title) != TITLE_OCTETS:
        raise MisuseError(f"a system title has {TITLE_OCTETS} octets, not {len(title)}")
    if not 0 <= counter <= MAX_COUNTER:
        raise MisuseError("an invocation counter has 32 bits; change the key before it ends")
    wanted = KEY_OCTETS_BY_SUITE.get(control & 0x0F)
    if wanted is None or control & COMPRESSED or not control & AUTHENTICATED_AND_ENCRYPTED:
        raise MisuseError(f"security control 0x{control:02x} cannot be sealed")
    if len(key) != wanted or len(auth_key) != wanted:
        raise MisuseError(f"suite {control & 0x0F} has keys of {wanted} octets")


def seal(
    title: bytes,
    counter: int,
    plaintext: bytes,
    *,
    key: bytes,
    auth_key: bytes,
    control: int = 0x30,
    header: bytes = b"",
) -> bytes:
    """Return ``SC | IC | ciphertext | tag`` (no tag where SC has no 0x10).

    Args:
        title: the sender's system title, 8 octets.
        counter: invocation counter, 0 to 2**32 - 1; never used twice with one key.
        plaintext: the APDU.
        key: encryption key, 16 octets (32 for suite 2).
        auth_key: authentication key, as long.
        control: security control: 0x10, 0x20 or 0x30 and the suite id.
        header: clear octets around the body that the tag shall cover as well (general-ciphering, one of its forms).

    Raises:
        MisuseError: a title, counter, key or control that cannot be used.
    """
    _check_own_arguments(title, counter, key, auth_key, control)
    head = bytes((control,)) + counter.to_bytes(4)
    vector = title + head[1:]
    cipher = AESGCM(key)
    if not control & AUTHENTICATED:
        return head + cipher.encrypt(vector, plaintext, None)[:-_LIBRARY_TAG_OCTETS]
    additional = head[:1] + auth_key + header
    if control & ENCRYPTED:
        sealed = cipher.encrypt(vector, plaintext, additional)
        return head + sealed[: len(plaintext) + TAG_OCTETS]
    return head + plaintext + cipher.encrypt(vector, b"", additional + plaintext)[:TAG_OCTETS]


def _take_apart(title: bytes, body: bytes, key: bytes) -> _Sealed:
    if len(title) != TITLE_OCTETS:
        raise SuiteError("short", f"a system title has {TITLE_OCTETS} octets, not {len(title)}")
    if len(body) < HEADER_OCTETS:
        raise SuiteError("short", f"a sealed body of {len(body)} octets has no room for its header")
    control = body[0]
    wanted = KEY_OCTETS_BY_SUITE.get(control & 0x0F)
    if wanted is None:
        raise SuiteError("unknown_suite", f"security control 0x{control:02x} names an unknown suite")
    if control & COMPRESSED:
        raise SuiteError("compressed", f"security control 0x{control:02x}: compression is not supported")
    if not control & AUTHENTICATED_AND_ENCRYPTED:
        raise SuiteError("unprotected", f"security control 0x{control:02x} protects nothing")
    if len(key) != wanted:
        raise SuiteError("key_length", f"suite {control & 0x0F} needs a key of {wanted} octets, not {len(key)}")
    tag_octets = TAG_OCTETS if control & AUTHENTICATED else 0
    if len(body) < HEADER_OCTETS + tag_octets:
        raise SuiteError("short", f"a sealed body of {len(body)} octets has no room for its tag")
    end = len(body) - tag_octets
    return _Sealed(control, title + body[1:HEADER_OCTETS], body[HEADER_OCTETS:end], body[end:])


def _bad_tag() -> SuiteError:
    return SuiteError("bad_tag", "the authentication tag does not verify: wrong key, or altered octets")


def open_sealed(
    title: bytes,
    body: bytes,
    *,
    key: bytes,
    auth_key: bytes,
    allow_unauthenticated: bool = False,
    header: bytes = b"",
) -> bytes:
    """Verify and return the plaintext of ``SC | IC | ciphertext | tag``.

    Args:
        title: the sender's system title, 8 octets.
        body: the sealed body from SC on.
        key: encryption key.
        auth_key: authentication key.
        allow_unauthenticated: return the plaintext of an encryption-only body, which anyone may have altered.
        header: clear octets around the body that the tag covers as well.

    Raises:
        SuiteError: too short, unknown suite, no protection, no tag where one is required, or a tag that fails.
    """
    sealed = _take_apart(title, body, key)
    cipher = AESGCM(key)
    vector = sealed.initialization_vector
    if not sealed.control & AUTHENTICATED:
        if not allow_unauthenticated:
            raise SuiteError("unauthenticated", f"security control 0x{sealed.control:02x} carries no tag")
        return cipher.encrypt(vector, sealed.payload, None)[:-_LIBRARY_TAG_OCTETS]
    additional = body[:1] + auth_key + header
    if not sealed.control & ENCRYPTED:
        tag = cipher.encrypt(vector, b"", additional + sealed.payload)[:TAG_OCTETS]
        if not hmac.compare_digest(tag, sealed.tag):
            raise _bad_tag()
        return sealed.payload
    # Counter mode is its own inverse: encrypting the ciphertext yields the plaintext, and encrypting that again with
    # the additional data yields the tag. Two one-shot calls are twice as fast as the streaming interface.
    plaintext = cipher.encrypt(vector, sealed.payload, None)[:-_LIBRARY_TAG_OCTETS]
    tag = cipher.encrypt(vector, plaintext, additional)[len(plaintext) : len(plaintext) + TAG_OCTETS]
    if not hmac.compare_digest(tag, sealed.tag):
        raise _bad_tag()
    return plaintext


def open_reference(title: bytes, body: bytes, *, key: bytes, auth_key: bytes) -> bytes:
    """Do what :func:`open_sealed` does by the library's own verification; for tests and for doubt.

    Raises:
        SuiteError: as :func:`open_sealed`.
    """
    sealed = _take_apart(title, body, key)
    if not sealed.control & AUTHENTICATED:
        raise SuiteError("unauthenticated", f"security control 0x{sealed.control:02x} carries no tag")
    mode = GCM(sealed.initialization_vector, sealed.tag, min_tag_length=TAG_OCTETS)
    decryptor = Cipher(AES(key), mode).decryptor()
    encrypted = bool(sealed.control & ENCRYPTED)
    decryptor.authenticate_additional_data(body[:1] + auth_key + (b"" if encrypted else sealed.payload))
    plaintext = decryptor.update(sealed.payload) if encrypted else sealed.payload
    try:
        decryptor.finalize()
    except InvalidTag:
        raise _bad_tag() from None
    return plaintext


def decrypt_unverified(title: bytes, body: bytes, *, key: bytes) -> bytes:
    """Return the plaintext without looking at any tag: for people who inspect, never for the head-end's door.

    Raises:
        SuiteError: too short, unknown suite, or no protection.
    """
    sealed = _take_apart(title, body, key)
    if not sealed.control & ENCRYPTED:
        return sealed.payload
    return AESGCM(key).encrypt(sealed.initialization_vector, sealed.payload, None)[:-_LIBRARY_TAG_OCTETS]


def gmac_answer(title: bytes, counter: int, challenge: bytes, *, key: bytes, auth_key: bytes, suite: int = 0) -> bytes:
    """Return f(challenge) of high-level security mechanism 5: ``SC | IC | tag``.

    Source: IEC 62056-5-3, 5.3.7 (HLS with GMAC); the security control is 0x10 and the suite.

    Raises:
        MisuseError: a title, counter or key that cannot be used.
    """
    sealed = seal(title, counter, challenge, key=key, auth_key=auth_key, control=AUTHENTICATED | suite)
    return sealed[:HEADER_OCTETS] + sealed[-TAG_OCTETS:]


def verify_gmac_answer(
    title: bytes, answer: bytes, challenge: bytes, *, key: bytes, auth_key: bytes, suite: int = 0
) -> bool:
    """Tell whether the peer's ``SC | IC | tag`` answers our challenge, in constant time.

    The control octet may name the suite or suite 0: some stacks leave the suite out of the answer. The tag covers the
    octet, so both are proofs of the same keys.
    """
    if len(answer) != HEADER_OCTETS + TAG_OCTETS or answer[0] not in {AUTHENTICATED, AUTHENTICATED | suite}:
        return False
    named = suite if len(key) == KEY_OCTETS_BY_SUITE[2] else answer[0] & 0x0F
    if answer[0] != AUTHENTICATED | named:
        return False
    counter = int.from_bytes(answer[1:HEADER_OCTETS])
    wanted = gmac_answer(title, counter, challenge, key=key, auth_key=auth_key, suite=named)
    return hmac.compare_digest(wanted, answer)
