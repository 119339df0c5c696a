"""What looks like a fault and is none: a finding about it is a false one."""

from __future__ import annotations

import numpy as np

from openami.contracts.channel import Channel
from openami.contracts.event import EventKind
from openami.contracts.quality import RawQuality
from openami.sim.faults.metering.draft import Draft
from openami.sim.faults.metering.scene import MeterEvent

_CHARGE_FROM_H, _CHARGE_HOURS = 22, (1.0, 4.0)
_REST_QUANTILE = 0.1


def outage(draft: Draft) -> None:
    """No supply: nothing is measured, voltage is zero, and the meter says when."""
    where, grid = draft.stretch(int(draft.severity)), draft.scene.grid
    for channel, readings in draft.scene.readings.items():
        draft.write(where, np.zeros(where.stop - where.start, np.int64), channel)
        readings.flags[draft.row, where] |= np.uint16(RawQuality.POWER_DOWN)
    down, up = int(grid.edge_s[where.start]), int(grid.edge_s[where.stop])
    draft.scene.events.extend(
        [MeterEvent(draft.row, down, EventKind.POWER_DOWN), MeterEvent(draft.row, up, EventKind.POWER_UP)]
    )


def holiday(draft: Draft) -> None:
    """The home rests: only what never goes off is drawn."""
    where = draft.scene.span(draft.day, min(draft.day + int(draft.severity), draft.scene.grid.days))
    rest = max(float(np.quantile(draft.truth(), _REST_QUANTILE)), 1.0)
    swing = draft.dice.uniform(0.7, 1.3, where.stop - where.start)
    draft.write(where, np.minimum(np.rint(rest * swing).astype(np.int64), draft.truth()[where] + int(rest)))


def new_vehicle(draft: Draft) -> None:
    """A car is charged on most nights."""
    onward, grid = draft.onward, draft.scene.grid
    hour = grid.slot[onward] * grid.interval_s / 3600
    night = draft.dice.random(grid.days) < 0.7
    hours = draft.dice.uniform(*_CHARGE_HOURS, grid.days)
    # Before midnight it belongs to the day itself, after it to the night of the day before.
    day = grid.day_of[onward]
    since = np.where(hour >= _CHARGE_FROM_H, hour - _CHARGE_FROM_H, hour + 24 - _CHARGE_FROM_H)
    begun = np.where(hour >= _CHARGE_FROM_H, day, np.maximum(day - 1, 0))
    on = night[begun] & (since < hours[begun])
    extra = int(draft.severity * grid.interval_s / 3600)
    draft.write(onward, draft.truth(Channel.DELIVERED)[onward] + np.where(on, extra, 0))
