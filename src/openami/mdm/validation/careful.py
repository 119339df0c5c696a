"""The careful road: service points whose day is not plain, in the narrow window or in one as wide as their brackets.

Most days are clean or bracketed by both of their midnight reads: they need the day and a margin. What needs more (a
long gap that wants like days, a missing midnight read) is loaded again in a wider window, and days outside the asked
span that share its bracket get a new version too, so that energy is conserved across the whole bracket.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

import numpy as np

from openami.contracts.channel import CHANNELS, Channel
from openami.contracts.day import DayTable, day_number
from openami.kernel.time import Period, local_midnight
from openami.mdm.ports import IntervalStore
from openami.mdm.registry.records import InstalledMeter
from openami.mdm.validation.frozen import frozen_cells, keep_cells
from openami.mdm.validation.lengths import fits
from openami.mdm.validation.load import Inputs, with_versions
from openami.mdm.validation.loading import Loading
from openami.mdm.validation.references import ReferenceSource
from openami.mdm.validation.table import Stamp
from openami.mdm.validation.windows import (
    Span,
    asked_days,
    at_rows,
    bracket_windows,
    confined,
    held_whole,
    hung_long,
    needs_wide,
    worth_writing,
)
from openami.mdm.validation.writing import RunReport, Writing
from openami.mdm.vee.estimate import LOOK_BACK_DAYS, NO_REFERENCES, References
from openami.mdm.vee.grid import BOOLS, Grid, grid_of
from openami.mdm.vee.history import History
from openami.mdm.vee.kernel import validated
from openami.mdm.vee.outcome import Outcome
from openami.mdm.vee.rules.seen import Surroundings
from openami.mdm.vee.ruleset import RuleBook
from openami.security.access.scope import Scope

MAX_BRACKET_DAYS = 92
"""How far a run looks for the register read before and after a day; beyond, its estimates stay unscaled."""
NEAR = timedelta(days=14)
"""Brackets that reach no farther beyond the asked days share one window."""


class CarefulRoad:
    """Validates spans of service points.

    Args:
        loading: loads what a grid needs.
        writing: writes what changed.
        references: what estimates may refer to beside the series.
        store: versions that there are.
        scope: what may be read.
    """

    def __init__(
        self,
        *,
        loading: Loading,
        writing: Writing,
        references: ReferenceSource,
        store: IntervalStore,
        scope: Scope,
    ) -> None:
        self._loading, self._writing, self._references = loading, writing, references
        self._store, self._scope = store, scope

    async def run(self, span: Span, installed: Sequence[InstalledMeter], stamp: Stamp) -> RunReport:
        """Validate one span in the narrow window, and in wide ones where that is not enough."""
        points = tuple(dict.fromkeys(i.installation.service_point_id for i in installed))
        span = replace(span, points=points)
        day = timedelta(days=1)
        grid = grid_of(span.zone, span.first - day, span.last + day, span.interval_s)
        mates = await self._loading.mates(grid, span, stamp.channel)
        points = tuple(dict.fromkeys([*points, *(i.installation.service_point_id for i in mates)]))
        installed = [*installed, *mates]
        inputs = await self._loading.load(grid, points, installed, stamp)
        latest = await self._store.days(self._scope, span.points, stamp.channel, span.first, span.last)
        is_energy = CHANNELS[stamp.channel].is_energy
        # A gap that wants like days wants the wide window, so here none are looked for.
        wanted = asked_days(grid, inputs, span.first, span.last)
        wanted[len(span.points) :] = False
        memory = await self._loading.history(points, stamp.channel, span.first)
        around = _around(grid, inputs, stamp.channel, wanted, memory, span.first)
        if not mates:
            # Mates come for a mean voltage alone, and no rule of that asks for other channels.
            around = replace(around, siblings=await self._loading.siblings(grid, points, installed, stamp))
        outcome = _validate(grid, inputs, around, stamp.book, with_like_days=False)
        rows = worth_writing(inputs, stamp.channel, latest)
        wide = needs_wide(grid, inputs, outcome, span) & rows if is_energy else np.zeros(len(points), bool)
        narrow = wanted & (rows & ~wide)[:, None]
        report = await self._writing.write(
            grid, inputs, outcome, narrow, latest, stamp, memory=memory, first=span.first
        )
        near = wide & held_whole(grid, inputs, span) & hung_long(points, installed, span)
        if near.any():
            windows = [(point, span.first, span.last) for point in at_rows(points, near)]
            report += await self._over_brackets(span, installed, windows, stamp)
        if (wide & ~near).any():
            report += await self._wide(replace(span, points=at_rows(points, wide & ~near)), stamp)
        return report

    async def _wide(self, span: Span, stamp: Stamp) -> RunReport:
        """Validate service points whose brackets or references lie outside the narrow window."""
        zone, reach = span.zone, timedelta(days=MAX_BRACKET_DAYS)
        period = Period(local_midnight(span.first - reach, zone), local_midnight(span.last + reach, zone))
        installed = [
            i
            for i in await self._loading.installed(set(span.points), period)
            if stamp.channel in i.meter.channels and fits(i, span.interval_s)
        ]
        grid = grid_of(zone, span.first - reach, span.last + reach, span.interval_s)
        inputs = await self._loading.load(grid, span.points, installed, stamp, with_readings=False)
        windows = bracket_windows(grid, inputs.brackets, span)
        groups: dict[tuple[date, date], list[int]] = defaultdict(list)
        for row, (first, last) in enumerate(windows):
            is_near = first >= span.first - NEAR and last <= span.last + NEAR
            groups[(span.first, span.last) if is_near else (first, last)].append(row)
        report = RunReport()
        for rows in groups.values():
            report += await self._over_brackets(span, installed, [(span.points[r], *windows[r]) for r in rows], stamp)
        return report

    async def _over_brackets(
        self, span: Span, installed: Sequence[InstalledMeter], windows: Sequence[tuple[UUID, date, date]], stamp: Stamp
    ) -> RunReport:
        """Validate each service point over the whole brackets that the asked days lie in, with like days before.

        The days before are taken from their versions. Where one has no version yet (days are first validated in any
        order) raw readings stand for all of them.
        """
        first, last = min(w[1] for w in windows), max(w[2] for w in windows)
        lookback = timedelta(days=LOOK_BACK_DAYS)
        before = await self._store.days(
            self._scope, [w[0] for w in windows], stamp.channel, first - lookback, first - timedelta(days=1)
        )
        alike = before.interval_s == span.interval_s
        count = Counter(bytes(p) for p in before.service_point_id[alike].tolist())
        report = RunReport()
        for versions, chosen in (
            (before, [w for w in windows if count[w[0].bytes] == LOOK_BACK_DAYS]),
            (None, [w for w in windows if count[w[0].bytes] != LOOK_BACK_DAYS]),
        ):
            if chosen:
                grid = grid_of(span.zone, first - lookback, last + timedelta(days=1), span.interval_s)
                report += await self._with_like_days(grid, span, installed, chosen, stamp, before=versions)
        return report

    async def _with_like_days(
        self,
        grid: Grid,
        span: Span,
        installed: Sequence[InstalledMeter],
        windows: Sequence[tuple[UUID, date, date]],
        stamp: Stamp,
        *,
        before: DayTable | None,
    ) -> RunReport:
        points = tuple(w[0] for w in windows)
        chosen = set(points)
        first, last = grid.day(LOOK_BACK_DAYS), grid.last - timedelta(days=1)
        own = [i for i in installed if i.installation.service_point_id in chosen]
        inside = np.zeros((len(points), grid.days), bool)
        for row, (_, a, b) in enumerate(windows):
            inside[row, grid.index_of(a) : grid.index_of(b) + 1] = True
        loaded = await self._loading.load(grid, points, own, stamp, since=None if before is None else first)
        if before is not None:
            loaded = with_versions(grid, loaded, before)
        inputs = confined(loaded, grid, inside)
        latest = await self._store.days(self._scope, points, stamp.channel, first, last)
        asked = asked_days(grid, inputs, span.first, span.last)
        wanted = asked.copy()
        # Outside the asked days only what had a version is run again: the rest has its first run to come.
        row_of = {point.bytes: row for row, point in enumerate(points)}
        base = day_number(grid.first)
        alike = latest.interval_s == grid.interval_s
        for point, number in zip(
            latest.service_point_id[alike].tolist(), latest.local_day[alike].tolist(), strict=True
        ):
            wanted[row_of[bytes(point)], number - base] = True
        wanted &= inside & inputs.has_data[:, None]
        memory = await self._loading.history(points, stamp.channel, first)
        references = await self._references.of(grid, inputs, stamp.channel, known_at=stamp.known_at)
        around = _around(grid, inputs, stamp.channel, wanted, memory, first)
        around = replace(around, siblings=await self._loading.siblings(grid, points, own, stamp, since=first))
        outcome = _validate(grid, inputs, around, stamp.book, references=references)
        frozen = frozen_cells(grid, wanted & ~asked, inputs.brackets)
        keep_cells(grid, points, outcome, frozen, latest)
        return await self._writing.write(
            grid, inputs, outcome, wanted, latest, stamp, memory=memory, first=first, frozen=frozen
        )


def _validate(
    grid: Grid,
    inputs: Inputs,
    around: Surroundings,
    book: RuleBook,
    *,
    with_like_days: bool = True,
    references: References = NO_REFERENCES,
) -> Outcome:
    return validated(
        grid,
        inputs.matrix,
        coverage=inputs.coverage,
        brackets=inputs.brackets,
        limit=inputs.limit,
        is_energy=CHANNELS[around.channel].is_energy,
        with_like_days=with_like_days,
        decided=inputs.decided,
        references=references,
        around=around,
        book=book,
    )


def _around(
    grid: Grid, inputs: Inputs, channel: Channel, wanted: BOOLS, memory: History | None, first: date
) -> Surroundings:
    """Return what rules see besides the readings."""
    return Surroundings(
        channel=channel, wanted=wanted, history=memory, first=0 if memory is None else grid.index_of(first),
        faults=inputs.faults, places=inputs.places,
    )  # fmt: skip
