"""What a person decided about a cell holds in every run, and the energy still adds up to the registers."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from openami.contracts.quality import Method, QualityState
from openami.mdm.vee.brackets import Brackets
from openami.mdm.vee.decided import Decided
from openami.mdm.vee.grid import grid_of
from openami.mdm.vee.kernel import validated
from openami.mdm.vee.matrix import placed
from openami.mdm.vee.outcome import Coverage, Outcome
from openami.mdm.vee.ruleset import RuleBook, RuleSetting, RuleSeverity

GRID = grid_of(ZoneInfo("America/Chicago"), date(2026, 6, 1), date(2026, 6, 1), 900)
LIMIT_WH = 12_000


def run(decided: Decided | None, *, register_wh: int, spike_wh: int = 100) -> Outcome:
    value = np.full(96, 100)
    value[40] = spike_wh
    matrix = placed(
        GRID, 1, row=np.zeros(96, np.int64), start_s=GRID.start_s, value=value, quality=np.zeros(96, np.uint16)
    )
    whole = np.ones((1, 96), bool)
    one = np.ones(1, np.int64)
    brackets = Brackets(one * 0, one * 0, one * 96, one * register_wh, one)
    limit = np.array([LIMIT_WH])
    return validated(GRID, matrix, coverage=Coverage(whole, whole), brackets=brackets, limit=limit, decided=decided)


def nothing() -> Decided:
    return Decided.none(1, 96)


def test_an_accepted_reading_beyond_the_limit_stands_as_verified() -> None:
    decided = nothing()
    decided.accepted[0, 40] = True
    outcome = run(decided, register_wh=9_500 + 20_000, spike_wh=20_000)
    assert outcome.values[0, 40] == 20_000
    assert outcome.quality[0, 40] == QualityState.VERIFIED
    assert outcome.statements == []
    assert not outcome.refused.any()


def test_a_replaced_value_is_edited_and_the_rest_is_untouched() -> None:
    decided = nothing()
    decided.replaced[0, 40], decided.value[0, 40] = True, 130
    outcome = run(decided, register_wh=9_630)
    assert (outcome.values[0, 40], outcome.quality[0, 40], outcome.method[0, 40]) == (
        130, QualityState.EDITED, Method.MANUAL
    )  # fmt: skip
    assert (np.delete(outcome.values[0], 40) == 100).all()
    assert outcome.statements == []


def test_a_refused_reading_is_estimated_from_the_register() -> None:
    decided = nothing()
    decided.refused[0, 40] = True
    outcome = run(decided, register_wh=9_700)
    assert (outcome.values[0, 40], outcome.quality[0, 40]) == (200, QualityState.ESTIMATED)


def test_accepting_a_sum_that_fails_verifies_its_cells_and_keeps_the_residual() -> None:
    decided = nothing()
    decided.accepted[:] = True
    outcome = run(decided, register_wh=9_000)
    assert (outcome.quality == QualityState.VERIFIED).all()
    assert [s.evidence["residual_wh"] for s in outcome.statements] == [-600]
    assert (run(None, register_wh=9_000).quality == QualityState.QUESTIONABLE).all()


def test_of_two_decisions_on_a_cell_the_value_goes_before_the_refusal() -> None:
    decided = nothing()
    decided.replaced[0, 40], decided.value[0, 40], decided.refused[0, 40] = True, 100, True
    assert run(decided, register_wh=9_600).method[0, 40] == Method.MANUAL


def test_a_sum_over_two_days_is_one_statement_though_rules_change_between_them() -> None:
    grid = grid_of(GRID.zone, GRID.first, GRID.first + timedelta(days=1), 900)
    value = np.full(192, 100)
    matrix = placed(
        grid, 1, row=np.zeros(192, np.int64), start_s=grid.start_s, value=value, quality=np.zeros(192, np.uint16)
    )
    whole, one = np.ones((1, 192), bool), np.ones(1, np.int64)
    brackets = Brackets(one * 0, one * 0, one * 192, one * 20_000, one)

    def said(*settings: RuleSetting) -> list[tuple[str, bool]]:
        outcome = validated(
            grid, matrix, coverage=Coverage(whole, whole), brackets=brackets, limit=one * LIMIT_WH,
            book=RuleBook(settings),
        )  # fmt: skip
        return [(s.rule, s.is_failure) for s in outcome.statements if s.rule == "sum_check"]

    second = grid.last
    assert said(RuleSetting("spike", None, second, severity=RuleSeverity.OFF)) == [("sum_check", True)]
    assert said(RuleSetting("sum_check", None, second, severity=RuleSeverity.WARN)) == [("sum_check", False)]
    assert said(RuleSetting("sum_check", None, second, severity=RuleSeverity.OFF)) == []
