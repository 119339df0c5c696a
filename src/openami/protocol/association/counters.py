"""Invocation counters: the one we send under, and what we accept.

A counter is used once per key and only rises. The send counter is reserved on a disk before it is used, by whoever
implements the port; the accepted one moves only after a tag has verified, so that a forged message moves nothing.
"""

from __future__ import annotations

from typing import Protocol

from openami.protocol.errors import PeerError, UsageError
from openami.security.suites.gcm import MAX_COUNTER

MAX_FORWARD_JUMP = 2_000_000
"""Largest step up that is taken at once. A sender that was restored from a copy steps a million ahead of what it knew,
and blocks that it had reserved come on top. More is held until a person looks: a device whose counter was driven to its
end cannot speak again under that key."""


class CounterEndedError(UsageError):
    """All counters of a key are used: it must be changed before anything more is sealed."""


class SendCounter(Protocol):
    """Gives each number once, also after a crash.

    The invocation counter is the number less where the key began to count, which goes with the key: see
    :attr:`openami.protocol.association.keys.Keys.counted_from`.
    """

    def take(self) -> int:
        """Return the next number, never one that was given before."""
        ...


class ReceiveCounter(Protocol):
    """Remembers what was accepted under one key from one peer."""

    def check(self, counter: int) -> None:
        """Refuse a counter that may not be accepted now; changes nothing.

        Raises:
            PeerError: ``replay`` where it does not rise, ``jump`` where it rises too far.
        """
        ...

    def accept(self, counter: int) -> None:
        """Take note of a counter whose tag has verified."""
        ...


class CountUp:
    """A send counter in memory: for tests and for associations whose key ends with them.

    Args:
        first: the first counter given.
    """

    __slots__ = ("_next",)

    def __init__(self, first: int = 0) -> None:
        self._next = first

    def take(self) -> int:
        """Return the next counter.

        Raises:
            CounterEndedError: the key must be changed.
        """
        if self._next > MAX_COUNTER:
            raise CounterEndedError("the invocation counter has ended: change the key")
        counter = self._next
        self._next += 1
        return counter


class RisingCounter:
    """Accepts what is greater than all accepted before, in memory.

    Args:
        last: the last accepted counter; None where none was seen yet, which is not the same as 0: a device whose first
            message has counter 0 is a device all the same.
        max_jump: largest step up.
    """

    __slots__ = ("last", "max_jump")

    def __init__(self, last: int | None = None, *, max_jump: int = MAX_FORWARD_JUMP) -> None:
        self.last = last
        self.max_jump = max_jump

    def check(self, counter: int) -> None:
        """Refuse what does not rise, or rises too far.

        Raises:
            PeerError: ``replay`` or ``jump``.
        """
        if self.last is None:
            return
        if counter <= self.last:
            raise PeerError("replay", f"invocation counter {counter} after {self.last} was accepted", 0)
        if counter - self.last > self.max_jump:
            raise PeerError("jump", f"invocation counter {counter} is over {self.max_jump} above {self.last}", 0)

    def accept(self, counter: int) -> None:
        """Take note of a counter whose tag has verified."""
        self.last = counter
