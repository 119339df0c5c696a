"""Records of the registry and the reasons it refuses for. Values only.

A service point is a place on the network; a meter hangs at it for a half-open period, an *installation*. At both ends
the installer reads the registers: without these reads energy could not be conserved across an exchange.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from openami.contracts.channel import Channel
from openami.kernel.time import require_utc
from openami.mdm.registry.errors import OverlapError, RegistryError, UnknownRecordError
from openami.mdm.registry.multiplier import MultiplierStep

__all__ = [
    "Affected", "Installation", "InstalledMeter", "Meter", "OverlapError", "RegisterForm", "RegistryError",
    "ServicePoint", "ServicePointStatus", "UnknownRecordError",
]  # fmt: skip

DEFAULT_MAX_POWER_W = 48_000
"""A 200 A, 240 V service: nothing a home's meter reports can lie above it (vee-grid note 1.6)."""
DEFAULT_CHANNELS = (Channel.DELIVERED, Channel.RECEIVED, Channel.VOLTAGE)


class ServicePointStatus(StrEnum):
    """Life of a service point."""

    PLANNED = "planned"
    ACTIVE = "active"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class ServicePoint:
    """A place where energy is delivered.

    Args:
        id: random; means nothing outside.
        zone: IANA zone of its local days.
        made_at: when it was entered, domain time.
        transformer, feeder, cell: names in the network model and the radio plan; empty where unknown.
        bill_group: the meter reading route, 1 to 21.
        status: life.
    """

    id: UUID
    zone: str
    made_at: datetime
    transformer: str = ""
    feeder: str = ""
    cell: str = ""
    bill_group: int = 1
    status: ServicePointStatus = ServicePointStatus.ACTIVE


@dataclass(frozen=True, slots=True)
class RegisterForm:
    """What one channel's register resolves [counts], and the count at which it rolls over; None where unknown."""

    resolution: int
    capacity: int | None = None

    def __post_init__(self) -> None:
        if self.resolution < 1 or (self.capacity is not None and self.capacity <= self.resolution):
            raise RegistryError(f"a register resolves {self.resolution} and rolls over at {self.capacity}: it cannot")


@dataclass(frozen=True, slots=True)
class Meter:
    """A device, or the virtual meter of an imported file.

    Args:
        id: as in the key vault and in raw readings.
        serial: the maker's number, unique.
        made_at: when it was entered, domain time.
        system_title: eight octets; None for a virtual meter.
        profile: name of its head-end profile.
        interval_s: capture period [s].
        channels: its channel set.
        capacity_wh: value at which its registers roll over to zero [Wh]; None where it is not known.
        resolution_wh: what the registers resolve [Wh].
        max_power_w: the most it can measure [W]; bounds intervals and register advances.
        is_virtual: made by an import.
        registers: channels whose register has another form than the meter's row says.
    """

    id: UUID
    serial: str
    made_at: datetime
    system_title: bytes | None = None
    profile: str = ""
    interval_s: int = 900
    channels: tuple[Channel, ...] = DEFAULT_CHANNELS
    capacity_wh: int | None = None
    resolution_wh: int = 1
    max_power_w: int = DEFAULT_MAX_POWER_W
    is_virtual: bool = False
    registers: Mapping[Channel, RegisterForm] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Installation:
    """A meter at a service point for a time.

    Args:
        id: random.
        start: from when, inclusive.
        end: until when, exclusive; None while it hangs there.
        multiplier: CT x PT x meter constant from the start on; applied once, in validation.
        in_reads: register counts at ``start`` by channel.
        out_reads: register counts at ``end`` by channel.
        estimated_in, estimated_out: channels whose read could not be taken there and is an estimate.
        steps: later multipliers, by start.
    """

    id: UUID
    service_point_id: UUID
    meter_id: UUID
    start: datetime
    end: datetime | None = None
    multiplier: int = 1
    in_reads: Mapping[Channel, int] = field(default_factory=dict)
    out_reads: Mapping[Channel, int] = field(default_factory=dict)
    estimated_in: frozenset[Channel] = frozenset()
    estimated_out: frozenset[Channel] = frozenset()
    steps: tuple[MultiplierStep, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", require_utc(self.start))
        if self.end is not None:
            object.__setattr__(self, "end", require_utc(self.end))
            if self.end <= self.start:
                raise RegistryError(f"installation {self.id}: it would end at or before its start")
        if self.multiplier < 1:
            raise RegistryError(f"installation {self.id}: the multiplier is {self.multiplier}, it must be 1 or more")


@dataclass(frozen=True, slots=True)
class InstalledMeter:
    """An installation with the meter it speaks of: all that validation needs to know."""

    installation: Installation
    meter: Meter


@dataclass(frozen=True, slots=True)
class Affected:
    """Local days of a service point that a change touches, both ends included.

    Args:
        is_validated: validation must run again; False where what is billed may change and no reading does.
    """

    service_point_id: UUID
    first: date
    last: date
    is_validated: bool = True
