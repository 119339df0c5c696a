"""Events on the real bus become calls and counts in the real database; an engine that is away loses none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from openami.app.engines.nats import NatsEngine, connect
from openami.app.engines.postgres import PostgresEngine
from openami.contracts.event import DeviceEvent, EventKind, encode_events, event_identity
from openami.contracts.stream import event_subject
from openami.headend.adapters.event_stream import JetStreamEvents
from openami.headend.adapters.events_postgres import PostgresEventBook
from openami.headend.events.watch import EventWatch
from openami.security.adapters.alert_postgres import PostgresAlerts
from openami.security.watch.alert import Alert, AlertsUnavailableError

pytestmark = [pytest.mark.engines, pytest.mark.attack("A33")]
NOW = datetime(2026, 7, 1, 14, 20, tzinfo=UTC)


def event(meter: int, kind: EventKind) -> DeviceEvent:
    meter_id = UUID(int=meter)
    return DeviceEvent(event_identity(meter_id, log=0, code=1, at=NOW), meter_id, kind, NOW, "oam-1", 0, 1)


class Away:
    """Alerts that cannot be kept for a while."""

    def __init__(self, inner: PostgresAlerts) -> None:
        self.inner = inner
        self.is_away = True

    async def raise_alert(self, alert: Alert) -> None:
        if self.is_away:
            raise AlertsUnavailableError("away")
        await self.inner.raise_alert(alert)

    async def newest(self, *, limit: int) -> Sequence[Alert]:
        return await self.inner.newest(limit=limit)

    async def seen(self, alert_id: UUID, *, by: UUID, at: datetime) -> bool:
        return await self.inner.seen(alert_id, by=by, at=at)


async def test_a_storm_is_counted_and_the_cover_that_was_opened_in_it_is_first_in_the_list(
    nats_server: NatsEngine, postgres: PostgresEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openami.headend.adapters.event_stream.ACK_WAIT_S", 1)
    client = await connect(nats_server.url("core_headend"), name="test")
    state = create_async_engine(postgres.url("openami_headend"), hide_parameters=True)
    security = create_async_engine(postgres.url("openami_security"), hide_parameters=True)
    try:
        storm = [event(n, EventKind.UNDERVOLTAGE) for n in range(2_500)]
        storm += [event(n, EventKind.MAGNET) for n in range(40)]
        storm.insert(1_234, event(4_711, EventKind.COVER_OPENED))
        stream = client.jetstream()
        for start in range(0, len(storm), 100):
            await stream.publish(event_subject(start % 64), encode_events(storm[start : start + 100]))
        await stream.publish(event_subject(1), b"no events")
        alerts = Away(PostgresAlerts(state))
        watch = EventWatch(
            JetStreamEvents(client, lambda: datetime.now(UTC)), PostgresEventBook(state), alerts,
            real_now=lambda: NOW, title_of=lambda meter_id: f"{meter_id.int:016x}",
        )  # fmt: skip
        with pytest.raises(AlertsUnavailableError):
            await watch.look()
        alerts.is_away = False
        for _ in range(20):
            await watch.look()
            groups = await PostgresAlerts(security).folded(each=1)
            if sum(g.unseen for g in groups) >= 42:
                break
        assert [(g.rule, g.unseen) for g in groups] == [("cover_opened", 1), ("event_mass", 1), ("magnet", 40)]
        assert groups[0].newest[0].device == f"{4_711:016x}"
        assert "undervoltage" in groups[1].newest[0].words
        late = Alert(UUID(int=1), NOW + timedelta(days=1), "magnet", "the newest of all")
        await PostgresAlerts(state).raise_alert(late)
        page = await PostgresAlerts(security).newest(limit=4)
        assert [a.rule for a in page].count("magnet") == 2, "however many they are, they leave room"
        assert {a.rule for a in page} == {"magnet", "cover_opened", "event_mass"}
        assert page[0].words == late.words
        async with state.connect() as connection:
            rows = (await connection.execute(text("select kind, events from headend.event_hour"))).all()
        counted = {r.kind: r.events for r in rows}
        # What came again because the alerts were away is counted again; nothing is left out.
        assert counted["undervoltage"] >= 2_500
        assert counted["cover_opened"] >= 1
    finally:
        await client.close()
        await state.dispose()
        await security.dispose()
