"""What rules see: readings and what became of them, the days before, other channels, what is known of the place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from openami.contracts.channel import Channel
from openami.contracts.quality import QualityState
from openami.kernel.time import instant_from_epoch_s
from openami.mdm.vee.brackets import Brackets, RegisterFault
from openami.mdm.vee.grid import BOOLS, I64, Grid, grid_of
from openami.mdm.vee.history import DIGEST_DAYS, History, joined, remembered
from openami.mdm.vee.matrix import Matrix
from openami.mdm.vee.outcome import Coverage, Outcome
from openami.mdm.vee.profile import profiles

_AS_MEASURED = (QualityState.ACTUAL, QualityState.VERIFIED, QualityState.QUESTIONABLE, QualityState.PARTIAL)


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """What the registry says of S service points on the D days of the grid. None: not known, so no rule speaks of it.

    Args:
        is_inactive: (S, D) service was stopped.
        is_disconnected: (S, D) the remote disconnect switch is open.
        may_feed_in: (S, D) an interconnection is approved.
        strangers: (S, D) readings that came from a meter that did not hang there then.
        neighborhood: (S,) number of the transformer; -1 where unknown.
        nominal_dv: (S,) nominal voltage [0.1 V]; 0 where unknown.
    """

    is_inactive: BOOLS | None = None
    is_disconnected: BOOLS | None = None
    may_feed_in: BOOLS | None = None
    strangers: I64 | None = None
    neighborhood: I64 | None = None
    nominal_dv: I64 | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """What is known besides the readings of a channel; everything has a neutral default.

    Args:
        channel: what the readings are.
        wanted: (S, D) days that are judged; None for all.
        history: digests of the days just before grid day ``first``; None where the grid itself holds the days before.
        first: index of the grid day that follows the history.
        profiles_back: (S, 24) profiles as they were before other grid days, by index of the day, which may be negative.
        siblings: raw readings of other channels of the same S series on the same grid. A channel that some series
            lacks is absent from its row.
        places: what the registry says.
        faults: registers that cannot be.
        counts_per_unit: counts of a Wh (varh); thresholds are told in units.
    """

    channel: Channel = Channel.DELIVERED
    wanted: BOOLS | None = None
    history: History | None = None
    first: int = 0
    profiles_back: Mapping[int, I64] = field(default_factory=dict)
    siblings: Mapping[Channel, Matrix] = field(default_factory=dict)
    places: Places = field(default_factory=Places)
    faults: Sequence[RegisterFault] = ()
    counts_per_unit: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One channel of S series with all that rules may ask.

    Args:
        grid, matrix, coverage, brackets, limit, outcome: as the kernel has them.
        around: what is known besides.
        first: index of the first grid day that ``days`` speaks of.
        days: digests: ``before`` days before the first, then those of the grid from ``first`` on.
        profiles: (S, K + 1, 24) mean counts by local hour before each of the K days from ``first`` on, and after them.
        before: how many days of ``days`` lie before the first.
        own: digests of the grid's days from ``first`` on alone.
        kept: what one rule computed and others want too, by name.
    """

    grid: Grid
    matrix: Matrix
    coverage: Coverage
    brackets: Brackets
    limit: I64
    outcome: Outcome
    around: Surroundings
    first: int
    days: History
    profiles: I64
    before: int
    own: History
    kept: dict[str, Any] = field(default_factory=dict)

    @property
    def readings(self) -> I64:
        """(S, D) number of readings of each day of the grid."""
        found: I64 | None = self.kept.get("readings")
        if found is None:
            came, at = self.matrix.present, self.grid.day_at[:-1]
            # One day alone is counted in a tenth of the time.
            one = self.grid.days == 1
            found = (
                np.count_nonzero(came, axis=1)[:, None] if one else np.add.reduceat(came, at, axis=1, dtype=np.int64)
            )
            self.kept["readings"] = found
        return found

    @property
    def extremes(self) -> tuple[int, int]:
        """The lowest and the highest reading of all, and 0."""
        found: tuple[int, int] | None = self.kept.get("extremes")
        if found is None:
            values = self.matrix.values
            found = self.kept["extremes"] = int(values.min(initial=0)), int(values.max(initial=0))
        return found

    def time_at(self, edge: int) -> str:
        """Return the instant of a grid edge as UTC text, for evidence."""
        return instant_from_epoch_s(int(self.grid.edge_s[edge])).isoformat()

    def views(self, wanted: BOOLS) -> Iterator[DayView]:
        """Yield each day that any series wants, with the days before it."""
        for day in np.flatnonzero(wanted.any(axis=0)).tolist():
            at = self.before + day - self.first
            yield DayView(
                seen=self,
                day=day,
                lo=int(self.grid.day_at[day]),
                hi=int(self.grid.day_at[day + 1]),
                wanted=wanted[:, day],
                today=_part(self.days, at, at + 1),
                past=_part(self.days, max(at - DIGEST_DAYS, 0), at),
            )


