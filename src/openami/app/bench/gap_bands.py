"""Choose the constants of :mod:`openami.mdm.vee.estimate.band` on the tuning half of the homes.

``python -m openami.app.bench.gap_bands`` prints, for each length of gap, the widths that leave one true value in twenty
below the band and one above.
"""

from __future__ import annotations

import sys

import numpy as np

from openami.app.bench.gap_samples import Samples, samples
from openami.app.bench.gaps import LENGTHS_S
from openami.app.bench.homes import Half, load_homes
from openami.mdm.vee.estimate import NO_REFERENCES, Estimate, estimated
from openami.mdm.vee.estimate.band import TARGET
from openami.mdm.vee.estimate.cells import F64

GAPS_PER_HOME = 20
SEED = 7


def main() -> None:
    """Print the widths below and above, for scaled and unscaled estimates."""
    homes = load_homes(half=Half.TUNE)
    tail = (1.0 - TARGET) / 2.0
    for name, is_scaled in (("scaled", True), ("free", False)):
        for length, length_s in LENGTHS_S.items():
            cuts = samples(homes, length_s=length_s, count=GAPS_PER_HOME, seed=SEED)
            off = np.concatenate([_off(cut, is_scaled=is_scaled) for cut in cuts])
            low, high = -np.quantile(off, tail), np.quantile(off, 1.0 - tail)
            sys.stdout.write(f"{name}, {length}: {low:.2f} below, {high:.2f} above, of {len(off)} values\n")


def _off(cut: Samples, *, is_scaled: bool) -> F64:
    """Return how far each true value lies from its estimate, in spreads of the square root."""
    rows = len(cut.gap)
    bracket = np.nonzero(cut.gap)[0] if is_scaled else None
    cells = Estimate.of(cut.gap, None if bracket is None else np.asarray(bracket, np.int64))
    estimated(
        cut.grid, np.where(cut.gap, 0, cut.truth), ~cut.gap, cells,
        energy=np.where(cut.gap, cut.truth, 0).sum(axis=1).astype(float),
        failed_day=np.zeros((rows, cut.grid.days), bool), references=NO_REFERENCES,
    )  # fmt: skip
    truth = cut.truth[cells.row, cells.column].astype(float)
    factor = np.ones(rows)
    if is_scaled:
        said = np.bincount(cells.row, weights=cells.value, minlength=rows)
        factor = np.bincount(cells.row, weights=truth, minlength=rows) / np.maximum(said, 1e-9)
    grown = factor[cells.row]
    return np.asarray((np.sqrt(truth) - np.sqrt(cells.value * grown)) / (cells.spread * np.sqrt(grown)))


if __name__ == "__main__":
    main()
