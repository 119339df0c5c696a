"""Key wrap of the suites: a key sent under a key. Source: RFC 3394; IEC 62056-5-3, 5.3.4.7."""

from __future__ import annotations

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from openami.kernel.errors import MisuseError
from openami.security.suites.errors import SuiteError

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
