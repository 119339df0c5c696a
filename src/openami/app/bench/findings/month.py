"""A simulated month at field fault rates: what reaches a person, how much of it is real, and what slips through."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from openami.app.bench.findings.cost import cost_of
from openami.app.bench.findings.field import PER_1000_A_MONTH
from openami.app.bench.findings.judge import Said, judged
from openami.app.bench.findings.recall import LASTING_ONSET_DAYS, rows_of
from openami.app.bench.findings.stacking import FIRST, HISTORY_DAYS, WINDOW_DAYS
from openami.app.bench.findings.voltage import fed
from openami.kernel.time import zone_named
from openami.mdm.vee.grid import grid_of
from openami.sim.faults.metering import FaultKind, Injection, Scene, clean_scene, inject
from openami.sim.faults.metering.inject import INJECTOR_SEED, fault_of
from openami.sim.world.world import World

HOMES_AT_ONCE = 1_000
ZONE = "America/Chicago"


@dataclass(frozen=True, slots=True)
class Month:
    """What a month brought.

    Args:
        bills: service points with a bill.
        findings: statements before disposition.
        bills_with_finding: service points with any statement.
        items: service points that reach a person: a failure that validation did not settle by itself.
        real_items: of these, such as have a fault.
        false_items: items of honest service points, by rule.
        happened: faults and honest happenings, by kind.
        found: faults about which anything was said, by kind.
        kwh, kwh_found, dollars, dollars_found: at stake in faults other than holes, and in those found.
    """

    bills: int
    findings: int
    bills_with_finding: int
    items: int
    real_items: int
    false_items: tuple[tuple[str, int], ...]
    happened: tuple[tuple[str, int], ...]
    found: tuple[tuple[str, int], ...]
    kwh: float
    kwh_found: float
    dollars: float
    dollars_found: float


def month(*, homes: int, seed: int = INJECTOR_SEED) -> Month:
    """Simulate a month of so many homes, a thousand at once."""
    tally: Counter[str] = Counter()
    happened: Counter[str] = Counter()
    found: Counter[str] = Counter()
    false_items: Counter[str] = Counter()
    money = np.zeros(4)
    for part in range(-(-homes // HOMES_AT_ONCE)):
        count = min(HOMES_AT_ONCE, homes - part * HOMES_AT_ONCE)
        clean = simulated(count, seed=seed + part)
        plan = thrown(clean, seed=seed + part)
        spoiled = inject(clean, plan, seed=seed + part)
        said = judged(spoiled)
        cost = cost_of(clean, spoiled)
        told: dict[int, list[Said]] = {}
        for s in said:
            told.setdefault(s.row, []).append(s)
        items = {row for row, all_said in told.items() if any(s.is_failure and not s.is_settled for s in all_said)}
        faulty = {row for one in plan if fault_of(one.kind).is_fault for row in rows_of(one, count)}
        tally.update(bills=count, findings=len(said), told=len(told), items=len(items), real=len(items & faulty))
        for row in items - faulty:
            false_items.update({s.rule for s in told[row] if s.is_failure and not s.is_settled})
        for one in plan:
            happened[one.kind] += 1
            if not fault_of(one.kind).is_fault:
                continue
            # A hole names itself: what is at stake is what could pass unseen.
            if one.kind is FaultKind.GAP:
                found[one.kind] += any(row in told for row in rows_of(one, count))
                continue
            worth = np.array([cost.kwh[one.row], 0.0, cost.dollars[one.row], 0.0])
            if any(row in told for row in rows_of(one, count)):
                found[one.kind] += 1
                worth[1], worth[3] = worth[0], worth[2]
            money += worth
    kwh, kwh_found, dollars, dollars_found = money.tolist()
    return Month(
        tally["bills"],
        tally["findings"],
        tally["told"],
        tally["items"],
        tally["real"],
        tuple(false_items.most_common()),
        tuple(happened.most_common()),
        tuple(found.most_common()),
        kwh,
        kwh_found,
        dollars,
        dollars_found,
    )


def simulated(count: int, *, seed: int) -> Scene:
    """Return the clean scene of a simulated feeder: heat, cooling, cars, roofs, holidays and vacancy included."""
    world = World(seed=seed, home_count=count, zone_name=ZONE)
    last = FIRST + timedelta(days=WINDOW_DAYS - 1)
    grid = grid_of(zone_named(ZONE), FIRST, last, 900)
    power = np.concatenate([world.load(FIRST + timedelta(days=d)).power_mw for d in range(WINDOW_DAYS)], axis=1)
    counted = [np.cumsum(np.maximum(sign * power, 0), axis=1) // 4_000 for sign in (1, -1)]
    delivered, received = (np.diff(c, axis=1, prepend=0).astype(np.int64) for c in counted)
    dice = np.random.default_rng(seed)
    voltage, transformer_of = fed(grid, delivered, received, seed=seed)
    return clean_scene(
        grid, delivered, received_wh=received, voltage_dv=voltage, neighborhood=transformer_of, dice=dice
    )


def thrown(scene: Scene, *, seed: int) -> list[Injection]:
    """Return what happens in the month: at most one thing at each service point."""
    dice = np.random.default_rng([seed, 1])
    has_roof = scene.facts.may_return
    rows = dice.permutation(scene.count).tolist()
    taken: set[int] = set()
    plan: list[Injection] = []
    for kind, rate in PER_1000_A_MONTH.items():
        fault = fault_of(kind)
        for _ in range(int(dice.poisson(rate * scene.count / 1000))):
            severity = float(dice.choice(np.array(fault.severities)))
            way = fault.ways[int(dice.integers(len(fault.ways)))]
            last = HISTORY_DAYS + LASTING_ONSET_DAYS if fault.lasts else WINDOW_DAYS - 1
            day = int(dice.integers(HISTORY_DAYS, last))
            fits = [r for r in rows if r not in taken and fault.needs_roof in {None, bool(has_roof[r])}]
            if not fits:
                continue
            one = Injection(kind, severity, way, fits[0], day)
            if not taken.isdisjoint(rows_of(one, scene.count)):
                continue
            taken.update(rows_of(one, scene.count))
            plan.append(one)
    return plan
