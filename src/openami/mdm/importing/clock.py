"""Stamps of a declared clock as instants: spring, autumn, and whether the stamp ends its interval."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

from openami.kernel.time import epoch_s
from openami.mdm.importing.errors import FileRefusedError
from openami.mdm.importing.localtime import is_in_gap, require_year
from openami.mdm.importing.mapping import ClockRule

_TOUCHING = re.compile(r"%[A-Za-z]%[A-Za-z]")


class DeclaredClock:
    """Turns the wall stamps of one series, in file order, into instants by a declared rule.

    Args:
        rule: whose time and what that clock does twice a year.
        is_ending: stamps end their intervals. The stamp at which the clock jumps is then a time: the jump itself.
    """

    def __init__(self, rule: ClockRule, *, is_ending: bool) -> None:
        self._rule = rule
        self._is_ending = is_ending
        self._last: int | None = None

    def epoch_s(self, stamp: datetime, line: int, *, pass_word: str = "") -> int | None:
        """Return seconds since the epoch; None for a stamp in the skipped hour, which the caller drops or refuses.

        Raises:
            FileRefusedError: the stamp has an offset of another clock, or its hour is ambiguous.
        """
        require_year(stamp, line)
        zone = self._rule.zone
        if stamp.tzinfo is not None:
            self._last = epoch_s(stamp)
        elif isinstance(zone, timezone):
            self._last = epoch_s(stamp.replace(tzinfo=zone))
        else:
            found = self._local(stamp, zone, line, pass_word)
            if found is None:
                return None
            self._last = found
        return self._last

    def _local(self, stamp: datetime, zone: ZoneInfo, line: int, pass_word: str) -> int | None:
        early, late = stamp.replace(tzinfo=zone, fold=0), stamp.replace(tzinfo=zone, fold=1)
        if early.utcoffset() == late.utcoffset():
            return epoch_s(early)
        if is_in_gap(stamp, zone):
            is_the_jump = not is_in_gap(stamp - timedelta(seconds=1), zone)
            return epoch_s(early) if self._is_ending and is_the_jump else None
        return epoch_s(late if self._is_second_pass(early, line, pass_word) else early)

    def _is_second_pass(self, early: datetime, line: int, pass_word: str) -> bool:
        rule = self._rule
        if rule.repeated_hour == "refuse":
            text = early.replace(tzinfo=None).isoformat()
            raise FileRefusedError(
                line, f"{text} comes twice that day, and the mapping declares repeated_hour = refuse"
            )
        if rule.repeated_hour == "column":
            return pass_word != rule.repeated_first
        return self._last is not None and epoch_s(early) <= self._last


def parsed_stamp(text: str, form: str, line: int) -> datetime:
    """Return a stamp as it is written: ISO 8601 for ``iso``, otherwise a strptime form.

    ``24:00`` ends a day in many files; it is the next day's midnight. Where digits of two parts touch (``%H%M``) they
    must be written in full: strptime would take 0 h 8 min from ``08``.

    Raises:
        FileRefusedError: the text has another form.
    """
    try:
        return _stamp(text, form)
    except (ValueError, OverflowError) as error:
        raise FileRefusedError(line, f"{text[:40]!r} is not a time of the form {form[:40]}") from error


@lru_cache(maxsize=100_000)
def _stamp(text: str, form: str) -> datetime:
    """Return a stamp; a fleet's file writes the same ones for every meter, and strptime is slow.

    Raises:
        ValueError: the text has another form.
    """
    is_midnight = form != "iso" and "%H:%M" in form and "24:00" in text
    plain = text.replace("24:00", "00:00") if is_midnight else text
    found = datetime.fromisoformat(plain) if form == "iso" else datetime.strptime(plain, form)  # noqa: DTZ007
    if _TOUCHING.search(form) and found.strftime(form) != plain:
        raise ValueError(text)
    return found + timedelta(days=1) if is_midnight else found
