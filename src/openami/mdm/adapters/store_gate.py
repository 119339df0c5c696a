"""Holding writes for a moment, so that store and registry are copied at one point. Threads wait; nobody is refused.

A hold is a lease: whoever asked for it and died does not stop the ingest for longer than the lease.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from openami.mdm.ports import StoreError, StoreUnavailableError

LONGEST_HOLD_S = 30.0
"""A snapshot takes well under a second; the bus and the clients wait twice as long as this."""


@dataclass(slots=True)
class WriteGate:
    """Lets writes through, or holds them.

    Args:
        monotonic: real time that never jumps [s].
    """

    monotonic: Callable[[], float] = time.monotonic
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _under_way: int = 0
    _holder: str = ""
    _until: float = 0.0

    @contextmanager
    def write(self) -> Iterator[None]:
        """Hold back while writes are held, then count as under way for the length of the block."""
        with self._changed:
            while self._is_held():
                self._changed.wait(self._until - self.monotonic())
            self._under_way += 1
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def hold(self, holder: str, seconds: float) -> None:
        """Begin a hold and return once no write is under way.

        Raises:
            StoreUnavailableError: another hold lasts, or writes under way do not end in time.
            StoreError: too long a hold.
        """
        if not holder or not 0 < seconds <= LONGEST_HOLD_S:
            raise StoreError(f"a hold has a name and lasts up to {LONGEST_HOLD_S:g} s")
        with self._changed:
            if self._is_held() and self._holder != holder:
                raise StoreUnavailableError("another backup holds the store's writes: try again")
            self._holder, self._until = holder, self.monotonic() + seconds
            while self._under_way:
                left = self._until - self.monotonic()
                if left <= 0:
                    self._let_go()
                    raise StoreUnavailableError("writes under way did not end in time: try again")
                self._changed.wait(left)

    def require_held(self, holder: str) -> None:
        """Pass if this hold still lasts.

        Raises:
            StoreUnavailableError: it has ended, so writes may have come between.
        """
        with self._changed:
            if not self._is_held() or self._holder != holder:
                raise StoreUnavailableError("the hold on the store's writes has ended: try again")

    def release(self, holder: str) -> None:
        """End a hold; that of another is left alone."""
        with self._changed:
            if self._holder == holder:
                self._let_go()

    def _is_held(self) -> bool:
        return bool(self._holder) and self.monotonic() < self._until

    def _let_go(self) -> None:
        self._holder, self._until = "", 0.0
        self._changed.notify_all()
