"""Selective access to a profile buffer as values: by range and by entry, and the capture objects that they name.

Source: IEC 62056-6-2, 4.3.6 (profile generic: ``range_descriptor``, ``entry_descriptor``,
``capture_object_definition``).
"""

from __future__ import annotations

from openami.kernel.obis import Obis
from openami.protocol.axdr import Data, Tag, array, octet_string, structure, u16, u32
from openami.protocol.cosem.reference import (
    ENTRY_SELECTOR,
    RANGE_SELECTOR,
    AttributeRef,
    CaptureObject,
    EntrySelection,
    OtherSelection,
    RangeSelection,
    Selection,
)
from openami.protocol.errors import UsageError

PROFILE_GENERIC = 7
BUFFER_ATTRIBUTE = 2
_CAPTURE_TAGS = (Tag.LONG_UNSIGNED, Tag.OCTET_STRING, Tag.INTEGER, Tag.LONG_UNSIGNED)
_ENTRY_TAGS = (Tag.DOUBLE_LONG_UNSIGNED, Tag.DOUBLE_LONG_UNSIGNED, Tag.LONG_UNSIGNED, Tag.LONG_UNSIGNED)


def capture_object_data(column: CaptureObject) -> Data:
    """Return ``structure{class u16, logical name, attribute i8, data index u16}``."""
    name = octet_string(column.instance.octets)
    return structure(u16(column.class_id), name, Data(Tag.INTEGER, column.attribute), u16(column.index))


def capture_object_of(data: Data) -> CaptureObject | None:
    """Return the column that a value names; None where it is no capture object."""
    parts = _parts(data, _CAPTURE_TAGS)
    if parts is None:
        return None
    class_id, name, attribute, index = (p.value for p in parts)
    if not isinstance(name, bytes) or len(name) != 6:
        return None
    assert isinstance(class_id, int)
    assert isinstance(attribute, int)
    assert isinstance(index, int)
    return CaptureObject(class_id, Obis(name), attribute, index)


def selection_data(selection: Selection) -> tuple[int, Data]:
    """Return selector and access parameters.

    Raises:
        UsageError: a selector over 8 bits.
    """
    if isinstance(selection, RangeSelection):
        columns = array(*(capture_object_data(c) for c in selection.columns))
        ends = (selection.from_value, selection.to_value)
        return RANGE_SELECTOR, structure(capture_object_data(selection.restricting), *ends, columns)
    if isinstance(selection, EntrySelection):
        rows = (u32(selection.first_row), u32(selection.last_row))
        return ENTRY_SELECTOR, structure(*rows, u16(selection.first_column), u16(selection.last_column))
    if not 0 <= selection.selector <= 0xFF:
        raise UsageError("a selector has 8 bits")
    return selection.selector, selection.parameters


def selection_of(attribute: AttributeRef, selector: int, parameters: Data) -> Selection:
    """Return what selector and parameters mean for an attribute.

    Parameters that are not what the selector asks for stay as sent (:class:`OtherSelection`): the object that is asked
    refuses them, and the other parts of the same request are still answered.
    """
    selection: Selection | None = None
    if attribute.class_id == PROFILE_GENERIC and attribute.attribute == BUFFER_ATTRIBUTE:
        if selector == RANGE_SELECTOR:
            selection = _range_of(parameters)
        elif selector == ENTRY_SELECTOR:
            selection = _entry_of(parameters)
    return selection or OtherSelection(selector, parameters)


def _range_of(parameters: Data) -> RangeSelection | None:
    if parameters.tag is not Tag.STRUCTURE or len(parameters.elements) != 4:
        return None
    restricting, from_value, to_value, columns = parameters.elements
    by = capture_object_of(restricting)
    named = tuple(capture_object_of(c) for c in columns.elements)
    known = tuple(c for c in named if c is not None)
    if by is None or columns.tag is not Tag.ARRAY or len(known) != len(named):
        return None
    return RangeSelection(by, from_value, to_value, known)


def _entry_of(parameters: Data) -> EntrySelection | None:
    parts = _parts(parameters, _ENTRY_TAGS)
    numbers = [p.integer for p in parts or ()]
    found = [n for n in numbers if n is not None]
    return EntrySelection(*found) if len(found) == len(_ENTRY_TAGS) else None


def _parts(data: Data, tags: tuple[Tag, ...]) -> tuple[Data, ...] | None:
    if data.tag is not Tag.STRUCTURE or tuple(e.tag for e in data.elements) != tags:
        return None
    return data.elements
