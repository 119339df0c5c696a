"""Rows in the order of the store's keys, found from runs instead of rows. Pure.

What reaches the store, and what the engine gives back, is made of runs: a meter's channel with rising instants, four
rows in a push and a hundred and more in what was kept. To sort ten thousand runs costs nothing beside sorting a million
rows. Nobody relies on it: the engine sorts whatever comes, and who needs an order checks it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from openami.contracts.reading import I64, U8, UUIDS

_FEWEST_ROWS_A_RUN = 4
"""What a meter pushes at least: below, runs are as dear to sort as rows. Measured: at four rows a run the store's whole
work is a quarter less than with the engine's own sort."""


def key_order(meter_id: UUIDS, channel: U8, instant_s: I64) -> I64 | None:
    """Return the places of the rows by (meter, channel, instant); None where they are in order or not made of runs.

    Runs of one meter and channel that overlap in time come out in the order of their first instants.

    Args:
        meter_id: (n,) V16.
        channel: (n,) channel numbers.
        instant_s: (n,) seconds.
    """
    n = len(meter_id)
    if n < 2:
        return None
    halves: npt.NDArray[Any] = np.ascontiguousarray(meter_id).view(">u8").reshape(-1, 2)
    breaks = (halves[1:, 0] != halves[:-1, 0]) | (halves[1:, 1] != halves[:-1, 1])
    breaks |= (channel[1:] != channel[:-1]) | (instant_s[1:] <= instant_s[:-1])
    head = np.concatenate([np.zeros(1, np.int64), np.flatnonzero(breaks) + 1])
    if len(head) * _FEWEST_ROWS_A_RUN > n:
        return None
    order = np.lexsort((instant_s[head], channel[head], halves[head, 1], halves[head, 0]))
    if (order[1:] > order[:-1]).all():
        return None
    length = np.diff(head, append=n)[order]
    shift = head[order] - (np.cumsum(length) - length)
    return np.asarray(np.repeat(shift, length) + np.arange(n), dtype=np.int64)


def sorted_places(meter_id: UUIDS, instant_s: I64) -> I64 | None:
    """Return the places of the rows by (meter, instant); None where they are in order.

    Args:
        meter_id: (n,) V16.
        instant_s: (n,) seconds.
    """
    one_channel = np.zeros(len(meter_id), np.uint8)
    place = key_order(meter_id, one_channel, instant_s)
    ids = meter_id if place is None else in_places(meter_id, place)
    at = instant_s if place is None else in_places(instant_s, place)
    high, low = np.ascontiguousarray(ids).view(">u8").reshape(-1, 2).T
    rises = (high[1:] > high[:-1]) | ((high[1:] == high[:-1]) & (low[1:] > low[:-1]))
    rises |= (high[1:] == high[:-1]) & (low[1:] == low[:-1]) & (at[1:] >= at[:-1])
    if rises.all():
        return place
    # Short or overlapping runs: every row is sorted.
    high, low = np.ascontiguousarray(meter_id).view(">u8").reshape(-1, 2).T
    return np.asarray(np.lexsort((instant_s, low, high)))


def in_places(column: npt.NDArray[Any], place: I64) -> npt.NDArray[Any]:
    """Return the column's rows at the places; NumPy moves 16 octets fastest as one complex number."""
    if column.dtype.itemsize == 16:
        return np.asarray(np.ascontiguousarray(column).view(np.complex128)[place].view("V16"))
    return np.asarray(column[place])
