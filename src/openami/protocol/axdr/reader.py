"""A place in octets that a peer sent: what every decoder of values and messages reads from."""

from __future__ import annotations

from openami.protocol.axdr.types import MAX_ELEMENTS, Tag
from openami.protocol.envelope.length import decode_length
from openami.protocol.errors import PeerError

_TAG_BY_OCTET: dict[int, Tag] = {int(t): t for t in Tag}


class Reader:
    """A place in the octets, a hard end, and what is left of the element budget of the message.

    One message has one reader, so that a list of many small values cannot exceed the budget of one large one.

    Args:
        octets: what the peer sent.
        offset: where to begin.
        end: the offset after the last octet that may be read; the end of the octets where None.
    """

    __slots__ = ("end", "octets", "offset", "spare")

    def __init__(self, octets: bytes, offset: int = 0, end: int | None = None) -> None:
        self.octets = octets
        self.offset = offset
        self.end = len(octets) if end is None else end
        self.spare = MAX_ELEMENTS

    def take(self, count: int, what: str) -> bytes:
        """Return the next octets.

        Raises:
            PeerError: fewer are left.
        """
        start, after = self.offset, self.offset + count
        if after > self.end:
            raise PeerError("cut", f"the octets end inside {what}", self.end)
        self.offset = after
        return self.octets[start:after]

    def unsigned(self, size: int, what: str) -> int:
        """Return a big-endian number of ``size`` octets.

        Raises:
            PeerError: cut.
        """
        return int.from_bytes(self.take(size, what))

    def length(self) -> int:
        """Return a variable-length integer.

        Raises:
            PeerError: cut, or a length field that is none.
        """
        length, self.offset = decode_length(self.octets, self.offset, end=self.end)
        return length

    def count(self, what: str, *, least_octets: int = 1) -> int:
        """Return the length of a list, refused before it costs memory where its elements cannot fit in what is left.

        Args:
            what: the elements, for the error.
            least_octets: octets of the smallest element.

        Raises:
            PeerError: cut, or more elements than the octets can hold.
        """
        at = self.offset
        count = self.length()
        if count * least_octets > self.end - self.offset:
            raise PeerError("cut", f"{count} {what} in {self.end - self.offset} octets", at)
        return count

    def string(self, what: str) -> bytes:
        """Return the octets of an octet string without a tag.

        Raises:
            PeerError: cut.
        """
        return self.take(self.length(), what)

    def flag(self, what: str) -> bool:
        """Return whether an optional part follows: one octet, 0 or 1.

        Raises:
            PeerError: cut, or another octet.
        """
        at = self.offset
        octet = self.take(1, what)[0]
        if octet > 1:
            raise PeerError("bad_flag", f"{octet} where the presence of {what} is told by 0 or 1", at)
        return octet == 1

    def boolean(self, what: str) -> bool:
        """Return a boolean; anything but 0 is true.

        Raises:
            PeerError: cut.
        """
        return self.take(1, what)[0] != 0

    def tag(self) -> Tag:
        """Return a type tag.

        Raises:
            PeerError: cut, or a number that is no type.
        """
        at = self.offset
        octet = self.take(1, "a type tag")[0]
        tag = _TAG_BY_OCTET.get(octet)
        if tag is None:
            raise PeerError("unknown_type", f"type tag {octet} is not a DLMS type", at)
        return tag

    def spend(self, count: int = 1) -> None:
        """Take values off the budget.

        Raises:
            PeerError: the budget is spent.
        """
        self.spare -= count
        if self.spare < 0:
            raise PeerError("too_many", f"more than {MAX_ELEMENTS} values in one message", self.offset)

    def finish(self, what: str) -> None:
        """Check that nothing is left.

        Raises:
            PeerError: octets after the end.
        """
        if self.offset != self.end:
            raise PeerError("trailing", f"{self.end - self.offset} octets after {what}", self.offset)
