"""A radial 12.47 kV feeder: one backbone, laterals behind fuses, pole transformers, a service drop to each home.

Seven homes share a transformer and ten transformers a lateral, in round figures of a North American suburb.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from openami.sim.dice import Stream, dice

Indices = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]
HOMES_PER_TRANSFORMER = 7
TRANSFORMERS_PER_LATERAL = 10
CELL_HOMES = 200
"""Homes that one collector hears."""


@dataclass(frozen=True, slots=True, eq=False)
class Feeder:
    """Who hangs behind what.

    Args:
        transformer_of: (homes,) transformer of each home.
        lateral_of: (transformers,) lateral of each transformer.
        lateral_km: (laterals,) length of backbone from the lateral before (or the substation).
        branch_km: (transformers,) length of lateral from the transformer before.
        drop_m: (homes,) length of the service drop.
        transformer_va: (transformers,) nameplate.
        cell_of: (homes,) radio cell (collector) from 0.
    """

    transformer_of: Indices
    lateral_of: Indices
    lateral_km: F64
    branch_km: F64
    drop_m: F64
    transformer_va: F64
    cell_of: Indices

    @property
    def home_count(self) -> int:
        """Homes on the feeder."""
        return len(self.transformer_of)

    @property
    def transformer_count(self) -> int:
        """Transformers on the feeder."""
        return len(self.lateral_of)

    @property
    def lateral_count(self) -> int:
        """Laterals on the feeder."""
        return len(self.lateral_km)

    @property
    def cell_count(self) -> int:
        """Radio cells on the feeder."""
        return int(self.cell_of[-1]) + 1


def make_feeder(seed: int, home_count: int) -> Feeder:
    """Throw a feeder for that many homes."""
    d = dice(seed=seed, stream=Stream.FEEDER)
    transformers = -(-home_count // HOMES_PER_TRANSFORMER)
    laterals = -(-transformers // TRANSFORMERS_PER_LATERAL)
    return Feeder(
        transformer_of=np.arange(home_count, dtype=np.int64) // HOMES_PER_TRANSFORMER,
        lateral_of=np.arange(transformers, dtype=np.int64) // TRANSFORMERS_PER_LATERAL,
        lateral_km=d.uniform(0.15, 0.45, laterals),
        branch_km=d.uniform(0.04, 0.12, transformers),
        drop_m=d.uniform(18.0, 45.0, home_count),
        transformer_va=d.choice(np.array([37_500.0, 50_000.0]), transformers, p=[0.35, 0.65]),
        cell_of=np.arange(home_count, dtype=np.int64) // CELL_HOMES,
    )
