"""Storm mode: when many meters of a group fall silent at once, their homes may have no power, so nothing is estimated.

A storm begins in an hour in which the group's share of readings lies 30 % below its norm of seven days and at least a
hundred meters are silent beyond the norm; it goes on until the share is within 5 % of the norm again. What is missing
in it stays missing by name until the readings come, or until the storm is three days old: then estimation goes on.

Source: the "outage storm mode" of Oracle Utilities Meter Data Management (the numbers are its manual's example);
research note on VEE, 1.2. Without it a system bills usage during a blackout that never was.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from openami.mdm.vee.grid import BOOLS, I64

HOUR_S = 3_600


@dataclass(frozen=True, slots=True)
class StormRule:
    """When storms begin and end.

    Args:
        fall: share of the norm by which readings must have fallen, 0 to 1.
        back: share of the norm within which the storm is over, 0 to 1; less than ``fall``.
        least_devices: meters that must be silent beyond the norm.
        longest_s: age at which a storm holds nothing back any more [s].
        norm_h: latest hours that make the norm; those of storms are passed over.
        least_norm_h: fewer hours make no norm, and so no storm.
    """

    fall: float = 0.30
    back: float = 0.05
    least_devices: int = 100
    longest_s: int = 3 * 86_400
    norm_h: int = 168
    least_norm_h: int = 24


def storm_hours(expected: I64, received: I64, *, devices: int, rule: StormRule | None = None) -> BOOLS:
    """Return which hours of a group lie in a storm.

    Args:
        expected: (H,) intervals that were due, by hour.
        received: (H,) intervals that came.
        devices: meters of the group.
        rule: when storms begin and end; None for the rule as shipped.
    """
    rule = rule or StormRule()
    share = received / np.maximum(expected, 1)
    stormy = np.zeros(len(expected), bool)
    is_on = False
    for hour in range(len(expected)):
        calm = np.flatnonzero(~stormy[:hour] & (expected[:hour] > 0))[-rule.norm_h :]
        if expected[hour] == 0 or len(calm) < rule.least_norm_h:
            is_on = False
            continue
        norm = float(received[calm].sum() / expected[calm].sum())
        silent = (norm - share[hour]) * devices
        if is_on:
            is_on = share[hour] < (1.0 - rule.back) * norm
        else:
            is_on = share[hour] < (1.0 - rule.fall) * norm and silent >= rule.least_devices
        stormy[hour] = is_on
    return stormy


def held_hours(hour_s: I64, stormy: BOOLS, *, known_s: int, rule: StormRule | None = None) -> BOOLS:
    """Return which hours still hold estimation back at an instant.

    Args:
        hour_s: (H,) starts of consecutive hours, seconds since the epoch.
        stormy: (H,) hours in a storm.
        known_s: the instant, seconds since the epoch.
        rule: how long a storm may hold back; None for the rule as shipped.
    """
    rule = rule or StormRule()
    begins = stormy & ~np.concatenate([[False], stormy[:-1]])
    began_s = np.maximum.accumulate(np.where(begins, hour_s, np.iinfo(np.int64).min))
    return np.asarray(stormy & (known_s - rule.longest_s < began_s))
