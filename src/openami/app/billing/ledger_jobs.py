"""The worker's jobs of corrections and of the ledger, over the engines of an installation."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy.ext.asyncio import AsyncEngine

from openami.app.billing.billing_setting import bill_setting
from openami.app.billing.correction_room import correction_room
from openami.app.settings import Settings
from openami.billing.correction.job import CorrectionJob
from openami.billing.correction.true_up_job import TrueUpJob
from openami.billing.ledger.job import LedgerJob
from openami.billing.tariff.model import RateSchedule
from openami.kernel.time import local_date, zone_named
from openami.mdm.api import MeterData


def ledger_jobs(
    settings: Settings,
    meters: MeterData,
    engine_for: Callable[[str], AsyncEngine],
    rates: Mapping[str, RateSchedule] | None = None,
) -> tuple[TrueUpJob, LedgerJob, CorrectionJob]:
    """Return the jobs: estimates are settled before bills are closed, what went out is booked, changes are weighed."""
    zone = zone_named(settings.zone)
    today = local_date(settings.clock().now(), zone)
    room = correction_room(
        meters,
        billing=engine_for("openami_billing"),
        mdm=engine_for("openami_mdm"),
        today=today,
        rates=rates,
        setting=bill_setting(settings),
    )
    ledger = LedgerJob(room.ledger, room.book, room.postings, room.accrual, zone)
    return TrueUpJob(room.true_ups), ledger, CorrectionJob(room.weigher, room.book, room.stops, room.terms)
