"""What a session brings home: rows for the streams, and a figure or two for the person who asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from zlib import crc32

import numpy as np

from openami.contracts.event import DeviceEvent
from openami.contracts.quality import Source
from openami.contracts.reading import ReadingBatch, RegisterBatch, uuid_column
from openami.headend.keeping.clock_watch import ClockReading
from openami.headend.keeping.request import Request
from openami.headend.profiles import IntervalRow, RegisterRow
from openami.headend.profiles.columns import ColumnSheet
from openami.kernel.time import epoch_s

PULLED = 1 << 63
"""Set in the message number of every pulled row; a push's number begins with a key generation and never reaches it."""
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Figure:
    """One value for the person who asked: its name, number and unit. The number is not shown."""

    name: str
    value: float = field(repr=False)
    unit: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a meter answered to one request.

    Args:
        readings, registers, events: rows for the streams.
        clock: its clock, where it was read.
        columns: what it said of the columns of its profiles, to be kept.
        figures: for the person who asked.
        words: one sentence for staff; of a ping it says the voltage.
        octets: sent and received on the way to the collector, for the air's account.
        exchanges: how many messages went out.
    """

    readings: ReadingBatch = field(default_factory=ReadingBatch.empty)
    registers: RegisterBatch = field(default_factory=RegisterBatch.empty)
    events: tuple[DeviceEvent, ...] = ()
    clock: ClockReading | None = None
    columns: tuple[ColumnSheet, ...] = ()
    figures: tuple[Figure, ...] = ()
    words: str = field(default="", repr=False)
    octets: int = 0
    exchanges: int = 0


def pulled_id(instant_s: int, values: Sequence[int]) -> int:
    """Return the message number of a pulled row: the day it belongs to, and what it says.

    A row that is read twice, by whichever request, collapses into one; a row that reads otherwise the second time is
    kept beside the first.

    Args:
        instant_s: start of the interval or instant of the read, seconds since the epoch.
        values: every number of the row.
    """
    digest = crc32(np.array(values, np.int64).tobytes())
    return PULLED | (instant_s // _DAY_S) << 32 | digest


def reading_batch(request: Request, rows: Sequence[IntervalRow]) -> ReadingBatch:
    """Return pulled intervals as columns."""
    flat = [
        (channel, epoch_s(r.start), r.interval_s, value, r.status, pulled_id(epoch_s(r.start), _numbers(r)))
        for r in rows
        for channel, value in r.values
    ]
    if not flat:
        return ReadingBatch.empty()
    channel, start, interval_s, value, status, message_id = zip(*flat, strict=True)
    count = len(flat)
    return ReadingBatch(
        meter_id=np.repeat(uuid_column([request.meter_id]), count),
        channel=np.array(channel, np.uint8),
        start=np.array(start, np.int64),
        interval_s=np.array(interval_s, np.uint32),
        value=np.array(value, np.int64),
        quality=np.array(status, np.uint16),
        source=np.full(count, Source.PULL, np.uint8),
        message_id=np.array(message_id, np.uint64),
    )


def register_batch(request: Request, rows: Sequence[RegisterRow]) -> RegisterBatch:
    """Return pulled register reads as columns."""
    if not rows:
        return RegisterBatch.empty()
    count = len(rows)
    return RegisterBatch(
        meter_id=np.repeat(uuid_column([request.meter_id]), count),
        channel=np.array([r.channel for r in rows], np.uint8),
        at=np.array([epoch_s(r.at) for r in rows], np.int64),
        value=np.array([r.value for r in rows], np.int64),
        source=np.full(count, Source.PULL, np.uint8),
        message_id=np.array([pulled_id(epoch_s(r.at), (r.channel, r.value)) for r in rows], np.uint64),
    )


def read_within(request: Request, rows: Sequence[RegisterRow]) -> list[RegisterRow]:
    """Return the register reads in the span asked for, as :func:`within` does."""
    return [r for r in rows if request.from_s <= epoch_s(r.at) < request.to_s]


def within(request: Request, rows: Sequence[IntervalRow]) -> list[IntervalRow]:
    """Return the rows that start in the span asked for: what else a meter sends is not taken."""
    return [r for r in rows if request.from_s <= epoch_s(r.start) < request.to_s]


def _numbers(row: IntervalRow) -> list[int]:
    return [row.interval_s, row.status, *(n for pair in row.values for n in pair)]
