"""The intervals of one service point as usage, within what the asker may see: for screens and comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import numpy as np

from openami.billing.rating.usage import Usage
from openami.contracts.channel import Channel
from openami.contracts.quality import QualityState
from openami.kernel.time import Period
from openami.mdm.api import IntervalSeries, MeterData
from openami.security.access.scope import Scope


async def usage_of(meters: MeterData, scope: Scope, service_point_id: UUID, period: Period) -> Usage:
    """Return the scope's part of the period as usage: missing and negative intervals are left out.

    Raises:
        ScopeError: outside the scope.
        StoreError: the store did not answer.
    """
    parts = scope.granted(service_point_id, period)
    found = [await meters.intervals(scope, service_point_id, Channel.DELIVERED, p) for p in parts]
    if not found:
        return Usage(np.zeros(0, np.int64), np.zeros(0, np.int64), 900)
    return _joined(found)


def _joined(found: Sequence[IntervalSeries]) -> Usage:
    start = np.concatenate([s.start_s for s in found])
    value = np.concatenate([s.value for s in found])
    quality = np.concatenate([s.quality for s in found])
    good = (quality != QualityState.MISSING) & (value >= 0)
    return Usage(start[good], value[good], found[0].interval_s, quality[good] == QualityState.ESTIMATED)
