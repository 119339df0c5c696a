"""Port of the book of editions. Its adapter keeps it in PostgreSQL, schema ``billing``; rows are only added."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from openami.billing.edition.record import Edition


class EditionBook(Protocol):
    """Which text of a rate held when. Noting what holds already changes nothing."""

    async def note(self, editions: Sequence[Edition], *, at: datetime) -> int:
        """Note the texts that hold from an instant on; returns how many are others than before."""
        ...

    async def known_at(self, rate_code: str, at: datetime) -> Edition | None:
        """Return the text of a rate that held at an instant; None where none was noted by then."""
        ...
