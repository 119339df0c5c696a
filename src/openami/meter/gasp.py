"""The last gasp: a few repetitions on stored energy, each of which the radio may lose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from openami.meter.pushes import GASPS


@dataclass(frozen=True, slots=True)
class GaspRadio:
    """How last gasps leave a meter.

    Args:
        dice: gives a number from 0 up to 1 each time.
        loss: share that nobody hears.
        energy_gasps: how many the stored energy is enough for.
    """

    dice: Callable[[], float]
    loss: float = 0.3
    energy_gasps: int = GASPS

    def hears(self) -> bool:
        """Throw for one gasp."""
        return self.dice() >= self.loss
