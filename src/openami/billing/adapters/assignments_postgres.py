"""Rates entered over others, back-dated ones too: what stood there before gives way, the rest of it stays as it was."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from itertools import groupby
from typing import Any
from uuid import uuid4

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import Range, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from openami.billing.adapters.tables import RATE_ASSIGNMENT
from openami.billing.bill.record import Assignment
from openami.billing.ports import RateOverlapError


async def put_over(connection: AsyncConnection, row: Assignment, *, at: datetime) -> None:
    """Put a service point on a rate for the days of an assignment, whatever rate these days were on.

    Raises:
        RateOverlapError: it would run for good over a rate that begins later.
    """
    table = RATE_ASSIGNMENT
    mine = table.c.service_point_id == row.service_point_id
    days = func.daterange(row.first_day, row.end_day)
    over = (await connection.execute(select(table).where(mine, table.c.days.op("&&")(days)).with_for_update())).all()
    if any(_is_same(r, row) for r in over):
        return
    later = [r.days.lower for r in over if r.days.lower > row.first_day]
    if row.end_day is None and later:
        raise RateOverlapError(
            f"a service point is on another rate from {min(later)} on: name the last day of the one you enter"
        )
    await connection.execute(delete(table).where(table.c.assignment_id.in_([r.assignment_id for r in over])))
    rows = [_row(row, at)]
    for r in over:
        rest = [(r.days.lower, row.first_day)] if r.days.lower < row.first_day else []
        if row.end_day is not None and (r.days.upper is None or row.end_day < r.days.upper):
            rest.append((row.end_day, r.days.upper))
        # What is left of it was entered when it was: no bill of those days is on another rate for it.
        rows += [_row(Assignment(row.service_point_id, r.rate_code, *ends), r.entered_at) for ends in rest]
    await connection.execute(insert(table), rows)


def joined(rows: Sequence[Assignment]) -> list[Assignment]:
    """Return assignments with those of one rate that follow each other as one: nothing changes between them.

    Args:
        rows: by service point and first day.
    """
    found: list[Assignment] = []
    for _, some in groupby(rows, key=lambda r: r.service_point_id):
        last: Assignment | None = None
        for row in some:
            if last is not None and (last.rate_code, last.end_day) == (row.rate_code, row.first_day):
                found[-1] = Assignment(row.service_point_id, row.rate_code, last.first_day, row.end_day)
            else:
                found.append(row)
            last = found[-1]
    return found


def _is_same(there: Any, row: Assignment) -> bool:
    """Whether it is entered already; one that runs for good is, though another was put over its later days since."""
    begins = (there.rate_code, there.days.lower) == (row.rate_code, row.first_day)
    return begins and row.end_day in {None, there.days.upper}


def _row(row: Assignment, at: datetime) -> dict[str, object]:
    first: date = row.first_day
    return {
        "assignment_id": uuid4(), "service_point_id": row.service_point_id, "rate_code": row.rate_code,
        "days": Range(first, row.end_day), "entered_at": at,
    }  # fmt: skip
