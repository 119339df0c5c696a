"""The load-profile push of our own meter, thousands at a time.

All plaintexts of one length have one layout: every tag, count and length is compared with a template at once, the
values are read through a packed big-endian type, and whatever does not fit (another layout, a clock with deviation or
wildcards) is left to the generic path. A property test holds both paths equal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from openami.kernel.time import EPOCH
from openami.protocol import apdu
from openami.protocol.cosem import date_time_from_utc
from openami.protocol.push import INTERVAL_S, LoadProfileRow, load_profile_body

ROW_OCTETS = 31
HEAD_OCTETS = 18
"""Notification head without date-time (6), structure (2), push setup (8), array (2)."""
DATED_HEAD_OCTETS = HEAD_OCTETS + 12
MAX_FAST_ROWS = 127
"""One octet of array count; more rows have another head and take the generic path."""
YEAR_MIN, YEAR_MAX = 1970, 2199
I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]
BOOLS = npt.NDArray[np.bool_]

_ROW = np.dtype({
    "names": ["year", "month", "day", "hour", "minute", "second", "hundredths", "deviation", "clock_status", "status",
              "delivered", "received", "voltage"],
    "formats": [">u2", "u1", "u1", "u1", "u1", "u1", "u1", ">i2", "u1", "u1", ">u4", ">u4", ">u2"],
    "offsets": [4, 6, 7, 9, 10, 11, 12, 13, 15, 17, 19, 24, 29],
    "itemsize": ROW_OCTETS,
})  # fmt: skip
_ROW_FREE = np.ones(ROW_OCTETS, np.bool_)
_ROW_FREE[[0, 1, 2, 3, 16, 18, 23, 28]] = False
"""Octets of a row that may be anything: all but tags, counts and lengths."""


@dataclass(frozen=True, slots=True, eq=False)
class LoadProfileColumns:
    """Rows of all plaintexts that fit, ordered by message and row. All columns have one length m.

    Args:
        message: (m,) index into the plaintexts.
        start: (m,) interval start, seconds since the epoch.
        status: (m,) profile status bits.
        delivered_wh: (m,) energy to the customer [Wh].
        received_wh: (m,) energy from the customer [Wh].
        voltage_dv: (m,) average voltage [0.1 V].
    """

    message: I64
    start: I64
    status: U8
    delivered_wh: I64
    received_wh: I64
    voltage_dv: I64

    @property
    def interval_s(self) -> int:
        """Length of every interval [s]."""
        return INTERVAL_S

    def __len__(self) -> int:
        return len(self.message)


@lru_cache(maxsize=2 * (MAX_FAST_ROWS + 1))
def _template(rows: int, *, dated: bool) -> tuple[U8, U8]:
    """Return the octets of an empty push of that many rows, and 0xFF where a plaintext must equal them."""
    stamp = date_time_from_utc(EPOCH) if dated else None
    octets = apdu.encode(apdu.DataNotification(0, stamp, load_profile_body([LoadProfileRow(EPOCH, 0, 0, 0, 0)] * rows)))
    head = DATED_HEAD_OCTETS if dated else HEAD_OCTETS
    free = np.zeros(len(octets), np.bool_)
    free[1:5] = True
    free[6 : 6 + head - HEAD_OCTETS] = True
    free[head:] = np.tile(_ROW_FREE, rows)
    return np.frombuffer(octets, np.uint8), np.where(free, 0, 0xFF).astype(np.uint8)


def _shape(length: int) -> tuple[int, bool] | None:
    """Return (rows, dated) of a plaintext length, or None where no push of ours has it."""
    for head, dated in ((DATED_HEAD_OCTETS, True), (HEAD_OCTETS, False)):
        rows, rest = divmod(length - head, ROW_OCTETS)
        if rest == 0 and 1 <= rows <= MAX_FAST_ROWS:
            return rows, dated
    return None


def _starts(rows: npt.NDArray[np.void]) -> tuple[I64, BOOLS]:
    """Return interval starts and whether each clock is plain UTC that exists."""
    months = (rows["year"].astype(np.int64) - 1970) * 12 + rows["month"] - 1
    month_start = months.astype("datetime64[M]")
    days = month_start.astype("datetime64[D]").astype(np.int64) + rows["day"] - 1
    plain = (
        (rows["deviation"] == 0)
        & ((rows["hundredths"] == 0) | (rows["hundredths"] == 0xFF))
        & (rows["year"] >= YEAR_MIN)
        & (rows["year"] <= YEAR_MAX)
        & (rows["month"] >= 1)
        & (rows["month"] <= 12)
        & (rows["day"] >= 1)
        & (days < (month_start + 1).astype("datetime64[D]").astype(np.int64))
        & (rows["hour"] < 24)
        & (rows["minute"] < 60)
        & (rows["second"] < 60)
    )
    seconds = rows["hour"].astype(np.int64) * 3600 + rows["minute"].astype(np.int64) * 60 + rows["second"]
    return days * 86_400 + seconds - INTERVAL_S, plain


def decode_load_profile_batch(plaintexts: Sequence[bytes]) -> tuple[LoadProfileColumns, BOOLS]:
    """Decode the load-profile pushes among plaintexts.

    Args:
        plaintexts: (n,) verified DataNotification APDUs.

    Returns:
        The rows of all that fit, and a (n,) mask of the plaintexts that the generic path must read.
    """
    generic = np.ones(len(plaintexts), np.bool_)
    by_length: dict[int, list[int]] = defaultdict(list)
    for number, plaintext in enumerate(plaintexts):
        by_length[len(plaintext)].append(number)
    parts: list[tuple[I64, I64, npt.NDArray[np.void]]] = []
    for length, members in by_length.items():
        shape = _shape(length)
        if shape is None:
            continue
        count, dated = shape
        index = np.array(members, np.int64)
        octets = np.frombuffer(b"".join([plaintexts[i] for i in members]), np.uint8).reshape(len(members), length)
        template, must = _template(count, dated=dated)
        fits = ~((octets ^ template) & must).any(axis=1)
        head = DATED_HEAD_OCTETS if dated else HEAD_OCTETS
        cells = np.ascontiguousarray(octets[:, head:]).view(_ROW).reshape(len(members), count)
        start, plain = _starts(cells)
        fits &= plain.all(axis=1)
        generic[index[fits]] = False
        parts.append((np.repeat(index[fits], count), start[fits].reshape(-1), cells[fits].reshape(-1)))
    return _columns(parts), generic


def _columns(parts: list[tuple[I64, I64, npt.NDArray[np.void]]]) -> LoadProfileColumns:
    if not parts:
        empty = np.zeros(0, np.int64)
        return LoadProfileColumns(empty, empty, np.zeros(0, np.uint8), empty, empty, empty)
    message = np.concatenate([p[0] for p in parts])
    start = np.concatenate([p[1] for p in parts])
    cells = np.concatenate([p[2] for p in parts])
    if len(parts) > 1:
        order = np.argsort(message, kind="stable")
        message, start, cells = message[order], start[order], cells[order]
    return LoadProfileColumns(
        message,
        start,
        cells["status"].astype(np.uint8),
        cells["delivered"].astype(np.int64),
        cells["received"].astype(np.int64),
        cells["voltage"].astype(np.int64),
    )
