"""What two ends of an HDLC link agree on with SNRM and UA, and the times that each keeps by itself.

``81 80 length | 05 n information field sent | 06 n received | 07 4 window sent | 08 4 window received``, each from the
view of the sender of the frame; what is not said is the default. Each direction gets the smaller of what one end
offers to send and the other to receive.
Source: IEC 62056-46, 6.4.4.4.3 (negotiation); IEC 62056-6-2, class 23 (ranges).
"""

from __future__ import annotations

from dataclasses import dataclass

from openami.protocol.errors import PeerError, UsageError

DEFAULT_INFORMATION_OCTETS = 128
MIN_INFORMATION_OCTETS = 32
MAX_INFORMATION_OCTETS = 2_030
"""Range of an information field: the class that holds it says so, and the frame's 11 bits of length."""
MAX_WINDOW = 7
"""Numbers have three bits: eight frames under way could not be told from none."""
_HEAD = b"\x81\x80"
_SENT_OCTETS, _RECEIVED_OCTETS, _SENT_WINDOW, _RECEIVED_WINDOW = 5, 6, 7, 8
_MAX_VALUE_OCTETS = 4
"""No parameter has a longer value."""


@dataclass(frozen=True, slots=True)
class LinkParameters:
    """What one end can do, or what both have agreed on, from the view of the end that holds it.

    Args:
        sent_octets: longest information field it sends, 32 to 2,030.
        received_octets: longest it takes.
        sent_window: information frames it sends before it waits for a word, 1 to 7.
        received_window: as many as it takes.

    Raises:
        UsageError: a value out of range.
    """

    sent_octets: int = DEFAULT_INFORMATION_OCTETS
    received_octets: int = DEFAULT_INFORMATION_OCTETS
    sent_window: int = 1
    received_window: int = 1

    def __post_init__(self) -> None:
        octets_fit = all(
            MIN_INFORMATION_OCTETS <= n <= MAX_INFORMATION_OCTETS for n in (self.sent_octets, self.received_octets)
        )
        windows_fit = all(1 <= n <= MAX_WINDOW for n in (self.sent_window, self.received_window))
        if not octets_fit or not windows_fit:
            span = f"{MIN_INFORMATION_OCTETS} to {MAX_INFORMATION_OCTETS}"
            raise UsageError(f"an HDLC link has fields of {span} octets and windows of 1 to {MAX_WINDOW}")

    def agreed(self, peer: LinkParameters) -> LinkParameters:
        """Return what holds when the peer has said its own.

        >>> LinkParameters(512, 512, 7, 7).agreed(LinkParameters(128, 1024, 1, 3))
        LinkParameters(sent_octets=512, received_octets=128, sent_window=3, received_window=1)
        """
        return LinkParameters(
            min(self.sent_octets, peer.received_octets),
            min(self.received_octets, peer.sent_octets),
            min(self.sent_window, peer.received_window),
            min(self.received_window, peer.sent_window),
        )


@dataclass(frozen=True, slots=True)
class LinkTimes:
    """The times of one end, in seconds.

    Args:
        response_s: how long a client waits for the final bit before it sends again.
        tries: how often it sends the same before the link is down.
        poll_s: how long it waits before it asks again a meter that has nothing yet.
        hold_s: how long a server keeps the turn for its application before it says that it lives.
        inactivity_s: how long a server keeps a link on which nothing comes (class 23, inactivity time-out).
    """

    response_s: float = 2.0
    tries: int = 4
    poll_s: float = 0.5
    hold_s: float = 1.0
    inactivity_s: float = 120.0


def build_parameters(parameters: LinkParameters) -> bytes:
    """Return the information field of SNRM or UA.

    >>> build_parameters(LinkParameters()).hex()
    '818012050180060180070400000001080400000001'
    """
    fields = b""
    for name, value in ((_SENT_OCTETS, parameters.sent_octets), (_RECEIVED_OCTETS, parameters.received_octets)):
        size = 1 if value < 0x100 else 2
        fields += bytes((name, size)) + value.to_bytes(size)
    for name, value in ((_SENT_WINDOW, parameters.sent_window), (_RECEIVED_WINDOW, parameters.received_window)):
        fields += bytes((name, 4)) + value.to_bytes(4)
    return _HEAD + bytes((len(fields),)) + fields


def parse_parameters(octets: bytes) -> LinkParameters:
    """Read the information field of SNRM or UA; no field says the defaults. A value out of range becomes the nearest.

    Raises:
        PeerError: another format, or a field that does not fit.
    """
    if not octets:
        return LinkParameters()
    if octets[:2] != _HEAD or len(octets) < 3 or octets[2] != len(octets) - 3:
        raise PeerError("bad_parameters", "the negotiation field of an HDLC link is none", 0)
    values: dict[int, int] = {}
    at = 3
    while at < len(octets):
        size = octets[at + 1] if at + 1 < len(octets) else 0
        end = at + 2 + size
        if not 1 <= size <= _MAX_VALUE_OCTETS or end > len(octets):
            raise PeerError("bad_parameters", "a parameter of an HDLC link does not fit its field", at)
        values[octets[at]] = int.from_bytes(octets[at + 2 : end])
        at = end
    return LinkParameters(
        _octets(values.get(_SENT_OCTETS)),
        _octets(values.get(_RECEIVED_OCTETS)),
        min(max(values.get(_SENT_WINDOW, 1), 1), MAX_WINDOW),
        min(max(values.get(_RECEIVED_WINDOW, 1), 1), MAX_WINDOW),
    )


def _octets(value: int | None) -> int:
    # Zero is met in the field for "as you like": the default.
    return min(max(value or DEFAULT_INFORMATION_OCTETS, MIN_INFORMATION_OCTETS), MAX_INFORMATION_OCTETS)
