"""What the store remembers of earlier days, asked for by place or by a range of places. Pure.

Digests come grouped by service point: the engine walks its key and makes one row of four weeks. A day with several
versions occurs several times in such a row; those few service points are asked for again with the latest picked.
"""

# ruff: noqa: S608 - the only texts put into SQL are constants of this room; values go in as typed parameters.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from openami.mdm.store.queries import Statement
from openami.mdm.store.schema import Table

HISTORY_SCHEMA = pa.schema(
    [
        ("service_point_id", pa.binary(16)),
        ("days", pa.list_(pa.uint16())),
        ("totals", pa.list_(pa.int64())),
        ("maxima", pa.list_(pa.int64())),
        ("bases", pa.list_(pa.int64())),
        ("digests", pa.list_(pa.uint32())),
        ("states", pa.list_(pa.uint8())),
    ]
)
PROFILE_SCHEMA = pa.schema([("service_point_id", pa.binary(16)), ("profile", pa.list_(pa.int32()))])
FLEET_HISTORY_SCHEMA = pa.schema([*HISTORY_SCHEMA, ("channel", pa.uint8())])
FLEET_PROFILE_SCHEMA = pa.schema([*PROFILE_SCHEMA, ("channel", pa.uint8())])
_GROUPED = (
    "groupArray(toUInt16(local_day)) AS days, groupArray(total) AS totals, groupArray(maximum) AS maxima, "
    "groupArray(base) AS bases, groupArray(digest) AS digests, groupArray(state) AS states"
)
_DAYS = "channel = {channel:UInt8} AND local_day >= toDate({first:UInt16}) AND local_day <= toDate({last:UInt16})"
_POINTS = "service_point_id IN (SELECT toFixedString(unhex(arrayJoin({ids:Array(String)})), 16))"
_RANGE = (
    "service_point_id >= toFixedString(unhex({from_id:String}), 16) "
    "AND service_point_id <= toFixedString(unhex({to_id:String}), 16)"
)
_LATEST = (
    "ORDER BY service_point_id, local_day, version DESC, known_at DESC, run_id DESC LIMIT 1 BY service_point_id, "
    "local_day"
)
_IN_ORDER = "SETTINGS optimize_aggregation_in_order = 1, max_block_size = 8192"


@dataclass(frozen=True, slots=True)
class Places:
    """Service points by id, or all within a range of ids (both ends included)."""

    ids: Sequence[bytes] | None = None
    range: tuple[bytes, bytes] | None = None

    @property
    def where(self) -> str:
        """The condition."""
        return _RANGE if self.ids is None else _POINTS

    @property
    def parameters(self) -> dict[str, Any]:
        """The values of the condition's parameters."""
        if self.ids is not None:
            return {"ids": [i.hex() for i in self.ids]}
        low, high = self.range or (b"\0" * 16, b"\xff" * 16)
        return {"from_id": low.hex(), "to_id": high.hex()}


def select_history(channel: int, places: Places, first: int, last: int) -> Statement:
    """Return the digests of every version of the days from first to last day number, one row a service point."""
    return Statement(
        f"SELECT service_point_id, {_GROUPED} FROM {Table.READING_DAY} WHERE {places.where} AND {_DAYS} "
        f"GROUP BY service_point_id {_IN_ORDER}",
        {"channel": channel, "first": first, "last": last, **places.parameters},
    )


def select_latest_history(channel: int, ids: Sequence[bytes], first: int, last: int) -> Statement:
    """Return what :func:`select_history` does, of the latest version of each day alone."""
    columns = "service_point_id, local_day, total, maximum, base, digest, state"
    return Statement(
        f"SELECT service_point_id, {_GROUPED} FROM (SELECT {columns} FROM {Table.READING_DAY} "
        f"WHERE {_POINTS} AND {_DAYS} {_LATEST}) GROUP BY service_point_id",
        {"channel": channel, "first": first, "last": last, **Places(ids).parameters},
    )


def select_profiles(channel: int, places: Places, day: int) -> Statement:
    """Return the profile after a day, one row a service point."""
    return Statement(
        "SELECT service_point_id, argMax(profile, (version, known_at, run_id)) AS latest "
        f"FROM {Table.READING_DAY} WHERE {places.where} AND {_DAYS} GROUP BY service_point_id {_IN_ORDER}",
        {"channel": channel, "first": day, "last": day, **places.parameters},
    )


def select_fleet_history(places: Places, firsts: Mapping[int, int], last: int) -> Statement:
    """Return what :func:`select_history` does of several channels, each from a first day of its own.

    The key is walked once for all of them: it costs as much as what is read from it.
    """
    return Statement(
        f"SELECT service_point_id, {_GROUPED}, channel FROM {Table.READING_DAY} WHERE {places.where} "
        f"AND local_day <= toDate({{last:UInt16}}) AND ({_since(firsts)}) "
        f"GROUP BY service_point_id, channel {_IN_ORDER}",
        {"last": last, **_since_parameters(firsts), **places.parameters},
    )


def select_fleet_profiles(places: Places, channels: Sequence[int], day: int) -> Statement:
    """Return what :func:`select_profiles` does of several channels."""
    firsts = dict.fromkeys(channels, day)
    return Statement(
        "SELECT service_point_id, argMax(profile, (version, known_at, run_id)) AS latest, channel "
        f"FROM {Table.READING_DAY} WHERE {places.where} AND local_day <= toDate({{last:UInt16}}) "
        f"AND ({_since(firsts)}) GROUP BY service_point_id, channel {_IN_ORDER}",
        {"last": day, **_since_parameters(firsts), **places.parameters},
    )


def _since(firsts: Mapping[int, int]) -> str:
    each = (f"(channel = {{c{n}:UInt8}} AND local_day >= toDate({{f{n}:UInt16}}))" for n in range(len(firsts)))
    return " OR ".join(each)


def _since_parameters(firsts: Mapping[int, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for n, (channel, first) in enumerate(sorted(firsts.items())):
        found |= {f"c{n}": channel, f"f{n}": first}
    return found


def rows_with_repeated_days(batch: pa.RecordBatch) -> npt.NDArray[np.bool_]:
    """Tell which rows of :data:`HISTORY_SCHEMA` have a day more than once: several versions, or one not yet merged."""
    row, days = flat(batch, "days")
    order = np.lexsort((days, row))
    row, days = row[order], days[order]
    repeated = np.zeros(batch.num_rows, bool)
    repeated[row[1:][(row[1:] == row[:-1]) & (days[1:] == days[:-1])]] = True
    return repeated


def flat(batch: pa.RecordBatch, name: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Return the row of each element of a list column, and the elements."""
    lengths = batch.column(name).value_lengths().to_numpy(zero_copy_only=False)
    return np.repeat(np.arange(len(lengths)), lengths), elements(batch, name)


def elements(batch: pa.RecordBatch, name: str) -> npt.NDArray[Any]:
    """Return the elements of a list column, one row's after the other's."""
    found: npt.NDArray[Any] = batch.column(name).flatten().to_numpy(zero_copy_only=False)
    return found
