"""Homes of different years laid on one calendar: every window of a home is a service point of one scene.

A window is 28 days of history and a bill of 28 days after it. Windows of a home follow each other by 28 days, so that
each day is in one bill, and begin on the weekday on which the common calendar begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from openami.app.bench.findings.voltage import fed
from openami.app.bench.homes.home import Home
from openami.kernel.time import zone_named
from openami.mdm.vee.grid import BOOLS, I64, grid_of
from openami.sim.faults.metering import Scene, clean_scene

HISTORY_DAYS = 28
BILL_DAYS = 28
WINDOW_DAYS = HISTORY_DAYS + BILL_DAYS
FIRST = date(2026, 1, 5)
"""A Monday; bills run from 2 February to 1 March, so that days with another day and month swapped exist in them."""
ZONE = "Etc/GMT-1"
ROOF_SHARE = 0.15
NOMINAL_DV = 2_400
LEAST_NEIGHBORS = 7
_ROOF_W = (3_000.0, 9_000.0)


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """A clean scene of windows.

    Args:
        scene: every row is a window.
        home: (S,) index of the home of each row.
        complete: (S, D) days of which every interval was measured.
    """

    scene: Scene
    home: I64
    complete: BOOLS

    def whole(self) -> Scene:
        """Return the windows of which every interval was measured: there a fault can be told from a hole."""
        return self.scene.rows(np.asarray(self.complete.all(axis=1)))


def stacked(homes: Sequence[Home], *, seed: int) -> Stack:
    """Return the windows of homes that have one interval length as a scene.

    Homes without a voltage get that of a feeder on which all of them hang; a share of those without a roof gets a roof
    that was always there.

    Args:
        homes: at least one, all of one interval length.
        seed: of what is thrown.
    """
    interval_s = homes[0].interval_s
    grid = grid_of(zone_named(ZONE), FIRST, FIRST + timedelta(days=WINDOW_DAYS - 1), interval_s)
    cuts = [(index, cut) for index, home in enumerate(homes) for cut in _cuts(home)]
    # Neighbors are different homes on the same days: a window's history is the bill of the window before it.
    cuts.sort(key=lambda c: (c[1].start, c[0]))
    dice = np.random.default_rng(seed)
    came = np.stack([_laid(homes[h].present, cut) for h, cut in cuts])
    delivered = _without_holes(np.stack([_laid(homes[h].delivered_wh, cut) for h, cut in cuts]), came, grid.slots)
    received = _without_holes(np.stack([_laid(_received(homes[h]), cut) for h, cut in cuts]), came, grid.slots)
    home_of = np.array([h for h, _ in cuts])
    roofed = np.isin(home_of, np.flatnonzero(dice.random(len(homes)) < ROOF_SHARE)) & ~received.any(axis=1)
    delivered, received = _with_roofs(delivered, received, roofed, interval_s, dice)
    voltage, transformer_of = fed(grid, delivered, received, seed=seed)
    # The windows of a home or two are no neighbors of each other, only the same people on other dates.
    if len(homes) < LEAST_NEIGHBORS:
        transformer_of = np.full(len(cuts), -1, np.int64)
    for row, (home, cut) in enumerate(cuts):
        own = homes[home].voltage_dv
        if own is not None:
            voltage[row] = _laid(own, cut)
    scene = clean_scene(
        grid,
        delivered,
        received_wh=received,
        voltage_dv=voltage,
        neighborhood=transformer_of,
        dice=dice,
        came=came,
    )
    return Stack(scene, home_of, np.asarray(np.logical_and.reduceat(came, grid.day_at[:-1], axis=1)))


def _cuts(home: Home) -> list[slice]:
    """Return the windows of a home; of one too short, its last days, and what lies before its begin is absent."""
    days, per_day = home.grid().days, 86_400 // home.interval_s
    start = -home.first.weekday() % 7
    if days < start + WINDOW_DAYS:
        return [slice((days - WINDOW_DAYS) * per_day, days * per_day)]
    starts = range(start, days - WINDOW_DAYS + 1, BILL_DAYS)
    return [slice(at * per_day, (at + WINDOW_DAYS) * per_day) for at in starts]


def _laid(column: npt.NDArray[Any], cut: slice) -> npt.NDArray[Any]:
    """Return a cut of a column; what lies before its begin is zero."""
    if cut.start >= 0:
        return column[cut]
    return np.concatenate([np.zeros(-cut.start, column.dtype), column[: cut.stop]])


def _received(home: Home) -> I64:
    return np.zeros(len(home.delivered_wh), np.int64) if home.received_wh is None else home.received_wh


def _without_holes(values: I64, came: BOOLS, slots: int) -> I64:
    """Return values with the home's median of the slot where nothing was measured: the register went on there."""
    by_day = np.where(came, values.astype(float), np.nan).reshape(len(values), -1, slots)
    known = np.where(np.isnan(by_day).all(axis=1, keepdims=True), 0.0, by_day)
    median = np.nanmedian(known, axis=1)
    return np.where(came, values, np.rint(np.tile(median, WINDOW_DAYS)).astype(np.int64))


def _with_roofs(
    delivered: I64, received: I64, roofed: BOOLS, interval_s: int, dice: np.random.Generator
) -> tuple[I64, I64]:
    """Let the sun cover what the roofed homes use; the rest goes out."""
    slots = 86_400 // interval_s
    hour = (np.arange(delivered.shape[1]) % slots) * interval_s / 3600
    sun = np.maximum(np.cos((hour - 12.5) / 5.5 * np.pi / 2), 0) * (abs(hour - 12.5) < 5.5)
    cloud = np.repeat(dice.uniform(0.1, 1.0, (len(delivered), WINDOW_DAYS)), slots, axis=1)
    watts = dice.uniform(*_ROOF_W, len(delivered))[:, None] * roofed[:, None]
    made = np.rint(sun * cloud * watts * interval_s / 3600).astype(np.int64)
    return np.maximum(delivered - made, 0), received + np.maximum(made - delivered, 0) * roofed[:, None]
