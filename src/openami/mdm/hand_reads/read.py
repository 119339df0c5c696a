"""Reads of a register by hand, and what is known of the register. Values.

Source: research on utility practice (drive-by meters, statutory opt-outs, customer reads); vee-grid note, section 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from openami.contracts.channel import Channel
from openami.kernel.errors import OpenAmiError
from openami.kernel.time import require_utc

MAX_MARK = 100


class HandReadError(OpenAmiError):
    """A read cannot be taken; the text says why and what to do."""


class Road(StrEnum):
    """How a read came."""

    DRIVE_BY = "drive_by"
    DIALS = "dials"
    PHOTO = "photo"
    READER_CODE = "reader_code"
    CUSTOMER = "customer"
    ESTIMATE = "estimate"


class ReadState(StrEnum):
    """What became of a read: bills stand on accepted ones, a held one waits for a person."""

    ACCEPTED = "accepted"
    HELD = "held"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Register:
    """What a register is.

    Args:
        capacity: count at which it rolls over; None where unknown.
        resolution: counts that its display resolves: 1000 for whole kWh in Wh.
        limit_per_hour: the most that it can advance in an hour [counts].
        multiplier: CT x PT x constant, for thresholds told in Wh.
    """

    capacity: int | None
    resolution: int
    limit_per_hour: int
    multiplier: int = 1


@dataclass(frozen=True, slots=True)
class PastRead:
    """An accepted read of the register: instant, counts, and whether it is an estimate or the customer's own."""

    at: datetime
    value: int
    is_estimate: bool = False
    is_customers: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", require_utc(self.at))


@dataclass(frozen=True, slots=True)
class ReadFinding:
    """What a rule says of a read.

    Args:
        rule: stable code.
        is_failure: the read waits for a person.
        evidence: numbers that show why, units last in the key.
    """

    rule: str
    is_failure: bool
    evidence: Mapping[str, int | float | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A read judged.

    Args:
        state: accepted, held or rejected.
        usage: counts since the last actual read, through a rollover; None where they cannot be told.
        findings: what the rules say.
        candidates: what may have been meant where it looks mis-keyed, the likeliest first.
    """

    state: ReadState
    usage: int | None
    findings: tuple[ReadFinding, ...]
    candidates: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class HandRead:
    """A read as kept. Nothing is rewritten: a correction is a later read that supersedes it.

    Args:
        id: random.
        service_point_id, meter_id, channel: whose register.
        at: when it was read.
        value: counts.
        road: how it came.
        mark: the reader's code, the photo's SHA-256, the drive's number; never a name.
        state: what became of it.
        findings: why.
        entered_at: domain time.
        entered_by: login, or name of the file.
        reason: of a person's decision.
    """

    id: UUID
    service_point_id: UUID
    meter_id: UUID
    channel: Channel
    at: datetime
    value: int
    road: Road
    mark: str
    state: ReadState
    findings: Sequence[ReadFinding]
    entered_at: datetime
    entered_by: str = ""
    reason: str = ""
