"""False findings: what the rules say about homes in which nothing went wrong, by home-day and by bill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from openami.app.bench.findings.judge import judged
from openami.app.bench.findings.stacking import HISTORY_DAYS, Stack
from openami.app.bench.findings.wilson import Share


@dataclass(frozen=True, slots=True)
class FalseFindings:
    """Over complete home-days: days of which every interval was measured.

    Args:
        days: home-days with any finding.
        failed_days: home-days with a failure.
        bills: bills with any finding, of bills whose every day is complete.
        failed_bills: bills with a failure.
        by_rule: home-days by rule.
        by_home: home-days by home, the worst first.
    """

    days: Share
    failed_days: Share
    bills: Share
    failed_bills: Share
    by_rule: tuple[tuple[str, int], ...]
    by_home: tuple[tuple[int, int], ...]


def false_findings(stacks: Sequence[Stack]) -> FalseFindings:
    """Count what is said about the complete days of bills."""
    by_rule: Counter[str] = Counter()
    by_home: Counter[int] = Counter()
    counts = np.zeros(6, np.int64)
    for stack in stacks:
        shape = (stack.scene.count, stack.scene.grid.days)
        hit, failed = np.zeros(shape, bool), np.zeros(shape, bool)
        rules: dict[str, np.ndarray] = {}
        for said in judged(stack.scene):
            days = slice(max(said.first, HISTORY_DAYS), said.last + 1)
            hit[said.row, days] = True
            failed[said.row, days] |= said.is_failure
            rules.setdefault(said.rule, np.zeros(shape, bool))[said.row, days] = True
        # The first days of a bill follow a hole: only a whole bill after a whole history is judged as a bill.
        asked = stack.complete.copy()
        asked[:, :HISTORY_DAYS] = False
        whole = stack.complete[:, HISTORY_DAYS:].all(axis=1)
        hit, failed = hit & asked, failed & asked
        for rule, mask in rules.items():
            by_rule[rule] += int((mask & asked).sum())
        for row, days_hit in enumerate(hit.sum(axis=1).tolist()):
            by_home[int(stack.home[row])] += days_hit
        figures = (hit.sum(), failed.sum(), asked.sum(), (hit.any(axis=1) & whole).sum())
        counts += np.array([*figures, (failed.any(axis=1) & whole).sum(), whole.sum()])
    hits, fails, asked_days, hit_bills, failed_bills, bills = counts.tolist()
    return FalseFindings(
        Share(hits, asked_days),
        Share(fails, asked_days),
        Share(hit_bills, bills),
        Share(failed_bills, bills),
        tuple(by_rule.most_common()),
        tuple((h, n) for h, n in by_home.most_common() if n),
    )
