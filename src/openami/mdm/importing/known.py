"""Files of meters that the registry knows: which rows are whose, before the multiplier, and what is refused by meter.

A meter of the registry has its interval length, channels and multiplier there. A file that says otherwise is not
believed: its meter is rejected with the difference, and the other meters of the file land.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

import numpy as np
import numpy.typing as npt

from openami.contracts.channel import CHANNELS, Channel
from openami.contracts.quality import Source
from openami.contracts.reading import ReadingBatch, RegisterBatch, uuid_column
from openami.kernel.time import Period, instant_from_epoch_s, local_date, zone_named
from openami.mdm.importing.file import ImportedFile, ImportedRegister, ImportedSeries, whole_wh
from openami.mdm.registry.records import InstalledMeter, Meter
from openami.mdm.registry.segments import Factors

I64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RejectedMeter:
    """A meter of a file that is not taken, with the reason and its line."""

    name: str
    reason: str
    line: int


@dataclass(frozen=True, slots=True, eq=False)
class KnownRows:
    """What of a file goes into the store.

    Args:
        readings, registers: rows of known meters.
        touched: first and last instant of the rows of each meter, seconds since the epoch.
        rejected: what is not taken.
    """

    readings: ReadingBatch
    registers: RegisterBatch
    touched: Mapping[UUID, tuple[int, int]]
    rejected: tuple[RejectedMeter, ...]


class _Refused(Exception):  # noqa: N818 - caught in this module, where it becomes a row of the report
    """One series is not taken."""


def known_rows(
    found: ImportedFile, meters: Mapping[str, Meter], installed: Sequence[InstalledMeter], *, message_id: int
) -> KnownRows:
    """Return the rows of a file for the meters that the registry knows.

    Args:
        found: the parsed file; a series is named by its meter's serial number.
        meters: by serial number.
        installed: where these meters hang in the time of the file; a meter that hangs nowhere has a multiplier of 1.
        message_id: names the file, so the same file again collapses.
    """
    readings, registers = [], []
    rejected = [RejectedMeter(r.name, r.reason, r.line) for r in found.refused]
    touched: dict[UUID, tuple[int, int]] = {}
    places: dict[UUID, list[InstalledMeter]] = {}
    for place in installed:
        places.setdefault(place.meter.id, []).append(place)
    everything: tuple[ImportedSeries | ImportedRegister, ...] = (*found.series, *found.registers)
    for one in everything:
        try:
            meter = _meter(one, meters)
            own = places.get(meter.id, [])
            if isinstance(one, ImportedSeries):
                readings.append(_readings(one, meter, own, message_id))
                starts: I64 = one.start_s
            else:
                registers.append(_registers(one, meter, own, message_id))
                starts = one.at_s
        except _Refused as error:
            rejected.append(RejectedMeter(one.name, str(error), one.first_line))
            continue
        before = touched.get(meter.id, (int(starts[0]), int(starts[-1])))
        touched[meter.id] = (min(before[0], int(starts[0])), max(before[1], int(starts[-1])))
    return KnownRows(ReadingBatch.concatenate(readings), RegisterBatch.concatenate(registers), touched, tuple(rejected))


def touched_days(
    touched: Mapping[UUID, tuple[int, int]], installed: Sequence[InstalledMeter], zones: Mapping[UUID, str]
) -> list[tuple[UUID, date, date]]:
    """Return the local days of service points that rows of meters fall in, both ends included.

    Args:
        touched: as in :class:`KnownRows`.
        installed: where the meters hang.
        zones: zone of each service point.
    """
    days = []
    for one in installed:
        i = one.installation
        if i.meter_id not in touched:
            continue
        first, last = (instant_from_epoch_s(s) for s in touched[i.meter_id])
        # A register read at midnight closes the day before: its day is asked for too.
        whole = Period(first - timedelta(seconds=1), last + timedelta(seconds=1))
        part = Period(i.start, i.end or max(whole.end, i.start + timedelta(seconds=1))).intersection(whole)
        if part is not None:
            zone = zone_named(zones[i.service_point_id])
            end = part.end - timedelta(microseconds=1)
            days.append((i.service_point_id, local_date(part.start, zone), local_date(end, zone)))
    return days


def _meter(one: ImportedSeries | ImportedRegister, meters: Mapping[str, Meter]) -> Meter:
    meter = meters.get(one.name)
    if meter is None:
        raise _Refused("the registry knows no meter of this serial number: send its master data first")
    if one.channel not in meter.channels:
        raise _Refused(f"the registry's meter does not measure {CHANNELS[one.channel].name}")
    return meter


def _factors(one: ImportedSeries | ImportedRegister, own: Sequence[InstalledMeter], at_s: I64) -> I64:
    """Return the registry's multiplier at each instant, and refuse a file that says another."""
    if not own:
        return np.ones(len(at_s), np.int64)
    book = Factors(own, one.channel)
    meter_id = own[0].meter.id
    factors = np.array([book.at(meter_id, at) for at in at_s.tolist()], np.int64)
    if not one.multiplier_applied and one.multiplier != 1 and bool((factors != one.multiplier).any()):
        said = sorted(set(factors.tolist()))
        raise _Refused(f"the file's multiplier is {one.multiplier}, the registry's {', '.join(map(str, said))}")
    return factors


def _before_multiplier(one: ImportedSeries, factors: I64) -> I64:
    """Return a series as the meter counted it, the remainder carried on, so its sum stays true to one count."""
    if not one.multiplier_applied or bool((factors == 1).all()):
        return one.value
    value = one.value.copy()
    for factor in set(factors.tolist()):
        mask = factors == factor
        value[mask] = whole_wh(one.value[mask].tolist(), denominator=int(factor))
    return value


def _readings(one: ImportedSeries, meter: Meter, own: Sequence[InstalledMeter], message_id: int) -> ReadingBatch:
    if one.interval_s != meter.interval_s:
        raise _Refused(f"the registry's meter has intervals of {meter.interval_s} s, the file of {one.interval_s} s")
    if bool((one.start_s % one.interval_s != 0).any()):
        raise _Refused(f"its intervals do not begin on whole {one.interval_s} s")
    count = len(one.start_s)
    return ReadingBatch(
        meter_id=uuid_column([meter.id] * count),
        channel=np.full(count, one.channel, np.uint8),
        start=one.start_s,
        interval_s=np.full(count, one.interval_s, np.uint32),
        value=_before_multiplier(one, _factors(one, own, one.start_s)),
        quality=one.quality,
        source=np.full(count, Source.FILE, np.uint8),
        message_id=np.full(count, message_id, np.uint64),
    )


def _registers(one: ImportedRegister, meter: Meter, own: Sequence[InstalledMeter], message_id: int) -> RegisterBatch:
    factors = _factors(one, own, one.at_s)
    value = one.value // factors if one.multiplier_applied else one.value
    form = meter.registers.get(one.channel)
    capacity = meter.capacity_wh if form is None else form.capacity
    if capacity is not None and bool((value >= capacity).any()):
        raise _Refused(f"a read lies above what the register of {_name(one.channel)} can show ({capacity - 1})")
    count = len(one.at_s)
    return RegisterBatch(
        meter_id=uuid_column([meter.id] * count),
        channel=np.full(count, one.channel, np.uint8),
        at=one.at_s,
        value=value,
        source=np.full(count, Source.FILE, np.uint8),
        message_id=np.full(count, message_id, np.uint64),
    )


def _name(channel: Channel) -> str:
    return CHANNELS[channel].name
