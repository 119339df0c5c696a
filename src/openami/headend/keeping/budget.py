"""How much of the air each radio cell gives to our questions: token buckets, one a cell.

A session takes one exchange to begin; what more it needed is charged when it has ended, and may leave a debt that the
refill pays before the next one begins.

Background work stops before the bucket is empty, so that a person and tonight's bills find something in it. A cell
that nobody hears from is only probed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from openami.headend.keeping.request import Lane


@dataclass(frozen=True, slots=True)
class CellPolicy:
    """What one cell bears.

    Args:
        exchanges_per_s: refill of its bucket.
        burst: most that it holds.
        reserves: what must be left in it for a lane to be served; people are served in debt, too.
        most_debt: deepest debt; what one session took beyond it is forgotten, or a meter that goes on for hundreds of
            blocks would close its cell for as many seconds.
        probe_s: a silent cell is asked once in this time [s].
    """

    exchanges_per_s: float = 1.0
    burst: float = 30.0
    reserves: tuple[float, float, float] = (-60.0, 5.0, 10.0)
    most_debt: float = 60.0
    probe_s: float = 600.0

    def shared(self, groups: int) -> CellPolicy:
        """Return the share of one of some lease groups: a cell's meters are spread over all of them by their titles."""
        return replace(self, exchanges_per_s=self.exchanges_per_s / groups)


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at_s: float
    probed_at_s: float = float("-inf")


@dataclass(slots=True)
class CellBudget:
    """Buckets by cell number; a cell that was never asked is full."""

    policy: CellPolicy = field(default_factory=CellPolicy)
    silent: frozenset[int] = frozenset()
    _buckets: dict[int, _Bucket] = field(default_factory=dict)

    def spend(self, cell: int, lane: Lane, *, now_s: float) -> bool:
        """Take one exchange from a cell, or tell that there is none for this lane now.

        Args:
            cell: number of the cell.
            lane: who asks.
            now_s: real time [s].
        """
        return self.spend_some(cell, lane, least=1, most=1, now_s=now_s) > 0

    def spend_some(self, cell: int, lane: Lane, *, least: int, most: int, now_s: float) -> int:
        """Take what a cell has for this lane, up to a number of exchanges, and return how many; 0 for too few.

        Args:
            cell: number of the cell.
            lane: who asks.
            least: fewer than this are of no use.
            most: more than this are not needed.
            now_s: real time [s].
        """
        policy = self.policy
        bucket = self._filled(cell, now_s)
        is_probe = cell in self.silent and lane is not Lane.PERSON
        if is_probe and now_s - bucket.probed_at_s < policy.probe_s:
            return 0
        granted = min(most, int(bucket.tokens - policy.reserves[lane]))
        if granted < least:
            return 0
        if is_probe:
            bucket.probed_at_s = now_s
        bucket.tokens -= granted
        return granted

    def charge(self, cell: int, exchanges: int, *, now_s: float) -> None:
        """Take what a session needed beyond what it took to begin.

        Args:
            cell: number of the cell.
            exchanges: how many more; 0 or less changes nothing.
            now_s: real time [s].
        """
        bucket = self._filled(cell, now_s)
        bucket.tokens = max(-self.policy.most_debt, bucket.tokens - max(0, exchanges))

    def _filled(self, cell: int, now_s: float) -> _Bucket:
        policy = self.policy
        bucket = self._buckets.setdefault(cell, _Bucket(policy.burst, now_s))
        bucket.tokens = min(policy.burst, bucket.tokens + max(0.0, now_s - bucket.at_s) * policy.exchanges_per_s)
        bucket.at_s = max(bucket.at_s, now_s)
        return bucket
