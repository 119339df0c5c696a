"""One day of every meter in a range of ids: questions for validation over a whole fleet. Pure.

The engine walks its key and makes one row of each meter's channel, values in an array, so that an id goes over the wire
once for a day and not once for a reading. Replays and conflicts are all there; whoever lays the rows out sees them.
"""

# ruff: noqa: S608 - the only texts put into SQL are constants of this room; values go in as typed parameters.

from __future__ import annotations

import pyarrow as pa

from openami.mdm.store.queries import Statement
from openami.mdm.store.schema import Table

BLOCK_SCHEMA = pa.schema(
    [
        ("meter_id", pa.binary(16)),
        ("channel", pa.uint8()),
        ("value", pa.list_(pa.int64())),
        ("start", pa.list_(pa.uint32())),
        ("flag_start", pa.list_(pa.uint32())),
        ("flag", pa.list_(pa.uint16())),
    ]
)
READS_SCHEMA = pa.schema(
    [
        ("meter_id", pa.binary(16)),
        ("channel", pa.uint8()),
        ("value", pa.list_(pa.int64())),
        ("at", pa.list_(pa.uint32())),
    ]
)
_RANGE = (
    "meter_id >= toFixedString(unhex({from_id:String}), 16) AND meter_id <= toFixedString(unhex({to_id:String}), 16)"
)
_TIME = "{column} >= toDateTime({{from_s:UInt32}}, 'UTC') AND {column} <= toDateTime({{to_s:UInt32}}, 'UTC')"
_IN_ORDER = "SETTINGS optimize_aggregation_in_order = 1, max_block_size = 8192"
"""Groups of a shard leave the engine some thousand at a time: held all at once they take 215 MB of its 800 instead of
92, and two shards and a write together went beyond them."""


def select_block(low: bytes, high: bytes, from_s: int, to_s: int) -> Statement:
    """Return the readings of all channels between two instants (both included), one row a UTC day, meter, channel."""
    return Statement(
        "SELECT meter_id, channel, groupArray(value) AS counts, groupArray(toUInt32(start)) AS starts, "
        "groupArrayIf(toUInt32(start), quality != 0) AS flag_starts, groupArrayIf(quality, quality != 0) AS flags "
        f"FROM {Table.READING_RAW} WHERE {_RANGE} AND {_TIME.format(column='start')} "
        f"GROUP BY toDate(start), meter_id, channel {_IN_ORDER}",
        {"from_id": low.hex(), "to_id": high.hex(), "from_s": from_s, "to_s": to_s},
    )


def select_reads(low: bytes, high: bytes, from_s: int, to_s: int) -> Statement:
    """Return the register reads of all channels between two instants (both included), one row a meter and channel."""
    return Statement(
        "SELECT meter_id, channel, groupArray(value) AS counts, groupArray(toUInt32(at)) AS ats "
        f"FROM {Table.REGISTER_READ} WHERE {_RANGE} AND {_TIME.format(column='at')} "
        f"GROUP BY meter_id, channel {_IN_ORDER}",
        {"from_id": low.hex(), "to_id": high.hex(), "from_s": from_s, "to_s": to_s},
    )
