"""Builds the comparison of rates: the customer's questions for the portal, and the worker's job."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from openami.app.web.rates import PortalRates
from openami.billing.adapters.book_postgres import PostgresBillBook
from openami.billing.adapters.ledger_postgres import PostgresLedger
from openami.billing.adapters.shadows_postgres import PostgresShadows
from openami.billing.adapters.wishes_postgres import PostgresWishes
from openami.billing.api import Billing
from openami.billing.compare.facts import BilledFacts
from openami.billing.compare.service import RateQuestions
from openami.billing.compare.shadow import ShadowMaker
from openami.billing.compare.work import RateWork
from openami.billing.cycle.due import SCOPE
from openami.billing.cycle.run import BillSetting
from openami.billing.tariff import RateSchedule
from openami.kernel.clock import Clock
from openami.mdm.api import MeterData


def portal_rates(
    meters: MeterData,
    portal: AsyncEngine,
    domain: Clock,
    rates: Mapping[str, RateSchedule],
    setting: BillSetting,
) -> PortalRates:
    """Return rates for the portal.

    Args:
        meters: validated usage.
        portal: connections of role ``openami_portal``, under row security.
        domain: domain time.
        rates: those of the home.
        setting: calendar, rules and standing facts of the home.
    """
    billing = Billing(meters=meters, book=PostgresBillBook(portal), rates=rates, setting=setting)
    questions = RateQuestions(
        meters=meters,
        rates=billing,
        facts=BilledFacts(billing.run),
        wishes=PostgresWishes(portal),
        shadows=PostgresShadows(portal),
    )
    return PortalRates(questions, billing.rates, domain)


def rate_work(meters: MeterData, own: AsyncEngine, rates: Mapping[str, RateSchedule], setting: BillSetting) -> RateWork:
    """Return the worker's job.

    Args:
        meters: validated usage.
        own: connections of role ``openami_billing``.
        rates: those of the home.
        setting: calendar, rules and standing facts of the home.
    """
    book = PostgresBillBook(own)
    billing = Billing(meters=meters, book=book, rates=rates, setting=setting)
    facts = BilledFacts(billing.run)
    wishes, shadows = PostgresWishes(own), PostgresShadows(own)
    questions = RateQuestions(meters=meters, rates=billing, facts=facts, wishes=wishes, shadows=shadows)

    async def eligible(place: UUID, rate_code: str, day: date, now: datetime) -> str:
        wanted = billing.rates.get(rate_code)
        return "" if wanted is None else await questions.barred(SCOPE, place, wanted, day, now)

    maker = ShadowMaker(meters=meters, rates=billing.rates, facts=facts, rules=setting.rules)
    return RateWork(
        wishes=wishes,
        shadows=shadows,
        bills=book,
        assigns=billing,
        maker=maker,
        accounts=facts,
        ledger=PostgresLedger(own),
        eligible=eligible,
    )
