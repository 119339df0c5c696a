"""Keys that nobody may use: published defaults and patterns. A factory that ships one has not made keys.

Source: research into DLMS simulators and vendor manuals; attack A10 of the adversarial suite.
"""

from __future__ import annotations

from itertools import pairwise

from openami.security.keys.secret import Secret

KEY_OCTETS = 16
_PUBLISHED = frozenset(
    bytes.fromhex(text)
    for text in (
        "000102030405060708090a0b0c0d0e0f",
        "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf",
        "00112233445566778899aabbccddeeff",
        "101112131415161718191a1b1c1d1e1f",
        "0f0e0d0c0b0a09080706050403020100",
        "ffeeddccbbaa99887766554433221100",
        "0123456789abcdeffedcba9876543210",
        "0123456789abcdef0123456789abcdef",
        "30313233343536373839414243444546",
        "30303030303030303030303030303030",
    )
)


def reason_key_is_weak(key: Secret) -> str | None:
    """Return why the key is refused, or None. The reason never shows the key.

    >>> reason_key_is_weak(Secret(bytes(16)))
    'all octets are equal'
    >>> reason_key_is_weak(Secret(bytes.fromhex("5c316162209ebb790b52eb0e7fc5b11c"))) is None
    True
    """
    octets = key.reveal()
    if len(octets) != KEY_OCTETS:
        return f"{len(octets)} octets, a key of suite 0 or 1 has {KEY_OCTETS}"
    if len(set(octets)) == 1:
        return "all octets are equal"
    if octets in _PUBLISHED:
        return "a published default"
    steps = {(b - a) % 256 for a, b in pairwise(octets)}
    if len(steps) == 1:
        return "octets count up or down in equal steps"
    if any(octets == octets[:period] * (KEY_OCTETS // period) for period in (2, 4, 8)):
        return "a repeated pattern"
    return None
