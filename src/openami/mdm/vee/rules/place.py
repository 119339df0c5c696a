"""Rules about what the registry says of the place: inactive, disconnected, feeding in, a stranger's readings.

Source: Oracle Utilities MDM (Inactive Measurement Check); CPUC D.98-12-080 (meter id); research on utility practice.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from openami.mdm.vee.grid import BOOLS, I64
from openami.mdm.vee.rules.rule import ALL, MEASURED_ENERGY, Bound, ChannelGroup, Rule, Spot, Thresholds
from openami.mdm.vee.rules.seen import Seen


def _day_totals(seen: Seen) -> I64:
    return np.asarray(np.add.reduceat(seen.outcome.values, seen.grid.day_at[:-1], axis=1))


def _days(seen: Seen, mask: BOOLS) -> Iterator[tuple[int, int, int, int]]:
    """Yield (row, day, lo, hi) of each true day."""
    for row, day in zip(*(a.tolist() for a in np.nonzero(mask)), strict=True):
        yield row, day, int(seen.grid.day_at[day]), int(seen.grid.day_at[day + 1])


def _used(seen: Seen, t: Thresholds, wanted: BOOLS, state: BOOLS | None) -> Iterator[Spot]:
    """Yield days in a state on which more was used than it allows."""
    if state is None or not (wanted & state).any():
        return
    total = _day_totals(seen)
    for row, day, lo, hi in _days(seen, wanted & state & (total > t["allowed_wh"])):
        yield Spot(row, lo, hi, {"day_wh": int(total[row, day]), "allowed_wh": round(t["allowed_wh"])})


def _inactive(seen: Seen, t: Thresholds, wanted: BOOLS) -> Iterator[Spot]:
    yield from _used(seen, t, wanted, seen.around.places.is_inactive)


def _disconnected(seen: Seen, t: Thresholds, wanted: BOOLS) -> Iterator[Spot]:
    yield from _used(seen, t, wanted, seen.around.places.is_disconnected)


def _reverse(seen: Seen, t: Thresholds, wanted: BOOLS) -> Iterator[Spot]:
    may = seen.around.places.may_feed_in
    yield from _used(seen, t, wanted, None if may is None else ~may)


def _meter_id(seen: Seen, _: Thresholds, wanted: BOOLS) -> Iterator[Spot]:
    strangers = seen.around.places.strangers
    beside = seen.matrix.present & ~seen.coverage.touched
    if strangers is None and not beside.any():
        return
    count = np.add.reduceat(beside, seen.grid.day_at[:-1], axis=1, dtype=np.int64)
    if strangers is not None:
        count = count + strangers
    for row, day, lo, hi in _days(seen, wanted & (count > 0)):
        yield Spot(row, lo, hi, {"readings": int(count[row, day])})


_ALLOWED = {"allowed_wh": Bound("energy of a day up to which nothing is said [Wh]", 0, 1e9)}

RULES = (
    Rule(
        "meter_id",
        "Readings came from a meter that did not hang there then.",
        ALL,
        _meter_id,
    ),
    Rule(
        "inactive_usage",
        "Energy was used where the service is stopped.",
        MEASURED_ENERGY,
        _inactive,
        _ALLOWED,
    ),
    Rule(
        "disconnected_usage",
        "Energy was used behind an open remote disconnect switch.",
        MEASURED_ENERGY,
        _disconnected,
        _ALLOWED,
    ),
    Rule(
        "reverse_unapproved",
        "Energy was received without an approved interconnection.",
        frozenset({ChannelGroup.RECEIVED}),
        _reverse,
        _ALLOWED,
    ),
)
