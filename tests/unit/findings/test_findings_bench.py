"""The bench that counts findings: shares, windows, costs, and what counts as found."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import numpy as np
import pytest

from openami.app.bench.findings import recall as recall_module
from openami.app.bench.findings.clean import false_findings
from openami.app.bench.findings.cost import CREDIT, cost_of
from openami.app.bench.findings.judge import Said, judged
from openami.app.bench.findings.month import month, simulated, thrown
from openami.app.bench.findings.recall import recalls, rows_of
from openami.app.bench.findings.stacking import HISTORY_DAYS, WINDOW_DAYS, Stack, stacked
from openami.app.bench.findings.wilson import Share
from openami.app.bench.homes import Half, Home
from openami.contracts.channel import Channel
from openami.sim.faults.metering import FAULTS, FaultKind, Injection, Scene, inject
from openami.sim.faults.metering.kinds import Way


def home_of(name: str, days: int, *, first: date = date(2025, 1, 1), hole: slice | None = None) -> Home:
    dice = np.random.default_rng(len(name) + days)
    shape = 150 + 130 * np.sin(np.arange(96) / 96 * 2 * np.pi)
    wh = np.rint(np.tile(shape, days) * dice.lognormal(0, 0.4, 96 * days)).astype(np.int64)
    present = np.ones(len(wh), bool)
    if hole is not None:
        present[hole] = False
    return Home(name, "made", Half.TUNE, "Etc/GMT-1", 900, first, np.where(present, wh, 0), present)


@pytest.fixture(scope="module")
def stack() -> Stack:
    return stacked([home_of("a", 150), home_of("bb", 90), home_of("ccc", 120, first=date(2025, 3, 4))], seed=1)


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [(0, 100, 0.0, 0.0370), (100, 100, 0.9630, 1.0), (50, 100, 0.4038, 0.5962), (1, 10, 0.0179, 0.4042), (0, 0, 0, 1)],
)
def test_a_share_has_the_published_wilson_interval(hits: int, trials: int, low: float, high: float) -> None:
    assert Share(hits, trials).interval == pytest.approx((low, high), abs=5e-5)


def test_windows_of_a_home_bill_each_day_once_and_begin_on_a_monday(stack: Stack) -> None:
    assert np.bincount(stack.home).tolist() == [4, 2, 3]
    home = home_of("a", 150)
    rows = stack.scene.readings[Channel.DELIVERED].values[stack.home == 0]
    received = stack.scene.readings[Channel.RECEIVED].values[stack.home == 0]
    if not received.any():
        start = -home.first.weekday() % 7 * 96
        for k, row in enumerate(rows):
            at = start + k * 28 * 96
            assert np.array_equal(row, home.delivered_wh[at : at + WINDOW_DAYS * 96])


def test_a_short_home_is_judged_on_the_days_it_has() -> None:
    short = stacked([home_of("dddd", 15)], seed=1)
    assert short.scene.count == 1
    assert short.complete[0].tolist() == [False] * (WINDOW_DAYS - 15) + [True] * 15


def test_a_hole_is_no_clean_day_and_the_register_goes_on_through_it() -> None:
    holed = stacked([home_of("e", 70, first=date(2025, 1, 6), hole=slice(96 * 40, 96 * 41 + 3))], seed=1)
    assert np.flatnonzero(~holed.complete[0]).tolist() == [40, 41]
    assert holed.whole().count == 0
    register = holed.scene.registers[Channel.DELIVERED].exact_wh[0]
    assert register[41] - register[40] > 5_000
    assert false_findings([holed]).days == Share(0, 26)


def test_clean_homes_make_no_finding_here_and_a_broken_one_does(stack: Stack) -> None:
    assert false_findings([stack]).failed_days.hits == 0
    one = Injection(FaultKind.OVERFLOW, 65_535, Way.RIGHT, 0, 40)
    broken = Stack(inject(stack.scene, [one]), stack.home, stack.complete)
    found = false_findings([broken])
    assert found.failed_days.hits == 1
    assert found.failed_bills.hits == 1
    assert found.by_home == ((0, 1),)


def test_a_fault_costs_what_the_bill_would_be_wrong_by(stack: Stack) -> None:
    one = Injection(FaultKind.STOPPED, 0, Way.COUNTED, 1, HISTORY_DAYS)
    cost = cost_of(stack.scene, inject(stack.scene, [one]))
    lost = stack.scene.readings[Channel.DELIVERED].values[1, HISTORY_DAYS * 96 :].sum() / 1000
    given = stack.scene.readings[Channel.RECEIVED].values[1, HISTORY_DAYS * 96 :].sum() / 1000
    assert cost.kwh[1] == pytest.approx(lost + given, abs=2.5)
    assert 0.1 * lost - CREDIT * given <= cost.dollars[1] <= 0.3 * lost
    assert cost.kwh[0] == cost.dollars[0] == 0


def test_energy_used_where_service_ended_is_billed_to_nobody(stack: Stack) -> None:
    one = Injection(FaultKind.INACTIVE_USAGE, 1, Way.COUNTED, 2, WINDOW_DAYS - 10)
    cost = cost_of(stack.scene, inject(stack.scene, [one]))
    used = stack.scene.readings[Channel.DELIVERED].values[2, (WINDOW_DAYS - 10) * 96 :].sum() / 1000
    assert cost.kwh[2] >= used


def test_a_clock_that_is_wrong_costs_money_and_hardly_energy(stack: Stack) -> None:
    one = Injection(FaultKind.CLOCK_HOUR, 4, Way.COUNTED, 1, HISTORY_DAYS)
    cost = cost_of(stack.scene, inject(stack.scene, [one]))
    assert cost.dollars[1] > 0
    assert cost.kwh[1] < 3


def test_a_missing_day_is_found_and_the_find_is_settled_by_an_estimate(stack: Stack) -> None:
    cell = recalls([stack.scene], only=[FaultKind.GAP])[2]
    assert cell.found == Share(stack.scene.count, stack.scene.count)
    assert cell.by_rule[0][0] == "missing"
    assert cell.kwh_found == cell.kwh > 0
    spoiled = inject(stack.scene, [Injection(FaultKind.GAP, 4, Way.RIGHT, 0, 40)])
    assert all(s.is_settled for s in judged(spoiled) if s.rule == "missing")


def test_what_the_clean_scene_says_anyway_finds_nothing(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    always = [Said(row, Channel.DELIVERED, "always", 30, 50, True, False) for row in range(stack.scene.count)]
    monkeypatch.setattr(recall_module, "judged", lambda _: always)
    cell = recalls([stack.scene], only=[FaultKind.STOPPED])[0]
    assert cell.found.hits == 0
    assert len(cell.missed) == stack.scene.count


def test_a_statement_about_other_days_is_no_find(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    early = [Said(row, Channel.DELIVERED, "early", 0, 5, True, False) for row in range(stack.scene.count)]
    monkeypatch.setattr(recall_module, "judged", lambda scene: [] if scene is stack.scene else early)
    assert all(cell.found.hits == 0 for cell in recalls([stack.scene], only=[FaultKind.SPIKE]))


def test_each_service_point_has_each_fault_once_and_neighbors_differ(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recall_module, "judged", lambda _: [])
    plans: list[list[Injection]] = []

    def noted(clean: Scene, plan: list[Injection]) -> Scene:
        plans.append(plan)
        return inject(clean, plan)

    monkeypatch.setattr(recall_module, "inject", noted)
    cells = recalls([stack.scene], only=[FaultKind.SPIKE, FaultKind.GAP, FaultKind.CROSSED])
    assert 0 < cells[-1].found.trials <= stack.scene.count // 2
    crossed = cells[-1].found.trials
    assert sum(c.found.trials for c in cells[:-1]) >= 9 * stack.scene.count - crossed
    for plan in plans:
        places = [row for one in plan for row in rows_of(one, stack.scene.count)]
        assert len(places) == len(set(places))
        kinds = [(one.kind, one.severity, one.way) for one in plan]
        assert all(a != b for a, b in pairwise(kinds))


def test_a_month_of_a_few_homes_counts_what_happened() -> None:
    found = month(homes=60, seed=3)
    assert found.bills == 60
    assert found.items >= found.real_items
    assert sum(dict(found.happened).values()) > 0


def test_a_place_has_one_fault_a_month() -> None:
    scene = simulated(40, seed=2)
    plan = thrown(scene, seed=2)
    rows = [one.row for one in plan]
    assert len(rows) == len(set(rows))
    assert {one.kind for one in plan} <= {f.kind for f in FAULTS}
