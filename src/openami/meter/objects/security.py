"""The security setup: policy, suite, titles, and the exchange of keys, which a meter takes only wrapped in its own.

Source: IEC 62056-6-2, 4.4.7 (security setup, version 1); IEC 62056-5-3, 5.5 (key transport by AES key wrap).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum

from openami.kernel.errors import MisuseError
from openami.meter.objects.association import SECURITY_SETUP
from openami.meter.objects.model import READERS, Attribute, CosemObject, Method, cosem_object
from openami.meter.objects.values import enum
from openami.meter.sealing import KEY_OCTETS, MeterIdentity
from openami.protocol.association.ports import ActionRefusedError
from openami.protocol.axdr import Data, Tag, array, octet_string
from openami.protocol.cosem.reference import ActionResult
from openami.security.suites.errors import SuiteError
from openami.security.suites.wrap import unwrap_key

AUTHENTICATED_AND_ENCRYPTED_BOTH_WAYS = 0x6C
"""Policy bits: request authenticated (2) and encrypted (3), response authenticated (5) and encrypted (6)."""
SUITE = 0
WRAPPED_OCTETS = KEY_OCTETS + 8
MAX_KEYS = 4


class KeyId(IntEnum):
    """Which key a transfer replaces."""

    ENCRYPTION = 0
    BROADCAST = 1
    AUTHENTICATION = 2
    MASTER = 3


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """Where the meter's name and keys are kept.

    Args:
        identity: gives them.
        replace: takes new ones, on the disk before it returns; they seal and open from the next message on, the answer
            still goes by the old. Raises OSError where they were not kept, and then uses none of them.
    """

    identity: Callable[[], MeterIdentity]
    replace: Callable[[MeterIdentity], None]


def security_setup_object(keys: KeyHolder) -> CosemObject:
    """Return the security setup (class 64). Suite 0 has no certificates, and the policy is already the strongest."""
    return cosem_object(
        64, 1, SECURITY_SETUP,
        [
            Attribute(2, lambda: enum(AUTHENTICATED_AND_ENCRYPTED_BOTH_WAYS), READERS),
            Attribute(3, lambda: enum(SUITE), READERS),
            Attribute(4, lambda: octet_string(b""), READERS),
            Attribute(5, lambda: octet_string(keys.identity().title.octets), READERS),
            Attribute(6, array, READERS),
        ],
        [Method(1, _activate), Method(2, lambda parameter: _transfer(keys, parameter))],
    )  # fmt: skip


def _activate(parameter: Data | None) -> Data | None:
    if parameter is None or parameter.tag is not Tag.ENUM or parameter.integer is None:
        raise ActionRefusedError(ActionResult.TYPE_UNMATCHED)
    # A policy can only grow, and this one asks for all that suite 0 has.
    if parameter.integer != AUTHENTICATED_AND_ENCRYPTED_BOTH_WAYS:
        raise ActionRefusedError(ActionResult.OTHER_REASON)
    return None


def _transfer(keys: KeyHolder, parameter: Data | None) -> Data | None:
    """Take new keys: all of a message or none."""
    identity = keys.identity()
    if identity.master_key is None:
        raise ActionRefusedError(ActionResult.OBJECT_UNAVAILABLE)
    taken: dict[KeyId, bytes] = {}
    for key_id, wrapped in _wrapped_keys(parameter):
        if key_id in taken:
            raise ActionRefusedError(ActionResult.OTHER_REASON)
        try:
            taken[key_id] = unwrap_key(wrapped, wrapping_key=identity.master_key)
        except SuiteError:
            raise ActionRefusedError(ActionResult.OTHER_REASON) from None
    try:
        renewed = replace(
            identity,
            encryption_key=taken.get(KeyId.ENCRYPTION, identity.encryption_key),
            authentication_key=taken.get(KeyId.AUTHENTICATION, identity.authentication_key),
            master_key=taken.get(KeyId.MASTER, identity.master_key),
            broadcast_key=taken.get(KeyId.BROADCAST, identity.broadcast_key),
        )
    except MisuseError:
        # Two uses of one key: the identity itself refuses them.
        raise ActionRefusedError(ActionResult.OTHER_REASON) from None
    try:
        keys.replace(renewed)
    except OSError:
        # Not kept, so not used: the meter goes on with the keys that it has.
        raise ActionRefusedError(ActionResult.TEMPORARY_FAILURE) from None
    return None


def _wrapped_keys(parameter: Data | None) -> list[tuple[KeyId, bytes]]:
    if parameter is None or parameter.tag is not Tag.ARRAY or not 1 <= len(parameter.elements) <= MAX_KEYS:
        raise ActionRefusedError(ActionResult.TYPE_UNMATCHED)
    found = []
    for element in parameter.elements:
        if element.tag is not Tag.STRUCTURE or len(element.elements) != 2:
            raise ActionRefusedError(ActionResult.TYPE_UNMATCHED)
        key_id, wrapped = element.elements
        if key_id.tag is not Tag.ENUM or key_id.integer not in set(KeyId):
            raise ActionRefusedError(ActionResult.TYPE_UNMATCHED)
        if wrapped.tag is not Tag.OCTET_STRING or wrapped.octets is None or len(wrapped.octets) != WRAPPED_OCTETS:
            raise ActionRefusedError(ActionResult.TYPE_UNMATCHED)
        found.append((KeyId(key_id.integer), wrapped.octets))
    return found
