"""The data services as values: GET, SET, ACTION and ACCESS, requests and responses of every form.

``invoke`` is the invoke-id-and-priority octet as sent (low four bits the id, 0x40 confirmed, 0x80 high priority); a
response repeats the request's. Block numbers begin at 1 and have 32 bits. Source: IEC 62056-5-3, 6 and 8.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeAlias

from openami.protocol.axdr import Data
from openami.protocol.cosem.datetime import CosemDateTime
from openami.protocol.cosem.reference import ActionResult, AttributeRef, DataAccessResult, MethodRef, Selection

GetResult: TypeAlias = Data | DataAccessResult
SelectedAttribute: TypeAlias = tuple[AttributeRef, Selection | None]


@dataclass(frozen=True, slots=True)
class DataBlock:
    """A piece of a long value: whether it is the last, its number, and its octets."""

    is_last: bool
    number: int
    octets: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class GetRequest:
    """Read one attribute."""

    invoke: int
    attribute: AttributeRef
    selection: Selection | None = None


@dataclass(frozen=True, slots=True)
class GetRequestNext:
    """Ask for the block after ``block``."""

    invoke: int
    block: int


@dataclass(frozen=True, slots=True)
class GetRequestList:
    """Read several attributes."""

    invoke: int
    items: tuple[SelectedAttribute, ...]


@dataclass(frozen=True, slots=True)
class GetResponse:
    """One value, or why there is none."""

    invoke: int
    result: GetResult


@dataclass(frozen=True, slots=True)
class GetResponseBlock:
    """A piece of a long answer, or why there is none."""

    invoke: int
    is_last: bool
    block: int
    result: bytes | DataAccessResult = field(repr=False)


@dataclass(frozen=True, slots=True)
class GetResponseList:
    """Several values, in the order asked for."""

    invoke: int
    results: tuple[GetResult, ...]


@dataclass(frozen=True, slots=True)
class SetRequest:
    """Write one attribute."""

    invoke: int
    attribute: AttributeRef
    selection: Selection | None
    value: Data


@dataclass(frozen=True, slots=True)
class SetRequestFirstBlock:
    """Begin to write one attribute in blocks."""

    invoke: int
    attribute: AttributeRef
    selection: Selection | None
    block: DataBlock


@dataclass(frozen=True, slots=True)
class SetRequestBlock:
    """Go on writing in blocks."""

    invoke: int
    block: DataBlock


@dataclass(frozen=True, slots=True)
class SetRequestList:
    """Write several attributes."""

    invoke: int
    items: tuple[SelectedAttribute, ...]
    values: tuple[Data, ...]


@dataclass(frozen=True, slots=True)
class SetRequestListFirstBlock:
    """Begin to write several attributes in blocks."""

    invoke: int
    items: tuple[SelectedAttribute, ...]
    block: DataBlock


@dataclass(frozen=True, slots=True)
class SetResponse:
    """How one write ended."""

    invoke: int
    result: DataAccessResult


@dataclass(frozen=True, slots=True)
class SetResponseBlock:
    """A block has come; send the next."""

    invoke: int
    block: int


@dataclass(frozen=True, slots=True)
class SetResponseLastBlock:
    """How a write in blocks ended."""

    invoke: int
    result: DataAccessResult
    block: int


@dataclass(frozen=True, slots=True)
class SetResponseLastBlockList:
    """How several writes in blocks ended."""

    invoke: int
    results: tuple[DataAccessResult, ...]
    block: int


@dataclass(frozen=True, slots=True)
class SetResponseList:
    """How several writes ended."""

    invoke: int
    results: tuple[DataAccessResult, ...]


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """Call one method."""

    invoke: int
    method: MethodRef
    parameter: Data | None = None


@dataclass(frozen=True, slots=True)
class ActionRequestNext:
    """Ask for the block after ``block`` of a long return value."""

    invoke: int
    block: int


@dataclass(frozen=True, slots=True)
class ActionRequestList:
    """Call several methods; null-data where a method has no parameter."""

    invoke: int
    methods: tuple[MethodRef, ...]
    parameters: tuple[Data, ...]


@dataclass(frozen=True, slots=True)
class ActionRequestFirstBlock:
    """Begin to call a method whose parameter comes in blocks."""

    invoke: int
    method: MethodRef
    block: DataBlock


@dataclass(frozen=True, slots=True)
class ActionRequestListFirstBlock:
    """Begin to call several methods whose parameters come in blocks."""

    invoke: int
    methods: tuple[MethodRef, ...]
    block: DataBlock


@dataclass(frozen=True, slots=True)
class ActionRequestBlock:
    """Go on with parameters in blocks."""

    invoke: int
    block: DataBlock


@dataclass(frozen=True, slots=True)
class ActionOutcome:
    """How one call ended, and what it returned: a value, why there is none, or nothing."""

    result: ActionResult
    returned: GetResult | None = None


@dataclass(frozen=True, slots=True)
class ActionResponse:
    """How one call ended."""

    invoke: int
    outcome: ActionOutcome


@dataclass(frozen=True, slots=True)
class ActionResponseBlock:
    """A piece of a long return value."""

    invoke: int
    block: DataBlock


@dataclass(frozen=True, slots=True)
class ActionResponseList:
    """How several calls ended."""

    invoke: int
    outcomes: tuple[ActionOutcome, ...]


@dataclass(frozen=True, slots=True)
class ActionResponseNext:
    """A block of a parameter has come; send the next."""

    invoke: int
    block: int


class AccessKind(IntEnum):
    """What one part of an ACCESS asks for; the same numbers answer it."""

    GET = 1
    SET = 2
    ACTION = 3


@dataclass(frozen=True, slots=True)
class AccessItem:
    """One part of an ACCESS request.

    Args:
        kind: what is asked.
        target: an attribute for GET and SET, a method for ACTION.
        selection: only with GET and SET.
        value: what is written or passed; null-data with GET and where a method has no parameter.
    """

    kind: AccessKind
    target: AttributeRef | MethodRef
    selection: Selection | None
    value: Data


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """Several reads, writes and calls in one message; ``long_invoke`` has 32 bits."""

    long_invoke: int
    at: CosemDateTime | None
    items: tuple[AccessItem, ...]


@dataclass(frozen=True, slots=True)
class AccessOutcome:
    """How one part ended; the value is null-data where there is none."""

    kind: AccessKind
    result: DataAccessResult | ActionResult
    value: Data


@dataclass(frozen=True, slots=True)
class AccessResponse:
    """The answers, in order."""

    long_invoke: int
    at: CosemDateTime | None
    outcomes: tuple[AccessOutcome, ...]


GetApdu: TypeAlias = GetRequest | GetRequestNext | GetRequestList | GetResponse | GetResponseBlock | GetResponseList
SetApdu: TypeAlias = (
    SetRequest
    | SetRequestFirstBlock
    | SetRequestBlock
    | SetRequestList
    | SetRequestListFirstBlock
    | SetResponse
    | SetResponseBlock
    | SetResponseLastBlock
    | SetResponseLastBlockList
    | SetResponseList
)
ActionApdu: TypeAlias = (
    ActionRequest
    | ActionRequestNext
    | ActionRequestList
    | ActionRequestFirstBlock
    | ActionRequestListFirstBlock
    | ActionRequestBlock
    | ActionResponse
    | ActionResponseBlock
    | ActionResponseList
    | ActionResponseNext
)
AccessApdu: TypeAlias = AccessRequest | AccessResponse
ServiceApdu: TypeAlias = GetApdu | SetApdu | ActionApdu | AccessApdu
