"""The worker's part of the exchange: the home's inbox is worked off as files come, and our snapshots go out each night.

Several workers may run: a lock on the exchange's folder lets one of them work at a time.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from urllib.parse import quote

from openami.app.exchange.exchange_desk import rooms_of
from openami.app.exchange.exchange_inbox import waiting_files, work_off, write_whole
from openami.app.exchange.exchange_night import our_snapshot
from openami.app.settings import Settings
from openami.contracts.changed import DaysChanged
from openami.kernel.time import local_date, local_midnight, zone_named
from openami.mdm.exchange.snapshot import flat_snapshot


class ExchangeJob:
    """Works the inbox off and writes the nightly snapshots.

    Args:
        settings: of the home, whose folder ``exchange`` holds ``in`` and ``out``.
    """

    name = "exchange"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._written: date | None = None

    async def run_due(self, now: datetime) -> None:
        """Take what came; cheap when nothing did."""
        base = self._settings.home.folder("exchange")
        with _turn(base) as mine:
            if not mine:
                return
            if waiting_files(base / "in"):
                await work_off(self._settings, base / "in", base / "out")
            today = local_date(now, zone_named(self._settings.zone))
            if self._written != today:
                await self._snapshots(base / "out", today)
                self._written = today

    async def days_changed(self, news: DaysChanged, now: datetime) -> None:
        """Days that another system billed by are sent when it asks for them."""

    async def _snapshots(self, outbox: Path, today: date) -> None:
        """Write our snapshot of the midnight just past for every system that named places, once a night."""
        at = local_midnight(today, zone_named(self._settings.zone))
        async with rooms_of(self._settings) as rooms:
            for partner in await rooms.book.senders():
                place = outbox / f"snapshot-{quote(partner, safe='')}-{today:%Y%m%d}.csv"
                if not _is_there(place):
                    write_whole(place, flat_snapshot(await our_snapshot(rooms, partner, at)))


def _is_there(place: Path) -> bool:
    place.parent.mkdir(parents=True, exist_ok=True)
    return place.exists()


@contextmanager
def _turn(base: Path) -> Iterator[bool]:
    """Hold the folder's lock for the length of the block, or say that another worker does."""
    with (base / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
