"""Close bills that are due: on the read day of their group, at a move, at a change of rate.

Every step may be repeated: bills have ids of place, first day and version, and an issued bill is never rewritten. A
bill is made once the days of its span are validated, or once the fleet's are; until the window around its read day has
passed, it waits for a better read than an estimate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from openami.billing.bill.making import SCOPE
from openami.billing.bill.record import Bill, BillState
from openami.billing.bill.turns import turns
from openami.billing.cycle.due import Due, due_pages, take_note
from openami.billing.cycle.orders import Agreement, Said, agreement_of, made, said_of
from openami.billing.cycle.place import Planned
from openami.billing.cycle.run import BillRun
from openami.billing.cycle.sweep import passed_over
from openami.billing.cycle.waiting import ended_early, waits_for_a_read
from openami.billing.rating.usage import BillSpan
from openami.mdm.api import side_by_side

__all__ = ["SCOPE", "BillRun", "CloseReport", "close_due"]
_Days = tuple[str, BillSpan]
HANDS = 2
"""Parts in work at once: while the bills of one are priced here, registry, store and book answer for the other."""
FEW = 50
"""So many are looked at though the fleet's days are not all validated: imported files hold days of their own."""


@dataclass(frozen=True, slots=True)
class CloseReport:
    """What one closing run did.

    Args:
        issued: bills issued.
        held: bills that wait, new ones and old ones.
        waiting: bills whose days are over and not all validated, or whose end read may still come.
        withdrawn: held bills that are no longer due, because facts have changed.
        unplanned: places whose bill group is read on no day.
        missed: places that rested though a bill was due, which only a run over all places finds: always a fault.
        elsewhere: another run closes bills just now, so this one did nothing.
    """

    issued: int = 0
    held: int = 0
    waiting: int = 0
    withdrawn: int = 0
    unplanned: int = 0
    missed: int = 0
    elsewhere: bool = False

    def __add__(self, other: CloseReport) -> CloseReport:
        return CloseReport(
            self.issued + other.issued, self.held + other.held, self.waiting + other.waiting,
            self.withdrawn + other.withdrawn, self.unplanned + other.unplanned,
            self.missed + other.missed, self.elsewhere or other.elsewhere,
        )  # fmt: skip


async def close_due(run: BillRun, now: datetime, *, retry_held: bool = True, everywhere: bool = False) -> CloseReport:
    """Issue every bill that can be, and hold the rest with their reasons.

    Args:
        run: what they are closed with.
        now: domain time.
        retry_held: whether to look at held bills again.
        everywhere: whether to look at every place, those that rest too.
    """
    setting = run.setting
    await take_note(run.meters, run.book)
    done = CloseReport()
    pages = due_pages(
        run.meters, run.book, setting.calendar, setting.rules, now, with_waiting=retry_held, everywhere=everywhere
    )
    async for due in pages:
        missed = await passed_over(run, due, now) if everywhere else []
        # Whatever became wrong with their rests, the next run looks at them.
        await run.book.rests.touch(missed)
        done += CloseReport(missed=len(missed))
        done += await _close(run, due, now, retry_held=retry_held)
        # Last, and of what was read before: what changed meanwhile, these bills too, wakes its place again.
        await run.book.rests.rest(due.rests)
    return done


async def _close(run: BillRun, due: Due, now: datetime, *, retry_held: bool) -> CloseReport:
    withdrawn = await run.book.cycle.withdraw(due.firsts)
    done = CloseReport(withdrawn=withdrawn, unplanned=len(due.unplanned))
    said = await said_of(run, due.planned)
    closing = _Closing(run, now, due.held, said, retry_held=retry_held)
    return done + await closing.close(due.planned)


