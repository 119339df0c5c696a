"""What ``openami vee`` does with its tables: the same kernel as the platform, one meter at a time. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from openami.app.commands.vee_methods import Estimation
from openami.app.commands.vee_table import Rows
from openami.contracts.channel import CHANNELS, Channel
from openami.contracts.quality import Method, QualityState
from openami.kernel.time import instant_from_epoch_s, local_date
from openami.mdm.importing import FileRefusedError
from openami.mdm.quality_codes import codes_of
from openami.mdm.vee.brackets import Brackets, Chains, Reads, RegisterFault, brackets_of
from openami.mdm.vee.grid import BOOLS, DAY_S, I64, Grid, grid_of
from openami.mdm.vee.kernel import validated
from openami.mdm.vee.matrix import Matrix, placed
from openami.mdm.vee.outcome import Coverage, Outcome, Statement
from openami.mdm.vee.rules.seen import Places, Surroundings
from openami.mdm.vee.ruleset import RuleBook

MAX_PLACES = 6
"""Counts go down to a micro-watt-hour: what a file says is kept to the digit."""
MAX_COLUMNS = 4_000_000
MAX_AVERAGE = 10_000_000
"""No average is held to the service's power."""


@dataclass(frozen=True, slots=True, eq=False)
class Validated:
    """One validated series: columns lo to hi of the grid are its span. Counts are ``10**-places`` Wh."""

    grid: Grid
    lo: int
    hi: int
    places: int
    outcome: Outcome
    statements: list[Statement]

    def wh(self, count: int) -> int | float:
        """Return a count in Wh, an integer where it is one."""
        if self.places == 0:
            return count
        value = Decimal(count).scaleb(-self.places)
        return int(value) if value == value.to_integral_value() else float(value)

    def count_of(self, state: QualityState) -> int:
        """Return how many intervals of the span are in a state."""
        return int(np.count_nonzero(self.outcome.quality[0, self.lo : self.hi] == state))

    def findings(self) -> list[dict[str, Any]]:
        """Return the findings as rows of the JSON document."""
        return [
            {
                "rule": s.rule,
                "severity": "fail" if s.is_failure else "warn",
                "start": self.time(int(self.grid.edge_s[s.lo])),
                "end": self.time(int(self.grid.edge_s[s.hi])),
                "evidence": {
                    k: self.wh(v) if k.endswith("_wh") and isinstance(v, int) else v for k, v in s.evidence.items()
                },
            }
            for s in sorted(self.statements, key=lambda s: (s.lo, s.rule))
        ]

    def time(self, at_s: int) -> str:
        """Return an instant as local time with its offset."""
        return instant_from_epoch_s(at_s).astimezone(self.grid.zone).isoformat()

    def rows(self) -> dict[str, list[Any]]:
        """Return the versions as columns; a missing interval has no value."""
        span, out = slice(self.lo, self.hi), self.outcome
        missing = (out.quality[0, span] == QualityState.MISSING).tolist()

        def column(matrix: I64) -> list[Any]:
            values = matrix[0, span].tolist()
            return [None if gone else self.wh(v) for v, gone in zip(values, missing, strict=True)]

        codes = [
            codes_of(QualityState(q), Method(m))
            for q, m in zip(out.quality[0, span].tolist(), out.method[0, span].tolist(), strict=True)
        ]
        return {
            "start": [self.time(int(s)) for s in self.grid.start_s[span]],
            "value_wh": column(out.values),
            "quality": [QualityState(q).name.lower() for q in out.quality[0, span].tolist()],
            "method": [Method(m).name.lower() for m in out.method[0, span].tolist()],
            "band_low_wh": column(out.low),
            "band_high_wh": column(out.high),
            "iec": [" ".join(c.iec) for c in codes],
            "espi": [c.espi for c in codes],
            "nem12": [c.nem12 for c in codes],
        }


@dataclass(frozen=True, slots=True)
class Place:
    """What the caller knows of the place; None says nothing, and no rule speaks of it.

    Args:
        max_power_w: the most that the service can carry [W].
        service: ``active``, ``inactive`` or ``disconnected``.
        may_feed_in: whether an interconnection is approved.
        nominal_v: nominal voltage [V].
    """

    max_power_w: int
    service: str | None = None
    may_feed_in: bool | None = None
    nominal_v: int | None = None

    def on(self, days: int) -> Places:
        """Return it as one row of so many days."""

        def every(said: bool | None) -> BOOLS | None:
            return None if said is None else np.full((1, days), said)

        return Places(
            is_inactive=every(None if self.service is None else self.service == "inactive"),
            is_disconnected=every(None if self.service is None else self.service == "disconnected"),
            may_feed_in=every(self.may_feed_in),
            nominal_dv=None if self.nominal_v is None else np.array([self.nominal_v * 10]),
        )


def validate_meter(
    channels: Mapping[Channel, Rows],
    registers: Mapping[Channel, Rows],
    *,
    zone: ZoneInfo,
    place: Place,
    book: RuleBook | None = None,
    estimation: Estimation | None = None,
) -> dict[Channel, Validated]:
    """Validate the channels of one meter, each with the days before it and the other channels in sight.

    Args:
        channels: interval rows.
        registers: register reads by channel.
        zone: of the local days.
        place: what is known of the place.
        book: which rules hold; None for those that the package ships.
        estimation: how gaps are filled; None for as shipped.

    Raises:
        FileRefusedError: no interval length that divides a day, or a span that no file should have.
    """
    series = {c: _series(c, rows, registers.get(c) or Rows()) for c, rows in channels.items() if rows.at_s}
    found: dict[Channel, Validated] = {}
    for interval_s in {s.interval_s for s in series.values()}:
        mine = {c: s for c, s in series.items() if s.interval_s == interval_s}
        first_s, last_s = min(s.first_s for s in mine.values()), max(s.last_s for s in mine.values())
        if (last_s - first_s) // interval_s > MAX_COLUMNS:
            raise FileRefusedError(0, f"the times span more than {MAX_COLUMNS} intervals: is one of them wrong?")
        first, last = (local_date(instant_from_epoch_s(s), zone) for s in (first_s, last_s - 1))
        grid = grid_of(zone, first, last, interval_s)
        matrices = {c: s.matrix(grid) for c, s in mine.items()}
        for channel, one in mine.items():
            around = Surroundings(
                channel=channel,
                counts_per_unit=10**one.places,
                siblings={
                    c: _alike(m, c, mine[c].places - one.places) for c, m in matrices.items() if c is not channel
                },
                places=place.on(grid.days),
            )
            told = (place.max_power_w, book, estimation or Estimation())
            found[channel] = _validated(grid, one, matrices[channel], around, *told)
    return found


