"""Which messages on a link answer nothing: pushes that a meter sends between a question and its answer.

Told by their first octet, without a key. A meter that answers in general-glo-ciphering and pushes in it as well cannot
be told apart here; its pushes go to a port or in frames of their own.
Source: IEC 62056-5-3, 6.15 (DataNotification, EventNotification) and 9.5 (APDU tags).
"""

from __future__ import annotations

from openami.protocol.envelope.sealed import GENERAL_GLO_CIPHERING

DATA_NOTIFICATION = 0x0F
EVENT_NOTIFICATION = 0xC2
GLO_EVENT_NOTIFICATION = 0xCA
DED_EVENT_NOTIFICATION = 0xD2
_NOTIFICATIONS = frozenset((DATA_NOTIFICATION, EVENT_NOTIFICATION, GLO_EVENT_NOTIFICATION, DED_EVENT_NOTIFICATION))


def is_unasked(message: bytes, *, question: bytes) -> bool:
    r"""Tell whether a message is a push and no answer to the question.

    >>> is_unasked(b"\xdb\x08", question=b"\xc8"), is_unasked(b"\xdb\x08", question=b"\xdb\x08")
    (True, False)
    """
    tag = message[:1]
    if tag == bytes((GENERAL_GLO_CIPHERING,)):
        return question[:1] != tag
    return bool(tag) and tag[0] in _NOTIFICATIONS
