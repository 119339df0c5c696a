"""Alarm registers, their filters and descriptors.

A register shows what was raised; a bit that its filter lets through is kept in the descriptor, and the rise of a
descriptor bit is what is pushed. Both stay until the utility clears them. Source: IEC 62056-6-2, alarm objects
0.0.97.98.0-9, 10-19, 20-29.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from openami.meter.events import AlarmBit

REGISTERS = 3
ALL = 0xFFFF_FFFF


@dataclass(slots=True)
class Alarms:
    """The three alarm registers of a meter, 32 bits each."""

    registers: list[int] = field(default_factory=lambda: [0] * REGISTERS)
    filters: list[int] = field(default_factory=lambda: [ALL] * REGISTERS)
    descriptors: list[int] = field(default_factory=lambda: [0] * REGISTERS)

    def rise(self, alarm: AlarmBit) -> bool:
        """Set a bit and return whether an unfiltered one rose."""
        mask = 1 << alarm.bit
        self.registers[alarm.register] |= mask
        if not self.passes(alarm) or self.descriptors[alarm.register] & mask:
            return False
        self.descriptors[alarm.register] |= mask
        return True

    def passes(self, alarm: AlarmBit) -> bool:
        """Whether the filter lets a bit through."""
        return bool(self.filters[alarm.register] >> alarm.bit & 1)
