"""Writes what a run changed: findings first, then versions with their digests, so that a crash repeats both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

import numpy as np

from openami.contracts.changed import MAX_DAYS, ChangedDay
from openami.contracts.channel import Channel
from openami.contracts.day import DayTable, day_from_number, day_number
from openami.mdm.ports import IntervalStore
from openami.mdm.validation.decisions import unanswered
from openami.mdm.validation.frozen import carried
from openami.mdm.validation.load import Inputs
from openami.mdm.validation.mateless import mateless, still_said
from openami.mdm.validation.ports import DayFinding, ValidationBook
from openami.mdm.validation.table import Stamp, Versions, changed_days, findings_of, unchanged_versions, versions_of
from openami.mdm.vee.grid import BOOLS, I64, Grid
from openami.mdm.vee.history import PROFILE_HOURS, History, remembered
from openami.mdm.vee.outcome import Outcome, Statement
from openami.mdm.vee.profile import DayDigests, digests_at, profiles

MAX_FINDINGS = 20_000
"""Most open findings of a span that are read at once."""


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run did.

    Args:
        versions: versions written.
        findings: findings opened, and findings closed where no version was written.
        days: the days that had a version before; None where they are more than a message names.
    """

    versions: int = 0
    findings: int = 0
    days: tuple[ChangedDay, ...] | None = field(default=(), compare=False)

    def __add__(self, other: RunReport) -> RunReport:
        versions = self.versions + other.versions
        days = None if self.days is None or other.days is None else self.days + other.days
        if days is not None and len(days) > MAX_DAYS:
            days = None
        return RunReport(versions, self.findings + other.findings, days)


class Writing:
    """Writes changed days and opens and closes findings.

    Args:
        store: where versions go.
        book: where findings go.
    """

    def __init__(self, *, store: IntervalStore, book: ValidationBook) -> None:
        self._store, self._book = store, book

    async def write(
        self,
        grid: Grid,
        inputs: Inputs,
        outcome: Outcome,
        wanted: BOOLS,
        latest: DayTable,
        stamp: Stamp,
        *,
        memory: History | None,
        first: date,
        frozen: BOOLS | None = None,
    ) -> RunReport:
        """Write changed days, from a first one on, and what the rules say about them, but for frozen cells (S, N)."""
        wanted = stamp.kept_back(grid, wanted)
        days, row, day = changed_days(grid, inputs.points, outcome, wanted, latest=latest, stamp=stamp)
        changed = versions_of(days)
        same = unchanged_versions(grid, inputs.points, wanted, latest=latest, changed=changed)
        if not changed and not same:
            return RunReport()
        findings = findings_of(
            grid, inputs.points, unanswered(inputs, _spoken(grid, outcome, wanted, frozen)), changed | same, stamp
        )
        alone = mateless(inputs, stamp.channel)
        is_frozen = frozen is not None and bool(frozen.any())
        if is_frozen or (same and alone.any()):
            known = await self._book.findings(inputs.points, grid.first, grid.last, limit=MAX_FINDINGS)
            if frozen is not None:
                findings += carried(grid, inputs.points, frozen, known, changed | same, stamp)
            findings += still_said(grid, inputs, alone, known, same, stamp)
        report = RunReport()
        if same:
            report += await self._refresh(inputs.points, same, findings, stamp)
        if changed:
            fresh = [f for f in findings if (f.service_point_id.bytes, day_number(f.local_day)) in changed]
            keys = _keys(inputs.points, changed, stamp.channel)
            await self._book.keep_findings(keys, fresh, at=stamp.known_at)
            token = f"vee-{stamp.run_id}-{int(stamp.channel)}-{keys[0][0]}-{keys[0][2]}-{len(keys)}"
            digests = _digests(grid, outcome, row, day, history=memory, first=first)
            await self._store.write_days(days, token=token, digests=digests, stamp=True)
            report += RunReport(len(days), len(fresh), tuple(ChangedDay(*key) for key in keys if key[3] > 1))
        return report

    async def _refresh(
        self, points: Sequence[UUID], same: Versions, findings: Sequence[DayFinding], stamp: Stamp
    ) -> RunReport:
        """Open and close findings of days whose content stayed as it was."""
        theirs = [f for f in findings if (f.service_point_id.bytes, day_number(f.local_day)) in same]
        keys = _keys(points, same, stamp.channel)
        return RunReport(0, await self._book.refresh_findings(keys, theirs, at=stamp.known_at))


def _spoken(grid: Grid, outcome: Outcome, wanted: BOOLS, frozen: BOOLS | None) -> list[Statement]:
    """Return what was said of wanted days (S, D), but for what speaks of frozen cells (S, N) alone."""
    return [
        s
        for s in outcome.statements
        if wanted[s.row, grid.day_of[s.lo] : grid.day_of[s.hi - 1] + 1].any()
        and (frozen is None or not frozen[s.row, s.lo : s.hi].all())
    ]


def _keys(points: Sequence[UUID], versions: Versions, channel: Channel) -> list[tuple[UUID, Channel, date, int]]:
    id_of = {p.bytes: p for p in points}
    return [(id_of[point], channel, day_from_number(n), version) for (point, n), version in versions.items()]


def _digests(grid: Grid, outcome: Outcome, row: I64, day: I64, *, history: History | None, first: date) -> DayDigests:
    """Return what is to be remembered of days that are written; an average has no profile."""
    memory = remembered(grid, outcome.values, outcome.quality)
    if history is None:
        return digests_at(row, day, memory, np.zeros((len(outcome.values), grid.days, PROFILE_HOURS), np.int32))
    hours = profiles(grid, history.profile, outcome.values, memory, first=grid.index_of(first))
    return digests_at(row, day, memory, hours)
