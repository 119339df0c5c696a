"""How much of a flood the quarantine keeps: the first of each kind from each collector in an hour, and a count. Pure.

What nobody may release (damaged, in the clear) is kept as a sample. What may pass later, when its keys come or two
people say so, is kept far beyond what a collector brings in an hour; a meter whose frames were thinned still has its
own memory, from which gaps are read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from openami.contracts.deadletter import RefusalReason
from openami.network.gateway.batch import RefusedFrame

HOUR_MS = 3_600_000
SAMPLE_AN_HOUR = 256
KEPT_AN_HOUR: Mapping[RefusalReason, int] = {
    RefusalReason.UNKNOWN_TITLE: 50_000,
    RefusalReason.STOLEN_COLLECTOR: 50_000,
    RefusalReason.OVER_RATE: 4_096,
}
"""Frames of one collector and reason; of other reasons ``SAMPLE_AN_HOUR``."""
OCTETS_AN_HOUR = 32 * 1024 * 1024
"""Of one collector and reason: the largest frames are a thousand times the usual."""
RELEASABLE = frozenset(KEPT_AN_HOUR)
"""Reasons that say nothing against the frame itself. A frame of another is refused by the head-end, too."""


class Thinning:
    """Counts what was kept of each collector and reason in this hour.

    Memory is bounded by collectors times reasons: a number on each for those that had anything refused this hour.
    """

    def __init__(self) -> None:
        self._hour = -1
        self._frames: Counter[tuple[int, RefusalReason]] = Counter()
        self._octets: Counter[tuple[int, RefusalReason]] = Counter()

    def keeps(self, frame: RefusedFrame, *, now_ms: int) -> bool:
        """Count a frame, and tell whether it is kept.

        Args:
            frame: what was refused.
            now_ms: domain time, milliseconds since the epoch.
        """
        hour = now_ms // HOUR_MS
        if hour != self._hour:
            self._hour = hour
            self._frames.clear()
            self._octets.clear()
        kind = (frame.collector_id, frame.reason)
        most = KEPT_AN_HOUR.get(frame.reason, SAMPLE_AN_HOUR)
        if self._frames[kind] >= most or self._octets[kind] + len(frame.octets) > OCTETS_AN_HOUR:
            return False
        self._frames[kind] += 1
        self._octets[kind] += len(frame.octets)
        return True
