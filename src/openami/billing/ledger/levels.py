"""Budget billing for one agreement: begin, review, stop; what is deferred is settled when a plan ends."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from openami.billing.bill.record import Bill
from openami.billing.ledger.budget import (
    BudgetPlan,
    BudgetRefusedError,
    BudgetRules,
    level_of,
    reviewed,
    settlement_entry,
)
from openami.billing.ledger.ports import LedgerBook
from openami.billing.ledger.posting import agreements_of, deferred_of, plan_for


class PlaceBills(Protocol):
    """What levels ask of bills."""

    async def bills_of(self, service_points: Collection[UUID]) -> list[Bill]:
        """Return the bills in force of these places, without lines, by place and first day."""
        ...


@dataclass(frozen=True, slots=True)
class LevelChange:
    """What begins, changes or ends.

    Args:
        plan: as it is from now on.
        before: the level until now; None where there was none.
        deferred: used and not charged by now.
        settled: what was charged or given back at once.
    """

    plan: BudgetPlan
    before: Decimal | None
    deferred: Decimal
    settled: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Levels:
    """Budget billing.

    Args:
        ledger: entries and plans.
        bills: of places.
        rules: how levels are made.
    """

    ledger: LedgerBook
    bills: PlaceBills
    rules: BudgetRules = field(default_factory=BudgetRules)

    async def begin(self, place: UUID, *, today: date, at: datetime, by: UUID | None, reason: str) -> LevelChange:
        """Begin to level the bills of whoever was billed last at a place.

        Raises:
            BudgetRefusedError: too few bills, or a plan is in force.
        """
        agreement, bills = await self._last(place)
        if plan_for(await self.ledger.plans([agreement]), today) is not None:
            raise BudgetRefusedError("a budget plan is in force: review it, or stop it first")
        deferred = await self._deferred(agreement)
        level = level_of([b.total or Decimal(0) for b in bills], [b.span.days for b in bills], deferred=deferred,
                         rules=self.rules)  # fmt: skip
        plan = BudgetPlan(agreement, place, today, level, today.month)
        await self.ledger.set_plan(plan, at=at, by=by, reason=reason)
        return LevelChange(plan, None, deferred)

    async def review(self, place: UUID, *, today: date, at: datetime, by: UUID | None, reason: str) -> LevelChange:
        """Look whether the level still fits, and change it where it is off by more than the band.

        In the month of the anniversary what is deferred is settled, and the level begins anew.

        Raises:
            BudgetRefusedError: no plan is in force.
        """
        agreement, bills = await self._last(place)
        plan = await self._plan(agreement, today)
        deferred = await self._deferred(agreement)
        settled = Decimal(0)
        if today.month == plan.anniversary and today.replace(day=1) > plan.first_day:
            settled = await self._settle(plan, deferred, bills[-1].currency, today, at)
        fresh = level_of([b.total or Decimal(0) for b in bills], [b.span.days for b in bills],
                         deferred=deferred - settled, rules=self.rules)  # fmt: skip
        level = fresh if settled else reviewed(plan.level, fresh, self.rules)
        if level == plan.level:
            return LevelChange(plan, plan.level, deferred, settled)
        changed = replace(plan, level=level, first_day=today)
        await self.ledger.set_plan(changed, at=at, by=by, reason=reason)
        return LevelChange(changed, plan.level, deferred, settled)

    async def stop(self, place: UUID, *, today: date, at: datetime, by: UUID | None, reason: str) -> LevelChange:
        """End a plan from today on, and settle what is deferred.

        Raises:
            BudgetRefusedError: no plan is in force.
        """
        agreement, bills = await self._last(place)
        plan = await self._plan(agreement, today)
        deferred = await self._deferred(agreement)
        ended = replace(plan, first_day=today, end_day=today)
        # Settled first: whoever is killed between the two finds nothing deferred and stops again.
        settled = await self._settle(plan, deferred, bills[-1].currency, today, at)
        await self.ledger.set_plan(ended, at=at, by=by, reason=reason)
        return LevelChange(ended, plan.level, deferred, settled)

    async def _settle(self, plan: BudgetPlan, deferred: Decimal, currency: str, today: date, at: datetime) -> Decimal:
        entry = settlement_entry(plan, deferred, day=today, currency=currency, made_at=at)
        return deferred if entry is not None and await self.ledger.keep([entry]) else Decimal(0)

    async def _plan(self, agreement: UUID, today: date) -> BudgetPlan:
        plan = plan_for(await self.ledger.plans([agreement]), today)
        if plan is None:
            raise BudgetRefusedError("no budget plan is in force here")
        return plan

    async def _last(self, place: UUID) -> tuple[UUID, list[Bill]]:
        """Return the agreement that was billed last at a place, and its bills, oldest first."""
        bills = await self.bills.bills_of((place,))
        if not bills:
            raise BudgetRefusedError("no bill of this place went out yet")
        agreements = agreements_of(bills)
        last = agreements[bills[-1].bill_id]
        return last, [b for b in bills if agreements[b.bill_id] == last]

    async def _deferred(self, agreement: UUID) -> Decimal:
        return await deferred_of(self.ledger, agreement)
