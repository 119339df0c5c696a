"""Where the keys of an installation stand, in figures and by meter. No key is in it, nor anything made from one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from openami.kernel.ids import SystemTitle
from openami.security.keys.context import KeyState, KeyUse
from openami.security.keys.level import SecurityLevel


@dataclass(frozen=True, slots=True)
class VaultStatus:
    """Figures of the whole vault.

    Args:
        levels: meters by security level.
        states: keys by use and state.
        oldest_active_at: domain time since when the oldest pair is in use; None in an empty vault.
        without_master: meters whose keys can only be changed by exchanging the meter.
        installation_version: the installation key that wraps what comes in; 0 in an empty vault.
        left_to_rewrap: keys that are under an older one.
        retired: installation keys whose octets are gone.
        makers: makers whose signature is believed.
        unsigned_shipments: shipments that came in clear.
        spoiled: keys that do not open in their place, as processes reported them.
    """

    levels: Mapping[SecurityLevel, int]
    states: Mapping[tuple[KeyUse, KeyState], int]
    oldest_active_at: datetime | None
    without_master: int
    installation_version: int
    left_to_rewrap: int
    retired: int
    makers: int
    unsigned_shipments: int
    spoiled: int

    @property
    def meters(self) -> int:
        """Meters that have keys."""
        return sum(self.levels.values())


@dataclass(frozen=True, slots=True)
class MeterKeys:
    """Where one meter's keys stand.

    Args:
        meter_id, system_title, serial, profile: which.
        level: how far its keys can be trusted.
        generation: of the pair in use; None where none is.
        active_at: domain time since when it is in use.
        new_generation: of a pair that waits for its proof; None where none does.
        master_generation: of its master key in use; None where it has none.
    """

    meter_id: UUID
    system_title: SystemTitle
    serial: str
    profile: str
    level: SecurityLevel
    generation: int | None
    active_at: datetime | None
    new_generation: int | None
    master_generation: int | None


class KeyBook(Protocol):
    """Reads where keys stand. Every method raises ``VaultUnavailableError`` when the database cannot be reached."""

    async def status(self) -> VaultStatus:
        """Return the figures."""
        ...

    async def meter_keys(self, *, level: SecurityLevel | None = None, limit: int = 1_000) -> list[MeterKeys]:
        """Return meters, those that need somebody first: compromised, none, factory, then the longest in use.

        Args:
            level: of this level alone; None for all.
            limit: at most so many.
        """
        ...
