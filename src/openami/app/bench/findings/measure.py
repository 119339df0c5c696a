"""All measures of one half of the homes together."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from openami.app.bench.findings.clean import FalseFindings, false_findings
from openami.app.bench.findings.month import Month, month
from openami.app.bench.findings.recall import Cell, recalls
from openami.app.bench.findings.stacking import Stack, stacked
from openami.app.bench.homes import Half, HomesUnavailableError, load_homes
from openami.kernel.time import QUARTER_HOUR_S
from openami.sim.faults.metering import Scene
from openami.sim.world.feeder import HOMES_PER_TRANSFORMER

STACK_SEED = 7
MONTH_BILLS = int(os.environ.get("OPENAMI_FINDINGS_BILLS", "10000"))
NAMES: Mapping[str, str] = {
    "htw": "74 German homes, quarter-hours (measured here, not passed on)",
    "energydata": "one French home, quarter-hours, own voltage",
    "opendsm": "British homes, half-hours and hours",
    "nem12": "one Australian home with a roof, a month",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured.

    Args:
        half: of the homes.
        homes: number of homes by source.
        false: false findings by source.
        cells: recall, over quarter-hour homes of all sources together.
        month: the simulated month.
    """

    half: Half
    homes: Mapping[str, int]
    false: Mapping[str, FalseFindings]
    cells: tuple[Cell, ...]
    month: Month


def measure(
    half: Half, *, bills: int = MONTH_BILLS, most: int | None = None, tell: Callable[[str], None] = lambda _: None
) -> Measured:
    """Measure on one half of the homes.

    Args:
        half: which.
        bills: size of the simulated month.
        most: put each fault into about so many bills; None for all of them.
        tell: told in a line what is done.

    Raises:
        HomesUnavailableError: no home of quarter-hours is here.
    """
    homes = load_homes(half=half)
    stacks: dict[str, list[Stack]] = {}
    for source in NAMES:
        for interval_s in sorted({h.interval_s for h in homes if h.source == source}):
            mine = [h for h in homes if h.source == source and h.interval_s == interval_s]
            if mine:
                stacks.setdefault(source, []).append(stacked(mine, seed=STACK_SEED))
    scenes = [s.whole() for each in stacks.values() for s in each if s.scene.grid.interval_s == QUARTER_HOUR_S]
    scenes = [_thinned(scene, most) for scene in scenes if scene.count > 1]
    if not scenes:
        raise HomesUnavailableError("no home of quarter-hours that is long enough: run `make homes`")
    tell("clean homes")
    false = {source: false_findings(each) for source, each in stacks.items()}
    tell("recall")
    cells = tuple(recalls(scenes))
    tell(f"a month of {bills:,} bills")
    counts = {source: len({h.name for h in homes if h.source == source}) for source in stacks}
    return Measured(half, counts, false, cells, month(homes=bills))


def _thinned(scene: Scene, most: int | None) -> Scene:
    """Return some of the service points, evenly chosen by transformers, so that mates stay together."""
    if most is None or scene.count <= most:
        return scene
    transformer = np.arange(scene.count) // HOMES_PER_TRANSFORMER
    return scene.rows(transformer % -(-scene.count // most) == 0)
