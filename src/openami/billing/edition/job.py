"""The worker's note of the rates that it bills by: before it makes a bill, what it is made by is kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import structlog

from openami.billing.edition.ports import EditionBook
from openami.billing.edition.record import edition_of
from openami.billing.tariff.model import RateSchedule
from openami.contracts.changed import DaysChanged

_LOG = structlog.get_logger()


class EditionJob:
    """Notes the rates once after start: they are read when the process starts, and stay as they are.

    Args:
        book: where editions are kept.
        rates: that this process bills by.
    """

    name = "rate-editions"

    def __init__(self, book: EditionBook, rates: Mapping[str, RateSchedule]) -> None:
        self._book = book
        self._editions = [edition_of(schedule) for schedule in rates.values()]
        self._is_noted = False

    async def run_due(self, now: datetime) -> None:
        """Note what holds now, if this process has not yet."""
        if self._is_noted:
            return
        changed = await self._book.note(self._editions, at=now)
        self._is_noted = True
        if changed:
            _LOG.info("rates.editions", changed=changed)

    async def days_changed(self, news: DaysChanged, now: datetime) -> None:
        """Readings change no rate."""
