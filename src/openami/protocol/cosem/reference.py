"""How a message names what it wants: attributes, methods, parts of a profile, and the results that refuse.

Source: IEC 62056-5-3, 8.3 (``Cosem-Attribute-Descriptor``, ``Selective-Access-Descriptor``, ``Data-Access-Result``,
``Action-Result``); IEC 62056-6-2, 4.3.6 (selective access to a profile buffer).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from openami.kernel.obis import Obis
from openami.protocol.axdr import Data

RANGE_SELECTOR = 1
ENTRY_SELECTOR = 2


@dataclass(frozen=True, slots=True)
class AttributeRef:
    """One attribute of one object; attribute 0 stands for all of them.

    Args:
        class_id: interface class, 16 bits.
        instance: logical name.
        attribute: attribute index, -128 to 127.
    """

    class_id: int
    instance: Obis
    attribute: int


@dataclass(frozen=True, slots=True)
class MethodRef:
    """One method of one object.

    Args:
        class_id: interface class, 16 bits.
        instance: logical name.
        method: method index, -128 to 127.
    """

    class_id: int
    instance: Obis
    method: int


@dataclass(frozen=True, slots=True)
class CaptureObject:
    """One column of a profile: an attribute, and which element of it (0 for the whole)."""

    class_id: int
    instance: Obis
    attribute: int
    index: int = 0


@dataclass(frozen=True, slots=True)
class RangeSelection:
    """Rows of a profile whose restricting column lies between two values, both ends included.

    Args:
        restricting: the column compared, usually the clock.
        from_value, to_value: the ends, as values of that column.
        columns: the columns wanted; none for all.
    """

    restricting: CaptureObject
    from_value: Data
    to_value: Data
    columns: tuple[CaptureObject, ...] = ()


@dataclass(frozen=True, slots=True)
class EntrySelection:
    """Rows of a profile by number, from 1; 0 as an end is the last there is.

    Args:
        first_row, last_row: rows, both included.
        first_column, last_column: columns, both included.
    """

    first_row: int = 1
    last_row: int = 0
    first_column: int = 1
    last_column: int = 0


@dataclass(frozen=True, slots=True)
class OtherSelection:
    """A selective access that we carry without meaning: selector and parameters as sent."""

    selector: int
    parameters: Data


Selection: TypeAlias = RangeSelection | EntrySelection | OtherSelection


class DataAccessResult(IntEnum):
    """How an access to an attribute ended."""

    SUCCESS = 0
    HARDWARE_FAULT = 1
    TEMPORARY_FAILURE = 2
    READ_WRITE_DENIED = 3
    OBJECT_UNDEFINED = 4
    OBJECT_CLASS_INCONSISTENT = 9
    OBJECT_UNAVAILABLE = 11
    TYPE_UNMATCHED = 12
    SCOPE_OF_ACCESS_VIOLATED = 13
    DATA_BLOCK_UNAVAILABLE = 14
    LONG_GET_ABORTED = 15
    NO_LONG_GET_IN_PROGRESS = 16
    LONG_SET_ABORTED = 17
    NO_LONG_SET_IN_PROGRESS = 18
    DATA_BLOCK_NUMBER_INVALID = 19
    OTHER_REASON = 250


class ActionResult(IntEnum):
    """How the call of a method ended."""

    SUCCESS = 0
    HARDWARE_FAULT = 1
    TEMPORARY_FAILURE = 2
    READ_WRITE_DENIED = 3
    OBJECT_UNDEFINED = 4
    OBJECT_CLASS_INCONSISTENT = 9
    OBJECT_UNAVAILABLE = 11
    TYPE_UNMATCHED = 12
    SCOPE_OF_ACCESS_VIOLATED = 13
    DATA_BLOCK_UNAVAILABLE = 14
    LONG_ACTION_ABORTED = 15
    NO_LONG_ACTION_IN_PROGRESS = 16
    OTHER_REASON = 250
