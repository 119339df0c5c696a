"""Faults and tampering of a meter: what they do to what is measured and written down, set by a simulation.

The meter sees a cover, a terminal cover and a magnet; it does not see a bypass, swapped wires, a lost element or a
stopped count: those show in the figures alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from openami.meter.events import EventCode

MAGNET_PERMILLE = 300
"""What a strong magnet leaves of the measurement: it saturates the current sensors. Assumed; sensors differ."""
_WHOLE = 1_000
_ELEMENTS = 2


@dataclass(frozen=True, slots=True)
class Tampering:
    """What is wrong with a meter.

    Args:
        is_cover_open, is_terminal_cover_open: covers.
        has_magnet: a strong magnet lies on it.
        bypassed_permille: share of the current that goes around the meter, 0 to 1,000.
        is_reversed: line and load are swapped, so that both directions are.
        is_half_registering: one of the two elements is lost; on an even load half is measured.
        is_stopped: nothing is counted.
        is_push_frozen: it measures and captures, and sends no profile.
        fed_back_dv: voltage that a source of the customer's own puts on the load side of an open switch [0.1 V].
    """

    is_cover_open: bool = False
    is_terminal_cover_open: bool = False
    has_magnet: bool = False
    bypassed_permille: int = 0
    is_reversed: bool = False
    is_half_registering: bool = False
    is_stopped: bool = False
    is_push_frozen: bool = False
    fed_back_dv: int = 0

    def measured_mw(self, flowing_mw: int) -> int:
        """Return the power that is measured of what flows [mW]; negative is from the customer."""
        if self.is_stopped:
            return 0
        # On magnitudes, so that both directions round alike.
        measured = abs(flowing_mw) * (_WHOLE - self.bypassed_permille) // _WHOLE
        if self.has_magnet:
            measured = measured * MAGNET_PERMILLE // _WHOLE
        if self.is_half_registering:
            measured //= _ELEMENTS
        return measured if (flowing_mw >= 0) is not self.is_reversed else -measured

    def events_since(self, before: Tampering) -> Iterator[EventCode]:
        """Yield what the meter notices of a change."""
        seen = (
            (before.is_cover_open, self.is_cover_open, EventCode.COVER_REMOVED, EventCode.COVER_CLOSED),
            (
                before.is_terminal_cover_open,
                self.is_terminal_cover_open,
                EventCode.TERMINAL_COVER_REMOVED,
                EventCode.TERMINAL_COVER_CLOSED,
            ),
            (before.has_magnet, self.has_magnet, EventCode.MAGNET_DETECTED, EventCode.MAGNET_GONE),
        )
        for was, is_now, begun, ended in seen:
            if was is not is_now:
                yield begun if is_now else ended
