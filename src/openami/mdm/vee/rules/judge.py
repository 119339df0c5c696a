"""The judge: asks every rule that is on, turns spots into statements, and questions the cells that fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from openami.contracts.quality import Method, QualityState
from openami.mdm.vee.grid import BOOLS, Grid
from openami.mdm.vee.outcome import Outcome, Statement
from openami.mdm.vee.rules.catalog import RULES
from openami.mdm.vee.rules.rule import ChannelGroup, Evidence, Rule, Spot, Thresholds, group_of
from openami.mdm.vee.rules.screen import INVALID, OVERFLOW, TEST_MODE, Strictness
from openami.mdm.vee.rules.seen import Seen
from openami.mdm.vee.ruleset import RuleBook, RuleSet, RuleSeverity

_UNITS = ("_wh", "_varh", "_w")
_REFUSING_BITS = (("flagged_invalid", INVALID), ("overflow", OVERFLOW), ("test_mode", TEST_MODE))


def strictness_of(grid: Grid, group: ChannelGroup, book: RuleBook) -> Strictness:
    """Return what is refused on each column: readings that fail a rule of screening are not believed."""
    strict = Strictness.full(grid.columns)
    for first, last, rules in book.spans(group, grid.first, grid.last):
        cut = slice(int(grid.day_at[grid.index_of(first)]), int(grid.day_at[grid.index_of(last) + 1]))
        strict.bits[cut] = sum(bit for rule, bit in _REFUSING_BITS if rules[rule].severity is RuleSeverity.FAIL)
        strict.negative[cut] = rules["negative"].severity is RuleSeverity.FAIL
        strict.beyond[cut] = rules["out_of_range"].severity is RuleSeverity.FAIL
    return strict


def judge(seen: Seen, book: RuleBook, wanted: BOOLS) -> list[Statement]:
    """Return what the rules say of the wanted days, and question or verify the cells they speak of.

    Args:
        seen: what rules see; its outcome's states change.
        book: which rules hold when.
        wanted: (S, D) days to judge.
    """
    group = group_of(seen.around.channel)
    statements: list[Statement] = []
    for first, last, rules in book.spans(group, seen.grid.first, seen.grid.last):
        asked = np.zeros(seen.grid.days, bool)
        asked[seen.grid.index_of(first) : seen.grid.index_of(last) + 1] = True
        days = wanted & asked
        if days.any():
            for rule in RULES:
                if group in rule.groups:
                    statements += _asked(rule, rules, seen, days)
    return statements


def _asked(rule: Rule, rules: RuleSet, seen: Seen, days: BOOLS) -> Iterator[Statement]:
    state = rules[rule.id]
    if state.severity is RuleSeverity.OFF:
        return
    for spot in rule.look(seen, _in_counts(state.thresholds, seen.around.counts_per_unit), days):
        is_failure = state.severity is RuleSeverity.FAIL and not spot.is_mild
        if rule.is_about_cells:
            _mark(seen.outcome, spot, state.severity)
        if state.severity is not RuleSeverity.ACCEPT:
            yield Statement(spot.row, spot.lo, spot.hi, rule.id, is_failure=is_failure, evidence=_plain(spot.evidence))


def _plain(evidence: Mapping[str, int | float | str]) -> Evidence:
    """Return evidence whose numbers are Python's own: findings are written down as JSON."""
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in evidence.items()}


def _in_counts(thresholds: Thresholds, counts: int) -> Thresholds:
    """Return thresholds of energy and power in the counts of the series."""
    if counts == 1:
        return thresholds
    return {name: value * (counts if name.endswith(_UNITS) else 1) for name, value in thresholds.items()}


def _mark(outcome: Outcome, spot: Spot, severity: RuleSeverity) -> None:
    """Question measured cells that fail; verify those that are accepted by rule."""
    cut = (spot.row, slice(spot.lo, spot.hi))
    state = outcome.quality[cut]
    measured = outcome.method[cut] == Method.MEASURED
    if severity is RuleSeverity.FAIL and not spot.is_mild:
        state[measured & (state == QualityState.ACTUAL)] = QualityState.QUESTIONABLE
    elif severity is RuleSeverity.ACCEPT:
        state[measured & (state == QualityState.ACTUAL)] = QualityState.VERIFIED
