"""The cells that ``docs/vee`` promises: of these at least 99 % are found. Chosen with the homes for tuning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from openami.app.bench.findings.recall import Cell
from openami.sim.faults.metering import FaultKind
from openami.sim.faults.metering.kinds import FAULTS, Way

PROMISE = 0.99

_RIGHT = frozenset({Way.RIGHT})
_COUNTED = frozenset({Way.COUNTED})
_BOTH = frozenset(Way)

PROMISED: Mapping[FaultKind, Mapping[float, frozenset[Way]]] = {
    FaultKind.GAP: {1: _RIGHT, 4: _RIGHT, 96: _RIGHT},
    FaultKind.SCALE: {0.5: _RIGHT},
    FaultKind.SHIFT: {1: _COUNTED, 4: _COUNTED},
    FaultKind.DUPLICATE_DAY: {1: _BOTH, 7: _BOTH},
    FaultKind.STUCK: {24: _RIGHT, 96: _BOTH},
    FaultKind.NEGATIVE: {0.1: _RIGHT, 1: _RIGHT, 10: _RIGHT},
    FaultKind.OVERFLOW: {32_767: _RIGHT, 65_535: _RIGHT},
    FaultKind.SWAPPED_DATE: {1: _RIGHT},
    FaultKind.OFF_GRID: {7: _RIGHT},
    FaultKind.CONFLICT: {1: _RIGHT, 4: _RIGHT, 96: _RIGHT},
    FaultKind.STOPPED: {0: _BOTH},
    FaultKind.MULTIPLIER: {40: _BOTH},
    FaultKind.CLOCK_HOUR: {4: _COUNTED},
    FaultKind.DUPLICATE_REGISTER: {1: _BOTH},
    FaultKind.STUCK_REGISTER: {1: _RIGHT, 7: _RIGHT, 30: _RIGHT},
    FaultKind.WRONG_REGISTER: {0.4: _RIGHT},
    FaultKind.MISKEYED_READ: {10: _RIGHT, 100: _RIGHT, 1_000: _RIGHT},
    FaultKind.ROLLOVER_DIGITS: {10: _RIGHT},
    FaultKind.REVERSE_FLOW: {3_000: _BOTH},
    FaultKind.INACTIVE_USAGE: {1: _BOTH},
    FaultKind.VOLTAGE_BAND: {0.85: _RIGHT, 0.92: _RIGHT, 1.08: _RIGHT},
}


def is_promised(kind: FaultKind, severity: float, way: Way) -> bool:
    """Tell whether a cell is promised."""
    return way in PROMISED.get(kind, {}).get(severity, frozenset())


def promised_cells() -> list[tuple[FaultKind, float, Way]]:
    """Return every promised cell, in the order of the fault table."""
    return [(f.kind, s, w) for f in FAULTS for w in f.ways for s in f.severities if is_promised(f.kind, s, w)]


def broken(cells: Sequence[Cell]) -> list[Cell]:
    """Return the promised cells of which less was found."""
    promised = [c for c in cells if is_promised(c.fault.kind, c.severity, c.way)]
    return [c for c in promised if c.found.value < PROMISE]