class _Closing:
    """One page of a run. The bills of a place come in order of time, so each knows whether one before it waits."""

    def __init__(
        self, run: BillRun, now: datetime, held: Mapping[UUID, frozenset[date]], said: Said, *, retry_held: bool
    ) -> None:
        self._run = run
        self._now = now
        self._held = held
        self._said = said
        self._retry_held = retry_held
        self._open: set[Agreement] = set()
        self._moved: set[UUID] = set()
        self._ended: dict[UUID, date | None] = {}
        self._unripe: set[Agreement] = set()
        self._done: frozenset[_Days] = frozenset()
        self._late: frozenset[_Days] = frozenset()

    async def close(self, planned: Sequence[Planned]) -> CloseReport:
        """Close what is planned, part by part."""
        counts = Counter(_days(p) for p in planned if self._retry_held or not self._is_held(p))
        self._done = await self._validated(counts)
        self._late = frozenset(k for k, n in counts.items() if k not in self._done and n > FEW)
        done = CloseReport()
        for turn in turns(planned):
            # The parts of a turn have no place in common: what each finds waiting or moved is its own places'.
            waiting = iter(turn)
            async with side_by_side() as start:
                hands = [start(self._hand(waiting)) for _ in range(HANDS)]
            done = sum((h.result() for h in hands), done)
        return done

    async def _hand(self, waiting: Iterator[list[Planned]]) -> CloseReport:
        """Close one part after the other, of those that no other hand has taken."""
        done = CloseReport()
        for part in waiting:
            done += await self._part(part)
        return done

    async def _part(self, rows: Sequence[Planned]) -> CloseReport:
        """Close bills of different places."""
        # What follows a bill that ended early begins there: the next run plans it so.
        rows = [self._behind(r) for r in rows if r.service_point_id not in self._moved]
        known = set() if self._retry_held else {r.service_point_id for r in rows if self._is_held(r)}
        # A plan begins where the last bill ended: days of one that is not kept yet must not be passed by.
        late = {r.service_point_id for r in rows if _days(r) in self._late or agreement_of(r) in self._unripe} - known
        self._unripe |= {agreement_of(r) for r in rows if r.service_point_id in late}
        self._open |= {agreement_of(r) for r in rows if r.service_point_id in known | late}
        rows = [r for r in rows if r.service_point_id not in known | late]
        return CloseReport(waiting=len(late)) + (await self._made(rows) if rows else CloseReport())

    async def _made(self, rows: Sequence[Planned]) -> CloseReport:
        run = self._run
        bills = await made(run, rows, self._now, self._said, waits=self._open)
        ripe = [b for r, b in zip(rows, bills, strict=True) if self._is_ripe(b, is_done=_days(r) in self._done)]
        await run.book.keep(ripe)
        issued = [b for b in ripe if b.state is BillState.ISSUED]
        await run.setting.postings.post(issued, at=self._now)
        ends = {r.service_point_id: r.span.end for r in rows}
        early = {b.service_point_id: b.span.end for b in ripe if b.span.end < ends[b.service_point_id]}
        self._moved |= {b.service_point_id for b in issued if b.service_point_id in early}
        # Every part of a period that waits behind such a bill does.
        through = {r.service_point_id for r in rows if r.begins_on is None or r.ends_its_period}
        self._ended |= {p: early.get(p) for p in (b.service_point_id for b in ripe) if p in through}
        kept = {b.service_point_id for b in ripe}
        self._unripe |= {agreement_of(r) for r in rows if r.service_point_id not in kept}
        out = {b.service_point_id for b in issued}
        self._open |= {agreement_of(r) for r in rows if r.service_point_id not in out}
        return CloseReport(issued=len(issued), held=len(ripe) - len(issued), waiting=len(bills) - len(ripe))

    def _is_held(self, planned: Planned) -> bool:
        return planned.span.first in self._held.get(planned.service_point_id, ())

    def _behind(self, planned: Planned) -> Planned:
        """Return a planned bill that knows where the one before it, made in this run and held, ended early."""
        point = planned.service_point_id
        return replace(planned, begins_on=self._ended[point]) if point in self._ended else planned

    def _is_ripe(self, bill: Bill, *, is_done: bool) -> bool:
        # One that would end before its read day is made only when that day had its chance.
        if not is_done and (not all(bill.day_versions) or ended_early(bill)):
            return False
        return not waits_for_a_read(bill, self._now)

    async def _validated(self, asked: Collection[_Days]) -> frozenset[_Days]:
        """Return the spans of which every day had its first validation; each zone is asked once."""
        found: set[_Days] = set()
        for zone in sorted({zone for zone, _ in asked}):
            spans = [span for own, span in asked if own == zone]
            first, last = min(s.first for s in spans), max(s.last for s in spans)
            days = await self._run.meters.book.days_done(zone, first, last)
            found |= {(zone, s) for s in spans if all(s.first + timedelta(days=n) in days for n in range(s.days))}
        return frozenset(found)


def _days(planned: Planned) -> _Days:
    return planned.zone, planned.span
