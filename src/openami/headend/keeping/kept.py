"""When what a group remembers is written: changes with each snapshot, everything now and then, counts for staff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from openami.headend.keeping.coverage import SLOT_S
from openami.headend.keeping.gaps import standing
from openami.headend.keeping.keeper import Keeper
from openami.headend.keeping.levels import EXPECTED, LATER
from openami.headend.keeping.memory import GroupMemory
from openami.headend.keeping.memory_page import encode_memory
from openami.headend.keeping.midnights import day_bit
from openami.headend.state_ports import KeptPage, LevelRow, RegisterLevelRow
from openami.kernel.time import EPOCH, epoch_s, instant_from_epoch_s, local_date, local_midnight

MIN_BASE_OCTETS = 256 * 1024
"""Changed pages may grow to the size of the base, or this, before a new base is written."""


@dataclass(slots=True)
class KeptState:
    """What is written since the last base, and what is being written.

    Args:
        base_octets, delta_octets: sizes of the last base and of the changes since.
    """

    base_octets: int = 0
    delta_octets: int = 0
    _under_way: tuple[set[int], set[tuple[int, int]]] | None = None

    @classmethod
    def of(cls, pages: Sequence[bytes]) -> KeptState:
        """Return the state after these pages, the base first."""
        return cls(len(pages[0]) if pages else 0, sum(len(p) for p in pages[1:]))

    def page(
        self, memory: GroupMemory, *, levels: Sequence[LevelRow] = (), registers: Sequence[RegisterLevelRow] = ()
    ) -> KeptPage | None:
        """Return what must be written, None where nothing changed.

        What changes from now on belongs to the next page. Call :meth:`written` or :meth:`failed` before that.
        """
        coverage = memory.coverage
        changed, counts = coverage.changed, coverage.levels.changed
        if not changed and not counts and not levels:
            return None
        is_base = self.base_octets == 0 or self.delta_octets >= max(self.base_octets, MIN_BASE_OCTETS)
        numbers = np.arange(len(coverage)) if is_base else np.array(sorted(changed), np.int64)
        octets = encode_memory(memory, numbers, coverage.levels.counts if is_base else counts)
        self._under_way = changed, counts
        coverage.changed, coverage.levels.changed = set(), set()
        return KeptPage(octets, is_base, tuple(levels), tuple(registers))

    def written(self, page: KeptPage) -> None:
        """Note that the page is kept."""
        size = len(page.page)
        self.base_octets, self.delta_octets = (
            (size, 0) if page.is_base else (self.base_octets, self.delta_octets + size)
        )
        self._under_way = None

    def failed(self, memory: GroupMemory) -> None:
        """Put what the page held back among what has changed."""
        if self._under_way is not None:
            memory.coverage.changed |= self._under_way[0]
            memory.coverage.levels.changed |= self._under_way[1]
            self._under_way = None


def level_rows(keeper: Keeper, *, until_s: int) -> list[LevelRow]:
    """Return the service levels of a group as they stand.

    Args:
        keeper: the group's.
        until_s: intervals that end later are not expected yet, seconds since the epoch.
    """
    memory = keeper.memory
    finished = memory.coverage.levels.counts
    rows = []
    for (day, cell), counts in standing(memory.coverage, until_s=until_s).items():
        done = int(finished[day, cell][EXPECTED]) if (day, cell) in finished else 0
        a, b, c, d = np.cumsum(counts[:LATER]).tolist()
        later, expected = int(counts[LATER]), int(counts[EXPECTED])
        rows.append(
            LevelRow((EPOCH + timedelta(days=day)).date(), memory.cell_name(cell), (a, b, c, d, later, done, expected))
        )
    return rows


def register_level_rows(keeper: Keeper, *, now_s: int, days: int = 3) -> list[RegisterLevelRow]:
    """Return how many billing-window reads were due on the last read days, came by 07:00, and are there now.

    Args:
        keeper: the group's.
        now_s: domain time.
        days: how many local days back.
    """
    memory, coverage = keeper.memory, keeper.memory.coverage
    found: dict[tuple[date, int], list[int]] = {}
    for place, number in enumerate(coverage.find(keeper.roster.title).tolist()):
        if number < 0 or not keeper.roster.hung[place].read_days:
            continue
        zone = memory.zone_of(int(memory.zone[number]), keeper.zone)
        today = local_date(instant_from_epoch_s(now_s), zone)
        for day in keeper.roster.hung[place].read_days:
            midnight_s = epoch_s(local_midnight(day, zone))
            owes = coverage.since[number] * SLOT_S <= midnight_s < coverage.until[number] * SLOT_S
            # A meter without supply at midnight has no read of it.
            owes = owes and not memory.midnights.absent[number] & day_bit(day)
            if not today - timedelta(days=days) <= day <= today or not owes:
                continue
            row = found.setdefault((day, int(coverage.cell[number])), [0, 0, 0])
            row[0] += 1
            row[1] += bool(memory.midnights.in_time[number] & day_bit(day))
            row[2] += bool(memory.midnights.came[number] & day_bit(day))
    return [RegisterLevelRow(day, memory.cell_name(cell), *row) for (day, cell), row in sorted(found.items())]
