"""What works on corrections and on the ledger, built once: for the worker's jobs and for the desks of people."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date

from sqlalchemy.ext.asyncio import AsyncEngine

from openami.app.billing.billing_setting import bill_setting
from openami.app.billing.correction_causes import RegistryCauses
from openami.app.billing.rate_files import home_rates
from openami.app.engines.rooms import room_database
from openami.app.settings import Settings, real_now
from openami.billing.adapters.book_postgres import PostgresBillBook
from openami.billing.adapters.correction_postgres import PostgresCorrections
from openami.billing.adapters.ledger_postgres import PostgresLedger
from openami.billing.correction.effect import CorrectionLimits
from openami.billing.correction.late_terms import LateTerms
from openami.billing.correction.moves import LateStops
from openami.billing.correction.remake import RoadRemaker
from openami.billing.correction.rules import rules_on
from openami.billing.correction.true_up import RunsOfEstimates
from openami.billing.correction.true_up_job import TrueUps
from openami.billing.correction.weigh import Weigher
from openami.billing.correction.work import Corrections
from openami.billing.cycle.run import BillSetting
from openami.billing.ledger.accrue import Accrual
from openami.billing.ledger.energy import EnergyCheck
from openami.billing.ledger.posting import LedgerPostings
from openami.billing.rates import Rates
from openami.billing.tariff.model import RateSchedule
from openami.mdm.adapters.decision_postgres import PostgresDecisions
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.registry_validation import PostgresBook
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.api import MeterData


@dataclass(frozen=True, slots=True)
class CorrectionRoom:
    """Corrections and the ledger of one installation.

    Args:
        meters: validated days.
        book: queue and decisions.
        ledger: entries.
        postings: books bills.
        corrections: cases and decisions.
        weigher: of the queue.
        stops: finds stops entered back-dated.
        terms: finds facts of places and signals of rates that came late.
        accrual: of month ends.
        energy: balances cycles.
        true_ups: settles estimated bills behind which an actual read lies.
    """

    meters: MeterData
    book: PostgresCorrections
    ledger: PostgresLedger
    postings: LedgerPostings
    corrections: Corrections
    weigher: Weigher
    stops: LateStops
    terms: LateTerms
    accrual: Accrual
    energy: EnergyCheck
    true_ups: TrueUps


def correction_room(
    meters: MeterData,
    *,
    billing: AsyncEngine,
    mdm: AsyncEngine,
    today: date,
    limits: CorrectionLimits | None = None,
    setting: BillSetting | None = None,
    rates: Mapping[str, RateSchedule] | None = None,
) -> CorrectionRoom:
    """Return what works on corrections.

    Args:
        meters: validated days.
        billing: connections of role ``openami_billing``.
        mdm: connections of role ``openami_mdm``.
        today: the day whose rules hold.
        limits: what one person may decide alone.
        setting: what the installation says of all its bills.
        rates: by code; the shipped ones by default.
    """
    said = setting or BillSetting()
    law = said.rules
    book, ledger, bills = PostgresCorrections(billing), PostgresLedger(billing), PostgresBillBook(billing)
    settling = RunsOfEstimates(meters, book, law)
    known = Rates(bills, rates).known
    remaker = RoadRemaker(meters, bills, book, known, law, said.standing, settling)
    terms = LateTerms(meters, bills, known, said.standing)
    rules = rules_on(law, today)
    causes = RegistryCauses(PostgresRegistry(mdm), PostgresDecisions(mdm))
    corrections = Corrections(book, ledger, remaker, rules, limits or CorrectionLimits())
    weigher, stops = Weigher(book, remaker, causes, rules, settling), LateStops(meters, book, bills)
    true_ups = TrueUps(book, settling, weigher, corrections, law, real_now)
    accrual, energy = Accrual(meters, book, ledger), EnergyCheck(meters, book)
    postings = LedgerPostings(ledger)
    return CorrectionRoom(meters, book, ledger, postings, corrections, weigher, stops, terms, accrual, energy, true_ups)


@asynccontextmanager
async def open_correction_room(
    settings: Settings, today: date, limits: CorrectionLimits | None = None
) -> AsyncIterator[CorrectionRoom]:
    """Hold the room open over the engines of a home."""
    store = SocketStore(settings.home.store_socket)
    try:
        async with room_database(settings, "openami_billing") as billing, room_database(settings, "openami_mdm") as mdm:
            meters = MeterData(registry=PostgresRegistry(mdm), store=store, book=PostgresBook(mdm))
            rates, setting = home_rates(settings.home), bill_setting(settings)
            yield correction_room(
                meters, billing=billing, mdm=mdm, today=today, limits=limits, rates=rates, setting=setting
            )
    finally:
        await store.close()
