"""What people decided about cells, as masks that every later run obeys: the raw readings stay as they came."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from openami.contracts.quality import Method, QualityState
from openami.mdm.vee.grid import BOOLS, I64
from openami.mdm.vee.matrix import Matrix
from openami.mdm.vee.outcome import U8, Coverage, Outcome


@dataclass(frozen=True, slots=True)
class Settled:
    """Columns lo to hi (exclusive) of a row in which a person accepted what these rules say; every rule for none."""

    row: int
    lo: int
    hi: int
    rules: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Decided:
    """Decisions on S series of N intervals. Where more than one speaks, replaced goes before refused before accepted.

    Args:
        accepted: (S, N) the reading is true, whatever a rule says; a reading that is not there stays missing.
        refused: (S, N) the reading is not believed: the cell is estimated.
        replaced: (S, N) a person gave a value.
        value: (S, N) the value where replaced, counts; ignored elsewhere.
        settled: statements that a person has answered.
    """

    accepted: BOOLS
    refused: BOOLS
    replaced: BOOLS
    value: I64
    settled: tuple[Settled, ...] = ()

    @classmethod
    def none(cls, series: int, columns: int) -> Decided:
        """Return that nothing was decided."""
        shape = (series, columns)
        return cls(np.zeros(shape, bool), np.zeros(shape, bool), np.zeros(shape, bool), np.zeros(shape, np.int64))

    def apply(self, matrix: Matrix, coverage: Coverage, good: BOOLS, values: I64, quality: U8, method: U8) -> BOOLS:
        """Write decided cells into values, states and methods, and return which cells are good now."""
        refused = self.refused & ~self.replaced
        accepted = self.accepted & matrix.present & coverage.whole & ~refused & ~self.replaced
        newly = accepted & ~good
        values[newly] = matrix.values[newly]
        quality[newly], method[newly] = QualityState.VERIFIED, Method.MEASURED
        values[self.replaced] = self.value[self.replaced]
        quality[self.replaced], method[self.replaced] = QualityState.EDITED, Method.MANUAL
        values[refused] = 0
        quality[refused], method[refused] = QualityState.MISSING, Method.NONE
        return np.asarray((good | accepted | self.replaced) & ~refused)

    def settle(self, outcome: Outcome) -> None:
        """Turn accepted cells that a rule questions into verified ones."""
        cells = self.accepted & (outcome.quality == QualityState.QUESTIONABLE)
        outcome.quality[cells] = QualityState.VERIFIED

    def settles(self, row: int, lo: int, hi: int, rule: str) -> bool:
        """Tell whether a person has answered a rule's statement about columns lo to hi of a row."""
        return any(
            s.row == row and s.lo <= lo and hi <= s.hi and (not s.rules or rule in s.rules) for s in self.settled
        )
