"""Invocation counters: reserved in blocks, kept durably, never used twice.

After a loss of power a meter goes on at its last ceiling: it skips the rest of a block, and a gap is no fault.
What is kept only rises, through every change of keys: a meter counts what it has ever sealed, and an invocation counter
is what was sealed since its key came. So nothing need be set back when a key changes, and no cut between two writes can
bring a counter back that its key has seen.
Source: IEC 62056-5-3, 5.3 (an initialization vector is used once with one key).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from openami.kernel.errors import OpenAmiError
from openami.meter.ports import CounterStore

MAX_COUNTER = 0xFFFF_FFFF
BLOCK = 256
"""How many counters are reserved at once: one durable write for 256 pushes. Far below the head-end's largest jump."""


class CounterExhaustedError(OpenAmiError):
    """A meter has used all counters of its key; it needs a new key."""


class InvocationCounters:
    """Counters of m meters.

    Args:
        store: keeps the ceilings.
    """

    __slots__ = ("_ceilings", "_next", "_store")

    def __init__(self, store: CounterStore) -> None:
        self._store = store
        self._ceilings: npt.NDArray[np.int64] = store.ceilings().copy()
        # Counter 0 is skipped: a head-end's "none seen" and a meter's first push never look alike.
        self._next: npt.NDArray[np.int64] = np.maximum(self._ceilings, 1)

    def take(self, meter: int, *, since: int = 0) -> int:
        """Return a counter that this meter never used with its key and never will again.

        Args:
            meter: which.
            since: what :meth:`used` was when the key came.

        Raises:
            CounterExhaustedError: all 2**32 are used.
            OSError: the reservation could not be kept.
        """
        if int(self._next[meter]) - since > MAX_COUNTER:
            raise CounterExhaustedError(f"meter {meter} of the fleet has used every invocation counter of its key")
        return self.count(meter) - since

    def count(self, meter: int) -> int:
        """Return the next number of all that this meter ever seals, under whatever key.

        Raises:
            OSError: the reservation could not be kept.
        """
        number = int(self._next[meter])
        if number >= self._ceilings[meter]:
            # All meters count at the same pace, so one durable write serves them all.
            raised = np.maximum(self._ceilings, self._next + BLOCK)
            self._store.keep(raised)
            self._ceilings = raised
        self._next[meter] = number + 1
        return number

    def used(self, meter: int) -> int:
        """Return the last number that was given, or skipped: a key that comes now counts from here."""
        return int(self._next[meter]) - 1


class MemoryCounterStore:
    """Keeps ceilings in memory: for tests and trials, where nothing survives anyway."""

    def __init__(self, meters: int) -> None:
        self._kept = np.zeros(meters, dtype=np.int64)

    def ceilings(self) -> npt.NDArray[np.int64]:
        """Return what was kept last."""
        return self._kept.copy()

    def keep(self, ceilings: npt.NDArray[np.int64]) -> None:
        """Keep."""
        self._kept = ceilings.copy()
