"""What the head-end tells others: last frames, refused frames, counts. No key, no reading, no plaintext."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from openami.contracts.deadletter import RefusalReason


@dataclass(frozen=True, slots=True)
class LastFrame:
    """The newest frame that was accepted from a meter.

    Args:
        meter_id: the meter.
        collected_at: when its collector took the frame.
        received_at: when the gateway took it, real time.
        generation, invocation_counter: which key it was sealed with, and its number.
        frames: how many frames of this meter were ever accepted.
    """

    meter_id: UUID
    collected_at: datetime
    received_at: datetime
    generation: int
    invocation_counter: int
    frames: int


@dataclass(frozen=True, slots=True)
class RefusedFrame:
    """A dead letter without its octets.

    Args:
        letter_id: ``"<stream sequence>-<place in the batch>"``.
        reason: why.
        detail: one sentence for staff.
        system_title: hexadecimal title that it claimed.
        invocation_counter: counter that it claimed, or None.
        collector_id: who carried it.
        collected_at, refused_at: when, by the collector's clock and in domain time.
        octets: how long it is.
    """

    letter_id: str
    reason: RefusalReason
    detail: str
    system_title: str
    invocation_counter: int | None
    collector_id: int
    collected_at: datetime
    refused_at: datetime
    octets: int


@dataclass(frozen=True, slots=True)
class HeadendCounts:
    """Totals since the installation began; exact through any crash.

    Args:
        frames: frames read from the stream.
        accepted: frames that were new and genuine.
        refused: frames by reason.
        groups_owned: lease groups that an owner holds now, of ``groups``.
    """

    frames: int
    accepted: int
    refused: Mapping[RefusalReason, int]
    groups_owned: int
    groups: int


class HeadendStatus(Protocol):
    """Reads what head-ends have written; needs none of them running."""

    async def last_frames(self, limit: int = 100) -> list[LastFrame]:
        """Return the newest accepted frame of each meter, newest first, at most ``limit`` (1 to 10,000)."""
        ...

    async def last_frame_of(self, meter_id: UUID) -> LastFrame | None:
        """Return the newest accepted frame of one meter."""
        ...

    async def dead_letters(self, limit: int = 100, *, before: str | None = None) -> list[RefusedFrame]:
        """Return refused frames, newest first, those older than the letter ``before`` where it is given."""
        ...

    async def counts(self, *, now: datetime) -> HeadendCounts:
        """Return totals; ``now`` is real time, for the leases."""
        ...
