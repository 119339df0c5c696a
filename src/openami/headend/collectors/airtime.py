"""Takes counts of time on the air from the DMZ and keeps them, every so often. Several head-ends may do it at once."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Protocol

import structlog

from openami.contracts.airtime import AirtimeDay, decode_airtime
from openami.contracts.errors import ContractError
from openami.headend.ports import BusUnavailableError, StateUnavailableError
from openami.headend.state_ports import AirtimeBook
from openami.kernel.clock import Clock

LOOK_EVERY_S = 10.0
log = structlog.get_logger("openami.collectors")


class CountSource(Protocol):
    """The gateway's messages."""

    async def read(self) -> list[bytes]:
        """Return messages that came since the last call. Raises BusUnavailableError."""
        ...

    async def close(self) -> None:
        """Stop reading. Never raises."""
        ...


class AirtimeKeeper:
    """The loop of one head-end.

    Args:
        source: the gateway's messages.
        book: where counts are kept.
        domain: domain time; days of counts are of it.
    """

    def __init__(self, source: CountSource, book: AirtimeBook, *, domain: Clock) -> None:
        self._source = source
        self._book = book
        self._domain = domain
        self._unkept: list[AirtimeDay] = []
        self._swept: date | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Keep counts until ``stop``; with an engine away, go on when it is back."""
        try:
            while not stop.is_set():
                try:
                    await self.look()
                except (BusUnavailableError, StateUnavailableError) as error:
                    log.warning("airtime_waits", error=str(error))
                await _rest(stop, LOOK_EVERY_S)
        finally:
            await self._source.close()

    async def look(self) -> None:
        """Keep what came since the last look.

        Raises:
            BusUnavailableError, StateUnavailableError: an engine does not answer; what was read is kept next time.
        """
        for octets in await self._source.read():
            try:
                self._unkept += decode_airtime(octets)
            except ContractError as error:
                # The DMZ is not believed to write well: what is no count is left out, and told.
                log.warning("airtime_unreadable", problem=str(error))
        today = self._domain.now().date()
        if self._unkept:
            await self._book.keep(self._unkept, today=today)
            self._unkept = []
        if self._swept != today:
            await self._book.forget(today=today)
            self._swept = today


async def _rest(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
