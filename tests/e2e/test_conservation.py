"""The law over the running demonstration, from SQL and the store alone: what the registers advanced is in the days."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from tests.e2e.conftest import Demo

from openami.app.engines.postgres import SUPERUSER
from openami.app.settings import Settings
from openami.app.supervisor.platform import postgres_url
from openami.contracts.channel import Channel
from openami.kernel.finding import Finding
from openami.kernel.time import Period, epoch_s, instant_from_epoch_s, local_date, local_midnight, zone_named
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.ports import MeterSpan
from openami.security.access.scope import Purpose, system_scope
from openami.sim.check import Ledger, RegisterStretch, energy_is_conserved

SCOPE = system_scope(process="conservation-test", purpose=Purpose.MAINTENANCE)
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
INSTALLATIONS = """
    select i.service_point_id, i.meter_id, m.capacity_wh, lower(i.period), upper(i.period),
           (select value from mdm.installation_read where installation_id = i.id and channel = 1 and kind = 'in'),
           (select value from mdm.installation_read where installation_id = i.id and channel = 1 and kind = 'out')
    from mdm.installation i join mdm.meter m on m.id = i.meter_id order by 1, 4
"""
Row = tuple[UUID, UUID, int, datetime, datetime | None, int, int | None]


def installations(settings: Settings) -> list[Row]:
    address = postgres_url(settings, SUPERUSER).replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(address) as connection:
        return [(r[0], r[1], int(r[2]), r[3], r[4], int(r[5]), r[6]) for r in connection.execute(INSTALLATIONS)]


async def unbalanced(home: Path) -> tuple[list[Finding], int, int]:
    """Return findings, ledgers checked, and local days checked, delivered energy, each point to its newest read."""
    settings = Settings.load(home)
    zone, now = zone_named(settings.zone), settings.clock().now()
    rows = installations(settings)
    store = SocketStore(settings.home.store_socket)
    try:
        points = sorted({r[0] for r in rows})
        days = await store.days(SCOPE, points, Channel.DELIVERED, date(2000, 1, 1), local_date(now, zone))
        span = Period(BEGINNING, now)
        spans = [MeterSpan(r[0], r[1], Period(r[3], r[4] or now)) for r in rows]
        reads = await store.registers(SCOPE, spans, Channel.DELIVERED, span)
    finally:
        await store.close()
    totals: dict[UUID, dict[date, int]] = defaultdict(dict)
    for day in days.rows():
        totals[day.service_point_id][day.local_day] = int(day.values.sum())
    shown: dict[UUID, dict[int, int]] = defaultdict(dict)
    for meter, at, value in zip(reads.meter_id.tolist(), reads.at.tolist(), reads.value.tolist(), strict=True):
        shown[UUID(bytes=bytes(meter))][int(at)] = int(value)
    ledgers = []
    for point in points:
        hung = [r for r in rows if r[0] == point]
        after = epoch_s(local_midnight(max(totals[point]) + timedelta(days=1), zone))
        end_s = max(at for at in shown[hung[-1][1]] if at <= after)
        kept = [t for d, t in totals[point].items() if epoch_s(local_midnight(d, zone)) < end_s]
        whole = (local_date(instant_from_epoch_s(end_s), zone) - local_date(hung[0][3], zone)).days
        assert len(kept) == whole, f"{whole - len(kept)} days of {point} have no version"
        ledgers.append(Ledger(point, int(Channel.DELIVERED), kept, 0, [stretch(r, shown[r[1]], end_s) for r in hung]))
    return energy_is_conserved(ledgers), len(ledgers), sum(len(line.days_wh) for line in ledgers)


def stretch(row: Row, reads: Mapping[int, int], end_s: int) -> RegisterStretch:
    """Return what one meter showed from its installation to its removal or the end."""
    _, _, capacity_wh, start, _, in_read, out_read = row
    between = [v for at, v in sorted(reads.items()) if epoch_s(start) < at <= end_s]
    return RegisterStretch([in_read, *between, *([out_read] if out_read is not None else [])], capacity_wh)


@pytest.mark.e2e
async def test_energy_is_conserved_at_every_service_point_over_the_whole_history(demo: Demo) -> None:
    deadline = time.monotonic() + 100
    while True:
        try:
            findings, ledgers, days = await unbalanced(demo.home)
        except (AssertionError, ValueError):
            # Validation is still at work on older months: some day has no version yet.
            if time.monotonic() > deadline:
                raise
        else:
            if not findings or time.monotonic() > deadline:
                break
        await asyncio.sleep(2)
    assert findings == []
    assert ledgers >= 24
    assert days >= ledgers * 390
