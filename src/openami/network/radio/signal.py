"""How long octets are on the air, and how well a distance is heard. Numbers of a 915 MHz mesh; ours where no source.

Reception falls from nearly always to nearly never within some decibels around the distance at which half is heard; a
logistic curve over a log-distance path with log-normal shadowing says so well enough for planning.

Source: IEEE 802.15.4g (Wi-SUN FAN) frequency-shift keying at 50 kbit/s and its acknowledgement; path loss exponent 3.0
to 3.5 for antennas at the height of a house wall.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
BITS_PER_S = 50_000
"""A common rate of meter meshes at 915 MHz."""
FRAGMENT_OCTETS = 200
FRAGMENT_HEAD_OCTETS = 30
"""Preamble, synchronization, addresses and checksum of each fragment."""
ACK_OCTETS = 18
BEACON_OCTETS = 42
HALF_HEARD_M = 140.0
"""Distance at which half of all fragments is heard, without shadowing."""
PATH_EXPONENT = 3.2
SLOPE_DB = 1.5
SHADOWING_DB = 4.0


def air_us(octets: int) -> int:
    """Return how long that many octets are on the air [us], preamble and all counted among them."""
    return octets * 8 * 1_000_000 // BITS_PER_S


def fragments_of(octets: int) -> list[int]:
    """Return the lengths on the air of the fragments of a frame, heads counted.

    >>> fragments_of(450)
    [230, 230, 80]
    """
    whole, rest = divmod(octets, FRAGMENT_OCTETS)
    lengths = [FRAGMENT_OCTETS + FRAGMENT_HEAD_OCTETS] * whole
    return [*lengths, rest + FRAGMENT_HEAD_OCTETS] if rest or not whole else lengths


def frame_us(octets: int) -> int:
    """Return how long a frame is on the air [us], once over one hop and without acknowledgements.

    >>> frame_us(100), frame_us(1000)
    (20800, 184000)
    """
    return sum(air_us(length) for length in fragments_of(octets))


def heard_share(distance_m: F64, shadow_db: F64) -> F64:
    """Return the share of fragments that is heard over distances.

    Args:
        distance_m: more than 0.
        shadow_db: what stands between, positive for worse.
    """
    margin_db = -10 * PATH_EXPONENT * np.log10(np.maximum(distance_m, 1.0) / HALF_HEARD_M) - shadow_db
    share: F64 = 1 / (1 + np.exp(-margin_db / SLOPE_DB))
    return share
