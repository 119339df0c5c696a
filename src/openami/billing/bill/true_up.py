"""Shares out what a register advanced between two actual reads over the bills in between. Pure.

A bill that nobody could read ends on an estimate, and the next opens on it. Once a later actual read is there, what was
used since the last one is known to the Wh; what each period had of it is its share by weight: by intervals where they
came later, else by the shape of the estimate or by days, as the jurisdiction's dated rule says. The reads at the ends
between are then *apportioned*: each bill made again on them is rated at its own prices, seasons, blocks and taxes, and
together they charge exactly what the register counted.

Source: research on utility practice (estimated bills); Oracle and Itron's "scalar proration" and "profile" estimation
(vee-grid note, section 1.2), which share a register's difference in the same two ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

from openami.mdm.api import EndOfRead, ReadKind, ReadPiece

_UNSURE = frozenset({ReadKind.ESTIMATED, ReadKind.MISSING})


@dataclass(frozen=True, slots=True)
class Weighed:
    """One register within one bill.

    Args:
        piece: as the bill prints it; the next piece begins where it ends.
        weight: of the energy between its reads, on any scale that all pieces share; not below zero.
        is_measured: the weight is what intervals hold, in counts of the register: it is taken as it is.
    """

    piece: ReadPiece
    weight: int
    is_measured: bool = False


def rolled_over(back: int, capacity: int | None) -> bool:
    """Tell whether a register that shows less by so many counts went on beyond its end: then it went back by most.

    Else a read of it is wrong, and is charged nobody as a whole turn of the register.
    """
    return capacity is not None and 2 * back > capacity


def is_unsure(end: EndOfRead) -> bool:
    """Tell whether nobody took a read."""
    return end.kind in _UNSURE


def settled_reads(run: Sequence[Weighed], actual: Sequence[EndOfRead], zone: ZoneInfo) -> dict[datetime, EndOfRead]:
    """Return the reads that take the place of estimated ones between two actual reads, by instant.

    Args:
        run: one register's pieces of bills that follow each other without a gap, by time.
        actual: actual reads of that register, in any order; those on the bills are added.
        zone: of the days by which time is counted: a day counts as a day when the clocks change.

    Returns:
        Nothing for an instant behind which no actual read lies yet, or where the register went back.
    """
    knots = _knots(_shaped(run), zone)
    known = {e.at: e for w in run for e in (w.piece.begin, w.piece.end) if not is_unsure(e)}
    known |= {e.at: e for e in actual}
    anchors = [known[at] for at in sorted(known) if known[at].value is not None]
    wanted = sorted({e.at for w in run for e in (w.piece.begin, w.piece.end) if is_unsure(e)})
    capacity = run[0].piece.capacity if run else None
    found = {}
    for at in wanted:
        before = next((a for a in reversed(anchors) if a.at <= at), None)
        after = next((a for a in anchors if a.at >= at), None)
        if before is None or after is None:
            continue
        if after.at == at:
            found[at] = after
            continue
        value = _between(before, after, at, knots, capacity)
        if value is not None:
            found[at] = EndOfRead(at, value, ReadKind.APPORTIONED)
    return found


def read_between(piece: ReadPiece, at: datetime, zone: ZoneInfo) -> EndOfRead | None:
    """Return where a register stood at an instant between two reads, every day alike.

    Args:
        piece: both of its reads were taken, or reckoned between such.
        at: between the two.
        zone: of the days.

    Returns:
        Nothing where the register went back, or a read is missing.
    """
    if piece.begin.value is None or piece.end.value is None:
        return None
    back = piece.begin.value - piece.end.value
    if back > 0 and not rolled_over(back, piece.capacity):
        return None
    value = _between(piece.begin, piece.end, at, _knots([Weighed(piece, 0)], zone), piece.capacity)
    return None if value is None else EndOfRead(at, value, ReadKind.APPORTIONED)


def _shaped(run: Sequence[Weighed]) -> Sequence[Weighed]:
    """Return the pieces whose weights tell a shape: not one that went out on the actual read and opened on an estimate.

    All that was estimated too little, or too much, is in its energy: by that weight every estimate would seem right.
    """
    last = run[-1].piece if len(run) > 1 else None
    is_rest = last is not None and is_unsure(last.begin) and not is_unsure(last.end)
    return run[:-1] if is_rest and not all(w.is_measured for w in run) else run


@dataclass(frozen=True, slots=True)
class _Knots:
    """Weight that has run up by each end of a piece, straight between; behind the last as within the last piece."""

    wall_s: tuple[int, ...]
    weight: tuple[int, ...]
    is_measured: bool
    zone: ZoneInfo

    def at(self, instant: datetime) -> Fraction:
        """Return the weight run up by an instant."""
        second = _wall_s(instant, self.zone)
        n = next((n for n, s in enumerate(self.wall_s[1:], 1) if second <= s), len(self.wall_s) - 1)
        low, high = self.wall_s[n - 1], self.wall_s[n]
        slope = Fraction(self.weight[n] - self.weight[n - 1], high - low)
        return self.weight[n - 1] + slope * (second - low)


def _knots(run: Sequence[Weighed], zone: ZoneInfo) -> _Knots:
    weights = [w.weight for w in run]
    if not sum(weights):
        # Nothing was estimated or measured at all: every day alike.
        weights = [_wall_s(w.piece.end.at, zone) - _wall_s(w.piece.begin.at, zone) for w in run]
    total, summed = 0, [0]
    for weight in weights:
        total += weight
        summed.append(total)
    edges = [run[0].piece.begin.at, *(w.piece.end.at for w in run)] if run else []
    measured = bool(sum(w.weight for w in run)) and all(w.is_measured for w in run)
    return _Knots(tuple(_wall_s(e, zone) for e in edges), tuple(summed), measured, zone)


def _between(before: EndOfRead, after: EndOfRead, at: datetime, knots: _Knots, capacity: int | None) -> int | None:
    assert before.value is not None
    assert after.value is not None
    advanced = after.value - before.value
    if advanced < 0:
        if capacity is None:
            return None
        advanced += capacity
    start, middle, end = knots.at(before.at), knots.at(at), knots.at(after.at)
    if knots.is_measured:
        counts = min(round(middle - start), advanced)
    elif end > start:
        counts = int(advanced * (middle - start) / (end - start))
    else:
        low, high = _wall_s(before.at, knots.zone), _wall_s(after.at, knots.zone)
        counts = advanced * (_wall_s(at, knots.zone) - low) // (high - low)
    value = before.value + counts
    return value if capacity is None else value % capacity


def _wall_s(instant: datetime, zone: ZoneInfo) -> int:
    """Return the instant's clock and calendar in seconds, so that every local day has the same length."""
    local = instant.astimezone(zone)
    return local.toordinal() * 86_400 + local.hour * 3_600 + local.minute * 60 + local.second
