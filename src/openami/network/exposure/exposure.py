"""What a radio does where somebody is: while it sends, on average, and as a share of what is allowed.

The limit is an average over any 30 minutes, so the duty that belongs to it is the share of the *worst* 30 minutes that
the radio itself spent sending (its own messages, what it relays, its beacons), not the mean of a day. Only duty that
the radio brings about counts, never the habits of the person.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from openami.network.exposure.density import Emitter, Reflection, density_uw_cm2, is_far_field
from openami.network.exposure.error import ExposureError
from openami.network.exposure.limit import limit_uw_cm2


@dataclass(frozen=True, slots=True)
class Exposure:
    """One radio at one distance.

    Args:
        while_sending_uw_cm2: density while it sends [µW/cm²].
        average_uw_cm2: density times duty [µW/cm²].
        limit_uw_cm2: 47 CFR 1.1310 at the radio's frequency [µW/cm²].
        far_field: whether the distance is one for which the rule relies on the formula.
    """

    while_sending_uw_cm2: float
    average_uw_cm2: float
    limit_uw_cm2: float
    far_field: bool

    @property
    def share(self) -> float:
        """Average over limit: what the rule asks about."""
        return self.average_uw_cm2 / self.limit_uw_cm2

    @property
    def share_while_sending(self) -> float:
        """Density while sending over limit, as if the radio never stopped."""
        return self.while_sending_uw_cm2 / self.limit_uw_cm2


def expose(
    emitter: Emitter, distance_m: float, *, duty: float = 1.0, reflection: Reflection = Reflection.NONE
) -> Exposure:
    """Return what a radio does at a distance.

    Args:
        emitter: the radio.
        distance_m: from its antenna [m].
        duty: share of time on the air, 0 to 1.
        reflection: what comes back from surfaces.

    Raises:
        ExposureError: a value for which the formulas or the rule say nothing.

    >>> seen = expose(Emitter(1.0, 6.0, 915), 0.2, duty=0.01)
    >>> round(seen.while_sending_uw_cm2), round(seen.average_uw_cm2, 1), round(seen.share_while_sending * 100)
    (792, 7.9, 130)
    """
    if not 0 <= duty <= 1:
        raise ExposureError(f"duty {duty}: give the share of time on the air, 0 to 1")
    sending = density_uw_cm2(emitter, distance_m, reflection)
    return Exposure(sending, sending * duty, limit_uw_cm2(emitter.frequency_mhz), is_far_field(distance_m))


def sum_of_shares(exposures: Iterable[Exposure]) -> float:
    """Return what several radios together take of what is allowed: over 1 is too much.

    Source: 47 CFR 1.1310 and OET Bulletin 65, section 2, multiple transmitters: the sum of density over limit.
    """
    return sum(e.share for e in exposures)
