"""Price keys while events run: an event's price takes the place of the ordinary one, as its rate says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from openami.billing.rating.terms import EventPeriod
from openami.billing.rating.usage import I64
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import RateSchedule
from openami.kernel.time import instant_from_epoch_s

KEY_STRIDE = 256
"""A price key is ``version * KEY_STRIDE + period``: far more periods than any rate has (at most 64)."""


def during_events(
    schedule: RateSchedule, events: Sequence[EventPeriod], start_s: I64, interval_s: int, key: I64
) -> I64:
    """Return the price key of each interval, with those of events in place of the ordinary ones.

    Args:
        schedule: the rate.
        events: what happened.
        start_s: (n,) interval starts.
        interval_s: their length [s].
        key: (n,) ordinary price keys.

    Raises:
        TariffError: an interval crosses the start or end of an event that changes its price.
    """
    found, is_done = key.copy(), np.zeros(len(key), np.bool_)
    for version, tariff in enumerate(schedule.versions):
        for price in tariff.events:
            for event in (e for e in events if e.signal == price.signal):
                low, high = int(event.start.timestamp()), int(event.end.timestamp())
                touched = (start_s < high) & (start_s + interval_s > low)
                for before, after in price.replaces.items():
                    mine = touched & ~is_done & (key == version * KEY_STRIDE + before)
                    outside = mine & ((start_s < low) | (start_s + interval_s > high))
                    if outside.any():
                        where = instant_from_epoch_s(int(start_s[outside][0])).isoformat()
                        raise TariffError(
                            f"{schedule.code}.events[{price.name}]",
                            f"the interval of {interval_s} s at {where} crosses the edge of an event",
                        )
                    found[mine] = version * KEY_STRIDE + after
                    is_done |= mine
    return found
