"""The band around an estimate, calibrated so that nine of ten true values lie in it.

Bands are of the square root of counts: low = (root - a spread)^2, high = (root + b spread)^2, with a and b by the
length of the gap and by whether a register knew its energy. They were set on the tuning half of the homes
(``openami.app.bench.gap_bands``); ``openami bench gaps`` prints what share of true values lay in them on the other.
"""

from __future__ import annotations

import numpy as np

from openami.mdm.vee.estimate.cells import F64
from openami.mdm.vee.grid import I64

TARGET = 0.9
_HOURS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 24.0, 72.0)
_SCALED_LOW = (2.1, 2.1, 2.05, 1.8, 1.7, 1.6, 1.6, 1.6)
_SCALED_HIGH = (1.7, 1.7, 2.2, 1.95, 1.9, 1.85, 1.95, 2.05)
_FREE_LOW = (2.3, 2.55, 2.2, 1.8, 1.65, 1.55, 1.6, 1.6)
_FREE_HIGH = (2.7, 3.35, 2.6, 2.2, 2.2, 2.0, 1.9, 2.05)


def band(value: F64, spread: F64, gap_s: I64, *, is_scaled: bool) -> tuple[F64, F64]:
    """Return the ends of the band.

    Args:
        value: (M,) counts.
        spread: (M,) of the square root of counts.
        gap_s: (M,) length of the gap [s].
        is_scaled: whether registers knew the gap's energy.

    >>> low, high = band(np.array([100.0]), np.array([0.0]), np.array([900]), is_scaled=False)
    >>> float(low[0]), float(high[0])
    (100.0, 100.0)
    """
    below, above = (_SCALED_LOW, _SCALED_HIGH) if is_scaled else (_FREE_LOW, _FREE_HIGH)
    hours, known = np.log2(np.maximum(gap_s, 1) / 3600), np.log2(_HOURS)
    root = np.sqrt(value)
    low = np.maximum(root - np.interp(hours, known, below) * spread, 0.0) ** 2
    return low, (root + np.interp(hours, known, above) * spread) ** 2
