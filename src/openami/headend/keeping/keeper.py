"""Keeps the meters of one lease group read: hears what came, plans what to ask, takes what was answered. No I/O.

The shell calls it: :meth:`Keeper.hear` with each published outcome, :meth:`Keeper.plan` every minute of domain time,
``agenda.take`` whenever sessions are free, and :meth:`Keeper.answered` or :meth:`Keeper.failed` when one ends. Two
times are given: domain time for what is expected, real time for retries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np

from openami.contracts.reading import uuid_column, uuids_of
from openami.headend.keeping.agenda import MAX_OPEN, Agenda, Dice
from openami.headend.keeping.answer import Answer
from openami.headend.keeping.budget import CellBudget, CellPolicy
from openami.headend.keeping.clock_watch import UNKNOWN_S, ClockPolicy
from openami.headend.keeping.coverage import DAY_S, I64, SLOT_S, U64
from openami.headend.keeping.gaps import Gaps, find_gaps
from openami.headend.keeping.memory import Arrived, GroupMemory
from openami.headend.keeping.recovery import Recovery, plan_recovery
from openami.headend.keeping.request import Lane, Request, RequestKind, RequestState, derived_id
from openami.headend.keeping.roster import Roster
from openami.headend.listening.intake import Outcome
from openami.headend.profiles.stamps import NO_STAMP
from openami.kernel.ids import SystemTitle
from openami.kernel.time import epoch_s, instant_from_epoch_s, local_date, local_midnight
from openami.security.keys.table import KeyTable

BILLING_DAYS = timedelta(days=2)
"""The billing window: a read day and the two days before it, from which a bill can still take the nearest read."""
MAX_LOOKS_PER_PLAN = 50
"""Clock and log reads that one plan adds: they are never urgent."""


@dataclass(frozen=True, slots=True)
class KeepingPolicy:
    """When what is asked.

    Args:
        grace_s: how long a push may take before its interval is missing [s].
        midnight_days: how far back midnight reads are fetched; the meter's daily profile holds more.
        silent_s: a cell from which nothing newer came is only probed [s].
        rest_s: a meter that was given up is left alone this long, or until it is heard [s].
        clock_every_s: a clock of which frames say nothing is read this often [s].
        logs_every_s: event logs are read this often [s].
        clock: bands of the clock watch.
        cell: what a radio cell bears.
    """

    grace_s: int = 1_800
    midnight_days: int = 45
    silent_s: int = 3_600
    rest_s: float = 86_400.0
    clock_every_s: int = 7 * DAY_S
    logs_every_s: int = 7 * DAY_S
    clock: ClockPolicy = field(default_factory=ClockPolicy)
    cell: CellPolicy = field(default_factory=CellPolicy)


@dataclass(slots=True, eq=False)
class Keeper:
    """One group's.

    Args:
        memory: what is known of its meters.
        table: key pairs, for who can be asked.
        is_ours: tells which titles belong to the group.
        zone: the installation's, for meters without one of their own.
        can_ask: tells of a meter profile's name whether such meters answer.
        policy: when what is asked.
    """

    memory: GroupMemory
    table: KeyTable
    is_ours: Callable[[U64], np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]
    zone: ZoneInfo
    can_ask: Callable[[str], bool]
    policy: KeepingPolicy = field(default_factory=KeepingPolicy)
    roster: Roster = field(default_factory=lambda: Roster([]))
    agenda: Agenda = field(init=False)
    resting: dict[UUID, float] = field(default_factory=dict)
    _enrolled_at: int = -1
    gaps: Gaps = field(default_factory=lambda: Gaps(*(np.zeros(0, np.int64) for _ in range(3))))

    def __post_init__(self) -> None:
        self.agenda = Agenda(CellBudget(self.policy.cell), self._cell_of)

    def enroll(self, roster: Roster, *, now_s: int) -> None:
        """Take the registry's word of who hangs where, at a domain time."""
        if roster is self.roster and self.table.revision == self._enrolled_at:
            return
        self.roster, self._enrolled_at = roster, self.table.revision
        self.memory.enroll(roster, is_ours=self.is_ours, now_s=now_s)

    def hear(self, outcome: Outcome, *, now_s: int, real_s: float) -> None:
        """Take an outcome that was published."""
        memory, accepted = self.memory, outcome.accepted
        number = memory.coverage.numbers(self.table.title[accepted.rows], self.table.meter_id[accepted.rows])
        memory.grow()
        self._wake(np.unique(number), now_s=now_s, real_s=real_s)
        told = accepted.stamped_s != NO_STAMP
        late_s = accepted.stamped_s[told] - accepted.collected_at_ms[told] // 1000
        memory.note_clocks(number[told], late_s, now_s=now_s)
        arrived = Arrived.made(number, accepted.counters, accepted.collected_at_ms // 1000)
        memory.receive_readings(outcome.readings, arrived=arrived, now_s=now_s)
        memory.receive_registers(outcome.registers, arrived=arrived, now_s=now_s, zone=self.zone)
        memory.receive_events(outcome.events)

    def plan(self, *, now_s: int, real_s: float) -> None:
        """Find what is missing and put it on the agenda; take off what has come by itself.

        Args:
            now_s: domain time, seconds since the epoch.
            real_s: real time, seconds since the epoch.
        """
        self.memory.roll(now_s)
        self.gaps = find_gaps(self.memory.coverage, until_s=now_s - self.policy.grace_s)
        self.agenda.budget.silent = self._silent_cells(now_s)
        self.resting = {m: until for m, until in self.resting.items() if until > real_s}
        self._take_off_what_came(real_s)
        self._plan_midnights(now_s)
        self._plan_intervals(now_s)
        self._plan_looks(now_s)

    def answered(self, request: Request, answer: Answer, *, now_s: int, real_s: float) -> Request:
        """Take an answer whose rows are published, and return the request as it ended."""
        memory = self.memory
        number = int(memory.coverage.numbers(_title_column(request), uuid_column([request.meter_id]))[0])
        memory.grow()
        memory.receive_readings(answer.readings, arrived=Arrived(), now_s=now_s)
        memory.receive_registers(answer.registers, arrived=Arrived(), now_s=now_s, zone=self.zone)
        memory.receive_events(answer.events)
        if answer.clock is not None:
            memory.clocks.settle(number, answer.clock.error_s, today=now_s // DAY_S)
            memory.clock_at_s[number] = now_s
        if request.kind is RequestKind.INTERVALS:
            first, end = request.from_s // SLOT_S, request.to_s // SLOT_S
            if memory.coverage.find_absent(number, first, end - first):
                self._look_at_logs(request, now_s)
        elif request.kind is RequestKind.MIDNIGHT_REGISTERS:
            memory.midnights.find_absent(number, *self._days_of(number, request))
        elif request.kind is RequestKind.EVENTS:
            memory.logs_at_s[number] = now_s
        memory.coverage.changed.add(number)
        return self.agenda.answered(request.request_id, now_s=real_s, words=answer.words)

    def failed(
        self,
        request: Request,
        words: str,
        *,
        real_s: float,
        dice: Dice,
        is_final: bool = False,
        is_ours: bool = False,
    ) -> Request:
        """Note that a session failed, and return the request as it stands; arguments as ``Agenda.failed``."""
        # In a cell that nobody hears from, silence says nothing of this meter.
        is_ours = is_ours or self._cell_of(request) in self.agenda.budget.silent
        after = self.agenda.failed(
            request.request_id, now_s=real_s, words=words, dice=dice, is_final=is_final, is_ours=is_ours
        )
        if after.state is RequestState.GIVEN_UP and request.kind is RequestKind.INTERVALS:
            self.resting[request.meter_id] = real_s + self.policy.rest_s
        return after

    def spent(self, request: Request, exchanges: int, *, real_s: float) -> None:
        """Charge the meter's cell for a session that has ended; one exchange was paid when it was taken."""
        self.agenda.budget.charge(self._cell_of(request), exchanges - 1, now_s=real_s)

    def _cell_of(self, request: Request) -> int:
        number = int(self.memory.coverage.find(_title_column(request))[0])
        return int(self.memory.coverage.cell[number]) if number >= 0 else -1

    def _name_of(self, number: int) -> tuple[UUID, SystemTitle] | None:
        """Return a meter's names where it has keys and answers."""
        title = self.memory.coverage.title[number]
        place, count = self.table.candidates(np.array([title], np.uint64))
        if not count[0]:
            return None
        (((profile, _zone), _places),) = self.table.dialects(self.table.row_at(place))
        if not self.can_ask(profile):
            return None
        meter_id = uuids_of(self.memory.coverage.meter_id[number : number + 1])[0]
        return meter_id, SystemTitle(int(title).to_bytes(8, "big"))

    def _wake(self, number: I64, *, now_s: int, real_s: float) -> None:
        """Ask meters again at once that were silent and are heard."""
        coverage = self.memory.coverage
        if not self.resting and not self.agenda.open:
            return
        silent = number[coverage.newest[number] * SLOT_S < now_s - self.policy.silent_s]
        heard = frozenset(uuids_of(coverage.meter_id[silent]))
        for meter_id in heard & self.resting.keys():
            del self.resting[meter_id]
        if heard:
            self.agenda.hurry(heard, now_s=real_s)

    def _silent_cells(self, now_s: int) -> frozenset[int]:
        coverage = self.memory.coverage
        here = np.flatnonzero(
            (coverage.cell >= 0) & (coverage.until * SLOT_S > now_s) & (coverage.since * SLOT_S <= now_s)
        )
        if not len(here):
            return frozenset()
        newest = np.full(int(coverage.cell[here].max()) + 1, -1, np.int64)
        np.maximum.at(newest, coverage.cell[here], coverage.newest[here])
        silent = newest * SLOT_S < now_s - self.policy.silent_s
        return frozenset(np.intersect1d(np.flatnonzero(silent), coverage.cell[here]).tolist())

    def _take_off_what_came(self, real_s: float) -> None:
        for one in list(self.agenda.open.values()):
            if one.state is RequestState.RUNNING or one.lane is Lane.PERSON:
                continue
            number = int(self.memory.coverage.find(_title_column(one))[0])
            if one.kind is RequestKind.INTERVALS:
                has_come = not self._is_missing(number, one.from_s // SLOT_S, one.to_s // SLOT_S)
            elif one.kind is RequestKind.MIDNIGHT_REGISTERS:
                first, last = self._days_of(number, one)
                has_come = self.memory.midnights.has_all(number, first, last)
            else:
                continue
            if has_come:
                self.agenda.overtaken(one.request_id, now_s=real_s, words="it came by itself")

    def _is_missing(self, number: int, first: int, end: int) -> bool:
        low, high = np.searchsorted(self.gaps.number, [number, number + 1])
        begin, count = self.gaps.first[low:high], self.gaps.count[low:high]
        return bool(((begin < end) & (begin + count > first)).any())

    def _plan_intervals(self, now_s: int) -> None:
        coverage = self.memory.coverage
        away = [*self.agenda.meters_with_open(RequestKind.INTERVALS), *self.resting]
        skip = {*coverage.find_ids(uuid_column(away)).tolist(), *np.flatnonzero(coverage.down_s >= 0).tolist()}
        room = max(0, MAX_OPEN - len(self.agenda.open))
        for request in plan_recovery(self.gaps, Recovery(self._name_of, frozenset(skip), room, now_s)):
            self.agenda.add(request)

    def _plan_midnights(self, now_s: int) -> None:
        """Ask for midnight reads that did not come: one request a meter, from the oldest to the newest missing."""
        memory, coverage = self.memory, self.memory.coverage
        busy = self.agenda.meters_with_open(RequestKind.MIDNIGHT_REGISTERS)
        for zone_number in np.unique(memory.zone).tolist():
            numbers = np.flatnonzero((memory.zone == zone_number) & coverage.is_rostered & (coverage.down_s < 0))
            zone = memory.zone_of(zone_number, self.zone)
            lost: dict[int, list[date]] = {}
            for day, some in memory.midnights.missing(
                numbers, coverage.since[numbers] * SLOT_S, coverage.until[numbers] * SLOT_S, zone=zone, now_s=now_s,
                grace_s=self.policy.grace_s, days=self.policy.midnight_days,
            ):  # fmt: skip
                for number in some.tolist():
                    lost.setdefault(number, []).append(day)
            for number, days in lost.items():
                self._ask_midnights(number, days, zone, now_s, busy)

    def _ask_midnights(self, number: int, days: list[date], zone: ZoneInfo, now_s: int, busy: frozenset[UUID]) -> None:
        name = self._name_of(number)
        if name is None or name[0] in busy or name[0] in self.resting:
            return
        hung = self.roster.of(name[1])
        read_days = hung.read_days if hung is not None else ()
        is_billing = any(r - BILLING_DAYS <= day <= r for r in read_days for day in days)
        lane = Lane.BILLING if is_billing else Lane.BACKGROUND
        from_s, to_s = (epoch_s(local_midnight(day, zone)) for day in (min(days), max(days)))
        self._ask(*name, RequestKind.MIDNIGHT_REGISTERS, lane, from_s, to_s + 1, now_s)

    def _plan_looks(self, now_s: int) -> None:
        """Read clocks that seem off or of which nothing is known, and event logs, a few at a time."""
        memory, coverage, policy = self.memory, self.memory.coverage, self.policy
        here = coverage.is_rostered & (coverage.down_s < 0) & (coverage.until * SLOT_S > now_s)
        # Each meter has its own turn within the period, so that a fleet that was installed in one night is spread.
        turn = 0.5 + 0.5 * (coverage.title * np.uint64(0x9E37_79B9_7F4A_7C15)).astype(np.float64) / 2.0**64
        began = coverage.since * SLOT_S
        logs_due = here & (now_s - np.maximum(memory.logs_at_s, began) >= policy.logs_every_s * turn)
        error_s = memory.clocks.estimate_s()
        off = (error_s > UNKNOWN_S) & (np.abs(error_s) > policy.clock.watch_s)
        told = memory.clocks.day >= now_s // DAY_S - 1
        since_read = now_s - np.maximum(memory.clock_at_s, began)
        clock_due = here & ((off & (since_read >= DAY_S)) | (~told & (since_read >= policy.clock_every_s * turn)))
        for kind, due in ((RequestKind.CLOCK, clock_due), (RequestKind.EVENTS, logs_due)):
            for number in np.flatnonzero(due)[:MAX_LOOKS_PER_PLAN].tolist():
                name = self._name_of(number)
                if name is not None and name[0] not in self.resting and not self.agenda.has_open(name[0], kind):
                    since_s = int(max(memory.logs_at_s[number], began[number])) if kind is RequestKind.EVENTS else now_s
                    self._ask(*name, kind, Lane.BACKGROUND, since_s, now_s, now_s)

    def _look_at_logs(self, request: Request, now_s: int) -> None:
        """A meter without rows for a time had no supply, or its clock was changed: its logs say."""
        if not self.agenda.has_open(request.meter_id, RequestKind.EVENTS):
            from_s = request.from_s - DAY_S
            self._ask(request.meter_id, request.title, RequestKind.EVENTS, Lane.BACKGROUND, from_s, now_s, now_s)

    def _ask(
        self, meter_id: UUID, title: SystemTitle, kind: RequestKind, lane: Lane, from_s: int, to_s: int, now_s: int
    ) -> None:
        identity = derived_id(meter_id, kind, from_s, to_s)
        self.agenda.add(Request(identity, meter_id, title, kind, lane, from_s, to_s, now_s))

    def _days_of(self, number: int, request: Request) -> tuple[date, date]:
        zone = self.memory.zone_of(int(self.memory.zone[number]), self.zone)
        first, last = (local_date(instant_from_epoch_s(s), zone) for s in (request.from_s, request.to_s - 1))
        return first, last


def _title_column(request: Request) -> U64:
    return np.array([int.from_bytes(request.title.octets, "big")], np.uint64)
