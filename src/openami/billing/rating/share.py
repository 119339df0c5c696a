"""Share a whole amount out in proportion, so that the parts add up to it exactly."""

from __future__ import annotations


def shared_out(amount: int, shares: list[int]) -> list[int]:
    """Share a whole amount in proportion, by largest remainder; no part exceeds its share when amount <= sum.

    >>> shared_out(10, [1, 1, 1])
    [4, 3, 3]
    """
    total = sum(shares)
    if total == 0:
        return [0] * len(shares)
    parts = [amount * s // total for s in shares]
    by_remainder = sorted(range(len(shares)), key=lambda i: (-(amount * shares[i] % total), i))
    for index in by_remainder[: amount - sum(parts)]:
        parts[index] += 1
    return parts
