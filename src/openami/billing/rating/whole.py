"""Whole kilowatt-hours: the energy billed where a rate rounds it, with what is left over carried to the next bill.

The total is rounded down after adding what the bill before left; price periods and blocks are rounded so that they sum
to it, by largest remainder. Over a chain of bills every watt-hour is billed once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from openami.billing.rating.determinant import Determinants
from openami.billing.tariff.model import RateSchedule
from openami.billing.tariff.price import BlockScope

KWH = 1000
_Cell = tuple[int, int, int]
_WHOLE_PERIOD = -1


def in_whole_kwh(schedule: RateSchedule, found: Determinants, remainder_wh: int) -> tuple[Determinants, int]:
    """Return the determinants in whole kWh, and the Wh that are left for the next bill.

    Args:
        schedule: the rate.
        found: energy in Wh.
        remainder_wh: what the bill before left over, 0 to 999.
    """
    cells: dict[_Cell, int] = {}
    for (version, period), wh in sorted(found.energy_wh.items()):
        if schedule.versions[version].scope is not BlockScope.RUNNING:
            cells[version, period, _WHOLE_PERIOD] = wh
    cells |= dict(sorted(found.blocks_wh.items()))
    billed, left = whole_kwh(cells, remainder_wh)
    energy: dict[tuple[int, int], int] = dict.fromkeys(found.energy_wh, 0)
    for (version, period, _), wh in billed.items():
        energy[version, period] += wh
    blocks = {k: billed[k] for k in found.blocks_wh}
    return replace(found, energy_wh=energy, blocks_wh=blocks), left


def whole_kwh(cells: Mapping[_Cell, int], remainder_wh: int) -> tuple[dict[_Cell, int], int]:
    """Return each cell in whole kWh (as Wh), summing to the rounded total, and the Wh left over.

    >>> whole_kwh({(0, 0, -1): 1600, (0, 1, -1): 900}, 600)
    ({(0, 0, -1): 2000, (0, 1, -1): 1000}, 100)
    """
    total = sum(cells.values()) + remainder_wh
    billed = {k: wh // KWH for k, wh in cells.items()}
    order = sorted(cells, key=lambda k: -(cells[k] % KWH))
    for key in order[: total // KWH - sum(billed.values())]:
        billed[key] += 1
    kwh = sum(billed.values())
    return {k: n * KWH for k, n in billed.items()}, total - kwh * KWH
