"""The energy billed of a whole fleet: as metered, or in whole kilowatt-hours with the remainder carried on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from openami.billing.rating.calendar import KEY_STRIDE
from openami.billing.rating.fleet.found import FleetDeterminants
from openami.billing.rating.usage import I64
from openami.billing.tariff.model import RateSchedule
from openami.billing.tariff.price import BlockScope

KWH = 1000


@dataclass(frozen=True, slots=True, eq=False)
class BilledEnergy:
    """Energy of one bill, (n,) each: by (version, price period), and by block where blocks fill in order of time."""

    rows: int
    energy: Mapping[tuple[int, int], I64]
    blocks: Mapping[tuple[int, int, int], I64]

    @property
    def total(self) -> I64:
        """All of it: (n,)."""
        return sum(self.energy.values(), np.zeros(self.rows, np.int64))

    def of(self, version: int, period: int) -> I64:
        """Return a price period's energy; zero where no interval has it."""
        return self.energy.get((version, period), np.zeros(self.rows, np.int64))


def as_metered(found: FleetDeterminants, bill: int) -> BilledEnergy:
    """Return the energy of a bill as the intervals have it."""
    columns = np.flatnonzero(found.bill == bill)
    energy = {divmod(int(found.key[c]), KEY_STRIDE): found.wh[:, c] for c in columns.tolist()}
    blocks = {key[1:]: wh for key, wh in found.blocks.items() if key[0] == bill}
    return BilledEnergy(len(found.wh), energy, blocks)


def in_whole_kwh(schedule: RateSchedule, metered: BilledEnergy, remainder_wh: I64) -> tuple[BilledEnergy, I64]:
    """Return the energy in whole kWh by largest remainder, and the Wh (n,) that are left for the next bill."""
    pooled = [k for k in sorted(metered.energy) if schedule.versions[k[0]].scope is not BlockScope.RUNNING]
    running = sorted(metered.blocks)
    cells = [*(metered.energy[k] for k in pooled), *(metered.blocks[k] for k in running)]
    if not cells:
        return metered, remainder_wh
    billed, left = _rounded(np.stack(cells, axis=1), remainder_wh)
    energy = {k: np.zeros(metered.rows, np.int64) for k in metered.energy}
    energy |= {k: billed[:, place] for place, k in enumerate(pooled)}
    blocks = {k: billed[:, len(pooled) + place] for place, k in enumerate(running)}
    for (version, period, _), wh in blocks.items():
        energy[version, period] = energy[version, period] + wh
    return BilledEnergy(metered.rows, energy, blocks), left


def _rounded(cells: I64, remainder_wh: I64) -> tuple[I64, I64]:
    total = cells.sum(axis=1) + remainder_wh
    whole = cells // KWH
    order = np.argsort(-(cells % KWH), axis=1, kind="stable")
    rank = np.argsort(order, axis=1, kind="stable")
    whole += rank < (total // KWH - whole.sum(axis=1))[:, None]
    return whole * KWH, total - whole.sum(axis=1) * KWH
