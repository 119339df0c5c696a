"""What watching collectors asks of the bus and the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from openami.contracts.health import CollectorWord
from openami.headend.collectors.finding import Condition
from openami.headend.collectors.judge import Standing


class WordSource(Protocol):
    """The gateway's words about collectors."""

    async def read(self) -> list[CollectorWord]:
        """Return words that came since the last call; after a start the last of each collector.

        Raises:
            BusUnavailableError: the bus does not answer.
        """
        ...

    async def close(self) -> None:
        """Stop reading. Never raises."""
        ...


class CollectorBook(Protocol):
    """What is known of collectors, and what was found. Several head-ends may write the same.

    Every method raises :class:`~openami.headend.ports.StateUnavailableError` when the database does not answer.
    """

    async def note(self, words: Sequence[CollectorWord]) -> None:
        """Keep the newest word of each collector; the first with a place makes its home."""
        ...

    async def fleet(self) -> Mapping[int, Standing]:
        """Return every collector that was ever heard of and is not retired."""
        ...

    async def settle(self, conditions: Sequence[Condition], *, now_ms: int) -> list[Condition]:
        """Open a finding for each condition that has none, end those that are no more, and return the new ones.

        One that was a warning and is none any more is new, too.
        """
        ...


class StolenBook(Protocol):
    """Which collectors people reported stolen."""

    async def stolen(self) -> Mapping[int, int]:
        """Return by number of the collector when it was reported, real time, milliseconds since the epoch.

        Raises:
            StateUnavailableError: the database does not answer.
        """
        ...


class NothingStolen:
    """Nobody reports anything."""

    async def stolen(self) -> Mapping[int, int]:
        """Return none."""
        return {}
