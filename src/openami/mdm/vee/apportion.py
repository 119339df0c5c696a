"""Split integers by weights so that the parts add up again: the reason why no watt-hour is lost to rounding.

Source: largest remainder method (Hamilton).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

I64 = npt.NDArray[np.int64]
_SAFE_BITS = 61
"""Products of total and weight stay below this power of two, so int64 never overflows."""


def apportion(totals: I64, weights: I64, group: I64) -> I64:
    """Split each group's total over its cells in proportion to their weights, exactly.

    Each cell gets the whole part of its share; what is left of a group, fewer counts than it has cells, goes one by
    one to the cells with the largest remainders, the earlier one on a tie. A group of zero weights is split evenly.

    Args:
        totals: (G,) non-negative counts.
        weights: (n,) non-negative; the scale does not matter.
        group: (n,) index into totals, not falling.

    Returns:
        (n,) non-negative counts that add up to ``totals[g]`` for each group g that has a cell.

    >>> apportion(np.array([10]), np.array([1, 1, 1]), np.array([0, 0, 0])).tolist()
    [4, 3, 3]
    """
    if not len(weights):
        return np.zeros(0, np.int64)
    weights = _safe_weights(totals, weights, group)
    sums = np.zeros(len(totals), np.int64)
    np.add.at(sums, group, weights)
    # A group without any weight is split evenly.
    weights = np.where(sums[group] == 0, 1, weights)
    sums[:] = 0
    np.add.at(sums, group, weights)
    product = totals[group] * weights
    parts, remainders = np.divmod(product, sums[group])
    return parts + _carried(totals, parts, remainders, group)


def apportion_within(totals: I64, weights: I64, group: I64, most: I64) -> I64:
    """Split as :func:`apportion` does, with no part beyond its own most: what one cannot hold goes to the others.

    Args:
        totals: (G,) non-negative counts; no more than the most of the group's cells together, or the rest is left over.
        weights: (n,) non-negative.
        group: (n,) index into totals, not falling.
        most: (n,) the most each part may be.

    Returns:
        (n,) counts that add up to ``totals[g]`` for each group g that has a cell, where its cells can hold it.

    >>> one = np.array([0, 0, 0])
    >>> apportion_within(np.array([10]), np.array([8, 1, 1]), one, np.array([4, 4, 4])).tolist()
    [4, 3, 3]
    """
    parts = apportion(totals, weights, group)
    full = np.zeros(len(parts), bool)
    while ((parts > most) & ~full).any():
        full |= parts > most
        parts = np.where(full, most, 0)
        left = totals - np.bincount(group, weights=parts, minlength=len(totals)).astype(np.int64)
        free = np.flatnonzero(~full)
        parts[free] = apportion(np.maximum(left, 0), weights[free], group[free])
    return parts


def _carried(totals: I64, parts: I64, remainders: I64, group: I64) -> I64:
    """Return 1 for each cell that takes one of the counts that whole parts left over, else 0."""
    whole = np.zeros(len(totals), np.int64)
    np.add.at(whole, group, parts)
    left = totals - whole
    order = np.lexsort((np.arange(len(group)), -remainders, group))
    first = np.searchsorted(group[order], group[order], side="left")
    rank = np.arange(len(group)) - first
    extra = np.zeros(len(group), np.int64)
    extra[order] = rank < left[group[order]]
    return extra


def _safe_weights(totals: I64, weights: I64, group: I64) -> I64:
    """Shift the weights of a group right until no product with its total can overflow."""
    heaviest = np.zeros(len(totals), np.int64)
    np.maximum.at(heaviest, group, weights)
    bits = np.log2(np.maximum(totals, 1)) + np.log2(np.maximum(heaviest, 1))
    shift = np.maximum(np.ceil(bits) - _SAFE_BITS, 0).astype(np.int64)
    return np.asarray(weights >> shift[group])
