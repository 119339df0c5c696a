"""What a decision would do, found by running validation with it and writing nothing.

The run is the real one over the real rows: only its writes go nowhere. So a preview cannot differ from what happens,
but for rows that come in between.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, cast
from uuid import UUID, uuid4

import numpy as np

from openami.contracts.channel import CHANNELS, Channel
from openami.contracts.day import DayTable, DayVersion, day_from_number
from openami.kernel.time import Period
from openami.mdm.editing.decision import Decision
from openami.mdm.editing.limits import EditLimits
from openami.mdm.editing.ports import DecisionBook, Effect
from openami.mdm.ports import IntervalStore
from openami.mdm.registry.ports import Registry
from openami.mdm.registry.records import Affected
from openami.mdm.validation.ports import DayFinding, ValidationBook
from openami.mdm.validation.run import Validation
from openami.mdm.vee.ruleset import RuleBook
from openami.security.access.scope import Purpose, system_scope

MAX_DAYS_SHOWN = 200
_SCOPE = system_scope(process="preview", purpose=Purpose.VALIDATION)
DayKey = tuple[UUID, Channel, date]


@dataclass(frozen=True, slots=True, eq=False)
class DayChange:
    """One channel's day before and after: the versions whole, for a picture and a table."""

    before: DayVersion | None
    after: DayVersion


@dataclass(frozen=True, slots=True, eq=False)
class Preview:
    """What would happen.

    Args:
        effect: the sums.
        changes: the first :data:`MAX_DAYS_SHOWN` days that change.
        closes: findings that would close.
        opens: findings that would open.
    """

    effect: Effect
    changes: list[DayChange]
    closes: list[DayFinding]
    opens: list[DayFinding]


async def preview(
    decision: Decision | None,
    affected: Sequence[Affected],
    *,
    registry: Registry,
    store: IntervalStore,
    book: ValidationBook,
    decisions: DecisionBook,
    at: datetime,
    without: UUID | None = None,
    limits: EditLimits | None = None,
) -> Preview:
    """Return what a decision would do, or what undoing one would.

    Args:
        decision: not kept yet; None where nothing is added.
        affected: the local days that it touches.
        registry: the real one.
        store: likewise.
        book: likewise.
        decisions: likewise.
        at: domain time.
        without: a decision in force that is taken away.
        limits: what counts as noise.
    """
    dry_store, dry_book = _DryStore(store), _DryBook(book)
    run = Validation(
        registry=registry,
        store=cast("IntervalStore", dry_store),
        book=cast("ValidationBook", dry_book),
        decisions=cast("DecisionBook", _Supposed(decisions, decision, without)),
    )
    together: dict[tuple[date, date], set[UUID]] = defaultdict(set)
    for days in affected:
        together[days.first, days.last].add(days.service_point_id)
    for (first, last), points in together.items():
        await run.run(points, first, last, run_id=uuid4(), known_at=at)
    before = await _before(store, dry_store.written)
    closes, opens = await dry_book.differences(affected)
    noise_wh = (limits or EditLimits()).noise_wh
    effect = replace(_effect(dry_store.written, before, noise_wh), settled=len(closes), raised=len(opens))
    rows = (row for table in dry_store.written for row in table.rows())
    changes = [DayChange(before.get((r.service_point_id, r.channel, r.local_day)), r) for r in rows]
    changes.sort(key=lambda c: (c.after.service_point_id.bytes, c.after.local_day, c.after.channel))
    return Preview(effect, changes[:MAX_DAYS_SHOWN], closes, opens)


@dataclass(slots=True)
class _DryStore:
    """The store, but what is written is only kept here."""

    real: IntervalStore
    written: list[DayTable] = field(default_factory=list)

    async def write_days(self, days: DayTable, **_of_the_port: object) -> None:
        self.written.append(days)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


