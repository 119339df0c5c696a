"""One channel of a shard of meters on one day: what is settled at once, what the careful road must do. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from openami.contracts.channel import CHANNELS, Channel
from openami.contracts.day import DayTable, day_number
from openami.contracts.quality import Method
from openami.contracts.reading import I64, uuid_column, uuids_of
from openami.kernel.time import epoch_s
from openami.mdm.validation.fleet.gaps import Gapped, are_fillable, may_be_dark
from openami.mdm.validation.fleet.kept import Kept
from openami.mdm.validation.fleet.layout import all_laid_out, around_of, chains_of, reads_of
from openami.mdm.validation.fleet.ports import Block, FleetHistory, ReadBlock
from openami.mdm.validation.fleet.roster import Roster
from openami.mdm.validation.load import limits_of
from openami.mdm.validation.ports import DayFinding
from openami.mdm.validation.table import Stamp, findings_of
from openami.mdm.vee.brackets import Brackets, brackets_of, no_brackets
from openami.mdm.vee.grid import BOOLS, Grid
from openami.mdm.vee.history import DIGEST_DAYS, PROFILE_HOURS, History, with_states
from openami.mdm.vee.kernel import filled, judged
from openami.mdm.vee.matrix import Matrix
from openami.mdm.vee.outcome import Coverage, Outcome, Statement
from openami.mdm.vee.profile import digests_at, profiles
from openami.mdm.vee.rules.rule import group_of
from openami.mdm.vee.rules.seen import Places, Surroundings

FEEDING_DAYS = 14
"""A home whose feed-in register stood still this long and still does is not validated on that channel."""

_MOSTLY = 0.9
"""Share of plain rows above which all rows go through the kernel."""

_READ = np.zeros(256, bool)
_READ[[Method.MEASURED, Method.POWER_FAIL_ZERO]] = True
_SETTLED = _READ.copy()
_SETTLED[[Method.LINEAR_SCALED, Method.CALCULATED]] = True


@dataclass(frozen=True, slots=True, eq=False)
class Shard:
    """What is known of S meters on one day.

    Args:
        roster: the meters.
        first: row of the first of them in the fleet's roster.
        block, reads: their readings and register reads.
        row, read_row: row of the meter of each group of both, from 0, or -1.
    """

    roster: Roster
    first: int
    block: Block
    reads: ReadBlock
    row: I64
    read_row: I64


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """What a shard's channel came to.

    Args:
        whole: first versions of days that were measured from end to end and that nothing is to be said of.
        odd: the other first versions.
        findings: about them.
        careful: (S,) the careful road must do these.
        gapped: what is to be filled from the weeks before; None where nothing is.
    """

    whole: Kept
    odd: Kept
    findings: list[DayFinding]
    careful: BOOLS
    gapped: Gapped | None = None


Laid = Mapping[Channel, tuple[Matrix, BOOLS]]
"""The channels of a shard as matrices, each with the rows that are unclear."""


def laid(grid: Grid, shard: Shard, channels: Iterable[Channel]) -> Laid:
    """Lay the channels of a shard out."""
    return all_laid_out(grid, shard.block, shard.row, shard.roster, list(channels))


def stopped(shard: Shard, channels: Laid, memory: Mapping[Channel, FleetHistory]) -> BOOLS:
    """Tell which meters have a channel that did not come today and has a version of yesterday, perhaps of readings.

    Whether that is worth a version or a finding, the careful road says, which looks at both days.
    """
    place = np.arange(shard.first, shard.first + len(shard.roster))
    found = np.zeros(len(shard.roster), bool)
    for channel, known in memory.items():
        gone = shard.roster.has(channel) & ~channels[channel][0].present.any(axis=1)
        if gone.any():
            days = days_before(channel)
            found |= gone & known.has_version(place, days - 1, days)
    return found


def settled(
    grid: Grid, shard: Shard, channel: Channel, known: FleetHistory, stamp: Stamp, *, channels: Laid
) -> Settled:
    """Validate one channel of a shard.

    A day that has a version already is left as it is where total, maximum, base load and hash of what came are those
    of the version and all of it is measured; otherwise the careful road compares value by value.

    Args:
        grid: the local day.
        shard: the meters.
        channel: which.
        known: what is remembered of the fleet's days, this day last.
        stamp: channel, run and domain time.
        channels: every channel of the shard, doubtful rows among them.
    """
    count, is_energy = len(shard.roster), CHANNELS[channel].is_energy
    place = np.arange(shard.first, shard.first + count)
    days = days_before(channel)
    is_written = known.has_version(place, days)
    matrix, unclear = channels[channel][0], channels[channel][1].copy()
    brackets, held = no_brackets(), np.ones(count, bool)
    if is_energy:
        brackets, doubted = _brackets(grid, shard, channel)
        unclear |= doubted
        held = _is_held(grid, count, brackets)
    asked = _is_worth(channel, matrix, brackets, is_written)
    if channel is Channel.RECEIVED:
        lately = is_written | known.has_version(place, max(days - FEEDING_DAYS, 0), days)
        # A dark day of a home that feeds in is a day of zeros, if it was not dark for long.
        unclear |= lately & ~asked
        asked &= ~_is_idle(held, brackets) | lately
    # Of what is unclear the careful road says whether it is worth anything.
    asked = shard.roster.has(channel) & (asked | unclear)
    plain = asked & ~unclear & held
    if is_energy:
        # A gap whose day has a version may be filled as it was, by other methods: values are compared with care.
        plain &= matrix.present.all(axis=1) | ~is_written
    one = _Rows(
        grid, shard.roster, matrix, brackets, stamp, {c: m for c, (m, _) in channels.items() if c is not channel}
    )
    rows = np.arange(count)
    if np.count_nonzero(plain) < _MOSTLY * count:
        rows = np.flatnonzero(plain)
        one = one.at(rows, brackets)
    else:
        one = one.among(plain)
    chosen = plain[rows]
    fresh, same, wide, found = _judged(
        one, chosen, known.history(place[rows], 0, days), known.history(place[rows], days), is_written[rows]
    )
    asked[rows[fresh | same | wide]] = False
    gaps = np.flatnonzero(wide)
    gapped = Gapped(one.roster, place[rows], one.matrix, one.brackets, one.siblings).at(gaps) if len(gaps) else None
    return Settled(*found, careful=asked, gapped=gapped)


def settled_gaps(
    grid: Grid, gapped: Gapped, outcome: Outcome, brackets: Brackets, known: FleetHistory, stamp: Stamp
) -> Settled:
    """Ask the rules about days that were filled from the weeks before.

    Args:
        grid: the local day.
        gapped: the series.
        outcome: their filled day; its states and statements change.
        brackets: as they were understood.
        known: what is remembered of the fleet's days.
        stamp: channel, run and domain time.

    Returns:
        What came of them, ``careful`` by series.
    """
    one = _Rows(grid, gapped.roster, gapped.matrix, gapped.brackets, stamp, gapped.siblings)
    history = known.history(gapped.place, 0, days_before(stamp.channel))
    limit = limits_of(grid, len(one.roster), chains_of(grid, one.roster), stamp.channel)
    memory = _asked(one, outcome, brackets, limit, history)
    fresh = ~_has_statement(outcome, "sum_check")
    return Settled(*_written(one, outcome, fresh, *memory), careful=~fresh)


def days_before(channel: Channel) -> int:
    """Return how many days before a day are asked for: of averages the last, to know whether it came."""
    return DIGEST_DAYS if CHANNELS[channel].is_energy else 1


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """The rows of a shard whose day is whole, as far as can be seen without the kernel."""

    grid: Grid
    roster: Roster
    matrix: Matrix
    brackets: Brackets
    stamp: Stamp
    siblings: Mapping[Channel, Matrix]

    def at(self, rows: I64, brackets: Brackets) -> _Rows:
        """Return some of the rows."""
        new = np.full(len(self.roster), -1, np.int64)
        new[rows] = np.arange(len(rows))
        kept = brackets.kept(new[brackets.row] >= 0)
        return replace(
            self, roster=self.roster.at(rows), matrix=self.matrix.at(rows), brackets=replace(kept, row=new[kept.row]),
            siblings={c: m.at(rows) for c, m in self.siblings.items()},
        )  # fmt: skip

    def among(self, plain: BOOLS) -> _Rows:
        """Return the same rows, of which those that are not plain are nobody's neighbors.

        What becomes of them is not kept: to leave a few out of the matrices would copy all the others.
        """
        hood = self.roster.neighborhood
        if hood is None or plain.all():
            return self
        return replace(self, roster=replace(self.roster, neighborhood=np.where(plain, hood, -1)))


def _judged(
    one: _Rows, plain: BOOLS, history: History, today: History, is_written: BOOLS
) -> tuple[BOOLS, BOOLS, BOOLS, tuple[Kept, Kept, list[DayFinding]]]:
    """Run the kernel over all rows, for the plain ones among them.

    Returns:
        Which rows have a first version, which keep theirs, which want the weeks before, and what is to be written.
    """
    grid, count, channel = one.grid, len(one.roster), one.stamp.channel
    is_energy = CHANNELS[channel].is_energy
    every = np.ones(one.matrix.values.shape, bool)
    limit = limits_of(grid, count, chains_of(grid, one.roster), channel)
    outcome, brackets = filled(
        grid, one.matrix, coverage=Coverage(every, every), brackets=one.brackets, limit=limit,
        group=group_of(channel), book=one.stamp.book, is_energy=is_energy, with_like_days=False,
    )  # fmt: skip
    memory = _asked(one, outcome, brackets, limit, history)
    # Whether the register or the intervals are wrong shows in the days next door.
    sound = plain & ~_has_statement(outcome, "sum_check")
    settles, wide = sound, np.zeros(count, bool)
    if is_energy:
        is_filled = _is_settled(outcome) & ~may_be_dark(one.matrix, outcome)
        settles = sound & is_filled
        wide = sound & ~is_filled & ~is_written
        if wide.any():
            wide &= are_fillable(one.roster, one.matrix, outcome)
    fresh, same = settles & ~is_written, settles & is_written & _is_read(outcome) & _is_same(memory[0], today)
    # A version that stays may have a finding to open: the careful road knows which are open.
    same[[s.row for s in outcome.statements]] = False
    return fresh, same, wide, _written(one, outcome, fresh, *memory)


def _asked(
    one: _Rows, outcome: Outcome, brackets: Brackets, limit: I64, history: History
) -> tuple[History, npt.NDArray[np.int32]]:
    """Ask the rules; return the digests of the day, and the profile after it (S, 1, 24)."""
    every = np.ones(one.matrix.values.shape, bool)
    seen = judged(
        one.grid, one.matrix, outcome, coverage=Coverage(every, every), brackets=brackets, limit=limit,
        around=_around(one, history), book=one.stamp.book,
    )  # fmt: skip
    # Only where a state is another than ACTUAL can a rule have changed one.
    said = np.flatnonzero(outcome.quality.max(axis=1, initial=0))
    memory = with_states(one.grid, seen.own, outcome.quality, said)
    if not CHANNELS[one.stamp.channel].is_energy:
        return memory, np.zeros((len(one.roster), 1, PROFILE_HOURS), np.int32)
    hours = seen.profiles[:, 1:].astype(np.int32)
    hours[said] = profiles(one.grid, history.profile[said], outcome.values[said], memory.at(said))
    return memory, hours


def _around(one: _Rows, history: History) -> Surroundings:
    """Return what rules see besides the readings."""
    return Surroundings(
        channel=one.stamp.channel,
        history=history if CHANNELS[one.stamp.channel].is_energy else None,
        places=Places(may_feed_in=one.roster.may_feed_in[:, None], neighborhood=one.roster.neighborhood),
        siblings=one.siblings,
    )


def _has_statement(outcome: Outcome, rule: str) -> BOOLS:
    """Tell which rows a rule speaks of."""
    found = np.zeros(len(outcome.values), bool)
    found[[s.row for s in outcome.statements if s.rule == rule]] = True
    return found


def _written(
    one: _Rows, outcome: Outcome, fresh: BOOLS, memory: History, hours: npt.NDArray[np.int32]
) -> tuple[Kept, Kept, list[DayFinding]]:
    """Return the first versions of some rows, their digests, and what is said of them."""
    is_odd = (outcome.quality.max(axis=1, initial=0) | outcome.method.max(axis=1, initial=0)) > 0
    whole, odd = (
        Kept(
            _days(one, outcome, rows, is_whole=is_whole),
            digests_at(rows, np.zeros(len(rows), np.int64), memory, hours),
        )
        for is_whole, rows in ((True, np.flatnonzero(fresh & ~is_odd)), (False, np.flatnonzero(fresh & is_odd)))
    )
    said = [s for s in outcome.statements if fresh[s.row]]
    return whole, odd, _findings(one.grid, one.roster, said, one.stamp)


def _brackets(grid: Grid, shard: Shard, channel: Channel) -> tuple[Brackets, BOOLS]:
    """Return what the registers know of the day, and the rows in which they are in doubt, today or next door."""
    around = around_of(grid)
    reads, doubted = reads_of(shard.reads, shard.read_row, channel, len(shard.roster))
    near, faults = brackets_of(around, chains_of(around, shard.roster), reads)
    doubted[[f.row for f in faults]] = True
    return _within(near, int(around.day_at[1]), int(around.day_at[2])), doubted


def _within(brackets: Brackets, lo: int, hi: int) -> Brackets:
    """Return the brackets that lie in some columns, counted from the first of these."""
    kept = brackets.kept((brackets.lo >= lo) & (brackets.hi <= hi))
    return replace(kept, lo=kept.lo - lo, hi=kept.hi - lo)


def _is_held(grid: Grid, series: int, brackets: Brackets) -> BOOLS:
    """Tell whose day has a register read at both of its midnights."""
    first, last = np.zeros(series, bool), np.zeros(series, bool)
    first[brackets.row[brackets.lo == 0]] = True
    last[brackets.row[brackets.hi == grid.columns]] = True
    return np.asarray(first & last)


def _is_settled(outcome: Outcome) -> BOOLS:
    """Tell which rows were read, or filled as no wider window would fill them."""
    return _are_all(outcome.method, _SETTLED)


def _is_read(outcome: Outcome) -> BOOLS:
    """Tell which rows were read from end to end."""
    return _are_all(outcome.method, _READ)


def _are_all(method: npt.NDArray[np.uint8], kinds: BOOLS) -> BOOLS:
    """Tell which rows have nothing but some methods, MEASURED (0) among them."""
    found = np.ones(len(method), bool)
    odd = np.flatnonzero(method.max(axis=1, initial=0))
    found[odd] = kinds[method[odd]].all(axis=1)
    return found


def _is_worth(channel: Channel, matrix: Matrix, brackets: Brackets, is_written: BOOLS) -> BOOLS:
    """Tell which series get versions: all of delivered energy, others where the meter has anything to say."""
    if channel is Channel.DELIVERED:
        return np.ones(len(matrix.values), bool)
    if channel is not Channel.RECEIVED:
        return np.asarray(matrix.present.any(axis=1) | is_written)
    worth = matrix.values.any(axis=1) | is_written
    worth[brackets.row[brackets.energy != 0]] = True
    return np.asarray(worth)


def _is_idle(held: BOOLS, brackets: Brackets) -> BOOLS:
    """Tell whose register stood still all day."""
    advance = np.bincount(brackets.row, brackets.energy != 0, minlength=len(held))
    return np.asarray(held & (advance == 0))


def _is_same(memory: History, today: History) -> BOOLS:
    """Tell which versions say what the day says now, as far as their digests tell: 32 bits of hash and three counts."""
    names = ("total", "maximum", "base", "digest", "state")
    return np.asarray(np.all([getattr(memory, n)[:, 0] == getattr(today, n)[:, 0] for n in names], axis=0))


def _days(one: _Rows, outcome: Outcome, rows: I64, *, is_whole: bool) -> DayTable:
    """Return the first versions of some rows; whole ones share one column of values for the band too."""
    grid, count = one.grid, len(rows)
    every = count == len(one.roster)

    def flat(matrix: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.asarray((matrix if every else matrix[rows]).reshape(-1))

    values = flat(outcome.values)
    zeros = np.zeros(len(values), np.uint8) if is_whole else values[:0].astype(np.uint8)
    return DayTable(
        service_point_id=one.roster.point[rows],
        channel=np.full(count, one.stamp.channel, np.uint8),
        local_day=np.full(count, day_number(grid.first), np.int32),
        interval_s=np.full(count, grid.interval_s, np.uint32),
        start_utc=np.full(count, int(grid.start_s[0]), np.int64),
        version=np.ones(count, np.uint64),
        known_at=np.full(count, epoch_s(one.stamp.known_at), np.int64),
        run_id=np.repeat(uuid_column([one.stamp.run_id]), count),
        offsets=np.arange(count + 1, dtype=np.int64) * grid.columns,
        values=values,
        quality=zeros if is_whole else flat(outcome.quality),
        method=zeros if is_whole else flat(outcome.method),
        band_low=values if is_whole else flat(outcome.low),
        band_high=values if is_whole else flat(outcome.high),
    )


def _findings(grid: Grid, roster: Roster, statements: list[Statement], stamp: Stamp) -> list[DayFinding]:
    """Return statements about first versions."""
    rows = sorted({s.row for s in statements})
    points = uuids_of(roster.point[rows])
    at = {row: place for place, row in enumerate(rows)}
    own = [replace(s, row=at[s.row]) for s in statements]
    versions = {(point.bytes, day_number(grid.first)): 1 for point in points}
    return findings_of(grid, points, own, versions, stamp)
