"""What the store remembers of the local days before the ones asked for: digests, so that no interval is read again.

Rules that compare a day with the last four weeks (high and low use, an earlier day repeated to the count, a clock that
went wrong by an hour, a half-registering meter) read these columns. Intervals of earlier days are read only for series
with gaps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from openami.contracts.quality import QualityState
from openami.mdm.vee.grid import I64

U8 = npt.NDArray[np.uint8]
U64 = npt.NDArray[np.uint64]
DIGEST_DAYS = 28
PROFILE_HOURS = 24


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Digests of the D local days before the first asked day, oldest first, of S series.

    Args:
        total: (S, D) counts of the day; 0 where there is no day.
        maximum: (S, D) the highest interval of the day, counts.
        digest: (S, D) hash of the day's values in order; 0 where there is no day, or one too flat to be told from
            another (fewer than :data:`MIN_DISTINCT` different values).
        state: (S, D) the worst :class:`~openami.contracts.quality.QualityState` of the day; MISSING for no day.
        profile: (S, 24) mean counts by local hour over the measured days; 0 where none was.
    """

    total: I64
    maximum: I64
    digest: U64
    state: U8
    profile: I64

    @classmethod
    def none(cls, series: int, days: int = 0) -> History:
        """Return the history of series of which nothing is remembered."""
        shape = (series, days)
        return cls(
            np.zeros(shape, np.int64),
            np.zeros(shape, np.int64),
            np.zeros(shape, np.uint64),
            np.full(shape, QualityState.MISSING, np.uint8),
            np.zeros((series, PROFILE_HOURS), np.int64),
        )


MIN_DISTINCT = 8
"""A vacant home repeats its days honestly: a day with fewer different values has no digest."""
