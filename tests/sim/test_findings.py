"""Validation on simulated homes: what is promised is found, and honest happenings bring nobody an item.

The measure on real homes is ``openami bench findings``; here every promised cell is tried a few times in one scene, so
that a rule that stops working is seen by every run of the tests.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from openami.app.bench.findings.judge import Said, judged
from openami.app.bench.findings.month import simulated
from openami.app.bench.findings.promises import PROMISED, promised_cells
from openami.app.bench.findings.stacking import HISTORY_DAYS, WINDOW_DAYS
from openami.contracts.channel import Channel
from openami.mdm.vee.ruleset import RuleBook, RuleSetting, RuleSeverity
from openami.sim.faults.metering import FAULTS, FaultKind, Injection, Scene, inject
from openami.sim.faults.metering.inject import fault_of
from openami.sim.faults.metering.kinds import Way

HOMES = 200
TRIES = 3


@pytest.fixture(scope="module")
def clean() -> Scene:
    return simulated(HOMES, seed=11)


def lived_in(scene: Scene) -> list[int]:
    """Homes that use something on every day, those with a roof last."""
    delivered = scene.readings[Channel.DELIVERED].values
    daily = np.add.reduceat(delivered, scene.grid.day_at[:-1], axis=1)
    rows = np.flatnonzero(daily.min(axis=1) > 3_000)
    return sorted(rows.tolist(), key=lambda row: bool(scene.facts.may_return[row]))


def by_row(said: list[Said]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for one in said:
        found.setdefault(one.row, set()).add(one.rule)
    return found


def test_every_promised_cell_is_in_the_table_of_faults() -> None:
    cells = promised_cells()
    assert sum(len(ways & set(fault_of(k).ways)) for k, v in PROMISED.items() for ways in v.values()) == len(cells)
    assert all(severity in fault_of(kind).severities for kind, severity, _ in cells)
    assert all(fault_of(kind).is_fault for kind, _, _ in cells)


def test_what_is_promised_is_found_on_simulated_homes(clean: Scene) -> None:
    dice = np.random.default_rng(4)
    # Thrown, so that wrong clocks are not neighbors.
    free = dice.permutation([row for row in lived_in(clean) if not clean.facts.may_return[row]]).tolist()
    plan = []
    for kind, severity, way in promised_cells():
        last = HISTORY_DAYS + 3 if fault_of(kind).lasts else WINDOW_DAYS - 2
        days = dice.integers(HISTORY_DAYS, last, TRIES).tolist()
        plan += [Injection(kind, severity, way, free.pop(0), day) for day in days]
    said = by_row(judged(inject(clean, plan)))
    before = by_row(judged(clean))
    missed = [one for one in plan if not said.get(one.row, set()) - before.get(one.row, set())]
    assert missed == []


def test_a_rule_that_is_off_breaks_its_promise() -> None:
    scene = simulated(40, seed=12)
    one = Injection(FaultKind.INACTIVE_USAGE, 1, Way.COUNTED, lived_in(scene)[0], HISTORY_DAYS)
    spoiled = inject(scene, [one])
    off = RuleSetting("inactive_usage", None, date(2026, 1, 1), severity=RuleSeverity.OFF)
    assert "inactive_usage" in by_row(judged(spoiled))[one.row]
    assert one.row not in by_row(judged(spoiled, book=RuleBook((off,))))


def test_honest_happenings_bring_nobody_an_item(clean: Scene) -> None:
    honest = [f for f in FAULTS if not f.is_fault and f.kind is not FaultKind.NEW_ROOF]
    rows = iter(lived_in(clean))
    plan = [Injection(f.kind, s, f.ways[0], next(rows), 30 + k) for f in honest for s in f.severities for k in range(4)]
    items = {s.row for s in judged(inject(clean, plan)) if s.is_failure and not s.is_settled}
    assert [one for one in plan if one.row in items] == []