@dataclass(slots=True)
class _DryBook:
    """The book, but findings are only kept here; every other question goes to the real one."""

    real: ValidationBook
    keys: set[DayKey] = field(default_factory=set)
    said: list[DayFinding] = field(default_factory=list)

    async def rule_book(self) -> RuleBook:
        return await self.real.rule_book()

    async def keep_findings(
        self,
        keys: Sequence[tuple[UUID, Channel, date, int]],
        findings: Sequence[DayFinding],
        *,
        at: datetime,  # noqa: ARG002 - the port's
    ) -> None:
        self.keys |= {key[:3] for key in keys}
        self.said += findings

    async def refresh_findings(
        self, keys: Sequence[tuple[UUID, Channel, date, int]], findings: Sequence[DayFinding], *, at: datetime
    ) -> int:
        await self.keep_findings(keys, findings, at=at)
        return 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    async def differences(self, affected: Sequence[Affected]) -> tuple[list[DayFinding], list[DayFinding]]:
        """Return the findings of the days that ran which would close, and those which would open."""
        if not self.keys:
            return [], []
        points = {key[0] for key in self.keys} | {a.service_point_id for a in affected}
        first, last = min(key[2] for key in self.keys), max(key[2] for key in self.keys)
        there = await self.real.findings(points, first, last, limit=1_000_000)
        mine = {_said(f): f for f in there if (f.service_point_id, f.channel, f.local_day) in self.keys}
        said = {_said(f): f for f in self.said}
        return [f for k, f in mine.items() if k not in said], [f for k, f in said.items() if k not in mine]


@dataclass(frozen=True, slots=True)
class _Supposed:
    """The decisions in force, with one more and without one."""

    real: DecisionBook
    more: Decision | None
    without: UUID | None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    async def places(self, service_points: Collection[UUID] | None, period: Period) -> frozenset[UUID]:
        found = await self.real.places(service_points, period)
        mine = self.more.service_points if self.more is not None else frozenset[UUID]()
        return found | (mine if service_points is None else mine.intersection(service_points))

    async def in_force(self, service_points: Collection[UUID], period: Period) -> list[Decision]:
        found = [d for d in await self.real.in_force(service_points, period) if d.id != self.without]
        if self.more is not None:
            asked = frozenset(service_points)
            targets = tuple(t for t in self.more.targets if t.service_point_id in asked)
            if targets:
                found.append(replace(self.more, targets=targets))
        return found


def _said(finding: DayFinding) -> tuple[UUID, Channel, str, str, datetime]:
    f = finding
    return (f.service_point_id, f.channel, f.rule, f.severity.value, f.period.start)


async def _before(store: IntervalStore, written: Sequence[DayTable]) -> dict[DayKey, DayVersion]:
    """Return the present versions of days that would get another."""
    found: dict[DayKey, DayVersion] = {}
    for table in written:
        points = [UUID(bytes=bytes(p)) for p in np.unique(table.service_point_id)]
        first, last = (day_from_number(int(n)) for n in (table.local_day.min(), table.local_day.max()))
        wanted = set(zip(map(bytes, table.service_point_id.tolist()), table.local_day.tolist(), strict=True))
        there = await store.days(_SCOPE, points, Channel(int(table.channel[0])), first, last)
        for index, pair in enumerate(
            zip(map(bytes, there.service_point_id.tolist()), there.local_day.tolist(), strict=True)
        ):
            if pair in wanted:
                row = there.row(index)
                found[row.service_point_id, row.channel, row.local_day] = row
    return found


def _effect(written: Sequence[DayTable], before: Mapping[DayKey, DayVersion], noise_wh: int) -> Effect:
    totals: dict[tuple[UUID, Channel], int] = defaultdict(int)
    places, days, moved = set[UUID](), 0, 0
    for table in written:
        for row in table.rows():
            places.add(row.service_point_id)
            days += 1
            if not CHANNELS[row.channel].is_energy:
                continue
            old = before.get((row.service_point_id, row.channel, row.local_day))
            was = old.values if old is not None else np.zeros_like(row.values)
            totals[row.service_point_id, row.channel] += int(row.values.sum()) - int(was.sum())
            moved += _moved_wh(was, row.values)
    changes = list(totals.values())
    return Effect(
        service_points=len(places),
        days=days,
        up_wh=sum(c for c in changes if c > 0),
        down_wh=-sum(c for c in changes if c < 0),
        most_wh=max(map(abs, changes), default=0),
        moved_wh=moved,
        places_changed=len({point for (point, _), c in totals.items() if abs(c) > noise_wh}),
    )


def _moved_wh(was: np.ndarray, now: np.ndarray) -> int:
    """Return the energy that leaves its interval for another: what is taken somewhere and given elsewhere."""
    if len(was) != len(now):
        return 0
    difference = now.astype(np.int64) - was
    return int(min(difference[difference > 0].sum(), -difference[difference < 0].sum()))
