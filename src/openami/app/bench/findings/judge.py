"""The one place where a scene meets the validation of the platform: what its rules say about the bill's days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from openami.app.bench.findings.stacking import HISTORY_DAYS, NOMINAL_DV
from openami.contracts.channel import CHANNELS, Channel
from openami.contracts.quality import Method, QualityState
from openami.mdm.vee.brackets import Brackets, Chains, Reads, RegisterFault, brackets_of
from openami.mdm.vee.grid import I64, Grid
from openami.mdm.vee.kernel import validated
from openami.mdm.vee.matrix import Matrix, placed
from openami.mdm.vee.outcome import Coverage, Outcome
from openami.mdm.vee.rules.seen import Places, Surroundings
from openami.mdm.vee.ruleset import RuleBook
from openami.sim.faults.metering import Readings, Registers, Scene, Stray

_ANY_VOLTAGE = 10_000_000


@dataclass(frozen=True, slots=True)
class Said:
    """One statement: about days ``first`` to ``last`` (included) of a row.

    Args:
        row: service point.
        channel: what it is about.
        rule: which rule.
        first, last: indices of days.
        is_failure: a failure, not a warning.
        is_settled: nothing is left to do: what was missing or refused was estimated.
    """

    row: int
    channel: Channel
    rule: str
    first: int
    last: int
    is_failure: bool
    is_settled: bool


def judged(scene: Scene, *, book: RuleBook | None = None) -> list[Said]:
    """Return what the rules say about the days of the bill, on every channel.

    Args:
        scene: what came in.
        book: which rules hold; None for those that the package ships.
    """
    matrices = {channel: _matrix(scene, channel) for channel in scene.readings}
    said: list[Said] = []
    for channel in scene.readings:
        said += _channel(scene, channel, matrices, book)
    return said


def _channel(scene: Scene, channel: Channel, matrices: Mapping[Channel, Matrix], book: RuleBook | None) -> list[Said]:
    grid, is_energy = scene.grid, CHANNELS[channel].is_energy
    here = np.ones((scene.count, grid.columns), bool)
    coverage = Coverage(here, here)
    if is_energy:
        brackets, faults = _brackets(scene, scene.registers[channel])
        limit = -(-scene.facts.limit_w * grid.interval_s // 3600)
    else:
        brackets, faults = _no_brackets()
        limit = np.full(scene.count, _ANY_VOLTAGE, np.int64)
    wanted = np.zeros((scene.count, grid.days), bool)
    wanted[:, HISTORY_DAYS:] = True
    around = Surroundings(
        channel=channel,
        wanted=wanted,
        siblings={other: matrix for other, matrix in matrices.items() if other is not channel},
        places=_places(scene),
        faults=faults,
    )
    outcome = validated(
        grid,
        matrices[channel],
        coverage=coverage,
        brackets=brackets,
        limit=limit,
        is_energy=is_energy,
        around=around,
        book=book,
    )
    return [
        Said(
            s.row,
            channel,
            s.rule,
            int(grid.day_of[s.lo]),
            int(grid.day_of[s.hi - 1]),
            s.is_failure,
            _is_settled(outcome, s.row, s.lo, s.hi),
        )
        for s in outcome.statements
    ]


def _places(scene: Scene) -> Places:
    days = scene.grid.days
    return Places(
        is_inactive=~scene.facts.is_active,
        is_disconnected=np.zeros((scene.count, days), bool),
        may_feed_in=np.repeat(scene.facts.may_return[:, None], days, axis=1),
        neighborhood=scene.facts.neighborhood,
        nominal_dv=np.full(scene.count, NOMINAL_DV, np.int64),
    )


def _is_settled(outcome: Outcome, row: int, lo: int, hi: int) -> bool:
    """Tell whether every value that was doubted has been estimated in its place."""
    state, method = outcome.quality[row, lo:hi], outcome.method[row, lo:hi]
    return bool(((state != QualityState.MISSING) & (method != Method.MEASURED)).all())


def _matrix(scene: Scene, channel: Channel) -> Matrix:
    """Lay a channel out. Only rows with readings beside the matrix go through the platform's placing of rows."""
    readings, grid = scene.readings[channel], scene.grid
    shape = readings.values.shape
    matrix = Matrix(
        np.where(readings.came, readings.values, 0),
        readings.came,
        np.where(readings.came, readings.flags, np.uint16(0)),
        np.zeros(shape, bool),
        np.zeros(shape, bool),
        np.zeros((scene.count, grid.days), np.int64),
    )
    strays = [s for s in scene.strays if s.channel is channel]
    rows = np.unique(np.array([s.row for s in strays], dtype=np.int64))
    if len(rows):
        own = _placed(grid, readings, rows, strays)
        for name in ("values", "present", "flags", "duplicated", "conflicting", "off_grid"):
            column = getattr(matrix, name).copy()
            column[rows] = getattr(own, name)
            matrix = replace(matrix, **{name: column})
    return matrix


def _placed(grid: Grid, readings: Readings, rows: I64, strays: Sequence[Stray]) -> Matrix:
    row, column = np.nonzero(readings.came[rows])
    place = np.searchsorted(rows, [s.row for s in strays])
    return placed(
        grid,
        len(rows),
        row=np.concatenate([row, place]),
        start_s=np.concatenate([grid.start_s[column], np.array([s.start_s for s in strays], dtype=np.int64)]),
        value=np.concatenate([readings.values[rows[row], column], np.array([s.value for s in strays], dtype=np.int64)]),
        quality=np.concatenate([readings.flags[rows[row], column], np.zeros(len(strays), np.uint16)]),
    )


def _brackets(scene: Scene, registers: Registers) -> tuple[Brackets, list[RegisterFault]]:
    grid, count = scene.grid, scene.count
    rows = np.arange(count)
    chains = Chains(
        row=rows,
        start_s=np.full(count, int(grid.edge_s[0]) - 86_400),
        end_s=np.full(count, int(grid.edge_s[-1]) + 86_400),
        capacity=registers.capacity_wh,
        resolution=registers.resolution_wh,
        multiplier=np.ones(count, np.int64),
        limit_w=scene.facts.limit_w,
    )
    row, read = np.nonzero(registers.came)
    at_s = grid.edge_s[grid.day_at[read]]
    return brackets_of(grid, chains, Reads(row, at_s, registers.value[row, read], np.zeros(len(row), bool)))


def _no_brackets() -> tuple[Brackets, list[RegisterFault]]:
    none = np.zeros(0, np.int64)
    return Brackets(none, none, none, none, none), []
