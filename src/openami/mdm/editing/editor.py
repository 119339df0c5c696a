"""Making decisions: what a person wishes becomes spans with what was seen, is previewed, and is kept or waits.

Knows no sign-in and no log: whoever calls it has asked them first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import numpy as np

from openami.contracts.channel import Channel
from openami.kernel.time import Period, instant_from_epoch_s, local_date, zone_named
from openami.mdm.editing.decision import OF_CELLS, OF_RAW, Decision, DecisionKind, DecisionRefusedError, Target
from openami.mdm.editing.limits import EditLimits
from openami.mdm.editing.ports import DecisionBook, DecisionState, Effect
from openami.mdm.editing.preview import Preview, preview
from openami.mdm.editing.seam import BEYOND, seams_of
from openami.mdm.ports import IntervalStore
from openami.mdm.registry.ports import Registry
from openami.mdm.registry.records import Affected, InstalledMeter
from openami.mdm.validation.loading import CHANNELS_VALIDATED
from openami.mdm.validation.ports import ValidationBook
from openami.mdm.validation.run import Validation
from openami.mdm.validation.windows import POINTS_AT_ONCE
from openami.mdm.vee.grid import grid_of

_TICK = timedelta(microseconds=1)
_OF_READS = OF_RAW - {DecisionKind.SCALE}


@dataclass(frozen=True, slots=True)
class Place:
    """One span that a person names: the interval length and what was seen are looked up.

    Args:
        service_point_id: where.
        channel: what.
        period: in UTC, half-open.
        values: for REPLACE the new counts.
    """

    service_point_id: UUID
    channel: Channel
    period: Period
    values: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants to decide.

    Args:
        kind, reason, rules, shift_s, numerator, denominator, case_id: as on a decision.
        places: where and when.
        at_seams: for SHIFT_CLOCK the spans are days that a rule named: the stamps themselves say where they begin and
            end, see :mod:`openami.mdm.editing.seam`.
    """

    kind: DecisionKind
    reason: str
    places: tuple[Place, ...]
    rules: tuple[str, ...] = ()
    shift_s: int = 0
    numerator: int = 1
    denominator: int = 1
    case_id: UUID | None = None
    at_seams: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """A decision that could be kept, and what it would do.

    Args:
        decision: complete.
        affected: local days of each of its spans.
        preview: what it would do.
        second: why a second person must approve it, or None.
    """

    decision: Decision
    affected: tuple[Affected, ...]
    preview: Preview
    second: str | None = None


