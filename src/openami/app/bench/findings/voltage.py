"""The voltage of a scene: an AC power flow of a feeder on which its homes hang, as meters measure it."""

from __future__ import annotations

import numpy as np

from openami.mdm.vee.grid import I64, Grid
from openami.sim.world.feeder import make_feeder
from openami.sim.world.powerflow import PowerFlow

_STEPS_AT_ONCE = 384
_METER_DV = 1.5
"""Noise of a meter's voltage [0.1 V]: resolution 0.1 V and some more."""
_SOURCE_PU, _SWAY_PU, _NOISE_PU = 1.018, 0.004, 0.0012


def fed(grid: Grid, delivered_wh: I64, received_wh: I64, *, seed: int) -> tuple[I64, I64]:
    """Return the voltage at every home, and its transformer.

    Args:
        grid: N columns.
        delivered_wh: (S, N) what the homes take [Wh].
        received_wh: (S, N) what they give back [Wh].
        seed: of the feeder and of the substation's moods.

    Returns:
        (S, N) mean voltage [0.1 V] and (S,) number of the transformer.

    Raises:
        PowerFlowMissingError: power-grid-model is not installed.
    """
    feeder = make_feeder(seed, len(delivered_wh))
    flow = PowerFlow(feeder, seed)
    hour = grid.slot * grid.interval_s / 3600
    noise = np.random.default_rng([seed, 2]).standard_normal(grid.columns)
    source = _SOURCE_PU + _SWAY_PU * np.sin((hour - 9) * np.pi / 12) + _NOISE_PU * noise
    power_mw = (delivered_wh - received_wh) * 3_600_000 // grid.interval_s
    parts = [
        flow.solve(power_mw[:, at : at + _STEPS_AT_ONCE], source_pu=source[at : at + _STEPS_AT_ONCE])
        for at in range(0, grid.columns, _STEPS_AT_ONCE)
    ]
    volts = np.concatenate(parts, axis=1)
    error = np.random.default_rng([seed, 3]).normal(0.0, _METER_DV, volts.shape)
    return volts + np.rint(error).astype(np.int64), feeder.transformer_of
