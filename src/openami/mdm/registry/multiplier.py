"""Multipliers: CT x PT x constant, from which instant on. Values.

Energy takes all three factors, a voltage the voltage transformers' alone, a current the current transformers' alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from openami.contracts.channel import CHANNELS, Channel
from openami.kernel.quantity import Unit
from openami.kernel.time import require_utc
from openami.mdm.registry.errors import RegistryError

MAX_FACTOR = 1_000_000


@dataclass(frozen=True, slots=True)
class Multiplier:
    """Factors between a meter's counts and what flows.

    Args:
        ct: current transformers' ratio, for example 40 for 200:5.
        pt: voltage transformers' ratio, for example 60 for 7200:120.
        constant: the meter's own.

    Raises:
        RegistryError: a factor is not from 1 to 1,000,000, or their product is above it.
    """

    ct: int = 1
    pt: int = 1
    constant: int = 1

    def __post_init__(self) -> None:
        for name in ("ct", "pt", "constant"):
            if not 1 <= getattr(self, name) <= MAX_FACTOR:
                raise RegistryError(f"multiplier: {name} is {getattr(self, name)}, not from 1 to {MAX_FACTOR}")
        if self.energy > MAX_FACTOR:
            raise RegistryError(f"multiplier: {self.ct} x {self.pt} x {self.constant} is above {MAX_FACTOR}")

    @property
    def energy(self) -> int:
        """The factor of energy and power."""
        return self.ct * self.pt * self.constant

    def of(self, channel: Channel) -> int:
        """Return the factor of a channel.

        >>> Multiplier(ct=40, pt=60).of(Channel.DELIVERED), Multiplier(ct=40, pt=60).of(Channel.VOLTAGE)
        (2400, 60)
        """
        spec = CHANNELS[channel]
        if spec.is_energy:
            return self.energy
        return {Unit.VOLT: self.pt, Unit.AMPERE: self.ct}.get(spec.unit, 1)


@dataclass(frozen=True, slots=True)
class MultiplierStep:
    """Factors from an instant on, with what the registers showed right then.

    Args:
        start: from when; at or after the installation's start.
        factors: from then on.
        reads: register counts at ``start`` by channel; empty where nobody looked.
    """

    start: datetime
    factors: Multiplier
    reads: Mapping[Channel, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", require_utc(self.start))
