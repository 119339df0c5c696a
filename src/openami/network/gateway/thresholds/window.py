"""Sums over sliding windows of time, exact: in no span of that length does more pass than was counted in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable


class SlidingSums:
    """Sums of amounts by key, over the last ``span_ms`` of each.

    Time that goes back stands still here: nothing leaves a window early because a clock was set.

    Args:
        span_ms: length of the window, ms.

    >>> sums = SlidingSums(1_000)
    >>> sums.add("x", 2, now_ms=0), sums.add("x", 3, now_ms=999)
    (None, None)
    >>> sums.total("x", now_ms=999), sums.total("x", now_ms=1_000), sums.total("x", now_ms=1_999)
    (5, 3, 0)
    """

    def __init__(self, span_ms: int) -> None:
        self._span_ms = span_ms
        self._now_ms = 0
        self._events: dict[Hashable, deque[tuple[int, int]]] = {}
        self._totals: dict[Hashable, int] = {}

    def __len__(self) -> int:
        return len(self._events)

    def total(self, key: Hashable, *, now_ms: int) -> int:
        """Return the sum of what was added in the window that ends now."""
        self._forget(key, now_ms)
        return self._totals.get(key, 0)

    def add(self, key: Hashable, amount: int, *, now_ms: int) -> None:
        """Count an amount, 0 or more."""
        self._forget(key, now_ms)
        self._events.setdefault(key, deque()).append((max(now_ms, self._now_ms), amount))
        self._totals[key] = self._totals.get(key, 0) + amount

    def take_back(self, key: Hashable, amount: int) -> None:
        """Take back the last amount that was added under a key, which was this."""
        events = self._events.get(key)
        if events and events[-1][1] == amount:
            events.pop()
            self._totals[key] -= amount

    def sweep(self, *, now_ms: int) -> None:
        """Forget keys whose windows are empty."""
        for key in list(self._events):
            self._forget(key, now_ms)

    def _forget(self, key: Hashable, now_ms: int) -> None:
        self._now_ms = max(self._now_ms, now_ms)
        events = self._events.get(key)
        if events is None:
            return
        while events and events[0][0] <= self._now_ms - self._span_ms:
            self._totals[key] -= events.popleft()[1]
        if not events:
            del self._events[key], self._totals[key]
