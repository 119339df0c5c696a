"""Confirmed outages from a meter's own events: power down and power up, in whatever order they come."""

from __future__ import annotations

from collections.abc import Sequence

from openami.contracts.event import DeviceEvent, EventKind
from openami.headend.keeping.coverage import Coverage
from openami.kernel.time import epoch_s

_DOWN = frozenset({EventKind.POWER_DOWN, EventKind.LAST_GASP})


def note_supply(coverage: Coverage, number: int, events: Sequence[DeviceEvent]) -> None:
    """Take what one meter's events say of its supply.

    A failure without a return leaves the meter without supply; a return is paired with the last failure before it,
    from these events or from those that came earlier. Other kinds of event say nothing here.

    Args:
        coverage: of the meter's group.
        number: the meter.
        events: of this meter alone.
    """
    down_s = int(coverage.down_s[number])
    for event in sorted(events, key=lambda e: (e.at, e.kind is EventKind.POWER_UP)):
        at_s = epoch_s(event.at)
        if event.kind in _DOWN:
            down_s = at_s if down_s < 0 else down_s
        elif event.kind is EventKind.POWER_UP and 0 <= down_s <= at_s:
            coverage.excuse(number, down_s, at_s)
            down_s = -1
    if down_s >= 0:
        coverage.lose_supply(number, down_s)
