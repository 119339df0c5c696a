"""Which bills take the place of issued ones: as many as the rates of their days part them into. Pure.

A rate entered for days in the middle of an issued bill parts it: two bills take its place, whose days add up to its
own. A rate withdrawn makes one bill of the two parts of a period again. What is replaced together is a unit: its bills
are superseded at once or not at all, and one difference is told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from uuid import UUID

from openami.billing.bill.record import Assignment, Bill
from openami.billing.rating.terms import PartOf
from openami.billing.rating.usage import BillSpan


@dataclass(frozen=True, slots=True)
class Piece:
    """Days of one rate that take the place of billed ones.

    Args:
        old: the bill in which they begin; its days are as long as its account's service.
        unit: ids of all bills that are replaced together, by first day.
        span: local days.
        code: the rate that they are on; empty where they are on none.
        is_first, is_last: whether the unit begins, or ends, with it.
        whole: the days of the unit.
        ends_service: whether the account stops with the unit's last day.
        part_of: the period that it is a part of; None where its own days are all of it.
    """

    old: Bill
    unit: tuple[UUID, ...]
    span: BillSpan
    code: str
    is_first: bool
    is_last: bool
    whole: BillSpan
    ends_service: bool = False
    part_of: PartOf | None = None

    @property
    def is_alone(self) -> bool:
        """Whether one bill takes the place of one, whose days are its own or fewer."""
        return len(self.unit) == 1 and self.is_first and self.is_last


def pieces_of(units: Sequence[Sequence[Bill]], assigned: Sequence[Assignment]) -> list[Piece]:
    """Return the pieces of units of one place, by day.

    Args:
        units: bills that are replaced together, each by first day and without a gap.
        assigned: of the place.
    """
    found = []
    for unit in units:
        whole = BillSpan(unit[0].span.first, unit[-1].span.end)
        parts = rates_over(whole, assigned) or [(whole, unit[0].own_rate_code)]
        ids = tuple(b.bill_id for b in unit)
        stops = unit[-1].ends_service
        for number, (span, code) in enumerate(parts):
            old = next(b for b in unit if b.span.first <= span.first < b.span.end)
            is_first, is_last = number == 0, number == len(parts) - 1
            part_of = _part_of(span, unit, stops=stops)
            found.append(Piece(old, ids, span, code, is_first, is_last, whole, stops, part_of))
    return sorted(found, key=lambda p: p.span)


def _part_of(span: BillSpan, unit: Sequence[Bill], *, stops: bool) -> PartOf | None:
    """Return the period from read to read that days are a part of: a month's charge is taken once for all of it."""
    first, last = unit[0], unit[-1]
    end = last.span.end if stops else max(last.span.end, last.terms.whole(last.span).end)
    period = BillSpan(min(first.span.first, first.terms.whole(first.span).first), end)
    before = last.terms.part_of
    ends_service = stops or (before is not None and before.ends_service)
    return None if period == span else PartOf(period, ends_service)


def rates_over(span: BillSpan, assigned: Sequence[Assignment]) -> list[tuple[BillSpan, str]]:
    """Return the rates of days with the days of each; an empty code where days are on none, nothing where all are.

    Two entries of one rate that follow each other are one: nothing changes between them.
    """
    over = [a for a in assigned if a.first_day < span.end and (a.end_day is None or a.end_day > span.first)]
    if not over:
        return []
    edges = {d for a in over for d in (a.first_day, a.end_day) if d is not None and span.first < d < span.end}
    found: list[tuple[BillSpan, str]] = []
    for first, end in pairwise([span.first, *sorted(edges), span.end]):
        code = next((a.rate_code for a in over if _holds(a, first)), "")
        if found and found[-1][1] == code:
            found[-1] = (BillSpan(found[-1][0].first, end), code)
        else:
            found.append((BillSpan(first, end), code))
    return found


def is_parted_for_nothing(before: Bill, after: Bill, assigned: Sequence[Assignment]) -> bool:
    """Whether two bills are parts of one period that a change of rate parted which is no longer entered.

    Args:
        before: in force.
        after: in force, of the same place, and later.
        assigned: of the place.
    """
    is_one_period = before.cycle is not None and before.cycle == after.cycle and before.is_of_same_account(after)
    if not is_one_period or before.span.end != after.span.first or before.own_rate_code == after.own_rate_code:
        return False
    code = code_on(after.span.first, assigned)
    return bool(code) and code == code_on(before.span.last, assigned)


def units_of(
    bills: Collection[Bill], in_force: Sequence[Bill], assigned: Mapping[UUID, Sequence[Assignment]]
) -> dict[UUID, list[list[Bill]]]:
    """Return the units that bills belong to, by place and first day; bills that were not asked for may be in them.

    Args:
        bills: to be made again.
        in_force: every bill in force of their places, by place and first day.
        assigned: rates, by place.
    """
    mine = {b.bill_id: b for b in bills}
    of_place: dict[UUID, list[Bill]] = defaultdict(list)
    for bill in sorted(in_force, key=lambda b: (b.service_point_id.bytes, b.span)):
        of_place[bill.service_point_id].append(mine.get(bill.bill_id, bill))
    there = {b.bill_id for some in of_place.values() for b in some}
    for bill in mine.values():
        if bill.bill_id not in there:
            of_place[bill.service_point_id].append(bill)
    found: dict[UUID, list[list[Bill]]] = {}
    for place, some in of_place.items():
        units: list[list[Bill]] = []
        for bill in some:
            if units and is_parted_for_nothing(units[-1][-1], bill, assigned.get(place, ())):
                units[-1].append(bill)
            else:
                units.append([bill])
        found[place] = [unit for unit in units if any(b.bill_id in mine for b in unit)]
    return found


def code_on(day: date, assigned: Sequence[Assignment]) -> str:
    """Return the rate of a day; empty where it is on none."""
    return next((a.rate_code for a in assigned if _holds(a, day)), "")


def _holds(row: Assignment, day: date) -> bool:
    return row.first_day <= day and (row.end_day is None or day < row.end_day)
