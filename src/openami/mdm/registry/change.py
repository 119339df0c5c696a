"""Changes of who hangs where, as people and files ask for them. Values, and what can be refused without a database.

Every change may be entered late. On an exchange and a removal the register of each energy channel has a read at the
end; one that cannot be read is estimated, and says why. Source: research on utility practice, "Metering operations".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from openami.contracts.channel import CHANNELS, Channel
from openami.kernel.time import Period, require_utc
from openami.mdm.registry.errors import MissingReadError, RegistryError
from openami.mdm.registry.facts import FactEntry
from openami.mdm.registry.multiplier import Multiplier
from openami.mdm.registry.records import Installation, Meter


@dataclass(frozen=True, slots=True)
class EndRead:
    """What a register showed at an end of an installation.

    Args:
        value: counts.
        estimated_because: why it could not be read, where the value is an estimate; empty for a read.
    """

    value: int
    estimated_because: str = ""

    def __post_init__(self) -> None:
        if self.value < 0:
            raise RegistryError(f"a register read is {self.value}: it cannot be below zero")


EndReads: TypeAlias = Mapping[Channel, EndRead]


@dataclass(frozen=True, slots=True)
class Unmetered:
    """Energy that passed a place while no meter hung there. It is an estimate of its own, in no interval.

    Args:
        channel: delivered or received.
        period: from the out-read to the next in-read.
        value_wh: how much [Wh].
        method: how it was found, for example ``mean_of_days`` or ``by_hand``.
        evidence: what it was made of.
    """

    channel: Channel
    period: Period
    value_wh: int
    method: str
    evidence: Mapping[str, int | float | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TakeDown:
    """The meter that hangs somewhere at that instant no longer does."""

    meter_id: UUID
    at: datetime
    out_reads: EndReads

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", require_utc(self.at))


@dataclass(frozen=True, slots=True)
class Hang:
    """A meter hangs at a service point from an instant on.

    Args:
        installation_id: random; a repeat of it is refused.
        end: for a time that is over already, with its out-reads; None while it hangs.
    """

    installation_id: UUID
    service_point_id: UUID
    meter_id: UUID
    start: datetime
    in_reads: EndReads
    factors: Multiplier = field(default_factory=Multiplier)
    end: datetime | None = None
    out_reads: EndReads = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", require_utc(self.start))

    @property
    def installation(self) -> Installation:
        """The installation that it makes."""
        return Installation(
            self.installation_id, self.service_point_id, self.meter_id, self.start, self.end, self.factors.energy,
            {c: r.value for c, r in self.in_reads.items()}, {c: r.value for c, r in self.out_reads.items()},
            frozenset(c for c, r in self.in_reads.items() if r.estimated_because),
            frozenset(c for c, r in self.out_reads.items() if r.estimated_because),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Exchange:
    """One meter goes, another comes, at one place.

    Args:
        gone: the meter that is taken down; its place is the new one's.
        new: what is hung there, at the same instant or later.
        between: energy that passed meanwhile; each channel that both meters measure, where time passed.
    """

    gone: TakeDown
    new: Hang
    between: tuple[Unmetered, ...] = ()

    def __post_init__(self) -> None:
        if self.new.start < self.gone.at:
            raise RegistryError(
                f"exchange: the new meter would hang from {self.new.start.isoformat()}, before the old one goes at "
                f"{self.gone.at.isoformat()}"
            )
        if self.new.meter_id == self.gone.meter_id:
            raise RegistryError("exchange: the old and the new meter are the same")


@dataclass(frozen=True, slots=True)
class ChangeMultiplier:
    """The factors of a meter where it hangs are others from an instant on.

    Args:
        start: from when. The installation's own start corrects what was entered with it.
        reads: register counts right then; empty where nobody looked. Without them the energy of the bracket that holds
            the instant is not known from the registers, and its intervals stand unscaled.
    """

    meter_id: UUID
    start: datetime
    factors: Multiplier
    reads: Mapping[Channel, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", require_utc(self.start))


@dataclass(frozen=True, slots=True)
class CorrectDates:
    """An installation began or ended at another time than was entered; None leaves an end as it is.

    Reads at an end that moves are those of the new instant; without them the old ones are dropped.
    """

    installation_id: UUID
    start: datetime | None = None
    end: datetime | None = None
    in_reads: EndReads = field(default_factory=dict)
    out_reads: EndReads = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.start is None and self.end is None:
            raise RegistryError("a correction of dates gives a start, an end, or both")
        for name in ("start", "end"):
            instant = getattr(self, name)
            object.__setattr__(self, name, None if instant is None else require_utc(instant))


@dataclass(frozen=True, slots=True)
class Withdraw:
    """An installation was entered by mistake: the meter never hung there."""

    installation_id: UUID


@dataclass(frozen=True, slots=True)
class SwapPlaces:
    """Two meters were crossed: from an instant on each hung where the other was thought to hang.

    Args:
        first, second: the meters.
        since: from when; None from when on both hung.
        until: until when; None for as long as both hang where they are.
        reads: register counts by (meter, instant) where an installation is cut; the same read ends the one piece and
            begins the next, so that no energy is lost or made.
    """

    first: UUID
    second: UUID
    since: datetime | None = None
    until: datetime | None = None
    reads: Mapping[tuple[UUID, datetime], EndReads] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.first == self.second:
            raise RegistryError("crossed meters: the two meters are the same")
        for name in ("since", "until"):
            instant = getattr(self, name)
            object.__setattr__(self, name, None if instant is None else require_utc(instant))


@dataclass(frozen=True, slots=True)
class EnterFacts:
    """Facts of service points, entered together."""

    entries: tuple[FactEntry, ...]


Change: TypeAlias = TakeDown | Hang | Exchange | ChangeMultiplier | CorrectDates | Withdraw | SwapPlaces | EnterFacts


@dataclass(frozen=True, slots=True)
class LoggedChange:
    """A change as the log keeps it, for ever.

    Args:
        at: domain time of the entry.
        kind: ``install``, ``remove``, ``multiplier``, ``dates``, ``withdraw``, ``crossed``, or a kind of fact.
        subject: the service point.
        detail: what is believed from then on, and what was before.
        by: who entered it; empty for the program.
        reason: why.
    """

    at: datetime
    kind: str
    subject: UUID
    detail: Mapping[str, object]
    by: str
    reason: str


def channels_to_read(meter: Meter) -> tuple[Channel, ...]:
    """Return the channels whose register has a read at an end of an installation."""
    return tuple(c for c in meter.channels if CHANNELS[c].is_energy and CHANNELS[c].register_obis is not None)


def require_reads(meter: Meter, reads: EndReads, *, what: str) -> None:
    """Pass if each register of the meter has a read, or an estimate that says why.

    Args:
        meter: whose.
        reads: what is given.
        what: ``out-read`` or ``in-read``, for the refusal.

    Raises:
        MissingReadError: one is missing, or lies above what the register can show.
    """
    missing = [c.name.lower() for c in channels_to_read(meter) if c not in reads]
    if missing and not meter.is_virtual:
        raise MissingReadError(
            f"meter {meter.serial}: no {what} of {', '.join(missing)}; give it, or say why it cannot be read"
        )
    for channel, read in reads.items():
        form = meter.registers.get(channel)
        capacity = form.capacity if form is not None else meter.capacity_wh
        if capacity is not None and read.value >= capacity:
            raise MissingReadError(
                f"meter {meter.serial}: the {what} {read.value} of {channel.name.lower()} is above what its register "
                f"can show ({capacity - 1})"
            )
