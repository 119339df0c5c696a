"""What each meter of an order takes off its feeder, from what it measured lately: so that megawatts can be counted.

The highest quarter-hour of the last day, not the mean: whoever judges a step of load must not be told too little.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

import numpy as np

from openami.contracts.channel import CHANNELS, Channel
from openami.contracts.reading import uuids_of
from openami.kernel.time import HOUR_S, Period
from openami.mdm.ports import IntervalStore, MeterSpan, StoreError
from openami.security.access.scope import Purpose, system_scope

LOOK_BACK = timedelta(hours=24)
MAX_W = 2**32 - 1
_SCOPE = system_scope(process="orders", purpose=Purpose.OPERATIONS)


async def peak_loads_w(store: IntervalStore, spans: Collection[MeterSpan], *, until: datetime) -> dict[UUID, int]:
    """Return the highest load of each meter in the last day [W], by meter; a meter of which nothing is known is absent.

    Where the store does not answer nothing is known of any: an order must not wait for figures.

    Args:
        store: intervals.
        spans: the meters where they hang.
        until: the installation's time now.
    """
    if not spans:
        return {}
    try:
        found = await store.readings(_SCOPE, list(spans), Channel.DELIVERED, Period(until - LOOK_BACK, until))
    except (StoreError, OSError):
        return {}
    power = CHANNELS[Channel.DELIVERED].power_of_ten
    load_w = found.value.astype(np.float64) * 10.0**power * HOUR_S / np.maximum(found.interval_s, 1)
    highest: dict[UUID, int] = {}
    for meter_id, watts in zip(uuids_of(found.meter_id), load_w.tolist(), strict=True):
        highest[meter_id] = max(highest.get(meter_id, 0), min(MAX_W, max(0, round(watts))))
    return highest
