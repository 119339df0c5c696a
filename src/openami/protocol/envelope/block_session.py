"""General block transfer as a conversation: long messages both ways over one link, with loss, repeats and disorder.

Each end sends its blocks in windows and waits at the end of each for the number up to which all came; what is missing
is sent again from there. A message that answers another confirms it by its first block. When a time-out of the link
ends, ``resend`` gives what to say again: the window that nobody confirmed, or how far the peer's blocks came.

A message that the peer sends again because our answer was lost is not given twice: as long as our answer stands
unconfirmed, the same blocks mean "say it again". Blocks carry no name of their message, so only the tag of what is
sealed in them proves that all belong together.

Source: IEC 62056-5-3, 6.16 (general block transfer, lost block recovery).
"""

from __future__ import annotations

from openami.protocol.envelope.blocks import (
    FIRST_BLOCK,
    WINDOW_MASK,
    Block,
    BlockReceiver,
    BlockSender,
    build_block,
    parse_block,
)
from openami.protocol.errors import PeerError, UsageError


class BlockSession:
    """Both directions at one end.

    Args:
        block_octets: data of one block that the peer takes.
        window: how many blocks we take before we confirm, 1 to 63.
    """

    __slots__ = ("_block_octets", "_done", "_peer_window", "_receiver", "_sender", "_taken", "_under_way", "_window")

    def __init__(self, *, block_octets: int, window: int = 1) -> None:
        if block_octets < 1 or not 1 <= window <= WINDOW_MASK:
            raise UsageError("a block session needs blocks of at least one octet and a window of 1 to 63")
        self._block_octets = block_octets
        self._window = window
        self._peer_window = 1
        self._receiver = BlockReceiver(window=window)
        self._sender: BlockSender | None = None
        self._under_way: dict[int, bytes] = {}
        self._done: dict[int, bytes] = {}
        self._taken = 0

    @property
    def is_busy(self) -> bool:
        """Whether a message is under way, in either direction."""
        return self._receiver.is_open or self._sender is not None

    def send(self, message: bytes) -> list[bytes]:
        """Begin to send a message, and return the blocks of the first window.

        Raises:
            UsageError: no octets, or more blocks than the limit.
        """
        self._sender = BlockSender(message, block_octets=self._block_octets, window=self._peer_window)
        return self._outgoing(self._sender)

    def resend(self) -> list[bytes]:
        """Return what to say again after a time-out; nothing where nothing is under way."""
        if self._sender is not None:
            return self._outgoing(self._sender)
        return [self._confirmation()] if self._receiver.is_open else []

    def receive(self, octets: bytes) -> tuple[list[bytes], bytes | None]:
        """Take a block; return what to send now, and the message that it completes.

        Raises:
            PeerError: no block, or one that cannot belong here; what was under way is forgotten.
        """
        block = parse_block(octets)
        try:
            if not block.data:
                return self._confirmed(block), None
            if not self._receiver.is_open and self._done.get(block.number) == block.data:
                return self._said_again(block), None
            return self._take(block)
        except PeerError:
            self.reset()
            raise

    def reset(self) -> None:
        """Forget what is under way."""
        self._receiver.reset()
        self._sender = None
        self._under_way = {}
        self._done = {}
        self._taken = 0

    def _confirmed(self, block: Block) -> list[bytes]:
        self._peer_window = block.window or 1
        if self._sender is None:
            return []
        self._sender.window = self._peer_window
        self._sender.resume(block.acknowledged)
        if self._sender.is_done:
            self._sender = None
            self._done = {}
            return []
        return self._outgoing(self._sender)

    def _said_again(self, block: Block) -> list[bytes]:
        if not _pauses(block):
            return []
        return self._outgoing(self._sender) if self._sender is not None else [self._confirmation()]

    def _take(self, block: Block) -> tuple[list[bytes], bytes | None]:
        # Whoever begins a message has what it wanted of ours, or has given it up.
        self._sender = None
        if block.number == FIRST_BLOCK and self._under_way.get(FIRST_BLOCK, block.data) != block.data:
            self._under_way = {}
        self._peer_window = block.window or self._peer_window
        self._under_way[block.number] = block.data
        message = self._receiver.receive(block)
        if message is not None:
            self._done, self._under_way = self._under_way, {}
            self._taken = max(self._done)
            return [], message
        return ([self._confirmation()] if _pauses(block) else []), None

    def _outgoing(self, sender: BlockSender) -> list[bytes]:
        blocks = [parse_block(b) for b in sender.send()]
        return [
            build_block(Block(b.number, self._taken, b.data, b.is_last, b.is_streaming, self._window)) for b in blocks
        ]

    def _confirmation(self) -> bytes:
        number = self._receiver.acknowledged if self._receiver.is_open else self._taken
        return build_block(Block(FIRST_BLOCK, number, b"", is_last=True, window=self._window))


def _pauses(block: Block) -> bool:
    """Tell whether the peer now waits: at the end of its window, or of its message."""
    return block.is_last or not block.is_streaming
