"""Recall: of faults put in, how many are found, by kind and severity, and what was missed.

A fault is found when the spoiled scene makes a rule say something about its service point and days that the clean scene
did not make it say. Which rule said so is counted, so that a lucky find under a wrong name can be seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from openami.app.bench.findings.cost import cost_of
from openami.app.bench.findings.judge import Said, judged
from openami.app.bench.findings.stacking import HISTORY_DAYS, WINDOW_DAYS
from openami.app.bench.findings.wilson import Share
from openami.sim.faults.metering import FAULTS, Fault, FaultKind, Injection, Scene, inject, planned
from openami.sim.faults.metering.kinds import Way

LASTING_ONSET_DAYS = 3
"""A fault that lasts begins in the first days of the bill, so that the rules have one cycle to see it."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind, severity and way.

    Args:
        fault, severity, way: which.
        found: how many of those tried.
        by_rule: how often each rule said something, most first.
        days_to_find: median of days from onset to the end of the first statement; nan where nothing was found.
        kwh, kwh_found: energy at stake, and in those found [kWh].
        dollars, dollars_found: the same in money.
        missed: rows of the misses.
    """

    fault: Fault
    severity: float
    way: Way
    found: Share
    by_rule: tuple[tuple[str, int], ...]
    days_to_find: float
    kwh: float
    kwh_found: float
    dollars: float
    dollars_found: float
    missed: tuple[Injection, ...]


def recalls(scenes: Sequence[Scene]) -> list[Cell]:
    """Return one cell for each line of the fault table, over all scenes together."""
    clean = [_keys(judged(scene)) for scene in scenes]
    cells = []
    for fault in FAULTS:
        for way in fault.ways:
            for severity in fault.severities:
                parts = [_cell(scene, keys, fault, severity, way) for scene, keys in zip(scenes, clean, strict=True)]
                cells.append(_joined(parts))
    return cells


_Key = tuple[int, int, str, int, int]


def _keys(said: Sequence[Said]) -> set[_Key]:
    return {(s.row, int(s.channel), s.rule, s.first, s.last) for s in said}


def _cell(scene: Scene, clean: set[_Key], fault: Fault, severity: float, way: Way) -> Cell:
    last = HISTORY_DAYS + LASTING_ONSET_DAYS if fault.lasts else WINDOW_DAYS - 1
    plan = planned(scene, fault, severity, way, first=HISTORY_DAYS, last=last)
    spoiled = inject(scene, plan)
    fresh: dict[int, list[Said]] = {}
    for said in judged(spoiled):
        if (said.row, int(said.channel), said.rule, said.first, said.last) not in clean:
            fresh.setdefault(said.row, []).append(said)
    cost = cost_of(scene, spoiled)
    by_rule: Counter[str] = Counter()
    waits, missed, at_stake = [], [], np.zeros((2, 2))
    for one in plan:
        told = [s for s in _heard(scene, fresh, one) if _is_about(s, one, fault)]
        by_rule.update({s.rule for s in told})
        worth = np.array([cost.kwh[one.row], cost.dollars[one.row]])
        at_stake[0] += worth
        if told:
            at_stake[1] += worth
            waits.append(max(min(s.last for s in told) - one.day, 0))
        else:
            missed.append(one)
    return Cell(
        fault,
        severity,
        way,
        Share(len(plan) - len(missed), len(plan)),
        tuple(by_rule.most_common()),
        float(np.median(waits)) if waits else float("nan"),
        float(at_stake[0, 0]),
        float(at_stake[1, 0]),
        float(at_stake[0, 1]),
        float(at_stake[1, 1]),
        tuple(missed),
    )


def _heard(scene: Scene, fresh: dict[int, list[Said]], one: Injection) -> list[Said]:
    """Return what was said anew of the service point; of crossed meters, of either."""
    told = list(fresh.get(one.row, ()))
    if one.kind is FaultKind.CROSSED:
        told += fresh.get((one.row + 1) % scene.count, ())
    return told


def _is_about(said: Said, one: Injection, fault: Fault) -> bool:
    """Tell whether a statement is about the days of a fault."""
    if fault.kind is FaultKind.SWAPPED_DATE:
        return True
    length = WINDOW_DAYS if fault.lasts else max(2, int(one.severity) if fault.kind in _IN_DAYS else 2)
    return said.last >= one.day - 1 and said.first <= one.day + length


_IN_DAYS = {FaultKind.STUCK_REGISTER, FaultKind.HOLIDAY}


def _joined(parts: Sequence[Cell]) -> Cell:
    by_rule: Counter[str] = Counter()
    for part in parts:
        by_rule.update(dict(part.by_rule))
    waits = [p.days_to_find for p in parts for _ in range(p.found.hits)]
    first = parts[0]
    return Cell(
        first.fault,
        first.severity,
        first.way,
        Share(sum(p.found.hits for p in parts), sum(p.found.trials for p in parts)),
        tuple(by_rule.most_common()),
        float(np.median(waits)) if waits else float("nan"),
        sum(p.kwh for p in parts),
        sum(p.kwh_found for p in parts),
        sum(p.dollars for p in parts),
        sum(p.dollars_found for p in parts),
        tuple(m for p in parts for m in p.missed),
    )
