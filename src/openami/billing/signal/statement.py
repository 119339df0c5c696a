"""Statements of signals: all that happened to one signal in a time, from whom, and since when it was believed. Values.

A rate names a signal; a statement says everything about it between two instants, so that no event is told from no
word. A later statement over the same time takes the earlier one's place there. Nothing is rewritten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from openami.kernel.errors import OpenAmiError
from openami.kernel.time import Period

SYSTEM = "system"
"""The signal of the system's peaks, which coincident demand follows."""
LONGEST = timedelta(days=3_700)
"""Ten years: a statement of more is a mistyped year."""
LEAST_PRICE_S, LONGEST_PRICE_S = 60, 366 * 86_400


class SignalError(OpenAmiError):
    """A statement cannot be; the text says which and why."""


class SignalKind(StrEnum):
    """What a statement is of."""

    EVENTS = "events"
    PRICES = "prices"
    PEAKS = "peaks"


@dataclass(frozen=True, slots=True)
class Statement:
    """All that happened to a signal in a time.

    Args:
        statement_id: names it.
        kind, signal: of what; peaks are of :data:`SYSTEM`.
        period: for which time it is complete.
        source: where it comes from, in words.
        entered_at: domain time since which it is believed.
        entered_by: the person's id; empty for the program.
        events: rising periods within the time; none says that there was none.
        instants: of peaks, rising, within the time.
        interval_s: how long each price holds [s]; 0 where there are none.
        prices: per kWh, from the start of the time to its end without a gap.

    Raises:
        SignalError: something lies outside its time, or prices do not fill it.
    """

    statement_id: UUID
    kind: SignalKind
    signal: str
    period: Period
    source: str
    entered_at: datetime
    entered_by: str = ""
    events: tuple[Period, ...] = ()
    instants: tuple[datetime, ...] = ()
    interval_s: int = 0
    prices: tuple[Decimal, ...] = ()

    def __post_init__(self) -> None:
        if not self.signal or not self.source:
            raise SignalError(f"{self.words}: its signal and its source are needed")
        if self.period.end - self.period.start > LONGEST:
            raise SignalError(f"{self.words}: more than ten years is a mistyped year")
        if self.kind is SignalKind.PRICES:
            self._check_prices()
        edges = [e.start for e in self.events] + [e.end for e in self.events]
        if any(not self.period.start <= i <= self.period.end for i in (*edges, *self.instants)):
            raise SignalError(f"{self.words}: what happened lies within the time of the statement")
        if any(a.end > b.start for a, b in zip(self.events, self.events[1:], strict=False)):
            raise SignalError(f"{self.words}: events rise and do not overlap")
        if list(self.instants) != sorted(set(self.instants)) or self.period.end in self.instants:
            raise SignalError(f"{self.words}: peaks rise, each once, before the end of the time")
        if self.kind is SignalKind.PEAKS and self.signal != SYSTEM:
            raise SignalError(f"{self.words}: peaks are of the signal {SYSTEM!r}")

    def _check_prices(self) -> None:
        if not LEAST_PRICE_S <= self.interval_s <= LONGEST_PRICE_S:
            raise SignalError(f"{self.words}: a price holds for {LEAST_PRICE_S} to {LONGEST_PRICE_S} seconds")
        if self.period.start + timedelta(seconds=self.interval_s * len(self.prices)) != self.period.end:
            raise SignalError(f"{self.words}: {len(self.prices)} prices of {self.interval_s} s do not fill its time")

    @property
    def words(self) -> str:
        """What it is of, for messages."""
        return f"{self.kind.value} of {self.signal[:60]!r} from {self.period.start.isoformat()}"


class SignalBook(Protocol):
    """Keeps statements; rows are only added."""

    async def enter(self, rows: Sequence[Statement]) -> int:
        """Keep statements, all or none; one that is there already counts once. Returns how many were new."""
        ...

    async def over(self, signals: Sequence[str], period: Period) -> list[Statement]:
        """Return statements of signals that overlap a time, the newest first."""
        ...

    async def entered_since(self, since: datetime) -> list[Statement]:
        """Return statements entered at an instant or later, oldest first."""
        ...

    async def newest(self, limit: int) -> list[Statement]:
        """Return the statements entered last, the newest first."""
        ...
