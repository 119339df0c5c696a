"""Over how long devices spread what they all have to say at once, so that the air stays open for what is urgent.

After supply returns every meter of a cell wants to say so and to send what it held. Sent at once they would collide and
repeat for minutes; spread over a window in which they fill a part of the collector's air they pass one by one.

Source: pure ALOHA is at its best at 18 % of the air (Abramson 1970); with carrier sense a third still passes well.
"""

from __future__ import annotations

from openami.network.radio.signal import frame_us

BUSY_SHARE = 0.25
"""Part of the collector's air that a herd may fill."""
LEAST_S = 10
MOST_S = 3_600
"""What is spread over more than an hour is not news any more."""


def spread_window_s(devices: int, *, frames: int, octets: int, sendings: float = 1.3) -> int:
    """Return the window over which a cell's devices should spread themselves [s], 10 to 3,600.

    The last hop is the narrow one: every frame of the cell passes through the collector's air.

    Args:
        devices: that have something to say.
        frames: that each of them sends.
        octets: of each frame.
        sendings: expected for each frame over the last hop.

    >>> spread_window_s(200, frames=1, octets=90), spread_window_s(200, frames=25, octets=250)
    (20, 1290)
    """
    busy_s = devices * frames * sendings * frame_us(octets) / 1e6
    return max(LEAST_S, min(MOST_S, round(busy_s / BUSY_SHARE)))
