"""Once a week the worker looks at every place, and says loudly if that found what it should not have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from structlog.testing import capture_logs

from openami.billing.cycle.close import CloseReport
from openami.billing.job import BillingJob
from openami.contracts.changed import DaysChanged

SATURDAY = datetime(2026, 12, 5, 12, tzinfo=UTC)


class Closing:
    """Closes nothing; each look at every place finds one that was missed."""

    def __init__(self) -> None:
        self.looked_everywhere: list[datetime] = []

    async def close_due(self, now: datetime, *, retry_held: bool = True, everywhere: bool = False) -> CloseReport:
        del retry_held
        self.looked_everywhere += [now] if everywhere else []
        return CloseReport(missed=int(everywhere))

    async def find_corrections(self, *_: object, **__: object) -> int:
        return 0

    async def days_changed(self, news: DaysChanged, now: datetime) -> int:
        del news, now
        return 0


class Busy(Closing):
    """Is told for three minutes that another run closes bills."""

    def __init__(self) -> None:
        super().__init__()
        self.turned_away = 3

    async def close_due(self, now: datetime, *, retry_held: bool = True, everywhere: bool = False) -> CloseReport:
        if self.turned_away:
            self.turned_away -= 1
            return CloseReport(elsewhere=True)
        return await super().close_due(now, retry_held=retry_held, everywhere=everywhere)


async def test_a_week_is_not_passed_because_another_run_was_at_it_on_sunday() -> None:
    closing = Busy()
    job = BillingJob(closing)
    with capture_logs():
        for minute in range(6):
            await job.run_due(SATURDAY + timedelta(days=1, minutes=minute))
    assert [at.minute for at in closing.looked_everywhere] == [3]


async def test_every_place_is_looked_at_once_each_sunday_and_what_was_missed_is_an_error() -> None:
    closing = Closing()
    job = BillingJob(closing)
    with capture_logs() as logs:
        for hour in range(24 * 9):
            await job.run_due(SATURDAY + timedelta(hours=hour))
    assert [at.date().isoformat() for at in closing.looked_everywhere] == ["2026-12-06", "2026-12-13"]
    assert [(e["event"], e["log_level"], e["places"]) for e in logs] == [("bills.places_missed", "error", 1)] * 2
