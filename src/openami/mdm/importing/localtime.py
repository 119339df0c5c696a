"""Local stamps of files: each written once, on a wall clock that repeats an hour in autumn and skips one in spring."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from openami.kernel.time import epoch_s
from openami.mdm.importing.errors import FileRefusedError

FIRST_YEAR = 1971
LAST_YEAR = 2199
"""Years that a reading may be of: no zone's offset leads out of what the store's time type holds."""


def require_year(stamp: date, line: int) -> None:
    """Pass if a reading may be of this year.

    Raises:
        FileRefusedError: it may not.
    """
    if not FIRST_YEAR <= stamp.year <= LAST_YEAR:
        raise FileRefusedError(line, f"the year {stamp.year} is not {FIRST_YEAR} to {LAST_YEAR}")


class LocalStamps:
    """Turns the naive stamps of one series, in file order, into instants.

    The autumn hour is told apart by order: the first pass is summer time, the second (a stamp that does not come
    after the one before it) is winter time. A stamp in the spring gap is not a time.
    """

    def __init__(self, zone: ZoneInfo | None) -> None:
        self._zone = zone
        self._last: int | None = None

    def epoch_s(self, stamp: datetime, line: int) -> int:
        """Return seconds since the epoch of a stamp.

        Raises:
            FileRefusedError: no offset and no zone is named, or the stamp falls in the spring gap.
        """
        if stamp.tzinfo is None:
            if self._zone is None:
                raise FileRefusedError(line, "the time has no offset: write one, or name the zone (--tz)")
            stamp = self._settled(stamp, self._zone, line)
        self._last = epoch_s(stamp)
        return self._last

    def _settled(self, stamp: datetime, zone: ZoneInfo, line: int) -> datetime:
        early, late = stamp.replace(tzinfo=zone, fold=0), stamp.replace(tzinfo=zone, fold=1)
        if early.utcoffset() == late.utcoffset():
            return early
        if is_in_gap(stamp, zone):
            raise FileRefusedError(line, f"{stamp.isoformat()} does not exist in {zone.key}: clocks skip that hour")
        return late if self._last is not None and epoch_s(early) <= self._last else early


def is_in_gap(stamp: datetime, zone: ZoneInfo) -> bool:
    """Tell whether a naive stamp falls in an hour that the clocks skip.

    >>> is_in_gap(datetime(2026, 3, 8, 2, 30), ZoneInfo("America/Chicago"))
    True
    """
    aware = stamp.replace(tzinfo=zone)
    return aware.astimezone(UTC).astimezone(zone).replace(tzinfo=None) - stamp != timedelta(0)
