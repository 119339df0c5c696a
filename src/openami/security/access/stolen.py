"""Reports of people about stolen collectors, and what follows from them. Pure.

A report says that a collector is in the wrong hands, and since when; a later one, that it is back. The newest of a
collector holds. Certificates that it had when it was reported are refused for ever; whoever puts it up again gives it
a new one.

Times from when and until when are by the clock that collectors stamp frames with: what is compared with stamps is
told in stamps.

Source: requirement R5.2 (stolen: certificate and session within fifteen minutes, late data quarantined).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from openami.contracts.directive_body import Revoked
from openami.kernel.errors import MisuseError, OpenAmiError
from openami.kernel.time import EPOCH

LAST_COLLECTOR = 2**32 - 1
MAX_NOTE = 500
MAX_DOUBTED_FOR = timedelta(days=60)
"""Longer than any collector keeps frames: what comes later is not from the time when it was away."""


class ReportsUnavailableError(OpenAmiError):
    """The table of reports does not answer now: try again."""


class ReportRefusedError(OpenAmiError):
    """A report that makes no sense. The text says why."""


class Whereabouts(StrEnum):
    """What a report says."""

    STOLEN = "stolen"
    BACK = "back"


@dataclass(frozen=True, slots=True)
class CollectorReport:
    """What a person said of a collector.

    Args:
        report_id: random.
        collector_id: number of the collector, 1 to 2^32 - 1.
        whereabouts: stolen, or back in our hands.
        from_at: stolen: since when it is out of our hands, by the collectors' clock; back: until when it was.
        serials: of the certificates that it may have.
        user_id: who said it.
        made_at: real time.
        note: what happened, 1 to 500 characters; no name of a customer.

    Raises:
        MisuseError: a value beyond these.
    """

    report_id: UUID
    collector_id: int
    whereabouts: Whereabouts
    from_at: datetime
    serials: frozenset[int]
    user_id: UUID
    made_at: datetime
    note: str

    def __post_init__(self) -> None:
        if not 1 <= self.collector_id <= LAST_COLLECTOR:
            raise MisuseError(f"a collector has a number from 1 to {LAST_COLLECTOR}, not {self.collector_id}")
        if not 1 <= len(self.note) <= MAX_NOTE:
            raise MisuseError(f"say what happened in 1 to {MAX_NOTE} characters")


class ReportBook(Protocol):
    """Reads reports. Raises :class:`ReportsUnavailableError`."""

    async def reports(self) -> list[CollectorReport]:
        """Return every report, the oldest first."""
        ...


def standing_of(reports: Iterable[CollectorReport]) -> Mapping[int, CollectorReport]:
    """Return the newest report of each collector.

    Args:
        reports: in the order in which they were made.
    """
    return {report.collector_id: report for report in reports}


def revoked_by(reports: Iterable[CollectorReport], *, now: datetime) -> Revoked:
    """Return what the gateway must know.

    Args:
        reports: in the order in which they were made.
        now: real time; a collector that has been back for ``MAX_DOUBTED_FOR`` is doubted no more.
    """
    serials: set[int] = set()
    away_ms: dict[int, int] = {}
    doubted: dict[int, tuple[int, int]] = {}
    for report in reports:
        number, at_ms = report.collector_id, (report.from_at - EPOCH) // timedelta(milliseconds=1)
        serials |= report.serials
        if report.whereabouts is Whereabouts.STOLEN:
            # Reported twice without having been back: it has been away since the first time.
            away_ms[number] = min(at_ms, away_ms.get(number, at_ms))
            doubted.pop(number, None)
        elif (since_ms := away_ms.pop(number, None)) is not None and now - report.made_at < MAX_DOUBTED_FOR:
            doubted[number] = (since_ms, max(since_ms, at_ms))
    return Revoked(frozenset(serials), away_ms, doubted)


def require_sensible(
    whereabouts: Whereabouts, collector_id: int, standing: Mapping[int, CollectorReport], *, from_at: datetime,
    domain_now: datetime,
) -> None:  # fmt: skip
    """Pass if such a report may be made now.

    Raises:
        ReportRefusedError: the future, or a collector that is back without having been away.
    """
    last = standing.get(collector_id)
    if from_at > domain_now:
        raise ReportRefusedError("the time lies in the future: give the time since when it is missing")
    if whereabouts is Whereabouts.BACK and (last is None or last.whereabouts is Whereabouts.BACK):
        raise ReportRefusedError(f"collector {collector_id} was not reported stolen")
