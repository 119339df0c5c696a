"""How strong a meter's radio is where people are, and what the law allows: pure arithmetic with its sources.

It knows powers, gains, distances, limits and seconds on the air. It knows no home, no person and no medicine: the
limits address established (thermal) effects, and what they mean for a person is no question for a meter company.

Sources: FCC OET Bulletin 65 (edition 97-01) for the far field and reflection; 47 CFR 1.1310, table 1, for the limits.
"""

from openami.network.exposure.airtime import WINDOW_S, Sending, worst_window_s, worst_window_share
from openami.network.exposure.density import (
    Emitter,
    Reflection,
    density_uw_cm2,
    is_far_field,
    reactive_zone_m,
)
from openami.network.exposure.error import ExposureError
from openami.network.exposure.exposure import Exposure, expose, sum_of_shares
from openami.network.exposure.limit import limit_uw_cm2

__all__ = [
    "WINDOW_S",
    "Emitter",
    "Exposure",
    "ExposureError",
    "Reflection",
    "Sending",
    "density_uw_cm2",
    "expose",
    "is_far_field",
    "limit_uw_cm2",
    "reactive_zone_m",
    "sum_of_shares",
    "worst_window_s",
    "worst_window_share",
]
