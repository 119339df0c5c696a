"""Who hangs where: what the head-end must know of the registry to keep a fleet read. Columns; no place, no person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import numpy as np
import numpy.typing as npt

from openami.contracts.reading import UUIDS, uuid_column
from openami.headend.keeping.coverage import NEVER_S
from openami.kernel.ids import SystemTitle
from openami.security.keys.table import title_number

I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Hung:
    """One meter where it hangs now, or hung last.

    Args:
        meter_id, title: its names.
        installed_s: since when, seconds since the epoch.
        removed_s: until when; None while it hangs.
        zone: IANA zone of its local days.
        cell: name of its radio cell; empty where it has none.
        read_days: local days on whose first midnight its bill closes, those near now.
    """

    meter_id: UUID
    title: SystemTitle
    installed_s: int
    removed_s: int | None
    zone: str
    cell: str
    read_days: tuple[date, ...] = ()


class Roster:
    """The meters of an installation by system title."""

    def __init__(self, hung: Sequence[Hung]) -> None:
        newest: dict[int, Hung] = {}
        for one in sorted(hung, key=lambda h: h.installed_s):
            newest[title_number(one.title.octets)] = one
        ordered = sorted(newest.items())
        self.title: U64 = np.array([t for t, _ in ordered], np.uint64)
        self.hung: tuple[Hung, ...] = tuple(h for _, h in ordered)
        self.meter_id: UUIDS = uuid_column([h.meter_id for h in self.hung])
        self.installed_s: I64 = np.array([h.installed_s for h in self.hung], np.int64)
        self.removed_s: I64 = np.array([NEVER_S if h.removed_s is None else h.removed_s for h in self.hung], np.int64)

    def __len__(self) -> int:
        return len(self.title)

    def find(self, titles: U64) -> I64:
        """Return the place of each title, -1 where it hangs nowhere."""
        if not len(self.title):
            return np.full(len(titles), -1, np.int64)
        at = np.minimum(np.searchsorted(self.title, titles), len(self.title) - 1)
        return np.where(self.title[at] == titles, at, -1)

    def of(self, title: SystemTitle) -> Hung | None:
        """Return where a meter hangs, or None."""
        at = int(self.find(np.array([title_number(title.octets)], np.uint64))[0])
        return self.hung[at] if at >= 0 else None
