"""What the kernel is asked with and answers with: where a meter hung, validated cells, and statements about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from openami.mdm.vee.grid import BOOLS, I64

U8 = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """Where a meter hung.

    Args:
        whole: (S, N) one meter hung there for the whole interval.
        touched: (S, N) a meter hung there for some of it.
    """

    whole: BOOLS
    touched: BOOLS


@dataclass(frozen=True, slots=True)
class Statement:
    """One rule's statement about columns lo to hi (exclusive) of a row; becomes a finding."""

    row: int
    lo: int
    hi: int
    rule: str
    is_failure: bool
    evidence: dict[str, int | float | str]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Validated cells, all (S, N), and what the sum check has to say.

    Args:
        values: counts; 0 where missing.
        quality: :class:`~openami.contracts.quality.QualityState`.
        method: :class:`~openami.contracts.quality.Method`.
        low, high: band; equal to the value where it is known exactly.
        refused: readings that came and were not believed.
        statements: failures of the sum check.
    """

    values: I64
    quality: U8
    method: U8
    low: I64
    high: I64
    refused: BOOLS
    statements: list[Statement]
