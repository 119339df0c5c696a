"""Screening: which readings are believed at all, and with which state. The rest is missing by name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from openami.contracts.quality import Method, QualityState, RawQuality
from openami.mdm.vee.grid import BOOLS, I64
from openami.mdm.vee.matrix import Matrix
from openami.mdm.vee.outcome import U8, Coverage

INVALID = int(RawQuality.CRITICAL_ERROR | RawQuality.DATA_NOT_VALID)
"""Bits with which the meter itself says that a value must not be used."""
OVERFLOW = int(RawQuality.OVERFLOW)
TEST_MODE = int(RawQuality.TEST_MODE)


@dataclass(frozen=True, slots=True, eq=False)
class Strictness:
    """What is refused on each of N columns: where a rule is not set to fail, its readings are believed.

    Args:
        bits: (N,) raw quality bits that refuse a reading.
        negative, beyond: (N,) whether readings below zero, or above the limit, are refused.
    """

    bits: npt.NDArray[np.uint16]
    negative: BOOLS
    beyond: BOOLS

    @classmethod
    def full(cls, columns: int) -> Strictness:
        """Return that everything is refused that can be."""
        bits = np.full(columns, INVALID | OVERFLOW | TEST_MODE, np.uint16)
        return cls(bits, np.ones(columns, bool), np.ones(columns, bool))


def believed(matrix: Matrix, coverage: Coverage, limit: I64, strictness: Strictness) -> BOOLS:
    """Return the readings (S, N) that came from a meter that hung there, unflagged and possible.

    Args:
        matrix: raw readings.
        coverage: where a meter hung.
        limit: (S,) the most an interval can hold.
        strictness: what is refused.
    """
    good = matrix.present & coverage.whole
    if matrix.flags.any():
        good &= (matrix.flags & strictness.bits) == 0
    # Nearly always every reading is possible, which two looks tell.
    if matrix.values.min(initial=0) < 0:
        good &= (matrix.values >= 0) | ~strictness.negative
    if matrix.values.max(initial=0) > limit.min(initial=np.iinfo(np.int64).max):
        good &= (matrix.values <= limit[:, None]) | ~strictness.beyond
    return np.asarray(good)


def measured(matrix: Matrix, good: BOOLS, values: I64) -> tuple[U8, U8]:
    """Return state and method of measured cells; everything else is missing for now."""
    quality = np.where(good, np.uint8(QualityState.ACTUAL), np.uint8(QualityState.MISSING))
    method = np.where(good, np.uint8(Method.MEASURED), np.uint8(Method.NONE))
    flagged = good & (matrix.flags != 0) if matrix.flags.any() else np.zeros(0, bool)
    if flagged.any():
        failed = flagged & ((matrix.flags & RawQuality.POWER_DOWN) != 0)
        zero = failed & (values == 0)
        # The interval in which the power went or came back was measured for a part of its time.
        quality[failed & ~zero] = QualityState.PARTIAL
        quality[flagged & ((matrix.flags & RawQuality.CLOCK_INVALID) != 0)] = QualityState.QUESTIONABLE
        quality[flagged & ((matrix.flags & RawQuality.ESTIMATED_AT_SOURCE) != 0)] = QualityState.ESTIMATED
        quality[flagged & ((matrix.flags & RawQuality.EDITED_AT_SOURCE) != 0)] = QualityState.EDITED
        quality[zero], method[zero] = QualityState.OUTAGE_ZERO, Method.POWER_FAIL_ZERO
    return quality, method
