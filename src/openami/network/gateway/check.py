"""What the gateway checks of a frame without any key: envelope, title, size and the control octet.

Only a general-glo-ciphering APDU, or a service-specific answer, passes whose control octet the policy takes
(:func:`is_control_taken`). Whether it *is* sealed so, the head-end finds out.

Source: DESIGN section 4, step 3; IEC 62056-5-3, 5.3.3 (security control octet).
"""

from __future__ import annotations

import struct

from openami.contracts.deadletter import RefusalReason
from openami.contracts.frame import MAX_FRAME_OCTETS
from openami.protocol.envelope.association import ACCEPTED, ANSWERS, RLRE, parse_association
from openami.protocol.envelope.sealed import (
    SECURITY_HEADER_OCTETS,
    SERVICE_RESPONSES,
    parse_sealed_header,
    parse_service_sealed,
)
from openami.protocol.envelope.wrapper import parse_wrapper
from openami.protocol.errors import PeerError

AUTHENTICATED_AND_ENCRYPTED = 0x30
BROADCAST_KEY = 0x40
SUITE_MASK = 0x0F
LAST_SUITE = 2
TAG_OCTETS = 12
_OTHER_APDUS = frozenset((0x0F, *range(0x60, 0x64), *range(0xC0, 0xDB), *range(0xDC, 0xE1)))
"""First octets of APDUs that are plain or sealed in another way: a step down from what is taken."""
_EXCEPTION_RESPONSE = 0xD8
_EXCEPTION_FRAMES = frozenset({8 + 3, 8 + 7})
# Wrapper header, tag, title length, title and the first octet of the body's length.
_SHAPE = struct.Struct(">HHHHBB8sB")
_SMALLEST = _SHAPE.size + SECURITY_HEADER_OCTETS + TAG_OCTETS


def is_control_taken(control: int, *, least_suite: int = 0) -> bool:
    """Tell whether a frame with this security control octet is taken from a meter.

    Authenticated *and* encrypted; sealed with a key of the meter's own and not the one that all meters of a broadcast
    group share; not compressed, because nothing may unfold; in a suite that there is and that is no step down from
    the meter's own.

    Args:
        control: bits 0 to 3 suite, 4 authenticated, 5 encrypted, 6 broadcast key, 7 compressed.
        least_suite: the meter's own, 0 to 2.

    >>> is_control_taken(0x30), is_control_taken(0x20), is_control_taken(0x70), is_control_taken(0x30, least_suite=1)
    (True, False, False, False)
    """
    return control & ~SUITE_MASK == AUTHENTICATED_AND_ENCRYPTED and least_suite <= control & SUITE_MASK <= LAST_SUITE


def refusal_of(octets: bytes, title: bytes, *, least_suite: int = 0) -> RefusalReason | None:
    """Return why a frame may not pass, or None.

    Args:
        octets: wrapper header and APDU.
        title: system title that the collector says it comes from.
        least_suite: the security suite of the meter's keys, 0 to 2: a lower one is a step down.
    """
    return None if _has_usual_shape(octets, title, least_suite) else _examine(octets, title, least_suite)


def _has_usual_shape(octets: bytes, title: bytes, least_suite: int) -> bool:
    """Recognize a good frame with one unpack: nine tenths of a frame's cost would be the parsers' objects."""
    size = len(octets)
    if not _SMALLEST <= size <= MAX_FRAME_OCTETS:
        return False
    version, _, _, length, tag, title_length, claimed, first = _SHAPE.unpack_from(octets)
    if version != 1 or length != size - 8 or tag != 0xDB or title_length != 8 or claimed != title:
        return False
    if first < 0x80:
        at, body = 19, first
    elif first == 0x81:
        at, body = 20, octets[19]
    elif first == 0x82:
        at, body = 21, octets[19] << 8 | octets[20]
    else:
        return False
    whole = body == size - at and body >= SECURITY_HEADER_OCTETS + TAG_OCTETS
    return whole and 0x30 + least_suite <= octets[at] <= 0x30 + LAST_SUITE


def _examine(octets: bytes, title: bytes, least_suite: int) -> RefusalReason | None:
    if len(octets) > MAX_FRAME_OCTETS:
        return RefusalReason.OVERSIZE
    try:
        _, apdu = parse_wrapper(octets)
        if apdu[0] in SERVICE_RESPONSES:
            header = parse_service_sealed(apdu, title=title)
        elif apdu[0] in _OTHER_APDUS:
            return RefusalReason.DOWNGRADE
        else:
            header = parse_sealed_header(apdu)
    except PeerError:
        return RefusalReason.BAD_ENVELOPE
    if header.system_title != title or len(apdu) - header.body_offset < SECURITY_HEADER_OCTETS + TAG_OCTETS:
        return RefusalReason.BAD_ENVELOPE
    return None if is_control_taken(header.security_control, least_suite=least_suite) else RefusalReason.DOWNGRADE


def is_association_answer(octets: bytes, title: bytes) -> bool:
    """Tell whether a frame is the answer to an association: clear outside, sealed where it says that it succeeded.

    A meter that refuses an association has no key to say so with; that answer is passed on and proves nothing.

    Args:
        octets: wrapper header and APDU.
        title: system title that the collector says it comes from.
    """
    try:
        _, apdu = parse_wrapper(octets)
        if apdu[0] not in ANSWERS:
            return False
        envelope = parse_association(apdu)
    except PeerError:
        return False
    if envelope.responding_title not in {None, title}:
        return False
    if envelope.sealed_at is None:
        return envelope.tag == RLRE or envelope.result not in {None, ACCEPTED}
    control = apdu[envelope.sealed_at]
    room = len(apdu) - envelope.sealed_at >= SECURITY_HEADER_OCTETS + TAG_OCTETS
    return room and is_control_taken(control)


def is_refusal_in_clear(octets: bytes) -> bool:
    """Tell whether a frame is a meter's word that it cannot open a request: it has no other way to say so.

    It proves nothing and is passed on to whoever waits. Tag, two errors, and at most the counter that it expects.
    """
    return len(octets) in _EXCEPTION_FRAMES and octets[8] == _EXCEPTION_RESPONSE and octets[:2] == b"\0\1"
