"""First versions of days on their way to the store: gathered from shards, by the store's key. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from openami.contracts.day import DayTable
from openami.contracts.reading import I64
from openami.mdm.vee.profile import DayDigests

_OF_DAY = ("service_point_id", "channel", "local_day", "interval_s", "start_utc", "version", "known_at", "run_id")


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """Versions to be written, and their digests."""

    days: DayTable
    digests: DayDigests


def joined_by_key(parts: Sequence[Kept], columns: int) -> Kept:
    """Return all versions of some parts by service point and channel: the engine need not move them to sort them.

    Args:
        parts: versions of one local day.
        columns: number of intervals of the day.
    """
    days, digests = [p.days for p in parts], [p.digests for p in parts]
    of_day: dict[str, Any] = {name: np.concatenate([getattr(d, name) for d in days]) for name in _OF_DAY}
    # The engine compares octets from the first on, as numbers with the first octet highest.
    high, low = np.ascontiguousarray(of_day["service_point_id"]).view(">u8").astype(np.uint64).reshape(-1, 2).T
    order = np.lexsort((of_day["channel"], low, high))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    pieces = np.split(place, np.cumsum([len(d) for d in days])[:-1])
    table: dict[str, Any] = {name: column[order] for name, column in of_day.items()}
    for name in ("values", "quality", "method"):
        table[name] = _gathered([getattr(d, name) for d in days], pieces, columns)
    for name in ("band_low", "band_high"):
        # Where the band is the values themselves it stays so, and is not copied.
        is_value = all(getattr(d, name) is d.values for d in days)
        found = table["values"] if is_value else _gathered([getattr(d, name) for d in days], pieces, columns)
        table[name] = found
    table["offsets"] = np.arange(len(order) + 1, dtype=np.int64) * columns
    kept = (np.concatenate([getattr(d, n) for d in digests])[order] for n in ("base", "digest", "state", "profile"))
    return Kept(DayTable(**table), DayDigests(*kept))


def _gathered(flat: Sequence[npt.NDArray[Any]], pieces: Sequence[I64], columns: int) -> npt.NDArray[Any]:
    """Return rows of several tables at their places."""
    whole = np.empty((sum(len(p) for p in pieces), columns), flat[0].dtype)
    for mine, place in zip(flat, pieces, strict=True):
        whole[place] = mine.reshape(-1, columns)
    return whole.reshape(-1)
