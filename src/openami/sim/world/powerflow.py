"""Voltages at the meters from an AC power flow of the feeder, a day at a time.

The engine is power-grid-model, symmetric, iterative current. It has no split-phase unit: a service drop's loop
resistance stands as the positive-sequence resistance, which gives the right drop at 240 V; the drop on a
single-phase lateral is then a little understated (vee-grid 7.1).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from openami.kernel.errors import OpenAmiError
from openami.sim.dice import Stream, dice
from openami.sim.world.feeder import Feeder
from openami.sim.world.slots import DaySlots

I64 = npt.NDArray[np.int64]
MEDIUM_V = 12_470.0
SERVICE_V = 240.0
_BACKBONE_OHM_PER_KM = (0.19, 0.38)
_LATERAL_OHM_PER_KM = (0.55, 0.45)
_DROP_LOOP_OHM_PER_M = (0.00105, 0.00018)
_TAN_PHI = 0.25
"""Reactive to real power of a home: power factor 0.97."""
_SHORT_CIRCUIT_VA = 2.0e8
_SOURCE_PU = 1.018


class PowerFlowMissingError(OpenAmiError):
    """The power-flow engine is not installed."""


class PowerFlow:
    """The feeder as a network that is solved for many quarter-hours at once.

    Args:
        feeder: the feeder.
        seed: for the substation's slow moods.

    Raises:
        PowerFlowMissingError: power-grid-model is not installed (extra ``demo``).
    """

    def __init__(self, feeder: Feeder, seed: int) -> None:
        try:
            import power_grid_model
        except ImportError as error:
            raise PowerFlowMissingError("power-grid-model is not installed: pip install 'openami[demo]'") from error
        self._engine: Any = power_grid_model
        self._seed = seed
        self._homes = feeder.home_count
        self._first_home = 1 + feeder.lateral_count + 2 * feeder.transformer_count
        self._load_ids = np.arange(1_000_000, 1_000_000 + feeder.home_count, dtype=np.int32)
        self._model: Any = power_grid_model.PowerGridModel(self._network(feeder))

    def voltages_dv(self, slots: DaySlots, power_mw: I64) -> I64:
        """Return the voltage at every meter.

        Args:
            slots: the day, whose substation voltage is taken.
            power_mw: (homes, n) what the homes draw [mW]; 0 where the supply is off. n may be one quarter-hour.

        Returns:
            (homes, n) int64 [0.1 V].
        """
        return self.solve(power_mw, source_pu=self.source_pu(slots))

    def source_pu(self, slots: DaySlots) -> npt.NDArray[np.float64]:
        """(n,) the substation's voltage, held by a tap changer that follows slowly."""
        d = dice(seed=self._seed, stream=Stream.SOURCE_VOLTAGE, day=slots.number)
        sway = 0.004 * np.sin((slots.hour - d.uniform(6, 12)) * np.pi / 12)
        pu: npt.NDArray[np.float64] = _SOURCE_PU + sway + 0.0012 * d.standard_normal(len(slots))
        return pu

    def solve(self, power_mw: I64, *, source_pu: npt.NDArray[np.float64]) -> I64:
        """Return (homes, n) voltages [0.1 V] at given power [mW] and (n,) source voltage [pu]."""
        n = power_mw.shape[1]
        loads = self._engine.initialize_array("update", "sym_load", (n, self._homes))
        loads["id"] = self._load_ids[None, :]
        loads["p_specified"] = power_mw.T / 1000.0
        loads["q_specified"] = np.maximum(power_mw.T, 0) / 1000.0 * _TAN_PHI
        source = self._engine.initialize_array("update", "source", (n, 1))
        source["id"] = 2_000_000
        source["u_ref"] = source_pu[:, None]
        result = self._model.calculate_power_flow(
            symmetric=True,
            update_data={"sym_load": loads, "source": source},
            calculation_method="iterative_current",
            error_tolerance=1e-6,
            max_iterations=60,
            output_component_types={"node": ["u"]},
            threading=-1,
        )
        volts: npt.NDArray[np.float64] = result["node"]["u"][:, self._first_home :]
        return np.rint(volts.T * 10.0).astype(np.int64)

    def _network(self, feeder: Feeder) -> dict[str, Any]:
        laterals, transformers, homes = feeder.lateral_count, feeder.transformer_count, feeder.home_count
        medium = 1 + laterals  # substation, lateral heads, then transformer primaries, secondaries, homes
        new = self._engine.initialize_array
        node = new("input", "node", medium + 2 * transformers + homes)
        node["id"] = np.arange(len(node))
        node["u_rated"] = np.where(node["id"] < medium + transformers, MEDIUM_V, SERVICE_V)
        primaries = medium + np.arange(transformers)
        # A branch begins at the transformer before it on the same lateral, or at the lateral's head.
        first = np.concatenate([[True], np.diff(feeder.lateral_of) > 0])
        before = np.where(first, 1 + feeder.lateral_of, primaries - 1)
        line = new("input", "line", laterals + transformers + homes)
        line["from_node"] = np.concatenate([np.arange(laterals), before, medium + transformers + feeder.transformer_of])
        line["to_node"] = np.concatenate(
            [1 + np.arange(laterals), primaries, medium + 2 * transformers + np.arange(homes)]
        )
        line["id"] = 3_000_000 + np.arange(len(line))
        line["from_status"] = line["to_status"] = 1
        for name, which in (("r1", 0), ("x1", 1)):
            line[name] = np.concatenate(
                [
                    feeder.lateral_km * _BACKBONE_OHM_PER_KM[which],
                    feeder.branch_km * _LATERAL_OHM_PER_KM[which],
                    feeder.drop_m * _DROP_LOOP_OHM_PER_M[which],
                ]
            )
        line["c1"] = line["tan1"] = 0.0
        line["i_n"] = 1_000.0
        source = new("input", "source", 1)
        source["id"], source["node"], source["status"], source["u_ref"] = 2_000_000, 0, 1, _SOURCE_PU
        source["sk"] = _SHORT_CIRCUIT_VA
        load = new("input", "sym_load", homes)
        load["id"], load["status"], load["type"] = self._load_ids, 1, 0
        load["node"] = medium + 2 * transformers + np.arange(homes)
        load["p_specified"] = load["q_specified"] = 0.0
        return {
            "node": node, "line": line, "source": source, "sym_load": load,
            "transformer": self._transformers(feeder, primaries),
        }  # fmt: skip

    def _transformers(self, feeder: Feeder, primaries: I64) -> Any:
        unit = self._engine.initialize_array("input", "transformer", feeder.transformer_count)
        unit["id"] = 4_000_000 + np.arange(len(unit))
        unit["from_node"], unit["to_node"] = primaries, primaries + feeder.transformer_count
        unit["from_status"] = unit["to_status"] = 1
        unit["u1"], unit["u2"], unit["sn"] = MEDIUM_V, SERVICE_V, feeder.transformer_va
        unit["uk"], unit["pk"], unit["i0"], unit["p0"] = 0.021, 0.011 * feeder.transformer_va, 0.005, 90.0
        unit["winding_from"] = unit["winding_to"] = 1
        unit["clock"] = 0
        unit["tap_side"] = unit["tap_pos"] = unit["tap_min"] = unit["tap_max"] = unit["tap_nom"] = 0
        unit["tap_size"] = 0.0
        return unit
