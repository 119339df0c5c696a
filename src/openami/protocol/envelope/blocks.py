"""General block transfer: an APDU in numbered blocks, in and out.

``E0 | block control | block number u16 | number acknowledged u16 | length | data``. The control octet is: 0x80 last
block, 0x40 streaming (the sender goes on without waiting), low six bits the window (how many blocks the sender of this
octet is ready to take). Numbers begin at 1 with each APDU; an acknowledged number n confirms all up to n.
Source: IEC 62056-5-3, 6.16 and 9.4.6.13 (general-block-transfer).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from openami.protocol.envelope.length import decode_length, encode_length
from openami.protocol.envelope.limits import MAX_APDU_OCTETS, MAX_SEGMENTS
from openami.protocol.errors import PeerError, UsageError

GENERAL_BLOCK_TRANSFER = 0xE0
LAST = 0x80
STREAMING = 0x40
WINDOW_MASK = 0x3F
FIRST_BLOCK = 1
_HEAD_OCTETS = 6


@dataclass(frozen=True, slots=True)
class Block:
    """One block. An acknowledgment alone has no data."""

    number: int
    acknowledged: int
    data: bytes = field(repr=False)
    is_last: bool
    is_streaming: bool = False
    window: int = 0


def build_block(block: Block) -> bytes:
    """Return the octets of a block.

    Raises:
        UsageError: a number over 16 bits or a window over 6.
    """
    if not 0 <= block.window <= WINDOW_MASK or not 0 <= block.number <= 0xFFFF or not 0 <= block.acknowledged <= 0xFFFF:
        raise UsageError("a block number has 16 bits, a window 6")
    control = (LAST if block.is_last else 0) | (STREAMING if block.is_streaming else 0) | block.window
    head = bytes((GENERAL_BLOCK_TRANSFER, control)) + block.number.to_bytes(2) + block.acknowledged.to_bytes(2)
    return head + encode_length(len(block.data)) + block.data


def parse_block(octets: bytes) -> Block:
    """Read a block that fills the octets.

    Raises:
        PeerError: another APDU, cut, or octets left over.
    """
    if octets[:1] != bytes((GENERAL_BLOCK_TRANSFER,)):
        raise PeerError("unexpected_apdu", "no general-block-transfer", 0)
    if len(octets) < _HEAD_OCTETS:
        raise PeerError("cut", "the octets end inside the head of a block", len(octets))
    length, start = decode_length(octets, _HEAD_OCTETS)
    present = len(octets) - start
    if present != length:
        code = "cut" if present < length else "trailing"
        raise PeerError(code, f"{present} octets in a block of {length}", min(len(octets), start + length))
    control = octets[1]
    return Block(
        int.from_bytes(octets[2:4]),
        int.from_bytes(octets[4:6]),
        octets[start:],
        bool(control & LAST),
        bool(control & STREAMING),
        control & WINDOW_MASK,
    )


def is_block(octets: bytes) -> bool:
    """Tell whether a message is a general block."""
    return octets[:1] == bytes((GENERAL_BLOCK_TRANSFER,))


class BlockReceiver:
    """Puts blocks together, whatever their order; block 1 always begins anew.

    Args:
        window: how many blocks we are ready to take before we acknowledge; 0 for a push that nobody confirms.
    """

    __slots__ = ("_blocks", "_first", "_last_number", "_size", "window")

    def __init__(self, *, window: int = 0) -> None:
        self.window = window
        self.reset()

    def reset(self) -> None:
        """Forget the APDU that is under way."""
        self._blocks: dict[int, bytes] = {}
        self._first: Block | None = None
        self._last_number: int | None = None
        self._size = 0

    @property
    def is_open(self) -> bool:
        """Whether blocks wait for others."""
        return bool(self._blocks)

    @property
    def octets(self) -> int:
        """Octets of the blocks that wait for others."""
        return self._size

    @property
    def acknowledged(self) -> int:
        """Highest number up to which no block is missing."""
        number = 0
        while number + 1 in self._blocks:
            number += 1
        return number

    @property
    def missing(self) -> tuple[int, ...]:
        """Numbers below the highest seen that have not come."""
        highest = max(self._blocks, default=0)
        return tuple(n for n in range(FIRST_BLOCK, highest) if n not in self._blocks)

    def acknowledgment(self) -> bytes:
        """Return the block, without data, that tells the peer what has come and how many more we take."""
        window = self.window or 1
        return build_block(Block(FIRST_BLOCK, self.acknowledged, b"", is_last=True, window=window))

    def receive(self, block: Block) -> bytes | None:
        """Take a block; return the APDU that it completes. A block that came before is taken as sent again.

        Raises:
            PeerError: number 0, a block after the last, other octets under a number that came, or too many octets.
        """
        if block.number < FIRST_BLOCK:
            raise PeerError("bad_block", "block number 0; numbers begin at 1", 2)
        if block.number == FIRST_BLOCK and self._first is not None and block != self._first:
            self.reset()
        known = self._blocks.get(block.number)
        if known is not None and known != block.data:
            self.reset()
            raise PeerError("bad_block", f"block {block.number} came twice with different octets", 2)
        if known is None:
            self._add(block)
        if self._last_number is None or self.acknowledged < self._last_number:
            return None
        apdu = b"".join(self._blocks[n] for n in range(FIRST_BLOCK, self._last_number + 1))
        self.reset()
        return apdu

    def _add(self, block: Block) -> None:
        beyond = self._last_number is not None and block.number > self._last_number
        before = block.is_last and any(n > block.number for n in self._blocks)
        if beyond or before or (block.is_last and self._last_number is not None):
            self.reset()
            raise PeerError("bad_block", f"block {block.number} does not agree with the last block", 2)
        if block.number > MAX_SEGMENTS or self._size + len(block.data) > MAX_APDU_OCTETS:
            self.reset()
            raise PeerError("too_long", f"blocks of more than {MAX_APDU_OCTETS} octets or {MAX_SEGMENTS} pieces", 2)
        if block.number == FIRST_BLOCK:
            self._first = block
        if block.is_last:
            self._last_number = block.number
        self._blocks[block.number] = block.data
        self._size += len(block.data)


class BlockSender:
    """Sends one APDU in blocks and sends again what the peer did not get.

    Args:
        apdu: what to send.
        block_octets: data of one block.
        window: how many blocks the peer takes before it acknowledges; 0 to send all at once, unconfirmed.

    Raises:
        UsageError: no octets, or an APDU of more blocks than the limit.
    """

    __slots__ = ("_next", "_pieces", "window")

    def __init__(self, apdu: bytes, *, block_octets: int, window: int = 0) -> None:
        if block_octets < 1 or not apdu or not 0 <= window <= WINDOW_MASK:
            raise UsageError("a block transfer needs octets, blocks of at least one and a window of 6 bits")
        self._pieces = [apdu[i : i + block_octets] for i in range(0, len(apdu), block_octets)]
        if len(self._pieces) > MAX_SEGMENTS:
            raise UsageError(f"{len(self._pieces)} blocks; the limit is {MAX_SEGMENTS}")
        self._next = FIRST_BLOCK
        self.window = window

    @property
    def is_done(self) -> bool:
        """Whether every block has been sent (and, with a window, acknowledged)."""
        return self._next > len(self._pieces)

    def send(self) -> list[bytes]:
        """Return the blocks to send now: one window, or all that are left where nobody confirms."""
        count = self.window or len(self._pieces)
        last_now = min(self._next + count - 1, len(self._pieces))
        blocks = [self._block(n, pause=n == last_now) for n in range(self._next, last_now + 1)]
        if not self.window:
            self._next = len(self._pieces) + 1
        return blocks

    def acknowledge(self, number: int) -> None:
        """Take the peer's word that all blocks up to a number came; what follows is sent with the next window.

        Raises:
            PeerError: a number that was never sent.
        """
        if number > len(self._pieces):
            raise PeerError("bad_block", f"block {number} is acknowledged and was never sent", 4)
        self._next = max(self._next, number + 1)

    def resume(self, number: int) -> None:
        """Go on after a block, also an earlier one than was acknowledged: the peer has forgotten what came.

        Raises:
            PeerError: a number that was never sent.
        """
        self.acknowledge(number)
        self._next = number + 1

    def _block(self, number: int, *, pause: bool) -> bytes:
        is_last = number == len(self._pieces)
        streaming = not is_last and not (pause and self.window)
        return build_block(Block(number, 0, self._pieces[number - 1], is_last, streaming, 0))
