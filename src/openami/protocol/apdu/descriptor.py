"""What the data services share on the wire: heads, descriptors, selections, blocks, results and lists.

``class u16 | instance 6 | index i8`` names an attribute or method; an attribute is followed by ``00``, or by ``01``, a
selector and its parameters. A block is ``last | number u32 | length | octets``. Source: IEC 62056-5-3, 8.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from openami.kernel.obis import Obis
from openami.protocol import axdr
from openami.protocol.apdu.services import DataBlock, GetResult, SelectedAttribute
from openami.protocol.apdu.tags import ApduTag
from openami.protocol.axdr import Data, Reader
from openami.protocol.cosem.reference import ActionResult, AttributeRef, DataAccessResult, MethodRef, Selection
from openami.protocol.cosem.selective import selection_data, selection_of
from openami.protocol.envelope.length import encode_length
from openami.protocol.errors import PeerError, UsageError

DESCRIPTOR_OCTETS = 9
_DATA, _RESULT = 0, 1
_DATA_ACCESS_RESULTS = {int(r): r for r in DataAccessResult}
_ACTION_RESULTS = {int(r): r for r in ActionResult}
_Item = TypeVar("_Item")


def head_octets(tag: ApduTag, form: int, invoke: int) -> bytes:
    """Return APDU tag, form of the service, and invoke-id-and-priority.

    Raises:
        UsageError: an invoke id over 8 bits.
    """
    if not 0 <= invoke <= 0xFF:
        raise UsageError("invoke id and priority have 8 bits")
    return bytes((tag, form, invoke))


def bad_form(tag: ApduTag, form: int) -> PeerError:
    """Return the error of a form that the service does not have."""
    return PeerError("bad_form", f"{tag.name.lower().replace('_', '-')} of form {form}", 1)


def number_octets(number: int) -> bytes:
    """Return a block number.

    Raises:
        UsageError: over 32 bits.
    """
    if not 0 <= number <= 0xFFFF_FFFF:
        raise UsageError("a block number has 32 bits")
    return number.to_bytes(4)


def read_number(reader: Reader) -> int:
    """Read a block number.

    Raises:
        PeerError: cut.
    """
    return reader.unsigned(4, "a block number")


def descriptor_octets(target: AttributeRef | MethodRef) -> bytes:
    """Return the descriptor of an attribute or method.

    Raises:
        UsageError: a number that does not fit.
    """
    index = target.attribute if isinstance(target, AttributeRef) else target.method
    if not 0 <= target.class_id <= 0xFFFF or not -128 <= index <= 127:
        raise UsageError("a class id has 16 bits, an attribute or method 8")
    return target.class_id.to_bytes(2) + target.instance.octets + index.to_bytes(1, signed=True)


def read_attribute(reader: Reader) -> AttributeRef:
    """Read the descriptor of an attribute.

    Raises:
        PeerError: cut.
    """
    return AttributeRef(*_descriptor(reader))


def read_method(reader: Reader) -> MethodRef:
    """Read the descriptor of a method.

    Raises:
        PeerError: cut.
    """
    return MethodRef(*_descriptor(reader))


def _descriptor(reader: Reader) -> tuple[int, Obis, int]:
    octets = reader.take(DESCRIPTOR_OCTETS, "a descriptor")
    return int.from_bytes(octets[:2]), Obis(octets[2:8]), int.from_bytes(octets[8:], signed=True)


def access_octets(selection: Selection) -> bytes:
    """Return selector and parameters.

    Raises:
        UsageError: a selector over 8 bits, or parameters that cannot be encoded.
    """
    selector, parameters = selection_data(selection)
    return bytes((selector,)) + axdr.encode(parameters)


def read_access(reader: Reader, attribute: AttributeRef) -> Selection:
    """Read selector and parameters.

    Raises:
        PeerError: cut, or parameters that are no value.
    """
    selector = reader.unsigned(1, "a selector")
    return selection_of(attribute, selector, axdr.read(reader))


def selected_octets(item: SelectedAttribute) -> bytes:
    """Return an attribute with its optional selection.

    Raises:
        UsageError: a number that does not fit, or parameters that cannot be encoded.
    """
    attribute, selection = item
    return descriptor_octets(attribute) + (b"\x00" if selection is None else b"\x01" + access_octets(selection))


def read_selected(reader: Reader) -> SelectedAttribute:
    """Read an attribute with its optional selection.

    Raises:
        PeerError: cut, a bad flag, or parameters that are no value.
    """
    attribute = read_attribute(reader)
    return attribute, read_access(reader, attribute) if reader.flag("a selection") else None


def block_octets(block: DataBlock) -> bytes:
    """Return a block.

    Raises:
        UsageError: a number over 32 bits.
    """
    last = b"\x01" if block.is_last else b"\x00"
    return last + number_octets(block.number) + encode_length(len(block.octets)) + block.octets


def read_block(reader: Reader) -> DataBlock:
    """Read a block.

    Raises:
        PeerError: cut.
    """
    return DataBlock(reader.boolean("a block"), read_number(reader), reader.string("a block"))


def read_access_result(reader: Reader) -> DataAccessResult:
    """Read how an access ended. A number that the standard does not know is some other reason, not a broken message.

    Raises:
        PeerError: cut.
    """
    return _DATA_ACCESS_RESULTS.get(reader.unsigned(1, "an access result"), DataAccessResult.OTHER_REASON)


def read_action_result(reader: Reader) -> ActionResult:
    """Read how a call ended. A number that the standard does not know is some other reason, not a broken message.

    Raises:
        PeerError: cut.
    """
    return _ACTION_RESULTS.get(reader.unsigned(1, "an action result"), ActionResult.OTHER_REASON)


def result_octets(result: GetResult) -> bytes:
    """Return ``00`` and a value, or ``01`` and why there is none.

    Raises:
        UsageError: a value that cannot be encoded.
    """
    if isinstance(result, DataAccessResult):
        return bytes((_RESULT, result))
    return bytes((_DATA,)) + axdr.encode(result)


def read_result(reader: Reader) -> GetResult:
    """Read a value, or why there is none.

    Raises:
        PeerError: cut, a choice that is none, or a value that is none.
    """
    return read_access_result(reader) if reader.flag("an access result") else axdr.read(reader)


def list_octets(items: Iterable[bytes]) -> bytes:
    """Return a list: the number of items and the items."""
    parts = list(items)
    return encode_length(len(parts)) + b"".join(parts)


def read_list(
    reader: Reader, read: Callable[[Reader], _Item], what: str, *, least_octets: int = 1
) -> tuple[_Item, ...]:
    """Read a list.

    Args:
        reader: where it stands.
        read: reads one item.
        what: the items, for the error.
        least_octets: octets of the smallest item.

    Raises:
        PeerError: cut, more items than the octets can hold, or what ``read`` raises.
    """
    return tuple(read(reader) for _ in range(reader.count(what, least_octets=least_octets)))


def values_octets(values: Iterable[Data]) -> bytes:
    """Return a list of values.

    Raises:
        UsageError: a value that cannot be encoded.
    """
    return list_octets(axdr.encode(v) for v in values)


def read_values(reader: Reader, wanted: int) -> tuple[Data, ...]:
    """Read a list of as many values as there are targets.

    Raises:
        PeerError: cut, another number of values, or a value that is none.
    """
    at = reader.offset
    values = read_list(reader, axdr.read, "values")
    if len(values) != wanted:
        raise PeerError("uneven", f"{len(values)} values for {wanted} targets", at)
    return values


def require_even(targets: int, values: int) -> None:
    """Check that each target has its value.

    Raises:
        UsageError: not so.
    """
    if targets != values:
        raise UsageError(f"{values} values for {targets} targets")
