"""What other radios at home do, each with where the figure is from, to put a meter beside them.

Measured figures are of one study, with one instrument and at one distance, so that they may be compared with each
other; a figure that we compute ourselves says so. A phone at the head is judged by the power that the head absorbs and
not by this limit, so its figure stands here with that word.

Left out on purpose: published figures that the formula does not bear out, such as 10 to 20 µW/cm² for a Wi-Fi router
some meters away.
"""

from __future__ import annotations

from dataclasses import dataclass

from openami.network.exposure.density import Emitter, Reflection
from openami.network.exposure.exposure import expose

FOOT_M = 0.3048
VERMONT = (
    "Richard Tell Associates for the Vermont Department of Public Service, An Evaluation of Radio Frequency Fields "
    "Produced by Smart Meters Deployed in Vermont, January 2013"
)
COMPUTED = "computed by the same formula: 0.1 W, 2.15 dBi, 2,400 MHz"
_WIFI = Emitter(0.1, 2.15, 2400.0)


@dataclass(frozen=True, slots=True)
class HouseholdDevice:
    """A device while it sends.

    Args:
        name: as people call it.
        distance_m: where [m].
        share: of the limit of 47 CFR 1.1310 while it sends.
        is_measured: whether an instrument said so, or the formula.
        source: who says so.
        note: what must be known beside it; empty for nothing.
    """

    name: str
    distance_m: float
    share: float
    is_measured: bool
    source: str
    note: str = ""


def household(reflection: Reflection = Reflection.NONE) -> tuple[HouseholdDevice, ...]:
    """Return the devices, the strongest first.

    Args:
        reflection: for what is computed; what was measured holds the reflections of the place.
    """
    phone = "Phones are made to be used at the head, where the power that a body absorbs is judged, not this limit."
    wifi = expose(_WIFI, 1.0, reflection=reflection).share_while_sending
    devices = (
        HouseholdDevice("Mobile phone, in a call", FOOT_M, 0.105, True, VERMONT, phone),
        HouseholdDevice("Microwave oven, running", FOOT_M, 0.065, True, VERMONT),
        HouseholdDevice("Electric meter, strongest of the study", FOOT_M, 0.039, True, VERMONT),
        HouseholdDevice("Cordless phone, in a call", FOOT_M, 0.01, True, VERMONT),
        HouseholdDevice("Wi-Fi router or baby monitor", 1.0, wifi, False, COMPUTED),
    )
    return tuple(sorted(devices, key=lambda d: -d.share))
