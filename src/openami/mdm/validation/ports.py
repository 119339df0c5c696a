"""Port of the book in which validation keeps its progress, its queue and its findings."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from openami.contracts.channel import Channel
from openami.kernel.finding import Severity
from openami.kernel.time import Period
from openami.mdm.vee.ruleset import RuleBook


@dataclass(frozen=True, slots=True)
class DayFinding:
    """A finding about one channel's local day, tied to the version that it speaks of.

    Args:
        rule, severity, period, evidence: as in :class:`~openami.kernel.finding.Finding`.
        version: the day version that was written with it.
        known_at: domain time of the run.
    """

    service_point_id: UUID
    channel: Channel
    local_day: date
    version: int
    run_id: UUID
    rule: str
    severity: Severity
    period: Period
    known_at: datetime
    evidence: Mapping[str, int | float | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """Days whose validation is asked for again; service_point_id None means every service point."""

    id: int
    service_point_id: UUID | None
    first: date
    last: date
    reason: str


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that began and whose news are not published yet."""

    run_id: UUID
    first: date
    last: date


class ValidationBook(Protocol):
    """Durable progress, queue and findings."""

    def turn(self) -> AbstractAsyncContextManager[bool]:
        """Enter with True if no other worker validates now; the turn ends with the context or the process."""
        ...

    async def rule_book(self) -> RuleBook:
        """Return which rules hold when: what is shipped, and over it what operators set."""
        ...

    async def days_done(self, zone: str, first: date, last: date) -> set[date]:
        """Return the local days of the zone that had their first run."""
        ...

    async def mark_done(self, zone: str, days: Collection[date], *, run_id: UUID, at: datetime) -> None:
        """Keep that these days had their first run. A repeat changes nothing."""
        ...

    async def ask(
        self, service_points: Collection[UUID] | None, first: date, last: date, *, reason: str, at: datetime
    ) -> None:
        """Put days on the queue."""
        ...

    async def requests(self, *, limit: int) -> list[Request]:
        """Return the oldest requests."""
        ...

    async def settle(self, requests: Collection[int]) -> None:
        """Take requests that were carried out off the queue."""
        ...

    async def keep_findings(
        self, keys: Sequence[tuple[UUID, Channel, date, int]], findings: Sequence[DayFinding], *, at: datetime
    ) -> None:
        """Keep the findings of these (service point, channel, day, version) and close those of earlier versions.

        A repeat after a crash keeps them once.
        """
        ...

    async def refresh_findings(
        self, keys: Sequence[tuple[UUID, Channel, date, int]], findings: Sequence[DayFinding], *, at: datetime
    ) -> int:
        """Make these the open findings of days whose version stayed as it is, and return how many opened or closed.

        A rule that changed, or a person's answer, may leave every value alone and still open or close a finding.
        """
        ...

    async def places_found(self, rule: str, first: date, last: date) -> dict[date, set[UUID]]:
        """Return the service points of which a rule has an open finding, by local day from first to last."""
        ...

    async def findings(
        self, service_points: Collection[UUID] | None, first: date, last: date, *, limit: int
    ) -> list[DayFinding]:
        """Return open findings, those of the latest version of each day, newest day first."""
        ...

    async def begin_news(self, run_id: UUID, first: date, last: date, *, at: datetime) -> None:
        """Keep that a run over these local days begins and owes news."""
        ...

    async def begun_news(self) -> list[Begun]:
        """Return the runs that owe news, oldest first."""
        ...

    async def end_news(self, run_id: UUID) -> None:
        """Take a run that owes nothing any more off the list."""
        ...
