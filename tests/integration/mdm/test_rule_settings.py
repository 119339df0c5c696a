"""Rules that are set run their days again and no others; rules that need other channels see them in a run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from uuid import uuid4

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import create_async_engine
from tests.integration.mdm.test_validation import FIRST, LAST, NOW, ZONE, Territory, readings, territory

from openami.app.engines.postgres import PostgresEngine
from openami.contracts.channel import Channel
from openami.contracts.quality import QualityState
from openami.kernel.time import instant_from_epoch_s
from openami.mdm.adapters.rule_postgres import PostgresRuleSettings
from openami.mdm.registry.records import Installation, Meter, ServicePoint
from openami.mdm.vee.ruleset import RuleSetError, RuleSetting, RuleSeverity

pytestmark = pytest.mark.engines
__all__ = ["territory"]
COPY_OF, COPY = 12, 19


async def whole_month(territory: Territory) -> None:
    """Send a month whose day 19 repeats its day 12."""
    await territory.place(1)
    day = territory.grid.day_at
    truth = territory.truth[0]
    truth[day[COPY] : day[COPY + 1]] = truth[day[COPY_OF] : day[COPY_OF + 1]]
    await territory.send(0, np.arange(territory.grid.columns), "r")
    await territory.read(0, day, "k")
    await territory.run()
    await territory.book.mark_done(
        str(ZONE), [territory.grid.day(d) for d in range(territory.grid.days)], run_id=uuid4(), at=NOW
    )


@pytest.fixture
async def settings(postgres: PostgresEngine) -> AsyncIterator[PostgresRuleSettings]:
    engine = create_async_engine(postgres.url("openami_mdm"))
    yield PostgresRuleSettings(engine)
    await engine.dispose()


async def test_a_rule_that_is_set_runs_its_days_again_and_changes_what_it_speaks_of_alone(
    territory: Territory, settings: PostgresRuleSettings
) -> None:
    await whole_month(territory)
    copied = territory.grid.day(COPY)
    (finding,) = await territory.book.findings(territory.points, FIRST, LAST, limit=10)
    assert (finding.rule, finding.local_day, finding.evidence["days_back"]) == ("repeat_day", copied, 7)
    _, quality, _ = await territory.values(0)
    span = slice(int(territory.grid.day_at[COPY]), int(territory.grid.day_at[COPY + 1]))
    assert (quality[span] == QualityState.QUESTIONABLE).all()

    setting = RuleSetting("repeat_day", None, date(2026, 3, 1), severity=RuleSeverity.ACCEPT)
    reach = await settings.reach(setting)
    assert (reach.days, reach.first, reach.last, reach.service_points) == (20, date(2026, 3, 1), LAST, 1)
    await territory.book.settle([r.id for r in await territory.book.requests(limit=10)])
    await settings.keep(setting, reason="copies are known", by=uuid4(), at=NOW)
    (asked,) = await territory.book.requests(limit=10)
    assert (asked.service_point_id, asked.first, asked.last) == (None, date(2026, 3, 1), LAST)

    await territory.run(asked.first, asked.last)
    assert await territory.book.findings(territory.points, FIRST, LAST, limit=10) == []
    _, quality, versions = await territory.values(0)
    assert (quality[span] == QualityState.VERIFIED).all()
    assert {d for d, v in versions.items() if v > 1} == {copied}
    assert (await territory.run(asked.first, asked.last)).versions == 0


async def test_a_setting_is_never_altered_and_has_a_reason(
    territory: Territory, settings: PostgresRuleSettings, postgres: PostgresEngine
) -> None:
    engine = create_async_engine(postgres.url("openami_mdm"))
    setting = RuleSetting("spike", None, FIRST, LAST, RuleSeverity.WARN, {"excess": 2.5})
    kept = await settings.keep(setting, reason="a new season", by=uuid4(), at=NOW)
    assert (await settings.kept())[-1] == kept
    assert (await territory.book.rule_book()).settings[-1] == setting
    with pytest.raises(RuleSetError, match="5 to 500"):
        await settings.keep(setting, reason="", by=uuid4(), at=NOW)
    for statement in ("update mdm.rule_set set reason = 'another'", "delete from mdm.rule_set"):
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with engine.begin() as connection:
                await connection.execute(text(statement))
    await engine.dispose()


async def test_a_meter_that_stopped_is_told_from_an_outage_by_its_voltage(territory: Territory) -> None:
    grid = territory.grid
    points, meters = [uuid4(), uuid4()], [uuid4(), uuid4()]
    await territory.registry.add_service_points([ServicePoint(p, str(ZONE), NOW) for p in points])
    channels = (Channel.DELIVERED, Channel.VOLTAGE)
    await territory.registry.add_meters([Meter(m, f"V-{m}", NOW, channels=channels) for m in meters])
    start = instant_from_epoch_s(int(grid.edge_s[0]))
    await territory.registry.install(
        [Installation(uuid4(), p, m, start) for p, m in zip(points, meters, strict=True)], at=NOW
    )
    lo = int(grid.day_at[20]) + 40
    for index, meter in enumerate(meters):
        used = np.random.default_rng(index).integers(50, 400, grid.columns)
        volts = np.full(grid.columns, 2_400)
        used[lo : lo + 8] = 0
        volts[lo : lo + 8] = 0 if index else 2_400
        await territory.store.write_readings(readings(meter, grid.start_s, used), token=f"d{index}")
        voltage = readings(meter, grid.start_s, volts)
        voltage.channel[:] = Channel.VOLTAGE
        await territory.store.write_readings(voltage, token=f"v{index}")
    await territory.run()
    found = await territory.book.findings(points, FIRST, LAST, limit=10)
    said = {(points.index(f.service_point_id), f.rule) for f in found if f.channel is Channel.DELIVERED}
    assert said == {(0, "stopped"), (1, "outage_zero")}
