"""Power density of a sender at a distance, as FCC OET Bulletin 65 predicts it.

``S = P * G / (4 * pi * R²)``, times a factor where a surface reflects. It holds in the far field, which is taken to
begin at 20 cm (47 CFR 2.1091: nearer devices are judged by the power a body absorbs); nearer than that the value is
still given down to the reactive zone, as an upper guess, and :func:`is_far_field` says so. Within the reactive zone
there is no wave yet and nothing is given.

Source: FCC OET Bulletin 65, edition 97-01, equations 3 and 4 and the text on reflection below them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from openami.network.exposure.error import ExposureError

FAR_FIELD_FROM_M = 0.2
LIGHT_M_S = 299_792_458.0
UW_CM2_PER_W_M2 = 100.0
MAX_POWER_W = 1e6
MAX_GAIN_DBI = 60.0
"""Beyond these no meter, no collector and no antenna: a slip of a unit, not a radio."""


class Reflection(StrEnum):
    """What stands behind the person or below the antenna.

    ``none``: free space. ``ground``: a surface that returns 60 % of the field, as real ground does: density times
    2.56 (1.6²). ``full``: all of the field comes back in step: density times 4.
    """

    NONE = "none"
    GROUND = "ground"
    FULL = "full"

    @property
    def factor(self) -> float:
        """Times of the density in free space."""
        return _FACTORS[self]


_FACTORS = {Reflection.NONE: 1.0, Reflection.GROUND: 2.56, Reflection.FULL: 4.0}


@dataclass(frozen=True, slots=True)
class Emitter:
    """A radio while it sends, as its equipment grant states it.

    Args:
        power_w: conducted power at the antenna [W], over 0.
        gain_dbi: gain of the antenna toward the person [dBi].
        frequency_mhz: [MHz].

    Raises:
        ExposureError: a value that no radio has.
    """

    power_w: float
    gain_dbi: float
    frequency_mhz: float

    def __post_init__(self) -> None:
        if not 0 < self.power_w <= MAX_POWER_W:
            raise ExposureError(f"power {self.power_w} W: give more than 0 and at most {MAX_POWER_W:g} W")
        if not -MAX_GAIN_DBI <= self.gain_dbi <= MAX_GAIN_DBI:
            raise ExposureError(f"gain {self.gain_dbi} dBi: give {-MAX_GAIN_DBI:g} to {MAX_GAIN_DBI:g} dBi")
        if not 0 < self.frequency_mhz < math.inf:
            raise ExposureError(f"frequency {self.frequency_mhz} MHz: give a positive number")

    @property
    def eirp_w(self) -> float:
        """Power that an antenna without direction would need for the same field [W]."""
        return self.power_w * math.pow(10, self.gain_dbi / 10)


def reactive_zone_m(frequency_mhz: float) -> float:
    """Return the distance below which there is no wave yet, wavelength over 2 pi [m].

    >>> round(reactive_zone_m(915), 3)
    0.052
    """
    return LIGHT_M_S / (frequency_mhz * 1e6) / (2 * math.pi)


def is_far_field(distance_m: float) -> bool:
    """Tell whether the prediction is one that the rule relies on, or only an upper guess."""
    return distance_m >= FAR_FIELD_FROM_M


def density_uw_cm2(emitter: Emitter, distance_m: float, reflection: Reflection = Reflection.NONE) -> float:
    """Return the power density while the radio sends [µW/cm²].

    Args:
        emitter: the radio.
        distance_m: from its antenna [m], beyond the reactive zone.
        reflection: what comes back from surfaces.

    Raises:
        ExposureError: within the reactive zone, or no distance.

    >>> round(density_uw_cm2(Emitter(0.25, 2.15, 915), 1.0), 2)
    3.26
    """
    nearest = reactive_zone_m(emitter.frequency_mhz)
    if not nearest <= distance_m < math.inf:
        raise ExposureError(
            f"distance {distance_m} m: at {emitter.frequency_mhz:g} MHz there is no wave nearer than {nearest:.3f} m, "
            "and contact is judged by the power a body absorbs; give a larger distance"
        )
    return emitter.eirp_w / (4 * math.pi * distance_m**2) * UW_CM2_PER_W_M2 * reflection.factor
