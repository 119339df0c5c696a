"""The limit of 47 CFR 1.1310 for the general population, as power density.

Source: 47 CFR 1.1310, table 1 (B), limits for general population and uncontrolled exposure, averaged over 30 minutes.
Below 300 MHz the table's values marked as plane-wave equivalents are taken.
"""

from __future__ import annotations

from openami.network.exposure.error import ExposureError

LOWEST_MHZ, HIGHEST_MHZ = 0.3, 100_000.0
UW_PER_MW = 1000.0


def limit_uw_cm2(frequency_mhz: float) -> float:
    """Return the most that the rule allows where anybody may be [µW/cm²], as an average over 30 minutes.

    Args:
        frequency_mhz: of the sender, 0.3 to 100,000.

    Raises:
        ExposureError: the rule gives no power density for this frequency.

    >>> [round(limit_uw_cm2(f)) for f in (902, 915, 928, 1500, 2400)]
    [601, 610, 619, 1000, 1000]
    """
    f = frequency_mhz
    if not LOWEST_MHZ <= f <= HIGHEST_MHZ:
        raise ExposureError(f"47 CFR 1.1310 gives no limit at {f} MHz: give 0.3 to 100000 MHz")
    if f < 1.34:
        mw_cm2 = 100.0
    elif f < 30:
        mw_cm2 = 180 / f**2
    elif f < 300:
        mw_cm2 = 0.2
    elif f < 1500:
        mw_cm2 = f / 1500
    else:
        mw_cm2 = 1.0
    return mw_cm2 * UW_PER_MW
