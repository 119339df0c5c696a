"""Which collectors people reported stolen, for the watch."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from openami.headend.ports import StateUnavailableError
from openami.kernel.time import EPOCH
from openami.security.access.stolen import ReportBook, ReportsUnavailableError, Whereabouts, standing_of


class ReportedStolen:
    """A :class:`~openami.headend.collectors.ports.StolenBook` over people's reports.

    Args:
        book: the reports.
    """

    def __init__(self, book: ReportBook) -> None:
        self._book = book

    async def stolen(self) -> Mapping[int, int]:
        """Return stolen collectors and when each was reported."""
        try:
            standing = standing_of(await self._book.reports())
        except ReportsUnavailableError as error:
            raise StateUnavailableError(str(error)) from error
        return {
            number: (report.made_at - EPOCH) // timedelta(milliseconds=1)
            for number, report in standing.items()
            if report.whereabouts is Whereabouts.STOLEN
        }