def _validated(
    grid: Grid,
    one: _Series,
    matrix: Matrix,
    around: Surroundings,
    max_power_w: int,
    book: RuleBook | None,
    estimation: Estimation,
) -> Validated:
    lo, hi = (int(grid.floor_column(np.array([s]))[0]) for s in (one.first_s, one.last_s - 1))
    touched = np.zeros((1, grid.columns), bool)
    touched[0, lo : hi + 1] = True
    coverage, is_energy = Coverage(touched, touched), CHANNELS[around.channel].is_energy
    brackets, faults = _brackets(grid, one.reads, one.places, max_power_w)
    most = -(-max_power_w * grid.interval_s // 3600) * 10**one.places if is_energy else MAX_AVERAGE
    wanted = np.zeros((1, grid.days), bool)
    wanted[0, int(grid.day_of[lo]) : int(grid.day_of[hi]) + 1] = True
    outcome = validated(
        grid, matrix, coverage=coverage, brackets=brackets, limit=np.array([most]), is_energy=is_energy,
        around=replace(around, wanted=wanted, faults=faults), book=book,
        references=estimation.references(grid), method_order=estimation.order,
    )  # fmt: skip
    return Validated(grid, lo, hi + 1, one.places, outcome, outcome.statements)


@dataclass(frozen=True, slots=True, eq=False)
class _Series:
    """Rows of one channel with what is read off them; ``last_s`` is the end of the last interval or read."""

    rows: Rows
    reads: Rows
    interval_s: int
    places: int
    first_s: int
    last_s: int

    def matrix(self, grid: Grid) -> Matrix:
        """Lay the rows out."""
        return placed(
            grid,
            1,
            row=np.zeros(len(self.rows.at_s), np.int64),
            start_s=np.array(self.rows.at_s, dtype=np.int64),
            value=_counts(self.rows.value, self.places),
            quality=np.array(self.rows.quality, dtype=np.uint16),
        )


def _series(channel: Channel, rows: Rows, reads: Rows) -> _Series:
    interval_s = _interval(rows.at_s)
    # An average is kept in the counts of its channel: tenths of a volt.
    spec = CHANNELS[channel]
    places = _places(rows.value + reads.value) if spec.is_energy else -spec.power_of_ten
    instants = [*rows.at_s, *(s + interval_s for s in rows.at_s), *reads.at_s]
    return _Series(rows, reads, interval_s, places, min(instants), max(instants))


def _alike(matrix: Matrix, channel: Channel, more_places: int) -> Matrix:
    """Return a sibling of energy in the counts of the series that looks at it."""
    if not more_places or not CHANNELS[channel].is_energy:
        return matrix
    return replace(matrix, values=np.rint(matrix.values / 10.0**more_places).astype(np.int64))


def _interval(at_s: list[int]) -> int:
    """Return the most common step between starts [s]; a quarter-hour where there is none."""
    steps = np.diff(np.unique(np.array(at_s, dtype=np.int64)))
    if not len(steps):
        return 900
    sizes, counts = np.unique(steps, return_counts=True)
    interval = int(sizes[int(np.argmax(counts))])
    # The short and the long day of daylight saving.
    if abs(interval - DAY_S) <= 3600:
        interval = DAY_S
    if interval < 60 or DAY_S % interval:
        raise FileRefusedError(0, f"intervals of {interval} s do not divide a day")
    return interval


def _places(values: list[Decimal]) -> int:
    """Return how many decimals the values have, at most six."""
    most = max((-int(v.normalize().as_tuple().exponent) for v in values if v), default=0)
    return min(max(most, 0), MAX_PLACES)


def _counts(values: list[Decimal], places: int) -> I64:
    return np.array([round(v.scaleb(places)) for v in values], dtype=np.int64)


def _brackets(grid: Grid, reads: Rows, places: int, max_power_w: int) -> tuple[Brackets, list[RegisterFault]]:
    """Return what the registers know. Capacity and resolution are read off the reads themselves."""
    value = _counts(reads.value, places)
    unit = 10**places
    most = int(value.max(initial=1))
    capacity = unit
    while capacity <= most:
        capacity *= 10
    resolution = 1
    while len(value) >= 3 and resolution < 10_000 * unit and not (value % (resolution * 10)).any():
        resolution *= 10

    def one(number: int) -> I64:
        return np.array([number], dtype=np.int64)

    chains = Chains(
        row=one(0),
        start_s=one(int(grid.edge_s[0])),
        end_s=one(int(grid.edge_s[-1])),
        capacity=one(capacity),
        resolution=one(resolution),
        multiplier=one(1),
        limit_w=one(max_power_w * unit),
    )
    n = len(value)
    return brackets_of(
        grid, chains, Reads(np.zeros(n, np.int64), np.array(reads.at_s, dtype=np.int64), value, np.zeros(n, bool))
    )
