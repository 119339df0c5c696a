"""Close bills that are due: on the read day of their group, at a move, at a change of rate.

Every step may be repeated: bills have ids of place, first day and version, and an issued bill is never rewritten. A
bill is made once the days of its span are validated, or once the fleet's are; until the window around its read day has
passed, it waits for a better read than an estimate.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from openami.billing.bill.making import CHUNK, SCOPE
from openami.billing.bill.record import Bill, BillState
from openami.billing.cycle.due import due_bills
from openami.billing.cycle.orders import Agreement, Said, agreement_of, made, said_of
from openami.billing.cycle.place import Planned
from openami.billing.cycle.run import BillRun
from openami.billing.cycle.waiting import ended_early, waits_for_a_read
from openami.billing.rating.usage import BillSpan

__all__ = ["SCOPE", "BillRun", "CloseReport", "close_due"]
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
    """

    issued: int = 0
    held: int = 0
    waiting: int = 0
    withdrawn: int = 0
    unplanned: int = 0

    def __add__(self, other: CloseReport) -> CloseReport:
        return CloseReport(
            self.issued + other.issued, self.held + other.held, self.waiting + other.waiting,
            self.withdrawn + other.withdrawn, self.unplanned + other.unplanned,
        )  # fmt: skip


async def close_due(run: BillRun, now: datetime, *, retry_held: bool = True) -> CloseReport:
    """Issue every bill that can be, and hold the rest with their reasons.

    Args:
        run: what they are closed with.
        now: domain time.
        retry_held: whether to look at held bills again.
    """
    due = await due_bills(run.meters, run.book, run.setting.calendar, run.setting.rules, now)
    withdrawn = await run.book.cycle.withdraw(due.firsts)
    done = CloseReport(withdrawn=withdrawn, unplanned=len(due.unplanned))
    groups: dict[tuple[BillSpan, str], list[Planned]] = defaultdict(list)
    for planned in due.planned:
        groups[planned.span, planned.zone].append(planned)
    said = await said_of(run, due.planned)
    closing = _Closing(run, now, due.held, said, retry_held=retry_held)
    for _, rows in sorted(groups.items()):
        done += await closing.group(rows)
    return done


class _Closing:
    """One run. Spans come in order of time, so a bill knows whether one before it waits."""

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
        self._done: dict[tuple[str, BillSpan], bool] = {}

    async def group(self, rows: Sequence[Planned]) -> CloseReport:
        """Close the bills of one span and zone."""
        span, zone = rows[0].span, rows[0].zone
        # What follows a bill that ended early begins there: the next run plans it so.
        rows = [r for r in rows if r.service_point_id not in self._moved]
        if not self._retry_held:
            known = {r.service_point_id for r in rows if span.first in self._held.get(r.service_point_id, ())}
            self._open |= {agreement_of(r) for r in rows if r.service_point_id in known}
            rows = [r for r in rows if r.service_point_id not in known]
        is_done = await self._is_done(zone, span)
        if not is_done and len(rows) > FEW:
            self._open |= {agreement_of(r) for r in rows}
            return CloseReport(waiting=len(rows))
        done = CloseReport()
        for at in range(0, len(rows), CHUNK):
            done += await self._chunk(rows[at : at + CHUNK], is_done=is_done)
        return done

    async def _chunk(self, rows: Sequence[Planned], *, is_done: bool) -> CloseReport:
        run = self._run
        bills = await made(run, rows, self._now, self._said, waits=self._open)
        ripe = [b for b in bills if self._is_ripe(b, is_done=is_done)]
        await run.book.keep(ripe)
        issued = [b for b in ripe if b.state is BillState.ISSUED]
        await run.setting.postings.post(issued, at=self._now)
        self._moved |= {b.service_point_id for b in ripe if b.span.end < rows[0].span.end}
        out = {b.service_point_id for b in issued}
        self._open |= {agreement_of(r) for r in rows if r.service_point_id not in out}
        return CloseReport(issued=len(issued), held=len(ripe) - len(issued), waiting=len(bills) - len(ripe))

    def _is_ripe(self, bill: Bill, *, is_done: bool) -> bool:
        # One that would end before its read day is made only when that day had its chance.
        if not is_done and (not all(bill.day_versions) or ended_early(bill)):
            return False
        return not waits_for_a_read(bill, self._now)

    async def _is_done(self, zone: str, span: BillSpan) -> bool:
        if (zone, span) not in self._done:
            days = await self._run.meters.book.days_done(zone, span.first, span.last)
            self._done[zone, span] = len(days) >= span.days
        return self._done[zone, span]
