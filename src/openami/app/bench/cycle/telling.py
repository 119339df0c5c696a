"""Says on stderr how far a bench of minutes is, a line at a time."""

from __future__ import annotations

import sys
import time


class Progress:
    """Lines with the seconds since the bench began."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    def say(self, words: str) -> None:
        """Print a line."""
        print(f"{time.perf_counter() - self._began:8.1f} s  {words}", file=sys.stderr, flush=True)

    def part(self, name: str, done: int, whole: int) -> None:
        """Print a bar of ten steps whenever another of them is full."""
        steps = 10 * done // whole
        if steps > 10 * (done - 1) // whole:
            self.say(f"{name} [{'#' * steps}{'.' * (10 - steps)}] {done:,} of {whole:,}")
