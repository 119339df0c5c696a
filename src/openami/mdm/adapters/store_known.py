"""When a row is known: stamps that keep every "as known at" answer the same for ever.

A write takes a stamp when it begins and is seen when it ends. An answer as of second T must hold every row of stamps up
to T that will ever be seen, and none later may get such a stamp. So an answer waits for the writes under way with a
stamp up to T, and a write's stamp lies above every T that was answered and is never below an earlier stamp, whatever
the clock does. A question about the future is one about now.

The highest of both is kept in a file, so that it holds across a restart with a clock that went back.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from openami.kernel.clock import Clock
from openami.kernel.time import epoch_s
from openami.mdm.ports import StoreUnavailableError

WAIT_S = 60.0
"""Longer than any write lasts."""


@dataclass(slots=True)
class KnownClock:
    """Stamps writes and settles questions, from any thread.

    Args:
        clock: the installation's own time.
        file: where the highest stamp is kept; None to keep it in memory.
    """

    clock: Clock
    file: Path | None = None
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _under_way: Counter[int] = field(default_factory=Counter)
    _stamped: int = 0
    _answered: int = -1

    def __post_init__(self) -> None:
        if self.file is not None and self.file.exists():
            said = self.file.read_text().strip()
            # Any stamp up to the highest may have been asked about.
            self._stamped = self._answered = int(said) if said.isdecimal() else 0

    @contextmanager
    def write(self) -> Iterator[int]:
        """Give the stamp of a write, seconds since the epoch, and hold questions about it until the block ends."""
        with self._changed:
            stamp = max(epoch_s(self.clock.now()), self._stamped, self._answered + 1)
            if stamp > self._stamped:
                self._stamped = stamp
                self._keep()
            self._under_way[stamp] += 1
        try:
            yield stamp
        finally:
            with self._changed:
                self._under_way[stamp] -= 1
                if not self._under_way[stamp]:
                    del self._under_way[stamp]
                self._changed.notify_all()

    def settle(self, known_at_s: int) -> int:
        """Wait until what is known at a second is settled, and return it: the same, or now if it lies ahead.

        Raises:
            StoreUnavailableError: a write under way does not end.
        """
        with self._changed:
            second = min(known_at_s, max(epoch_s(self.clock.now()), self._stamped))
            self._answered = max(self._answered, second)
            if second >= self._stamped:
                self._keep()

            def is_settled() -> bool:
                return all(stamp > second for stamp in self._under_way)

            if not self._changed.wait_for(is_settled, WAIT_S):
                raise StoreUnavailableError("a write that the answer depends on does not end: try again")
            return second

    def _keep(self) -> None:
        if self.file is not None:
            draft = self.file.with_suffix(".new")
            draft.write_text(f"{max(self._stamped, self._answered)}\n")
            draft.replace(self.file)
