"""Dated facts of a service point: what holds for it from when to when, and since when the registry believes so. Values.

A fact's value is text in one canonical spelling for its kind; :func:`fact_value` is the only reader of what people and
files write. It knows no person: an account is a random id.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from uuid import UUID

from openami.kernel.time import require_utc
from openami.mdm.registry.records import RegistryError

MAX_VALUE = 100
_PROPER = re.compile(r"[^\W_](?:[^\W_]|[ .,'/()&-]){0,98}")
"""Names of places have apostrophes and letters of all scripts: O'Fallon, St. Louis, Cañon City."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ /:-]{0,98}[A-Za-z0-9.]|[A-Za-z0-9]")


class FactError(RegistryError):
    """A fact's value or period cannot be; the text says which and what may stand there."""


class FactKind(StrEnum):
    """What is said of a service point."""

    SERVICE = "service"
    ACCOUNT = "account"
    RATE = "rate"
    BILL_GROUP = "bill_group"
    TRANSFORMER = "transformer"
    FEEDER = "feeder"
    PHASE = "phase"
    CELL = "cell"
    CALENDAR = "calendar"
    READING = "reading"
    INTERCONNECTION = "interconnection"
    CHECK_OF = "check_of"
    MUNICIPALITY = "municipality"
    CUSTOMER_CLASS = "customer_class"
    NO_READ = "no_read"
    """Why registers could not be read there, as far as somebody knows: an estimated bill names it."""


class ServiceState(IntEnum):
    """Whether energy may be used. Without a fact a service is active; CHANGING is a day with more than one state."""

    ACTIVE = 0
    INACTIVE = 1
    DISCONNECTED = 2
    CHANGING = 3


class ReadingKind(IntEnum):
    """How a service point is read. Without a fact it is by the network, in intervals; all others are register-only."""

    INTERVAL = 0
    DRIVE_BY = 1
    BY_HAND = 2
    CUSTOMER = 3


PHASES = ("A", "B", "C", "AB", "BC", "CA", "ABC")
_WORDS = {
    FactKind.SERVICE: ("active", "inactive", "disconnected"),
    FactKind.READING: ("interval", "drive_by", "by_hand", "customer"),
    FactKind.NO_READ: ("no_communication", "no_access", "meter_failed", "weather", "other"),
}
_WHOLE = {FactKind.BILL_GROUP: (1, 99), FactKind.INTERCONNECTION: (1, 100_000_000)}
"""Bill groups by number; the power [W] up to which feeding in is approved."""
REVALIDATING = frozenset(
    {FactKind.SERVICE, FactKind.CALENDAR, FactKind.READING, FactKind.INTERCONNECTION, FactKind.CHECK_OF}
)
"""Kinds whose change alters what validation says of a day."""
TERMS = frozenset({FactKind.MUNICIPALITY, FactKind.CUSTOMER_CLASS})
"""Kinds that say what a bill is taxed and charged by beside its readings."""
REBILLING = TERMS | {FactKind.ACCOUNT, FactKind.RATE, FactKind.SERVICE, FactKind.BILL_GROUP, FactKind.READING}
"""Kinds whose change may alter a bill that was issued."""


@dataclass(frozen=True, slots=True)
class FactEntry:
    """A fact to be entered. What was believed of the same kind in its period gives way; the rest of it stays.

    Args:
        service_point_id: whose.
        kind: of what.
        value: as :func:`fact_value` gives it; None says that nothing of this kind holds in the period.
        start: from when, inclusive.
        end: until when, exclusive; None for good.
    """

    service_point_id: UUID
    kind: FactKind
    value: str | None
    start: datetime
    end: datetime | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", require_utc(self.start))
        if self.value is not None:
            object.__setattr__(self, "value", fact_value(self.kind, self.value))
        if self.end is not None:
            object.__setattr__(self, "end", require_utc(self.end))
            if self.end <= self.start:
                raise FactError(f"{self.kind} of {self.service_point_id}: it would end at or before its start")


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact as kept.

    Args:
        service_point_id, kind, value, start, end: see :class:`FactEntry`.
        entered_at: domain time from which it was believed.
        superseded_at: domain time from which it no longer was; None while it is.
        entered_by: login of the person or name of the file; empty for the program.
        reason: why, in words.
    """

    service_point_id: UUID
    kind: FactKind
    value: str
    start: datetime
    end: datetime | None
    entered_at: datetime
    superseded_at: datetime | None = None
    entered_by: str = field(default="", compare=False)
    reason: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class PlaceNews:
    """One change of a place's account or bill group, for those who plan by it.

    Args:
        number: of the change.
        service_point_id: where.
    """

    number: int
    service_point_id: UUID


def fact_value(kind: FactKind, text: str) -> str:
    """Return the canonical spelling of a value.

    Raises:
        FactError: it cannot stand there.

    >>> fact_value(FactKind.MUNICIPALITY, " O'Fallon  (MO)")
    "O'Fallon (MO)"
    >>> fact_value(FactKind.PHASE, " ba "), fact_value(FactKind.BILL_GROUP, "07")
    ('AB', '7')
    """
    told = text.strip()
    if kind in _WORDS:
        return _one_of(kind, told.lower().replace("-", "_"), _WORDS[kind])
    if kind is FactKind.PHASE:
        letters = "".join(sorted(set(told.upper())))
        return _one_of(kind, "CA" if letters == "AC" else letters, PHASES)
    if kind in _WHOLE:
        return _whole(kind, told)
    if kind in (FactKind.ACCOUNT, FactKind.CHECK_OF):
        try:
            return str(UUID(told))
        except ValueError as error:
            raise FactError(f"{kind}: {told[:40]!r} is no id (a UUID stands there, never a name)") from error
    if kind is FactKind.MUNICIPALITY:
        return _proper(kind, told)
    if len(told) > MAX_VALUE or not _NAME.fullmatch(told):
        raise FactError(f"{kind}: {told[:40]!r} is no name of letters, digits and . _ / : - (at most {MAX_VALUE})")
    return told


def _proper(kind: FactKind, told: str) -> str:
    name = " ".join(unicodedata.normalize("NFC", told).split())
    if not _PROPER.fullmatch(name):
        raise FactError(
            f"{kind}: {told[:40]!r} is no name of letters, digits and . , ' / ( ) & - (at most {MAX_VALUE})"
        )
    return name


def _one_of(kind: FactKind, word: str, words: tuple[str, ...]) -> str:
    if word not in words:
        raise FactError(f"{kind}: {word[:40]!r} is not one of {', '.join(words)}")
    return word


def _whole(kind: FactKind, told: str) -> str:
    low, high = _WHOLE[kind]
    if not told.isascii() or not told.isdigit() or len(told) > len(str(high)) + 3 or not low <= int(told) <= high:
        raise FactError(f"{kind}: {told[:40]!r} is no whole number from {low} to {high}")
    return str(int(told))
