"""Signed tree heads: a C2SP checkpoint inside a signed note, with Ed25519.

Source: C2SP tlog-checkpoint and signed-note. The real time of signing travels as an extension line.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from openami.kernel.errors import OpenAmiError
from openami.kernel.time import EPOCH

ORIGIN = "openami.audit.v1"
MAX_NOTE_OCTETS = 4_096
_ED25519 = b"\x01"
_STAMP = "signed-at-ms "


class BadTreeHeadError(OpenAmiError):
    """A tree head cannot be read, or its signature does not verify; the text says which."""


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A tree head whose signature was verified, or that we have just signed."""

    size: int
    root: bytes
    signed_at: datetime
    note: str


def sign_head(*, size: int, root: bytes, signed_at: datetime, private_key: bytes) -> SignedHead:
    """Sign a tree head.

    Args:
        size: number of leaves.
        root: 32 octets.
        signed_at: real time; kept to whole milliseconds.
        private_key: 32 octets of Ed25519.
    """
    stamp_ms = (signed_at - EPOCH) // timedelta(milliseconds=1)
    body = f"{ORIGIN}\n{size}\n{_base64(root)}\n{_STAMP}{stamp_ms}\n"
    key = Ed25519PrivateKey.from_private_bytes(private_key)
    public = key.public_key().public_bytes_raw()
    line = f"\u2014 {ORIGIN} {_base64(_key_id(public) + key.sign(body.encode()))}\n"
    return SignedHead(size, root, EPOCH + timedelta(milliseconds=stamp_ms), f"{body}\n{line}")


def verify_head(note: str, *, public_key: bytes) -> SignedHead:
    """Read a signed note and verify it.

    Raises:
        BadTreeHeadError: not such a note, of another origin or key, or the signature does not verify.
    """
    if len(note) > MAX_NOTE_OCTETS:
        raise BadTreeHeadError("tree head: longer than any of ours")
    body, _, signatures = note.partition("\n\n")
    lines = body.split("\n")
    try:
        origin, size, root = lines[0], int(lines[1]), base64.b64decode(lines[2], validate=True)
        stamp_ms = int(lines[3].removeprefix(_STAMP))
        dash, name, signature = signatures.rstrip("\n").split(" ")
        octets = base64.b64decode(signature, validate=True)
        signed_at = EPOCH + timedelta(milliseconds=stamp_ms)
    except (ValueError, IndexError, OverflowError) as error:
        raise BadTreeHeadError("tree head: not a signed note of ours") from error
    if dash != "\u2014" or origin != ORIGIN or name != ORIGIN or len(root) != 32 or size < 0:
        raise BadTreeHeadError("tree head: not a signed note of ours")
    if octets[:4] != _key_id(public_key):
        raise BadTreeHeadError("tree head: signed with another key")
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(octets[4:], f"{body}\n".encode())
    except InvalidSignature as error:
        raise BadTreeHeadError("tree head: the signature does not verify") from error
    return SignedHead(size, root, signed_at, note)


def public_key_of(private_key: bytes) -> bytes:
    """Return the 32 octets of the public key."""
    return Ed25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()


def verifier_key(public_key: bytes) -> str:
    """Return the public key as people hand it to an auditor: a C2SP verifier key, ``name+id+key``."""
    return f"{ORIGIN}+{_key_id(public_key).hex()}+{_base64(_ED25519 + public_key)}"


def read_verifier_key(text: str) -> bytes:
    """Read a verifier key.

    Raises:
        BadTreeHeadError: not one of ours.
    """
    try:
        name, _, encoded = text.strip().split("+", 2)
        octets = base64.b64decode(encoded, validate=True)
    except ValueError as error:
        raise BadTreeHeadError("verifier key: expected name+id+key") from error
    if name != ORIGIN or octets[:1] != _ED25519 or len(octets) != 33:
        raise BadTreeHeadError(f"verifier key: expected an Ed25519 key of {ORIGIN}")
    return octets[1:]


def _key_id(public_key: bytes) -> bytes:
    return sha256(ORIGIN.encode() + b"\n" + _ED25519 + public_key).digest()[:4]


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()