@dataclass(frozen=True, slots=True)
class Editor:
    """Proposes decisions and their undoing.

    Args:
        registry, store, book, decisions: where facts are.
        limits: what one person may decide alone.
    """

    registry: Registry
    store: IntervalStore
    book: ValidationBook
    decisions: DecisionBook
    limits: EditLimits = field(default_factory=EditLimits)

    async def propose(self, wish: Wish, *, by: UUID, at: datetime) -> Proposal:
        """Return the decision that a wish comes to, previewed.

        Args:
            wish: what a person wants.
            by: the account.
            at: domain time.

        Raises:
            DecisionRefusedError: it cannot be, or changes nothing. The text says why.
            StoreError: the store did not answer.
        """
        targets = await self._targets(wish, at)
        decision = Decision(
            id=uuid4(), kind=wish.kind, targets=tuple(targets), reason=wish.reason.strip(), by=by, at=at,
            rules=wish.rules, shift_s=wish.shift_s, numerator=wish.numerator, denominator=wish.denominator,
            case_id=wish.case_id,
        )  # fmt: skip
        affected = await self._affected(decision)
        found = await self._preview(decision, affected, at)
        return Proposal(decision, tuple(affected), found, await self.second(decision, found.effect, by, at))

    async def propose_undo(self, decision_id: UUID, *, by: UUID, at: datetime) -> Proposal:
        """Return what undoing a decision would do.

        Args:
            decision_id: which.
            by: the account that would undo it.
            at: domain time.

        Raises:
            DecisionRefusedError: there is none, or it is not in force.
        """
        head = await self.decisions.head(decision_id)
        if head.state not in {DecisionState.IN_FORCE, DecisionState.UNDOING}:
            raise DecisionRefusedError(f"decision {decision_id} is {head.state.value}: there is nothing to undo")
        decision = await self.decisions.whole(decision_id)
        affected = await self._affected(decision)
        found = await self._preview(None, affected, at, without=decision_id)
        return Proposal(decision, tuple(affected), found, await self.second(decision, found.effect, by, at))

    async def second(self, decision: Decision, effect: Effect, by: UUID, at: datetime) -> str | None:
        """Return why a second person must approve: for this by itself, or with what this one decided alone before.

        Asked again when a decision is kept, since another may have been kept since its preview.
        """
        before = await self.decisions.alone(
            by, decision.service_points, place_since=at - self.limits.place_span, since=at - self.limits.all_span
        )
        return self.limits.needs_second(effect, before)

    async def _preview(
        self, decision: Decision | None, affected: Sequence[Affected], at: datetime, *, without: UUID | None = None
    ) -> Preview:
        return await preview(
            decision, affected, registry=self.registry, store=self.store, book=self.book, decisions=self.decisions,
            at=at, without=without, limits=self.limits,
        )  # fmt: skip

    async def _targets(self, wish: Wish, at: datetime) -> list[Target]:
        """Return the spans with their interval length, and with the readings that are there now."""
        hung = await self._hung(wish.places)
        places = wish.places
        if wish.at_seams:
            places = await self._at_seams(wish, hung, at)
        if wish.kind is DecisionKind.SHIFT_CLOCK:
            places = _all_channels(places, hung)
        targets = [
            Target(p.service_point_id, p.channel, p.period, _interval_s(p, hung[p.service_point_id]), (), p.values)
            for p in places
        ]
        if wish.kind not in OF_CELLS:
            return targets
        # Refused before the store is asked, so that a slip of the pen costs nothing.
        probe = replace(wish, reason=wish.reason.strip() or "none")
        Decision(uuid4(), probe.kind, tuple(targets), probe.reason.ljust(5), UUID(int=0), at, probe.rules)
        seen = await self._validation().seen(targets, known_at=at)
        return [replace(t, seen=s) for t, s in zip(targets, seen, strict=True)]

    async def _at_seams(
        self, wish: Wish, hung: Mapping[UUID, Sequence[InstalledMeter]], at: datetime
    ) -> tuple[Place, ...]:
        """Return the spans with the edges that the stamps of the meters show."""
        zones = {p.id: p.zone for p in await self.registry.service_points(set(hung))}
        together: dict[tuple[str, int, Period], list[Place]] = defaultdict(list)
        for place in wish.places:
            interval_s = _interval_s(place, hung[place.service_point_id])
            together[zones[place.service_point_id], interval_s, place.period].append(place)
        found: list[Place] = []
        for (zone, interval_s, period), places in together.items():
            for lo in range(0, len(places), POINTS_AT_ONCE):
                part = places[lo : lo + POINTS_AT_ONCE]
                spans = await self._seams(part, zone_named(zone), period, interval_s, wish.shift_s, at)
                found += [replace(p, period=s) for p, s in zip(part, spans, strict=True)]
        return tuple(found)

    async def _seams(
        self, places: Sequence[Place], zone: ZoneInfo, period: Period, interval_s: int, shift_s: int, at: datetime
    ) -> list[Period]:
        """Look for the seams of places whose findings fill the same days."""
        day = timedelta(days=1)
        grid = grid_of(
            zone,
            local_date(period.start, zone) - (BEYOND + 1) * day,
            local_date(period.end - _TICK, zone) + (BEYOND + 1) * day,
            interval_s,
        )
        points = [p.service_point_id for p in places]
        gone = np.ones((len(points), grid.columns), bool)
        twice = np.zeros((len(points), grid.columns), bool)
        for channel in CHANNELS_VALIDATED:
            matrix = await self._validation().raw(grid, channel, points, known_at=at)
            gone &= ~matrix.present
            twice |= matrix.conflicting
        lo, hi = (int(c) for c in np.searchsorted(grid.edge_s, [period.start_s, period.end_s]))
        spans = []
        for row in range(len(points)):
            s = seams_of(gone[row], twice[row], lo, hi, ahead=-shift_s // interval_s, day=86_400 // interval_s)
            spans.append(Period(*(instant_from_epoch_s(int(grid.edge_s[c])) for c in (s.lo, s.hi))))
        return spans

    def _validation(self) -> Validation:
        return Validation(
            registry=self.registry, store=self.store, book=self.book, decisions=self.decisions, process="preview"
        )

    async def _hung(self, places: Sequence[Place]) -> dict[UUID, list[InstalledMeter]]:
        """Return which meters hung at the places in the time of any of the spans."""
        if not places:
            raise DecisionRefusedError("no place is named")
        whole = Period(min(p.period.start for p in places), max(p.period.end for p in places))
        hung: dict[UUID, list[InstalledMeter]] = defaultdict(list)
        for one in await self.registry.installed({p.service_point_id for p in places}, whole):
            hung[one.installation.service_point_id].append(one)
        return hung

    async def _affected(self, decision: Decision) -> list[Affected]:
        """Return the local days of each span; a shifted clock touches those that stamps leave and those they reach.

        Where register reads are moved or rejected, the one at the span's end is among them: at a midnight it is also
        the first read of the day that begins there.
        """
        zones = {p.id: zone_named(p.zone) for p in await self.registry.service_points(decision.service_points)}
        shift = timedelta(seconds=decision.shift_s)
        found = []
        for target in decision.targets:
            zone = zones.get(target.service_point_id)
            if zone is None:
                raise DecisionRefusedError(f"there is no service point {target.service_point_id}")
            start, end = target.period.start, target.period.end
            if decision.kind not in _OF_READS:
                end -= _TICK
            first, last = min(start, start + shift), max(end, end + shift)
            found.append(Affected(target.service_point_id, local_date(first, zone), local_date(last, zone)))
        return found


def _within(place: Place, hung: Sequence[InstalledMeter]) -> list[InstalledMeter]:
    """Return the meters that hung there in the span."""
    return [
        one
        for one in hung
        if one.installation.start < place.period.end
        and (one.installation.end is None or one.installation.end > place.period.start)
    ]


def _interval_s(place: Place, hung: Sequence[InstalledMeter]) -> int:
    lengths = {one.meter.interval_s for one in _within(place, hung)}
    if len(lengths) != 1:
        words = "no meter hung there then" if not lengths else "meters of two interval lengths hung there then"
        raise DecisionRefusedError(f"{place.service_point_id}, {place.period.start.isoformat()}: {words}")
    return lengths.pop()


def _all_channels(places: Sequence[Place], hung: Mapping[UUID, Sequence[InstalledMeter]]) -> tuple[Place, ...]:
    """Return each span for every channel of its meters: a clock stamps all that a meter measures."""
    found: dict[Place, None] = {}
    for place in places:
        channels = {c for one in _within(place, hung[place.service_point_id]) for c in one.meter.channels}
        for channel in sorted(channels) or [place.channel]:
            found[Place(place.service_point_id, channel, place.period)] = None
    return tuple(found)
