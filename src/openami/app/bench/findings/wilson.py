"""A share with its interval.

Source: E. B. Wilson, Probable inference, JASA 22 (1927) 209-212.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

Z_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Share:
    """``hits`` of ``trials``."""

    hits: int
    trials: int

    @property
    def value(self) -> float:
        """The share; 0 where nothing was tried."""
        return self.hits / self.trials if self.trials else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval.

        >>> low, high = Share(0, 1000).interval
        >>> round(low, 5), round(high, 5)
        (0.0, 0.00383)
        """
        if not self.trials:
            return 0.0, 1.0
        n, p, z2 = self.trials, self.value, Z_95**2
        center = (p + z2 / (2 * n)) / (1 + z2 / n)
        half = Z_95 / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n * n))
        low = 0.0 if self.hits == 0 else max(center - half, 0.0)
        return low, 1.0 if self.hits == n else min(center + half, 1.0)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:.3%} ({low:.3%} to {high:.3%}; {self.hits} of {self.trials})"
