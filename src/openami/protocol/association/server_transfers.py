"""Long transfers at the server: an answer given in blocks, and a request taken in blocks. One at a time.

The block given or taken last may come again, because its answer may have been lost; any other number out of turn ends
the transfer. Source: IEC 62056-5-3, 6.6 to 6.8 (block transfer with GET, SET and ACTION).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from openami.protocol.apdu.services import (
    ActionRequestFirstBlock,
    ActionRequestListFirstBlock,
    ActionResponseBlock,
    DataBlock,
    GetResponseBlock,
    SetRequestFirstBlock,
    SetRequestListFirstBlock,
)
from openami.protocol.association.limits import MAX_SERVED_VALUE_OCTETS
from openami.protocol.cosem.reference import DataAccessResult

LongSet: TypeAlias = SetRequestFirstBlock | SetRequestListFirstBlock
LongAction: TypeAlias = ActionRequestFirstBlock | ActionRequestListFirstBlock
BLOCK_ANSWER_OCTETS = 16
"""Octets of a block answer around its data: tag, form, invoke, last, number, choice, length."""
INVOKE_MASK = 0x0F


@dataclass(slots=True)
class Outgoing:
    """A long answer.

    Args:
        invoke: the request's invoke-id-and-priority.
        octets: the whole value.
        block_octets: data of one block.
        is_action: whether a method returned it.
        given: number of the block given last.
    """

    invoke: int
    octets: bytes = field(repr=False)
    block_octets: int
    is_action: bool
    given: int = 0

    def give(self, number: int) -> GetResponseBlock | ActionResponseBlock:
        """Return a block as an answer, and remember that it was given."""
        self.given = number
        end = number * self.block_octets
        block = DataBlock(end >= len(self.octets), number, self.octets[end - self.block_octets : end])
        if self.is_action:
            return ActionResponseBlock(self.invoke, block)
        return GetResponseBlock(self.invoke, block.is_last, block.number, block.octets)

    def after(self, invoke: int, number: int) -> GetResponseBlock | ActionResponseBlock | None:
        """Return the block after ``number``; None where it does not follow."""
        is_turn = number in {self.given, self.given - 1} and number >= 1
        if (self.invoke ^ invoke) & INVOKE_MASK or not is_turn or number * self.block_octets >= len(self.octets):
            return None
        return self.give(number + 1)


@dataclass(slots=True)
class Incoming:
    """A long request: where it goes, what came, and how many blocks."""

    first: LongSet | LongAction = field(repr=False)
    parts: bytearray = field(default_factory=bytearray, repr=False)
    taken: int = 0

    def take(self, invoke: int, block: DataBlock) -> DataAccessResult:
        """Take a block, and say whether it belonged."""
        if (self.first.invoke ^ invoke) & INVOKE_MASK:
            return DataAccessResult.NO_LONG_SET_IN_PROGRESS
        if block.number == self.taken and block.number and not block.is_last:
            return DataAccessResult.SUCCESS
        if block.number != self.taken + 1:
            return DataAccessResult.DATA_BLOCK_NUMBER_INVALID
        if len(self.parts) + len(block.octets) > MAX_SERVED_VALUE_OCTETS:
            return DataAccessResult.LONG_SET_ABORTED
        self.parts += block.octets
        self.taken = block.number
        return DataAccessResult.SUCCESS
