"""How long radios of meters were on the air: what a collector gathers of its meters' own counters, many to a message.

A row is a device's count of one day (UTC, domain time) *so far*: a later one of the same day holds no less, so rows
may be repeated, lost and overtaken and the largest is the truth. Layout, big-endian: magic ``OA01``, count u16, then
per row ``system title 8 | day u32 [days since 1970-01-01] | own u32 | relayed u32 | beacon u32 | worst u32 [ms]``.

Source: research on exposure: what a radio relays and its beacons were left out elsewhere, and that cost trust.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from openami.contracts.errors import ContractError
from openami.kernel.errors import MisuseError
from openami.kernel.ids import SystemTitle

MAGIC = b"OA01"
MAX_ROWS = 2_000
"""More meters than one collector hears in a message of 56 kB."""
DAY_MS = 86_400_000
WINDOW_MS = 1_800_000
"""30 minutes, over which 47 CFR 1.1310 averages."""
EPOCH_DAY = date(1970, 1, 1)
LAST_DAY = (date(2200, 1, 1) - EPOCH_DAY).days
_HEAD = struct.Struct(">4sH")
_ROW = struct.Struct(">8sIIIII")


@dataclass(frozen=True, slots=True)
class AirtimeDay:
    """What one radio counted on one day, so far.

    Args:
        title: the device.
        day: UTC day.
        own_ms: its own messages [ms].
        relayed_ms: what it passed on for others [ms].
        beacon_ms: signals that keep the network together [ms].
        worst_ms: most within any 30 minutes that ended on the day [ms].

    Raises:
        ContractError: more than a day or a window holds.
    """

    title: SystemTitle
    day: date
    own_ms: int
    relayed_ms: int
    beacon_ms: int
    worst_ms: int

    def __post_init__(self) -> None:
        parts = (self.own_ms, self.relayed_ms, self.beacon_ms)
        if min(*parts, self.worst_ms) < 0 or sum(parts) > DAY_MS or self.worst_ms > WINDOW_MS:
            raise ContractError(f"airtime of {self.title}: more than the time there is, or less than none")


def encode_airtime(rows: Sequence[AirtimeDay]) -> bytes:
    """Return rows as octets.

    Raises:
        MisuseError: more than ``MAX_ROWS``.
    """
    if len(rows) > MAX_ROWS:
        raise MisuseError(f"an airtime message holds at most {MAX_ROWS} rows, not {len(rows)}")
    packed = (
        _ROW.pack(r.title.octets, (r.day - EPOCH_DAY).days, r.own_ms, r.relayed_ms, r.beacon_ms, r.worst_ms)
        for r in rows
    )
    return _HEAD.pack(MAGIC, len(rows)) + b"".join(packed)


def decode_airtime(octets: bytes) -> list[AirtimeDay]:
    """Read rows.

    Raises:
        ContractError: not such a message, or a row that cannot be.
    """
    if len(octets) < _HEAD.size:
        raise ContractError(f"an airtime message of {len(octets)} octets")
    magic, count = _HEAD.unpack_from(octets)
    if magic != MAGIC or count > MAX_ROWS or len(octets) != _HEAD.size + count * _ROW.size:
        raise ContractError(f"no airtime message: {len(octets)} octets for {count} rows")
    rows = []
    for title, day, own_ms, relayed_ms, beacon_ms, worst_ms in _ROW.iter_unpack(octets[_HEAD.size :]):
        if day > LAST_DAY:
            raise ContractError(f"airtime of a day that is far away: {day}")
        rows.append(
            AirtimeDay(SystemTitle(title), EPOCH_DAY + timedelta(days=day), own_ms, relayed_ms, beacon_ms, worst_ms)
        )
    return rows
