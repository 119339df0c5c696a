"""Port of the store for a whole fleet's day. Ids are in the order of their octets, ranges hold both their ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import numpy as np
import numpy.typing as npt

from openami.contracts.channel import Channel
from openami.contracts.reading import I64, U8, U16, U32, UUIDS
from openami.kernel.time import Period
from openami.mdm.vee.grid import BOOLS
from openami.mdm.vee.history import History
from openami.security.access.scope import Scope


@dataclass(frozen=True, slots=True)
class IdRange:
    """Ids from low to high, both included, 16 octets each."""

    low: bytes
    high: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Raw readings in G groups: one a UTC day, meter and channel, in any order. Replays and conflicts are in it.

    Args:
        meter_id: (G,) V16.
        channel: (G,) channel numbers.
        offsets: (G + 1,) group g owns ``value[offsets[g]:offsets[g + 1]]`` and the same slice of ``start``.
        value: (n,) counts.
        start: (n,) seconds since the epoch, in any order within a group.
        flag_offsets: (G + 1,) the same for the readings whose raw quality is not 0.
        flag_start: (k,) their starts.
        flag: (k,) their :class:`~openami.contracts.quality.RawQuality`.
    """

    meter_id: UUIDS
    channel: U8
    offsets: I64
    value: I64
    start: U32
    flag_offsets: I64
    flag_start: U32
    flag: U16


@dataclass(frozen=True, slots=True, eq=False)
class ReadBlock:
    """Register reads in G groups: one a meter and channel, in any order.

    Args:
        meter_id: (G,) V16.
        channel: (G,) channel numbers.
        offsets: (G + 1,) as in :class:`Block`.
        value: (n,) counts.
        at: (n,) seconds since the epoch.
    """

    meter_id: UUIDS
    channel: U8
    offsets: I64
    value: I64
    at: U32


class FleetHistory(Protocol):
    """What is remembered of many service points; days are counted from the oldest, the last is the day itself."""

    def history(self, rows: slice | I64, first: int = 0, after: int | None = None) -> History:
        """Return the digests of some of the service points, days from the first index to before the last."""
        ...

    def has_version(self, rows: slice | I64, first: int, after: int | None = None) -> BOOLS:
        """Tell which of some service points have a version of a day from the first index to before the last."""
        ...


class FleetStore(Protocol):
    """Questions about a whole fleet, for a process's scope alone. Errors are those of ``IntervalStore``."""

    async def fleet_block(self, scope: Scope, meters: IdRange, period: Period) -> Block:
        """Return every raw reading of the meters that starts in the period, on all channels."""
        ...

    async def fleet_reads(self, scope: Scope, meters: IdRange, period: Period) -> ReadBlock:
        """Return every register read of the meters in the period, its end included, on all channels."""
        ...

    async def fleet_history(
        self, scope: Scope, points: UUIDS, day: date, days: Mapping[Channel, int]
    ) -> Mapping[Channel, FleetHistory]:
        """Return what is remembered of the days before a day and of that day, of any number of service points.

        Args:
            scope: a process's.
            points: (S,) V16, whose order the answers keep.
            day: the day.
            days: how many days before it, by channel; the profile of energy is the one kept with the last of them.
        """
        ...


def group_rows(offsets: I64) -> I64:
    """Return the group of each element."""
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))


def offsets_of(lengths: npt.NDArray[np.integer]) -> I64:
    """Return where each group begins, and the end."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
