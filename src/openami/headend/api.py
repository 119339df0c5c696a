"""What the head-end tells others: last frames, refused frames, counts. No key, no reading, no plaintext."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from openami.contracts.deadletter import RefusalReason
from openami.headend.keeping.answer import Figure
from openami.headend.keeping.missing import IntervalState
from openami.headend.keeping.request import Request, RequestKind
from openami.headend.state_ports import LevelRow, RegisterLevelRow
from openami.kernel.ids import SystemTitle


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
        released_at: real time at which a person released its counter jump; None where nobody has.
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
    released_at: datetime | None = None


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

    async def release_counter(self, letter_id: str, *, by: UUID, at: datetime, reason: str) -> bool:
        """Let head-ends believe the counter of a held letter; False where there is none such, or it is released.

        Args:
            letter_id: of a dead letter whose reason is ``counter_jump``.
            by: who releases it.
            at: real time.
            reason: why, 1 to 500 characters.
        """
        ...

    async def counts(self, *, now: datetime) -> HeadendCounts:
        """Return totals; ``now`` is real time, for the leases."""
        ...


@dataclass(frozen=True, slots=True)
class AskedRequest:
    """A request as staff see it: how it stands, and what the meter said.

    Args:
        request: kind, state and words.
        figures: what a person asked for; none before it is answered, and none after a day.
    """

    request: Request
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class MeterMemory:
    """What a group's owner remembers of one meter, as of its last snapshot.

    Args:
        states: what is known of each quarter-hour asked about.
        no_supply_since: by the meter's own word; None where it has supply.
    """

    states: tuple[IntervalState, ...]
    no_supply_since: datetime | None


class FleetBooks(Protocol):
    """How well the fleet is read, and requests of people. Reads what head-ends have written."""

    async def ask(self, request: Request, *, asked_by: str) -> None:
        """Enter a request of a person; the owner of the meter's group takes it up within a second or two."""
        ...

    async def asked(self, meter_id: UUID, *, limit: int) -> list[AskedRequest]:
        """Return the newest requests of people to a meter, newest first."""
        ...

    async def requests_over(self, meter_id: UUID, from_s: int, to_s: int) -> list[Request]:
        """Return requests for intervals of a meter that overlap a span, newest first."""
        ...

    async def open_requests(self, kind: RequestKind) -> list[UUID]:
        """Return the meters that have an open request of a kind; at most 10,000."""
        ...

    async def memory_of(self, title: SystemTitle, first: int, count: int) -> MeterMemory | None:
        """Return what is remembered of quarter-hours of a meter; None where it was never seen nor enrolled.

        Args:
            title: the meter.
            first: first quarter-hour since 1970-01-01T00:00Z.
            count: how many, 1 to 200.
        """
        ...

    async def levels(self, first: date) -> list[LevelRow]:
        """Return service levels by UTC day and cell from a day on, all groups summed."""
        ...

    async def register_levels(self, first: date) -> list[RegisterLevelRow]:
        """Return billing-window reads by read day and cell from a day on, all groups summed."""
        ...
