"""Wrapping: AES-256-GCM of one key under another, bound to a context.

Layout of a wrapped key: version octet ``01`` | nonce 12 | ciphertext and tag 16. The nonce is random: at 2**32 wraps
under one installation key the chance of a repeat is 2**-32, and the key is versioned so that it can be changed.
AES-KW is refused here because it has no context: a row moved to another meter would unwrap without a word.

Source: NIST SP 800-38D, section 8.2.2 (random nonces).
"""

from __future__ import annotations

import hmac
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from openami.kernel.errors import MisuseError, OpenAmiError
from openami.security.keys.secret import Secret

WRAPPING_KEY_OCTETS = 32
NONCE_OCTETS = 12
LAYOUT = 1
"""First octet of what is wrapped here; a token of :mod:`openami.security.adapters.root_pkcs11` has another."""
_VERSION = bytes([LAYOUT])
_OVERHEAD_OCTETS = 1 + NONCE_OCTETS + 16


class KeyBindingError(OpenAmiError):
    """A wrapped key does not open in this context: wrong wrapping key, altered row, or a row of another meter."""


def wrap_key(key: Secret, *, under: Secret, context: bytes, nonce: bytes) -> bytes:
    """Return the key encrypted and bound to the context.

    Args:
        key: the key to protect.
        under: wrapping key, 32 octets.
        context: additional authenticated data.
        nonce: 12 fresh random octets; never the same twice under one wrapping key.

    Raises:
        MisuseError: wrapping key or nonce has another length.
    """
    if len(under) != WRAPPING_KEY_OCTETS or len(nonce) != NONCE_OCTETS:
        raise MisuseError("a wrapping key has 32 octets and a nonce 12")
    return _VERSION + nonce + AESGCM(under.reveal()).encrypt(nonce, key.reveal(), context)


def unwrap_key(wrapped: bytes, *, under: Secret, context: bytes) -> Secret:
    """Return the key that was wrapped.

    Raises:
        KeyBindingError: it does not open under this key in this context.
    """
    if len(wrapped) < _OVERHEAD_OCTETS or wrapped[:1] != _VERSION:
        raise KeyBindingError(f"a wrapped key of {len(wrapped)} octets is not of version 1")
    nonce, ciphertext = wrapped[1 : 1 + NONCE_OCTETS], wrapped[1 + NONCE_OCTETS :]
    try:
        return Secret(AESGCM(under.reveal()).decrypt(nonce, ciphertext, context))
    except InvalidTag:
        raise KeyBindingError("a wrapped key does not open in its context: it was altered or moved") from None


def fingerprint_of(key: Secret, *, under: Secret) -> bytes:
    """Return 16 octets that are equal for equal keys and tell nothing without the wrapping key.

    The vault keeps them unique, so that one key in two places is noticed (attack A10).
    """
    return hmac.new(under.reveal(), b"openami key fingerprint v1|" + key.reveal(), sha256).digest()[:16]
