"""A dry run of tonight's cycle: which bills will go out and which will wait, from what is known at noon before.

Each bill that the next read day asks for is made over the days that are over by then, and not written: what holds it
holds it tonight as well, unless somebody frees it first. Afterwards the prediction is scored against what became of
each bill, so that the office knows how far to trust it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from typing import Protocol
from uuid import UUID

from openami.billing.bill.hold import HoldCode
from openami.billing.bill.record import Bill, BillState
from openami.billing.bill.turns import turns
from openami.billing.cycle.due import Due, due_pages
from openami.billing.cycle.orders import Agreement, agreement_of, made, said_of
from openami.billing.cycle.place import Planned
from openami.billing.cycle.run import BillRun
from openami.billing.rating.usage import BillSpan
from openami.kernel.time import local_date, zone_named

_OF_THE_END = frozenset({HoldCode.PERIOD_LENGTH})
"""Holds that a bill of fewer days has by its being cut alone."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """One bill of a read day, as foreseen.

    Args:
        service_point_id, first_day: which bill.
        read_on: the read day.
        code: what will hold it; None where it will go out.
        reason: the same in words.
    """

    service_point_id: UUID
    first_day: date
    read_on: date
    code: HoldCode | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was foreseen of a bill, and what became of it: ``became`` is a hold's code, empty where it went out.

    ``is_open`` where it neither went out nor is held: its readings are awaited.
    """

    foreseen: str
    became: str
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Score:
    """How good a dry run was.

    Args:
        bills: foreseen.
        went_out, held: as foreseen, each.
        surprises: foreseen to go out, and held, by code.
        freed: foreseen to wait, and gone out: somebody freed them, or the dry run was wrong.
        other_reason: held, for another reason than foreseen.
        open: neither yet.
    """

    bills: int
    went_out: int
    held: int
    surprises: dict[str, int]
    freed: dict[str, int]
    other_reason: int
    open: int

    @property
    def share_right(self) -> float:
        """Share of decided bills of which the state was foreseen; 1 where none is decided."""
        decided = self.bills - self.open
        return (self.went_out + self.held + self.other_reason) / decided if decided else 1.0


class ForesightBook(Protocol):
    """Keeps dry runs. The newest of a read day counts."""

    async def keep(self, rows: Sequence[Foreseen], read_on: date, *, at: datetime) -> None:
        """Keep a dry run of a read day in place of an earlier one of it."""
        ...

    async def outcomes(self, read_on: date) -> list[Outcome]:
        """Return each foreseen bill of a read day with what became of it."""
        ...

    async def has(self, read_on: date) -> bool:
        """Tell whether a read day was foreseen."""
        ...


async def foresee(run: BillRun, read_on: date, now: datetime) -> list[Foreseen]:
    """Return what will become of the bills of a read day.

    Args:
        run: what bills are closed with.
        read_on: the read day, local; tomorrow as a rule.
        now: domain time.
    """
    # Noon in Greenwich is that local day from Hawaii to Samoa's neighbors, which is where read days are read.
    then = datetime.combine(read_on, time(12), UTC)
    found: list[Foreseen] = []
    async for due in due_pages(run.meters, run.book, run.setting.calendar, run.setting.rules, then):
        found += await _of_page(run, due, read_on, now)
    return found


async def _of_page(run: BillRun, due: Due, read_on: date, now: datetime) -> list[Foreseen]:
    waits = {agreement_of(p) for p in due.planned if p.span.first in due.held.get(p.service_point_id, ())}
    tonight = [p for p in due.planned if p.cycle is not None and p.cycle.read_on == read_on]
    begun: list[Planned] = []
    found: list[Foreseen] = []
    for planned in tonight:
        today = local_date(now, zone_named(planned.zone))
        if planned.span.first >= today:
            # Nothing of it is over: nothing is known against it.
            found.append(Foreseen(planned.service_point_id, planned.span.first, read_on))
            continue
        span = BillSpan(planned.span.first, min(planned.span.end, today))
        begun.append(replace(planned, span=span))
    for rows in (part for turn in turns(begun) for part in turn):
        found += await _foreseen(run, rows, read_on, now, waits)
    return found


async def _foreseen(
    run: BillRun, rows: Sequence[Planned], read_on: date, now: datetime, waits: Collection[Agreement]
) -> list[Foreseen]:
    bills = await made(run, rows, now, await said_of(run, rows), waits=waits)
    return [_one(bill, read_on) for bill in bills]


def _one(bill: Bill, read_on: date) -> Foreseen:
    hold = bill.hold if bill.state is BillState.HELD else None
    if hold is None or hold.code in _OF_THE_END:
        return Foreseen(bill.service_point_id, bill.span.first, read_on)
    return Foreseen(bill.service_point_id, bill.span.first, read_on, hold.code, hold.reason)


def score_of(outcomes: Sequence[Outcome]) -> Score:
    """Return how good a dry run was."""
    closed = [o for o in outcomes if not o.is_open]
    return Score(
        bills=len(outcomes),
        went_out=sum(not o.foreseen and not o.became for o in closed),
        held=sum(bool(o.foreseen) and o.foreseen == o.became for o in closed),
        surprises=dict(Counter(o.became for o in closed if o.became and not o.foreseen)),
        freed=dict(Counter(o.foreseen for o in closed if o.foreseen and not o.became)),
        other_reason=sum(bool(o.foreseen) and bool(o.became) and o.foreseen != o.became for o in closed),
        open=len(outcomes) - len(closed),
    )
