"""Which rate a service point is on, by local day: the rates that are known, and who is assigned to which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

from openami.billing.bill.record import Assignment
from openami.billing.ports import BillBook
from openami.billing.tariff.load import shipped_rates
from openami.billing.tariff.model import OPEN_SUFFIX, RateSchedule, opened
from openami.kernel.errors import OpenAmiError


class UnknownRateError(OpenAmiError):
    """No rate of that code."""


class Rates:
    """Rates by code, their opened twins too, and the assignments of the bill book.

    Args:
        book: assignments.
        rates: by code; the shipped ones by default.
    """

    def __init__(self, book: BillBook, rates: Mapping[str, RateSchedule] | None = None) -> None:
        self._book = book
        self.by_code = dict(shipped_rates() if rates is None else rates)
        self.known = self.by_code | {o.code: o for o in map(opened, self.by_code.values())}

    async def assign(
        self, service_points: Sequence[UUID], code: str, *, first_day: date, at: datetime, end_day: date | None = None
    ) -> None:
        """Put service points on a rate for local days ``[first_day, end_day)``; the rate that runs until then ends.

        Raises:
            UnknownRateError: no such rate.
            RateOverlapError: a later assignment is already there.
        """
        self._require(code)
        await self._book.assign([Assignment(p, code, first_day, end_day) for p in service_points], at=at)

    async def reassign(
        self, service_points: Sequence[UUID], code: str, *, first_day: date, at: datetime, end_day: date | None = None
    ) -> None:
        """Put service points on a rate for local days, over whatever these were on: back-dated, or to take one back.

        Raises:
            UnknownRateError: no such rate.
            RateOverlapError: it would run for good over a rate that begins later.
        """
        self._require(code)
        await self._book.reassign([Assignment(p, code, first_day, end_day) for p in service_points], at=at)

    def code_for(self, code: str, first_day: date) -> str:
        """Return the code under which days from ``first_day`` on can be priced: the rate, or its opened twin.

        Raises:
            UnknownRateError: no such rate.
        """
        self._require(code)
        begins = self.known[code].versions[0].effective_from
        return code if begins is None or begins <= first_day else code + OPEN_SUFFIX

    async def on_day(self, service_point_id: UUID, day: date) -> RateSchedule | None:
        """Return the rate in force at a service point on a local day."""
        for row in await self._book.assignments([service_point_id]):
            if row.first_day <= day and (row.end_day is None or day < row.end_day):
                return self.known.get(row.rate_code)
        return None

    async def on_day_of(self, service_points: Sequence[UUID], day: date) -> dict[UUID, RateSchedule]:
        """Return the rates in force on a local day; places without a known one are absent."""
        found = {}
        for row in await self._book.assignments(list(service_points)):
            is_held = row.first_day <= day and (row.end_day is None or day < row.end_day)
            if is_held and row.rate_code in self.known:
                found[row.service_point_id] = self.known[row.rate_code]
        return found

    def _require(self, code: str) -> None:
        if code not in self.known:
            raise UnknownRateError(f"{code!r} is not one of {sorted(self.by_code)}")
