"""General ciphering and general signing: protection from end to end, with a key named, wrapped or agreed on.

Texts and stacks differ on two points, so both are a switch (:class:`GeneralStyle`) that an association sets once; the
other reading is never tried, or whoever builds a message could choose the weaker check.

Source: IEC 62056-5-3, 5.7.2.5 (general-ciphering, general-signing) and table 21 (key-info).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from openami.protocol.apdu.protection import (
    AgreedKey,
    GeneralCiphering,
    GeneralSigning,
    IdentifiedKey,
    KeyId,
    KeyInfo,
    ProtectionHeader,
    WrappedKey,
)
from openami.protocol.association.form import PROTECTION_BITS, SUITE_BITS
from openami.protocol.association.keys import Keys
from openami.protocol.envelope.length import encode_length
from openami.protocol.errors import PeerError, UsageError
from openami.security.suites.agreement import (
    MAX_TRANSACTION_OCTETS,
    agree_one_pass,
    agree_static,
    signed_public_key,
    verified_public_key,
)
from openami.security.suites.curve import SUITES_WITH_CURVES, sign, verify_signature
from openami.security.suites.gcm import KEY_OCTETS_BY_SUITE, open_sealed, seal
from openami.security.suites.wrap import unwrap_key

ONE_PASS = b"\x01"
STATIC_UNIFIED = b"\x02"


class KeyChoice(Enum):
    """Which key a general-ciphering of ours is sealed under."""

    GLOBAL_UNICAST = "global_unicast"
    SINGLE_EPHEMERAL = "single_ephemeral"
    STATIC_UNIFIED = "static_unified"


@dataclass(frozen=True, slots=True)
class GeneralStyle:
    """How the two open points of the general forms are read.

    Args:
        tag_covers_header: whether the additional data of general-ciphering hold the five header fields with their
            lengths (the text of the newer editions) or security control and authentication key alone (what pydlms and
            gurux do).
        signature_covers_length: whether a signature covers the length of the content as well.
        key: the key our own general-ciphering is sealed under.
    """

    tag_covers_header: bool = True
    signature_covers_length: bool = False
    key: KeyChoice = KeyChoice.GLOBAL_UNICAST


def seal_general(
    plaintext: bytes,
    counter: int,
    *,
    header: ProtectionHeader,
    keys: Keys,
    control: int,
    style: GeneralStyle,
    ephemeral: bytes | None = None,
) -> GeneralCiphering:
    """Return a general-ciphering message.

    Args:
        plaintext: the APDU.
        counter: invocation counter, never used twice.
        header: who sends to whom; the originator's title is ours.
        keys: key material.
        control: security control octet.
        style: the switch.
        ephemeral: a fresh private key; only with the one-pass choice.

    Raises:
        UsageError: a key that the choice needs is not there.
        MisuseError: a key, title or counter that cannot be used.
    """
    suite = control & SUITE_BITS
    key, info = _key_to_seal(header, keys, suite, style.key, ephemeral)
    covered = header.encode() if style.tag_covers_header else b""
    body = seal(
        header.originator_title,
        counter,
        plaintext,
        key=key,
        auth_key=keys.authentication,
        control=control,
        header=covered,
    )
    return GeneralCiphering(header, info, body)


def open_general(message: GeneralCiphering, *, keys: Keys, style: GeneralStyle) -> bytes:
    """Verify and return the plaintext; the caller has checked titles, control and suite, and checks the counter.

    Raises:
        PeerError: key information that names no key of ours.
        SuiteError: a wrapped key, point, signature or tag that does not verify.
    """
    key = _key_to_open(message, keys, message.sealed_body[0] & SUITE_BITS)
    covered = message.header.encode() if style.tag_covers_header else b""
    allowed = message.sealed_body[0] & PROTECTION_BITS == 0x20
    return open_sealed(
        message.header.originator_title,
        message.sealed_body,
        key=key,
        auth_key=keys.authentication,
        allow_unauthenticated=allowed,
        header=covered,
    )


def sign_general(
    content: bytes, *, header: ProtectionHeader, keys: Keys, suite: int, style: GeneralStyle
) -> GeneralSigning:
    """Return a general-signing message around an APDU, clear or ciphered.

    Raises:
        UsageError: no signing key, or a suite without signatures.
    """
    if keys.signing is None or suite not in SUITES_WITH_CURVES:
        raise UsageError("signing needs a signing key and suite 1 or 2")
    signature = sign(keys.signing, _signed_octets(header, content, style), suite=suite)
    return GeneralSigning(header, content, signature)


def verify_general(message: GeneralSigning, *, keys: Keys, suite: int, style: GeneralStyle) -> bytes:
    """Return the content after the signature verifies.

    Raises:
        PeerError: no key to verify with, or a signature that is not the peer's.
        SuiteError: the peer's public key is no point of the curve.
    """
    if keys.peer_signing is None or suite not in SUITES_WITH_CURVES:
        raise PeerError("unknown_key", "a signed message, and no key of the peer to verify it with", 0)
    octets = _signed_octets(message.header, message.content, style)
    if not verify_signature(keys.peer_signing, octets, message.signature, suite=suite):
        raise PeerError("bad_signature", "the signature does not verify: wrong key, or altered octets", 0)
    return message.content


def _signed_octets(header: ProtectionHeader, content: bytes, style: GeneralStyle) -> bytes:
    length = encode_length(len(content)) if style.signature_covers_length else b""
    return header.encode() + length + content


def _key_to_seal(
    header: ProtectionHeader, keys: Keys, suite: int, choice: KeyChoice, ephemeral: bytes | None
) -> tuple[bytes, KeyInfo]:
    titles = {"originator": header.originator_title, "recipient": header.recipient_title}
    if choice is KeyChoice.GLOBAL_UNICAST:
        return keys.encryption, IdentifiedKey(KeyId.GLOBAL_UNICAST)
    if keys.peer_agreement is None or suite not in SUITES_WITH_CURVES:
        raise UsageError("key agreement needs the peer's public key and suite 1 or 2")
    if choice is KeyChoice.STATIC_UNIFIED:
        if keys.agreement is None:
            raise UsageError("static key agreement needs our own key")
        key = agree_static(
            keys.agreement, keys.peer_agreement, transaction=header.transaction_id, suite=suite, **titles
        )
        return key, AgreedKey(STATIC_UNIFIED, b"")
    if keys.signing is None or ephemeral is None:
        raise UsageError("one-pass key agreement needs a signing key and a fresh ephemeral key")
    sent = signed_public_key(ephemeral, keys.signing, suite=suite)
    return agree_one_pass(ephemeral, keys.peer_agreement, suite=suite, **titles), AgreedKey(ONE_PASS, sent)


def _key_to_open(message: GeneralCiphering, keys: Keys, suite: int) -> bytes:
    info, header = message.key_info, message.header
    if info is None or (isinstance(info, IdentifiedKey) and info.key_id is KeyId.GLOBAL_UNICAST):
        return keys.encryption
    if isinstance(info, WrappedKey) and keys.master is not None:
        key = unwrap_key(info.key_ciphered, wrapping_key=keys.master)
        if len(key) != KEY_OCTETS_BY_SUITE[suite]:
            raise PeerError("key_length", f"a wrapped key of {len(key)} octets in suite {suite}", 0)
        return key
    if isinstance(info, AgreedKey) and keys.agreement is not None and suite in SUITES_WITH_CURVES:
        titles = {"originator": header.originator_title, "recipient": header.recipient_title}
        if info.parameters == ONE_PASS and keys.peer_signing is not None:
            point = verified_public_key(info.key_ciphered, keys.peer_signing, suite=suite)
            return agree_one_pass(keys.agreement, point, suite=suite, **titles)
        is_nonce = 1 <= len(header.transaction_id) <= MAX_TRANSACTION_OCTETS
        if info.parameters == STATIC_UNIFIED and keys.peer_agreement is not None and is_nonce:
            return agree_static(
                keys.agreement, keys.peer_agreement, transaction=header.transaction_id, suite=suite, **titles
            )
    raise PeerError("unknown_key", "the message names a key that this association does not have", 0)
