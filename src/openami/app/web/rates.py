"""Rates for the portal, from billing's comparison, seen through row security with the eyes of the reader."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy.exc import DBAPIError

from openami.app.web.rates_views import break_even_view, protection_view, rates_view, wish_view
from openami.billing.compare.assumption import Assumption, AssumptionError, HeatPump, Shift, Vehicle
from openami.billing.compare.service import RateQuestions
from openami.billing.compare.wish import WishRefusedError
from openami.billing.tariff.model import RateSchedule
from openami.kernel.clock import Clock
from openami.portal.ports import RefusedError, SourceUnavailableError
from openami.portal.views.rates import Assumed, BreakEvensView, RatesView, WishView
from openami.security.access.role import Principal
from openami.security.access.row import of_scope, seen_as
from openami.security.access.scope import Scope


@dataclass(frozen=True, slots=True)
class PortalRates:
    """Implements :class:`~openami.portal.rate_port.RatesDesk`.

    Args:
        questions: over books connected as ``openami_portal``.
        rates: by code, for their names.
        domain: domain time.
    """

    questions: RateQuestions
    rates: dict[str, RateSchedule]
    domain: Clock

    async def compared(self, scope: Scope, service_point_id: UUID, assumed: Assumed) -> RatesView:
        """See the port."""
        assumptions = _assumptions(assumed)
        async with _as_reader(scope):
            found = await self.questions.compare(scope, service_point_id, self.domain.now(), assumptions=assumptions)
            wish = await self.questions.wish_of(scope, service_point_id, self.domain.now())
            next_read = await self.questions.next_read(scope, service_point_id, self.domain.now())
            guard = await self.questions.protection_of(scope, service_point_id, self.domain.now())
        names = self._names()
        return rates_view(
            service_point_id,
            found,
            wish=None if wish is None else wish_view(wish, names),
            protection=None if guard is None else protection_view(*guard, names),
            next_read=next_read,
        )

    async def break_even(self, scope: Scope, service_point_id: UUID) -> BreakEvensView:
        """See the port."""
        async with _as_reader(scope):
            spans, found = await self.questions.break_even(scope, service_point_id, self.domain.now())
        names, days = self._names(), sum(s.days for s in spans)
        currency = next((r.currency for r in self.rates.values()), "USD")
        views = [break_even_view(b, names) for b in found]
        return BreakEvensView(currency=currency, days=days, break_evens=views)

    async def ask(self, scope: Scope, principal: Principal, service_point_id: UUID, rate_code: str) -> WishView:
        """See the port."""
        async with _as_reader(scope):
            wish = await self.questions.ask(
                scope, service_point_id, rate_code, self.domain.now(), by=principal.user_id, wish_id=uuid4()
            )
        return wish_view(wish, self._names())

    async def withdraw(self, scope: Scope, principal: Principal, service_point_id: UUID) -> WishView:
        """See the port."""
        async with _as_reader(scope):
            wish = await self.questions.withdraw(scope, service_point_id, self.domain.now(), by=principal.user_id)
        return wish_view(wish, self._names())

    def _names(self) -> dict[str, str]:
        return {code: schedule.name for code, schedule in self.rates.items()}


@asynccontextmanager
async def _as_reader(scope: Scope) -> AsyncIterator[None]:
    """Give every transaction inside the reader's eyes, and put failures into the portal's words."""
    with seen_as(of_scope(scope)):
        try:
            yield
        except DBAPIError as error:
            raise SourceUnavailableError("the bill book does not answer") from error
        except WishRefusedError as error:
            raise RefusedError(str(error)) from error


def _assumptions(assumed: Assumed) -> list[Assumption]:
    found: list[Assumption] = []
    try:
        if assumed.vehicle_kwh is not None:
            start, end = _minute(assumed.vehicle_from), _minute(assumed.vehicle_to)
            found.append(Vehicle(_decimal(assumed.vehicle_kwh), start, end))
        if assumed.heat_pump_kwh is not None:
            found.append(HeatPump(_decimal(assumed.heat_pump_kwh)))
        if assumed.shift is not None:
            found.append(Shift(_decimal(assumed.shift)))
    except AssumptionError as error:
        raise RefusedError(str(error)) from error
    return found


def _decimal(value: float) -> Decimal:
    return Decimal(str(round(value, 3)))


def _minute(clock: str) -> int:
    hour, minute = clock.split(":")
    return int(hour) * 60 + int(minute)
