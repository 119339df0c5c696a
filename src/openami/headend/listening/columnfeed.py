"""Keeps what the decoder knows of meters' own words up to date while the head-end runs."""

from __future__ import annotations

import asyncio

from openami.headend.profiles.said import SaidScales
from openami.headend.state_ports import ColumnSheets

OVERLAP = 1_000
"""Sheets that are read again with each new one: what was kept at the same moment may have a lower number and be seen
later. What is read twice changes nothing."""


class ColumnFeed:
    """Loads new sheets into a table.

    Args:
        sheets: where they are kept.
        said: the table to keep up to date; a new one where none is given.
    """

    def __init__(self, sheets: ColumnSheets, said: SaidScales | None = None) -> None:
        self._sheets = sheets
        self.said = said if said is not None else SaidScales()
        self._revision = 0
        self._lock = asyncio.Lock()

    async def refresh(self) -> None:
        """Load what is new. Asking when nothing is costs one look at an index.

        Raises:
            StateUnavailableError: the database does not answer.
        """
        async with self._lock:
            newest = await self._sheets.revision()
            after = max(0, self._revision - OVERLAP) if newest > self._revision else newest
            while after < newest:
                sheets, after = await self._sheets.newer(after)
                if not sheets:
                    break
                self.said.merge(sheets)
            self._revision = newest
