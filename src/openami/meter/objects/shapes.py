"""What may be written: numbers in a range, choices, flags and moments. There is no shape for text or free octets.

A meter keeps no identity because it has nowhere to put one: each writable attribute names one of these shapes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias
from zoneinfo import ZoneInfo

from openami.protocol.association.ports import AccessRefusedError
from openami.protocol.axdr import Data, Tag
from openami.protocol.cosem.datetime import DATE_TIME_OCTETS, decode_date_time
from openami.protocol.cosem.reference import DataAccessResult
from openami.protocol.errors import PeerError

EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
"""No meter of ours was made before, none lives longer: a clock set elsewhere is a mistake."""


@dataclass(frozen=True, slots=True)
class Number:
    """An integer of one type, from low to high, both included."""

    tag: Tag
    low: int
    high: int

    def check(self, data: Data) -> None:
        """Let a value that fits pass.

        Raises:
            AccessRefusedError: another type, or out of range.
        """
        _check_tag(data, self.tag)
        if data.integer is None or not self.low <= data.integer <= self.high:
            raise AccessRefusedError(DataAccessResult.OTHER_REASON)


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    def check(self, data: Data) -> None:
        """Let a boolean pass.

        Raises:
            AccessRefusedError: another type.
        """
        _check_tag(data, Tag.BOOLEAN)
        if not isinstance(data.value, bool):
            raise AccessRefusedError(DataAccessResult.TYPE_UNMATCHED)


@dataclass(frozen=True, slots=True)
class Moment:
    """A date-time that names one instant; only the instant is kept, not the octets.

    Args:
        zone: zone of a date-time without deviation.
    """

    zone: ZoneInfo

    def check(self, data: Data) -> None:
        """Let an instant between :data:`EARLIEST` and :data:`LATEST` pass.

        Raises:
            AccessRefusedError: no date-time, or one that names no instant.
        """
        if not EARLIEST <= moment(data, self.zone) < LATEST:
            raise AccessRefusedError(DataAccessResult.OTHER_REASON)


Shape: TypeAlias = Number | Flag | Moment


def moment(data: Data, zone: ZoneInfo) -> datetime:
    """Return the instant of a date-time value.

    Raises:
        AccessRefusedError: no date-time, or one that names no instant.
    """
    octets = data.octets
    if data.tag not in (Tag.OCTET_STRING, Tag.DATE_TIME) or octets is None or len(octets) != DATE_TIME_OCTETS:
        raise AccessRefusedError(DataAccessResult.TYPE_UNMATCHED)
    try:
        return decode_date_time(octets).to_utc(zone)
    except PeerError:
        raise AccessRefusedError(DataAccessResult.TYPE_UNMATCHED) from None


def integer_of(data: Data) -> int:
    """Return the number of a value.

    Raises:
        AccessRefusedError: it is not a number.
    """
    if data.integer is None:
        raise AccessRefusedError(DataAccessResult.TYPE_UNMATCHED)
    return data.integer


def _check_tag(data: Data, tag: Tag) -> None:
    if data.tag is not tag:
        raise AccessRefusedError(DataAccessResult.TYPE_UNMATCHED)
