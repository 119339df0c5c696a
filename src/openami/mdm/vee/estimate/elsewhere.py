"""What other meters say: the check meter of the same place, and the profile of the customer's class."""

from __future__ import annotations

import numpy as np

from openami.contracts.quality import Method
from openami.mdm.vee.estimate.cells import Estimate
from openami.mdm.vee.grid import I64

_CHECK_SHARE = 0.01
"""Two meters of class 1 differ by some 2 % of energy: 1 % of its square root."""
_CLASS_SHARE = 0.6
"""Spread of a home around its class, as a share of the square root: a class says little of one home."""


_LEAST_SPREAD = 0.05


def check_meter(check: I64, cells: Estimate) -> None:
    """Fill open cells with what the check meter counted over the same interval."""
    _copy(check, cells, cells.open(), _CHECK_SHARE, Method.CHECK_METER)


def class_profile(profile: I64, cells: Estimate, *, is_level: bool) -> None:
    """Fill open cells with the class profile; where it is a shape without a level, only those that registers scale."""
    here = cells.open()
    _copy(profile, cells, here if is_level else here[cells.bracket[here] >= 0], _CLASS_SHARE, Method.CLASS_PROFILE)


def _copy(source: I64, cells: Estimate, here: I64, share: float, method: Method) -> None:
    value = source[cells.row[here], cells.column[here]]
    has = value >= 0
    counts = value[has].astype(float)
    cells.write(here[has], counts, np.maximum(share * np.sqrt(counts), _LEAST_SPREAD), method)
