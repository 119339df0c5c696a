"""The date-time in the head of a message: an octet string without a tag, of no or of twelve octets."""

from __future__ import annotations

from openami.protocol.axdr import Reader
from openami.protocol.cosem import DATE_TIME_OCTETS, CosemDateTime, decode_date_time
from openami.protocol.errors import PeerError


def stamp_octets(at: CosemDateTime | None) -> bytes:
    """Return ``00``, or ``0C`` and the twelve octets.

    Raises:
        UsageError: a field that does not fit.
    """
    return b"\x00" if at is None else bytes((DATE_TIME_OCTETS,)) + at.encode()


def read_stamp(reader: Reader) -> CosemDateTime | None:
    """Read a date-time that may be left out.

    Raises:
        PeerError: cut, or of another length.
    """
    at = reader.offset
    size = reader.length()
    if size == 0:
        return None
    if size != DATE_TIME_OCTETS:
        raise PeerError("bad_date_time", f"a date-time of {size} octets, expected 0 or {DATE_TIME_OCTETS}", at)
    start = reader.offset
    return decode_date_time(reader.take(size, "a date-time"), offset=start)