@dataclass(frozen=True, slots=True, eq=False)
class DayView:
    """One local day of S series and up to 28 days before it.

    Args:
        seen: where it lies.
        day: index in the grid.
        lo, hi: its columns.
        wanted: (S,) whether it is judged.
        today: its digest, (S, 1).
        past: digests of the days before, (S, up to 28), oldest first.
    """

    seen: Seen
    day: int
    lo: int
    hi: int
    wanted: BOOLS
    today: History
    past: History

    def profile(self, days_back: int = 0) -> I64 | None:
        """(S, 24) mean counts by local hour before the day that lies so many days back; None where not remembered."""
        at = self.day - self.seen.first - days_back
        if at >= 0:
            return np.asarray(self.seen.profiles[:, at])
        return self.seen.around.profiles_back.get(self.day - days_back)

    @property
    def values(self) -> I64:
        """(S, n) validated counts of the day."""
        return self.seen.outcome.values[:, self.lo : self.hi]

    @property
    def total(self) -> I64:
        """(S,) counts of the day."""
        return np.asarray(self.today.total[:, 0])

    @property
    def zeros(self) -> I64:
        """(S,) number of zeros of the day."""
        found: I64 | None = self.seen.kept.get(f"zeros {self.day}")
        if found is None:
            found = self.seen.kept[f"zeros {self.day}"] = np.asarray(np.count_nonzero(self.values == 0, axis=1))
        return found

    @property
    def is_measured(self) -> BOOLS:
        """(S,) every interval of the day was read."""
        return np.asarray(np.isin(self.today.state[:, 0], _AS_MEASURED) & self.wanted)

    def hours(self, hours: float) -> int:
        """Return how many intervals that many hours are, at least one."""
        return max(1, round(hours * 3600 / self.seen.grid.interval_s))


def seen_of(
    grid: Grid, matrix: Matrix, coverage: Coverage, brackets: Brackets, limit: I64, outcome: Outcome,
    around: Surroundings, wanted: BOOLS,
) -> Seen:  # fmt: skip
    """Return what rules see, with digests of the days from the end of the history to the last wanted one."""
    asked = np.flatnonzero(wanted.any(axis=0))
    history = History.none(len(matrix.values)) if around.history is None else around.history
    first = around.first
    last = int(asked[-1]) if len(asked) else first
    part = grid_of(grid.zone, grid.day(first), grid.day(last), grid.interval_s)
    cut = slice(int(grid.day_at[first]), int(grid.day_at[last + 1]))
    # Days that are only references are not to be filled, but they are remembered where they were read.
    hung = coverage.touched[:, cut] | coverage.whole[:, cut]
    days = remembered(part, outcome.values[:, cut], outcome.quality[:, cut], hung=None if hung.all() else hung)
    moved = profiles(part, history.profile, outcome.values[:, cut], days).astype(np.int64)
    return Seen(
        grid, matrix, coverage, brackets, limit, outcome, around, first, joined(history, days),
        np.concatenate([history.profile[:, None], moved], axis=1), history.days, days,
    )  # fmt: skip


def _part(days: History, lo: int, hi: int) -> History:
    cut = slice(lo, hi)
    return History(
        total=days.total[:, cut],
        maximum=days.maximum[:, cut],
        base=days.base[:, cut],
        digest=days.digest[:, cut],
        state=days.state[:, cut],
        profile=days.profile,
    )
