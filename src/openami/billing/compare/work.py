"""The worker's job: wishes become assignments on their day, and every bill of a protected year gets its shadow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Protocol
from uuid import NAMESPACE_URL, UUID, uuid5

import structlog

from openami.billing.bill.record import Bill
from openami.billing.compare.ports import Accounts, IssuedBills, ShadowBook, WishBook
from openami.billing.compare.protection import Protection, ShadowEntry, settlement, standing_of
from openami.billing.compare.setting import setting_on
from openami.billing.compare.wish import Wish, WishStep
from openami.billing.ledger.entry import Entry
from openami.billing.ledger.posting import agreements_of
from openami.billing.ports import RateOverlapError
from openami.billing.rates import UnknownRateError
from openami.contracts.changed import DaysChanged
from openami.kernel.time import local_date, zone_named
from openami.mdm.api import StoreError

_LOG = structlog.get_logger("billing.compare")
_PROTECTIONS = uuid5(NAMESPACE_URL, "openami:protection")


class Assigns(Protocol):
    """Puts places on rates."""

    async def assign_rate(
        self, service_points: Sequence[UUID], rate_code: str, *, first_day: date, at: datetime
    ) -> None:
        """Put service points on a rate from a day on.

        Raises:
            RateOverlapError: a later assignment is already there.
            UnknownRateError: there is no such rate any more.
        """
        ...


class Eligible(Protocol):
    """Says who may take a rate."""

    async def __call__(self, place: UUID, rate_code: str, day: date, now: datetime) -> str:
        """Return why a place cannot be on a rate from a day on; empty where nothing known stands against it.

        Raises:
            StoreError: the store did not answer.
        """
        ...


class Shadows(Protocol):
    """Makes what another rate would have charged for the intervals of a bill."""

    async def total(self, bill: Bill, rate_code: str, now: datetime) -> tuple[Decimal | None, str]:
        """Return the total of a bill's intervals under a rate; None and the reason where it cannot be told.

        Raises:
            StoreError: the store did not answer.
        """
        ...


class Ledger(Protocol):
    """Takes entries."""

    async def keep(self, entries: Sequence[Entry]) -> int:
        """Keep entries, all or none; one that is there already counts once. Returns how many were new."""
        ...


@dataclass(frozen=True, slots=True)
class WorkReport:
    """What one run did."""

    applied: int = 0
    refused: int = 0
    shadowed: int = 0


class RateWork:
    """Implements the worker's job port.

    Args:
        wishes, shadows: the books.
        bills: issued ones.
        assigns: puts places on rates.
        maker: makes shadow bills.
        accounts: who is charged at a place: a wish and a protected year are one customer's.
        eligible: says whether the place may still take the rate on its day; None asks nobody.
        ledger: where what a year cost more is given back; None where the utility keeps its ledger elsewhere.
    """

    name = "rate wishes"
    PAUSE = timedelta(hours=1)

    def __init__(
        self,
        *,
        wishes: WishBook,
        shadows: ShadowBook,
        bills: IssuedBills,
        assigns: Assigns,
        maker: Shadows,
        accounts: Accounts,
        ledger: Ledger | None = None,
        eligible: Eligible | None = None,
    ) -> None:
        self._wishes, self._shadows, self._bills = wishes, shadows, bills
        self._assigns, self._maker, self._ledger, self.accounts = assigns, maker, ledger, accounts
        self._eligible = eligible
        self._again: datetime | None = None

    async def run_due(self, now: datetime) -> None:
        """Do what is due at this domain instant; cheap when nothing is. Repeating it does no harm."""
        if self._again is not None and now < self._again:
            return
        self._again = now + self.PAUSE
        report = await self.work(now)
        if report != WorkReport():
            _LOG.info("rates.worked", applied=report.applied, refused=report.refused, shadowed=report.shadowed)

    async def days_changed(self, news: DaysChanged, now: datetime) -> None:
        """A changed day changes no wish; a corrected bill gets an entry of its own when it is issued."""

    async def work(self, now: datetime) -> WorkReport:
        """Apply due wishes, then shadow the bills of protected years."""
        applied = refused = 0
        for wish in await self._wishes.due(now.date()):
            is_applied = await self._apply(wish, now)
            applied += is_applied is True
            refused += is_applied is False
        return WorkReport(applied, refused, await self._shadow(now))

    async def _apply(self, wish: Wish, now: datetime) -> bool | None:
        """Tell whether a wish became an assignment; None while the store does not answer: the next run asks again."""
        place = wish.service_point_id
        asked = await self.accounts.account_at(place, wish.asked_at)
        if asked != await self.accounts.account_at(place, wish.first_day):
            note = "the place is another customer's since"
            await self._wishes.settle(wish, WishStep.REFUSED, at=now, note=note)
            return False
        if self._eligible is not None:
            try:
                against = await self._eligible(place, wish.rate_code, wish.first_day, now)
            except StoreError as error:
                _LOG.warning("rates.not_asked", problem=type(error).__name__)
                return None
            if against:
                await self._wishes.settle(wish, WishStep.REFUSED, at=now, note=against[:500])
                return False
        try:
            await self._assigns.assign_rate([wish.service_point_id], wish.rate_code, first_day=wish.first_day, at=now)
        except (RateOverlapError, UnknownRateError) as error:
            note = str(error)
            await self._wishes.settle(wish, WishStep.REFUSED, at=now, note=note)
            return False
        months = setting_on(wish.first_day).protection_months
        name = uuid5(_PROTECTIONS, str(wish.wish_id))
        guard = Protection(name, wish.service_point_id, wish.rate_code, wish.present_code, wish.first_day, months)
        await self._shadows.begin(guard, at=now)
        await self._wishes.settle(wish, WishStep.APPLIED, at=now)
        return True

    async def _shadow(self, now: datetime) -> int:
        guards = await self._shadows.running(now.date())
        if not guards:
            return 0
        places = frozenset(g.service_point_id for g in guards)
        first, end = min(g.first_day for g in guards), max(g.end_day for g in guards)
        bills: dict[UUID, list[Bill]] = {}
        for bill in await self._bills.issued(first, end, service_points=places):
            bills.setdefault(bill.service_point_id, []).append(bill)
        kept = await self._shadows.entries([g.protection_id for g in guards])
        count = 0
        for guard in guards:
            there = {e.bill_id for e in kept.get(guard.protection_id, [])}
            account = await self.accounts.account_at(guard.service_point_id, guard.first_day)
            protected = [
                b
                for b in bills.get(guard.service_point_id, [])
                if guard.holds(b.span) and b.account_id in {None, account}
            ]
            fresh = [b for b in protected if b.bill_id not in there]
            entries = [e for b in fresh if (e := await self._entry(guard, b, now)) is not None]
            count += await self._shadows.write(guard, entries, at=now)
            every = [*kept.get(guard.protection_id, []), *entries]
            await self._settle(guard, every, protected, now)
        return count

    async def _settle(
        self, guard: Protection, entries: Sequence[ShadowEntry], bills: Sequence[Bill], now: datetime
    ) -> None:
        """Book a whole year's credit; booking it again books nothing, and a later correction is a person's."""
        if self._ledger is None or not bills:
            return
        last = max(bills, key=lambda b: b.span)
        entry = settlement(
            guard, standing_of(guard, entries), agreement_id=agreements_of([last])[last.bill_id],
            day=local_date(now, zone_named(last.zone)), currency=last.currency, made_at=now,
        )  # fmt: skip
        if entry is not None and await self._ledger.keep([entry]):
            _LOG.info("rates.settled", entries=1)

    async def _entry(self, guard: Protection, bill: Bill, now: datetime) -> ShadowEntry | None:
        """Return both amounts of a bill; None while the store does not answer: the next run asks again."""
        if bill.total is None:
            return None
        try:
            shadow, refused = await self._maker.total(bill, guard.shadow_code, now)
        except StoreError as error:
            _LOG.warning("rates.no_shadow", problem=type(error).__name__)
            return None
        return ShadowEntry(bill.bill_id, bill.version, bill.span, bill.total, shadow, refused)
