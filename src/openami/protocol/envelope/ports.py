"""Source ports of our meter's pushes, and the class each hints at.

A collector that must empty a full spool sends the urgent first. The port is in the clear and unproved, so it is a
hint for order, nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from openami.contracts.frame import FrameClass

PUSH_SINK_PORT = 0x0067
"""Destination port of pushes: the push client of the head-end, 103."""
DLMS_TCP_PORT = 4059
"""TCP and UDP port registered for DLMS/COSEM."""


class PushPort(IntEnum):
    """Wrapper source ports of profile ``oam-1``."""

    LOAD_PROFILE = 1
    REGISTERS = 2
    EVENT = 3
    LAST_GASP = 4


CLASS_BY_SOURCE_PORT: Mapping[int, FrameClass] = {
    PushPort.LOAD_PROFILE: FrameClass.PROFILE,
    PushPort.REGISTERS: FrameClass.PROFILE,
    PushPort.EVENT: FrameClass.ALARM,
    PushPort.LAST_GASP: FrameClass.LAST_GASP,
}


def frame_class(source_port: int) -> FrameClass:
    """Return the class a port hints at; an unknown port (a foreign meter) is a profile push.

    >>> frame_class(4).name, frame_class(1234).name
    ('LAST_GASP', 'PROFILE')
    """
    return CLASS_BY_SOURCE_PORT.get(source_port, FrameClass.PROFILE)
