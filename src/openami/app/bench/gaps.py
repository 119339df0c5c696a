"""``openami bench gaps``: how wrong estimates are by length of gap, against a straightforward weighted average.

The homes are the held-out halves that ``make homes`` fetched; where there are none,
simulated ones. nMAE is the sum of absolute errors over the sum of true energy. Coverage is the share of true values in
the band. Both estimates see the 28 days before
the gap; "scaled" is to registers read around the days of the gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from openami.app.bench.gap_reference import reference
from openami.app.bench.gap_samples import Samples, samples, simulated
from openami.app.bench.homes import Half, Home, HomesUnavailableError, load_homes
from openami.mdm.vee.brackets import Brackets
from openami.mdm.vee.estimate.references import References
from openami.mdm.vee.kernel import validated
from openami.mdm.vee.matrix import Matrix
from openami.mdm.vee.outcome import Coverage, Outcome

LENGTHS_S = {
    "15 min": 900,
    "30 min": 1_800,
    "1 h": 3_600,
    "2 h": 7_200,
    "4 h": 14_400,
    "8 h": 28_800,
    "24 h": 86_400,
    "72 h": 259_200,
}
GAPS_PER_HOME = {900: 100, 1_800: 100, 3_600: 60, 7_200: 40}
"""Of a short gap chance decides more, and each costs less: more of them."""
GAPS_OF_LONG = 25
SEED = 2026
LIMIT_W = 48_000


def run() -> dict[str, Any]:
    """Return errors, ratios, coverage of bands and how peaks come out, by length of gap."""
    homes, what = _homes()
    figures: dict[str, Any] = {"homes": _figure(len(homes), what)}
    peer: dict[str, Any] = {}
    ratio: dict[str, float] = {}
    for view, is_scaled in (("scaled", True), ("no register", False)):
        for name, length_s in LENGTHS_S.items():
            found = measured(homes, length_s=length_s, is_scaled=is_scaled)
            key = f"{name}, {view}"
            figures[f"{key}: gaps"] = _figure(found["gaps"], "")
            figures[f"{key}: nMAE"] = _figure(found["ours"], "%")
            figures[f"{key}: in band"] = _figure(found["in_band"], "%")
            figures[f"{key}: peak"] = _figure(found["peak"], "of the true highest")
            figures[f"{key}: peak, donor"] = _figure(found["donor_peak"], "of the true highest")
            peer[f"{key}: nMAE"] = _figure(found["reference"], "%")
            # One interval between two reads is known: both are right but for the last binary digit.
            ratio[key] = found["ours"] / found["reference"] if found["reference"] > 1e-6 else 1.0
    return {
        "durability": "in memory, one process; nothing is stored",
        "figures": figures,
        "peers": {"straightforward weighted average": peer},
        "ratio": ratio,
    }


def measured(homes: Sequence[Home], *, length_s: int, is_scaled: bool) -> dict[str, float]:
    """Return the figures of one length of gap.

    Args:
        homes: to cut gaps into.
        length_s: of each gap [s].
        is_scaled: whether registers around the gap's days are known.
    """
    sums = np.zeros(7)
    for cut in samples(homes, length_s=length_s, count=GAPS_PER_HOME.get(length_s, GAPS_OF_LONG), seed=SEED):
        ours, shaped = outcome_of(cut, is_scaled=is_scaled), outcome_of(cut, is_scaled=is_scaled, by_shape=True)
        theirs, gap = reference(cut, is_scaled=is_scaled), cut.gap
        truth, mine = cut.truth[gap], ours.values[gap]
        inside = (ours.low[gap] <= truth) & (truth <= ours.high[gap])
        highest = np.where(gap, cut.truth, 0).max(axis=1)
        sums += (
            len(gap),
            np.abs(mine - truth).sum(),
            np.abs(theirs[gap] - truth).sum(),
            truth.sum(),
            inside.mean() * len(gap),
            (np.where(gap, ours.values, 0).max(axis=1) / highest).sum(),
            (np.where(gap, shaped.values, 0).max(axis=1) / highest).sum(),
        )
    count, ours_wrong, theirs_wrong, energy, in_band, peak, donor_peak = sums.tolist()
    return {
        "gaps": count,
        "ours": 100 * ours_wrong / energy,
        "reference": 100 * theirs_wrong / energy,
        "in_band": 100 * in_band / count,
        "peak": peak / count,
        "donor_peak": donor_peak / count,
    }


def outcome_of(cut: Samples, *, is_scaled: bool, by_shape: bool = False) -> Outcome:
    """Return what the kernel makes of the gaps; by the shape of one day, as where demand is billed, if asked."""
    shape, zero = cut.gap.shape, np.zeros(cut.gap.shape, bool)
    matrix = Matrix(
        np.where(cut.gap, 0, cut.truth), ~cut.gap, np.zeros(shape, np.uint16), zero, zero,
        np.zeros((shape[0], cut.grid.days), np.int64),
    )  # fmt: skip
    row = np.arange(shape[0] if is_scaled else 0)
    first, last = (cut.grid.day_at[d][: len(row)] for d in cut.days)
    energy = np.array([cut.truth[r, a:b].sum() for r, a, b in zip(row, first, last, strict=True)], dtype=np.int64)
    brackets = Brackets(row, first, last, energy, np.ones(len(row), np.int64))
    whole = np.ones(shape, bool)
    limit = np.full(shape[0], LIMIT_W * cut.grid.interval_s // 3600)
    return validated(
        cut.grid, matrix, coverage=Coverage(whole, whole), brackets=brackets, limit=limit,
        references=References(is_demand_billed=np.ones(shape[0], bool) if by_shape else None),
    )  # fmt: skip


def _homes() -> tuple[list[Home], str]:
    try:
        homes = load_homes(half=Half.HELD_OUT)
    except HomesUnavailableError:
        return simulated(), "simulated homes; make homes fetches real ones"
    sources = ", ".join(sorted({h.source for h in homes}))
    return homes, f"held-out homes of {sources}"


def _figure(value: float, unit: str) -> dict[str, Any]:
    return {"value": value, "unit": unit}
