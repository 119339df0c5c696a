"""What keeping the gateway's words about thresholds asks of the bus and the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from openami.contracts.threshold_word import ThresholdWord

NEWEST = 500


class ThresholdWordSource(Protocol):
    """The gateway's words about thresholds."""

    async def read(self, *, since: datetime | None) -> list[ThresholdWord]:
        """Return words that came since the last call; at the first call those kept since an instant, None for all.

        Raises:
            BusUnavailableError: the bus does not answer.
        """
        ...

    async def close(self) -> None:
        """Stop reading. Never raises."""
        ...


class ThresholdBook(Protocol):
    """Words that were said. Several head-ends may keep the same.

    Every method raises :class:`~openami.headend.ports.StateUnavailableError` when the database does not answer.
    """

    async def note(self, words: Sequence[ThresholdWord]) -> list[ThresholdWord]:
        """Keep words, each once, and return those that were new."""
        ...

    async def newest_at(self) -> datetime | None:
        """Return when the newest word was said, real time; None where none is kept."""
        ...

    async def newest(self, *, limit: int = NEWEST) -> list[ThresholdWord]:
        """Return words, the newest first."""
        ...

    async def held(self, *, since: datetime) -> list[ThresholdWord]:
        """Return words about commands that were held since an instant and have not passed since, oldest first."""
        ...
