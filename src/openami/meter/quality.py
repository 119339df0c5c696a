"""Sags and swells of the supply voltage: thresholds, waiting time, counters.

Source: DSMR companion standard, voltage sags 1.0.32.32.0.255 and swells 1.0.32.36.0.255; thresholds of ten percent as
in EN 50160 and IEEE 1159.
"""

from __future__ import annotations

from dataclasses import dataclass

from openami.meter.events import EventCode

NOMINAL_DV = 2_400
SAG_DV = NOMINAL_DV * 9 // 10
SWELL_DV = NOMINAL_DV * 11 // 10
WAIT_S = 60
_US_PER_S = 1_000_000


@dataclass(slots=True)
class VoltageQuality:
    """What the meter knows of its supply's quality.

    Args:
        sag_dv: below it the voltage sags [0.1 V].
        swell_dv: above it the voltage swells [0.1 V].
        wait_s: how long it must, to count [s].
        sags, swells: how often it did.
        state: the event that holds; normal otherwise.
    """

    sag_dv: int = SAG_DV
    swell_dv: int = SWELL_DV
    wait_s: int = WAIT_S
    sags: int = 0
    swells: int = 0
    state: EventCode = EventCode.VOLTAGE_NORMAL
    _seen: EventCode = EventCode.VOLTAGE_NORMAL
    _since_us: int = 0

    def due_us(self, voltage_dv: int) -> int | None:
        """Return after how long an even voltage makes an event [us]; None where it never does."""
        seen = self._kind(voltage_dv)
        if seen is self.state:
            return None
        return max(self.wait_s * _US_PER_S - (self._since_us if seen is self._seen else 0), 1)

    def see(self, voltage_dv: int, span_us: int) -> EventCode | None:
        """Take note of an even voltage over a span and return an event where one comes of it.

        Args:
            voltage_dv: supply voltage [0.1 V]; without supply it is not asked.
            span_us: how long [us].
        """
        seen = self._kind(voltage_dv)
        if seen is not self._seen:
            self._seen, self._since_us = seen, 0
        self._since_us += span_us
        if seen is self.state or self._since_us < self.wait_s * _US_PER_S:
            return None
        self.state = seen
        self.sags += seen is EventCode.VOLTAGE_SAG
        self.swells += seen is EventCode.VOLTAGE_SWELL
        return seen

    def _kind(self, voltage_dv: int) -> EventCode:
        if voltage_dv < self.sag_dv:
            return EventCode.VOLTAGE_SAG
        return EventCode.VOLTAGE_SWELL if voltage_dv > self.swell_dv else EventCode.VOLTAGE_NORMAL
