"""Recall: of faults put in, how many are found, by kind and severity, and what was missed.

A fault is found when the spoiled scene makes a rule say something about its service point and days that the clean scene
did not make it say. Which rule said so is counted, so that a lucky find under a wrong name can be seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from openami.app.bench.findings.cost import cost_of
from openami.app.bench.findings.judge import Said, judged
from openami.app.bench.findings.stacking import HISTORY_DAYS, WINDOW_DAYS
from openami.app.bench.findings.wilson import Share
from openami.sim.faults.metering import FAULTS, Fault, FaultKind, Injection, Scene, inject, planned
from openami.sim.faults.metering.inject import INJECTOR_SEED
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
        missed: the misses.
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


def recalls(scenes: Sequence[Scene], *, only: Collection[FaultKind] = tuple(FaultKind)) -> list[Cell]:
    """Return one cell for each line of the fault table, over all scenes together.

    In every pass each service point has a fault of another cell than its neighbors, so that a fault is judged among
    meters that are mostly right about what it is wrong about, as in the field. After as many passes as there are cells
    each service point has had each fault that fits it, but for those that its neighbor's crossing took.

    Args:
        scenes: clean.
        only: these kinds.
    """
    lines = [(f, s, w) for f in FAULTS if f.kind in only for w in f.ways for s in f.severities]
    tallies = [_Tally(*line) for line in lines]
    # Neighboring lines are alike; dice part them.
    order = np.random.default_rng(INJECTOR_SEED).permutation(len(lines)).tolist()
    for scene in scenes:
        clean = _keys(judged(scene))
        plans = [{one.row: one for one in _planned(scene, *line)} for line in lines]
        for turn in range(len(lines)):
            plan: list[tuple[_Tally, Injection]] = []
            taken: set[int] = set()
            for row in range(scene.count):
                cell = order[(row + turn) % len(lines)]
                one = plans[cell].get(row)
                if one is not None and taken.isdisjoint(places := rows_of(one, scene.count)):
                    taken.update(places)
                    plan.append((tallies[cell], one))
            _judge(scene, clean, plan)
    return [t.cell() for t in tallies]


def rows_of(one: Injection, count: int) -> tuple[int, ...]:
    """Return the service points of an injection: crossed meters are two."""
    return (one.row, (one.row + 1) % count) if one.kind is FaultKind.CROSSED else (one.row,)


@dataclass(slots=True)
class _Tally:
    """A cell in the making."""

    fault: Fault
    severity: float
    way: Way
    waits: list[int] = field(default_factory=list)
    missed: list[Injection] = field(default_factory=list)
    by_rule: Counter[str] = field(default_factory=Counter)
    at_stake: list[float] = field(default_factory=lambda: [0.0] * 4)

    def take(self, one: Injection, told: Sequence[Said], kwh: float, dollars: float) -> None:
        """Count one injection and what was said of it."""
        self.by_rule.update({s.rule for s in told})
        share = 1.0 if told else 0.0
        for k, worth in enumerate((kwh, kwh * share, dollars, dollars * share)):
            self.at_stake[k] += worth
        if told:
            self.waits.append(max(min(s.last for s in told) - one.day, 0))
        else:
            self.missed.append(one)

    def cell(self) -> Cell:
        """Return what was counted."""
        found = Share(len(self.waits), len(self.waits) + len(self.missed))
        wait = float(np.median(self.waits)) if self.waits else float("nan")
        # Ties by name, so that one measurement prints one page.
        by_rule = tuple(sorted(self.by_rule.items(), key=lambda r: (-r[1], r[0])))
        kwh, kwh_found, dollars, dollars_found = self.at_stake
        return Cell(
            self.fault,
            self.severity,
            self.way,
            found,
            by_rule,
            wait,
            kwh,
            kwh_found,
            dollars,
            dollars_found,
            tuple(self.missed),
        )


_Key = tuple[int, int, str, int, int]


def _keys(said: Sequence[Said]) -> set[_Key]:
    return {(s.row, int(s.channel), s.rule, s.first, s.last) for s in said}


def _planned(scene: Scene, fault: Fault, severity: float, way: Way) -> list[Injection]:
    last = HISTORY_DAYS + LASTING_ONSET_DAYS if fault.lasts else WINDOW_DAYS - 1
    return planned(scene, fault, severity, way, first=HISTORY_DAYS, last=last)


def _judge(scene: Scene, clean: set[_Key], plan: Sequence[tuple[_Tally, Injection]]) -> None:
    """Spoil a scene, ask the rules, and tell each tally what was said anew of its injection."""
    spoiled = inject(scene, [one for _, one in plan])
    fresh: dict[int, list[Said]] = {}
    for said in judged(spoiled):
        if (said.row, int(said.channel), said.rule, said.first, said.last) not in clean:
            fresh.setdefault(said.row, []).append(said)
    cost = cost_of(scene, spoiled)
    for tally, one in plan:
        told = [s for row in rows_of(one, scene.count) for s in fresh.get(row, ()) if _is_about(s, one, tally.fault)]
        rows = list(rows_of(one, scene.count))
        tally.take(one, told, float(cost.kwh[rows].sum()), float(cost.dollars[rows].sum()))


def _is_about(said: Said, one: Injection, fault: Fault) -> bool:
    """Tell whether a statement is about the days of a fault."""
    if fault.kind is FaultKind.SWAPPED_DATE:
        return True
    length = WINDOW_DAYS if fault.lasts else max(2, int(one.severity) if fault.kind in _IN_DAYS else 2)
    return said.last >= one.day - 1 and said.first <= one.day + length


_IN_DAYS = {FaultKind.STUCK_REGISTER, FaultKind.HOLIDAY}
