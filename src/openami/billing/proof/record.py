"""What is proved of one bill, as values. Each step names the one below it; a step that is not there says why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class ClauseProof:
    """Where in the rate a price stands.

    Args:
        path: into the rate's file.
        version: index of the version.
        label: what the version is called.
        effective_from: first day of the version, or of the dated value.
        provenance: where the figures come from.
        confidence: how sure the file is of them.
    """

    path: str
    version: int
    label: str
    effective_from: date | None
    provenance: Mapping[str, str]
    confidence: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DayShare:
    """What one local day gives to a line: energy [Wh], how many intervals, how many of them estimated."""

    day: date
    wh: int
    intervals: int
    estimated: int


@dataclass(frozen=True, slots=True)
class WindowProof:
    """The window that set a demand: its start, its mean power [W], and the energy of each of its intervals [Wh]."""

    start: datetime
    watts: int
    intervals_wh: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LineProof:
    """One line down to its intervals.

    Args:
        number: place on the bill, from 1.
        name: as printed.
        formula: quantity, price, exact amount and the one rounding, in one line.
        clause: where the price stands.
        metered_wh: energy of the intervals that the line's price holds for; None where energy sets nothing.
        days: the same by local day; the sum is ``metered_wh``.
        window: of a demand line.
        note: how the quantity comes from what was metered, where it is not simply equal.
    """

    number: int
    name: str
    formula: str
    clause: ClauseProof
    metered_wh: int | None
    days: tuple[DayShare, ...]
    window: WindowProof | None
    note: str


@dataclass(frozen=True, slots=True)
class DayProof:
    """The version of a local day that was billed.

    Args:
        day: local day.
        version: number.
        known_at: when it was written, domain time.
        run_id: the validation run that wrote it.
        wh: its energy.
        intervals, measured, estimated: how many intervals, and how they are.
        latest: the newest version there is now: higher if the day has changed since.
    """

    day: date
    version: int
    known_at: datetime
    run_id: UUID
    wh: int
    intervals: int
    measured: int
    estimated: int
    latest: int


@dataclass(frozen=True, slots=True)
class FindingProof:
    """A finding of validation about a billed day, in words."""

    day: date
    version: int
    rule: str
    severity: str
    start: datetime
    end: datetime
    words: str


@dataclass(frozen=True, slots=True)
class ReadingProof:
    """One raw reading behind an interval.

    Args:
        start: of the interval.
        wh: what the bill took.
        quality, method: in words.
        price_period: where it was billed.
        meter: serial number; empty where no meter hung there.
        value: what the meter counted, times its multiplier; None where no reading came.
        source: "push", "pull", "file", "bulk" or "field"; "none" where nothing came.
        message: the message's number.
        generation, counter: key generation and invocation counter of a pushed frame; None for other sources.
    """

    start: datetime
    wh: int
    quality: str
    method: str
    price_period: str
    meter: str
    value: int | None
    source: str
    message: int | None
    generation: int | None
    counter: int | None


@dataclass(frozen=True, slots=True)
class FrameProof:
    """The sealed frame of a message, as the gateway kept it.

    Args:
        segment: file, by its name in the segments' folder.
        segment_sha256: digest of the whole file from the gateway's index, a leaf of the audit log; empty while open.
        batch: the gateway's batch.
        stream_sequence: place in the stream; None where the batch was not committed.
        collector, sequence: who handed it over, and that collector's own number for it.
        collected_at, received_at: by the clocks of collector and gateway, real time.
        system_title: of the device, from the frame's clear header.
        counter: invocation counter, from the same.
        octets: length of the frame.
        sha256: digest of the frame.
    """

    segment: str
    segment_sha256: str
    batch: str
    stream_sequence: int | None
    collector: int
    sequence: int
    collected_at: datetime
    received_at: datetime
    system_title: str
    counter: int
    octets: int
    sha256: str
