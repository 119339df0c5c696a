"""Usage of groups and their release, on a real database and store: dated membership, estimates, and the guard."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest

from openami.app.engines.postgres import SUPERUSER, PostgresEngine
from openami.app.engines.rooms import room_database
from openami.app.people.desk import Decided
from openami.app.readings.usage_desk import Question, UsageDesk, UsageRefusedError
from openami.app.settings import Home, Settings
from openami.contracts.channel import Channel
from openami.contracts.day import DayTable, day_number
from openami.contracts.quality import Method, QualityState
from openami.contracts.reading import uuid_column
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.registry.facts import FactEntry, FactKind
from openami.mdm.registry.records import ServicePoint
from openami.mdm.release.guard import ReleaseRefusedError
from openami.mdm.release.preset import PRESETS, Preset
from openami.mdm.store.answers import joined_days
from openami.mdm.usage.aggregate import Grain
from openami.mdm.usage.membership import Grouping
from openami.mdm.usage.virtual import Term, VirtualChannel
from openami.security.access.role import Principal, Role

pytestmark = pytest.mark.engines
FIRST = date(2026, 3, 6)
"""Two days before the clocks of Chicago go forward."""
DAYS = 5
MADE = datetime(2026, 1, 1, tzinfo=UTC)
KNOWN = datetime(2026, 3, 20, tzinfo=UTC)
ME = Decided(Principal(uuid4(), frozenset({Role.OPERATOR})))
POINTS = [uuid4() for _ in range(40)]
"""0 to 19 on feeder F1, of which 0 to 3 at transformer T1; 20 to 39 on F2."""


def days_of(
    point: UUID, *, watt_hours: int, version: int = 1, estimated: int = 0, known_at: datetime = KNOWN
) -> DayTable:
    """Days of a place with one value in every quarter-hour, the first few of each day estimated."""
    counts = [92 if FIRST + timedelta(days=d) == date(2026, 3, 8) else 96 for d in range(DAYS)]
    total = sum(counts)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    quality = np.zeros(total, np.uint8)
    for at in offsets[:-1]:
        quality[at : at + estimated] = QualityState.ESTIMATED
    values = np.full(total, watt_hours, np.int64)
    midnight = [day_number(FIRST) + d for d in range(DAYS)]
    start = [n * 86_400 + (6 if d <= 2 else 5) * 3600 for d, n in enumerate(midnight)]
    return DayTable(
        service_point_id=uuid_column([point] * DAYS), channel=np.full(DAYS, Channel.DELIVERED, np.uint8),
        local_day=np.array(midnight, np.int32), interval_s=np.full(DAYS, 900, np.uint32),
        start_utc=np.array(start, np.int64), version=np.full(DAYS, version, np.uint64),
        known_at=np.full(DAYS, int(known_at.timestamp()), np.int64), run_id=uuid_column([uuid4()] * DAYS),
        offsets=offsets, values=values, quality=quality,
        method=np.where(quality == 0, Method.MEASURED, Method.LINEAR).astype(np.uint8),
        band_low=values, band_high=values,
    )  # fmt: skip


@pytest.fixture
async def desk(postgres: PostgresEngine, store_process: Path) -> UsageDesk:
    # The store is shared by a whole run: each test has places of its own.
    POINTS[:] = [uuid4() for _ in range(40)]
    home = Home(store_process.parent.parent)
    settings = Settings(
        home,
        postgres_url=postgres.url(SUPERUSER),
        real_origin=datetime.now(UTC),
        domain_origin=KNOWN + timedelta(days=1),
    )
    async with room_database(settings, "openami_mdm") as engine:
        registry = PostgresRegistry(engine)
        await registry.add_service_points(
            [
                ServicePoint(
                    p, "America/Chicago", MADE, feeder="F1" if n < 20 else "F2", transformer="T1" if n < 4 else "T2"
                )
                for n, p in enumerate(POINTS)
            ]
        )
    store = SocketStore(store_process)
    tables = [days_of(point, watt_hours=100, estimated=24 if n == 0 else 0) for n, point in enumerate(POINTS)]
    await store.write_days(joined_days(tables), token=f"u-{POINTS[0]}")
    await store.close()
    return UsageDesk(settings)


def question(**changes: object) -> Question:
    last = FIRST + timedelta(days=DAYS - 1)
    base: dict[str, object] = {"channel": Channel.DELIVERED, "first": FIRST, "last": last}
    return Question(**(base | changes))  # type: ignore[arg-type]


async def test_a_feeder_adds_up_its_places_day_by_day_with_the_estimated_share(desk: UsageDesk) -> None:
    rows = await desk.totals(ME, question(grouping=Grouping.FEEDER, names=("F1",)))
    assert [r.total for r in rows] == [20 * 96 * 100, 20 * 96 * 100, 20 * 92 * 100, 20 * 96 * 100, 20 * 96 * 100]
    assert rows[0].estimated_share == pytest.approx(24 / (20 * 96))
    assert all(r.missing == 0 for r in rows)
    hours = await desk.totals(ME, question(grouping=Grouping.FEEDER, names=("F1",), grain=Grain.HOUR))
    assert len(hours) == 4 * 24 + 23
    assert sum(h.total for h in hours) == sum(r.total for r in rows)
    cut = ((FIRST, date(2026, 3, 8)), (date(2026, 3, 8), FIRST + timedelta(days=DAYS)))
    bills = await desk.totals(ME, question(places=(POINTS[0],), grain=Grain.PERIOD, periods=cut))
    assert [b.total for b in bills] == [2 * 96 * 100, (92 + 2 * 96) * 100]
    assert bills[0].estimated_share == pytest.approx(0.25)


async def test_a_place_counts_at_the_transformer_that_it_hung_on_at_the_time(desk: UsageDesk) -> None:
    async with room_database(desk.settings, "openami_mdm") as engine:
        moved = datetime(2026, 3, 7, 18, tzinfo=UTC)
        entry = FactEntry(POINTS[0], FactKind.TRANSFORMER, "T2", moved)
        await PostgresRegistry(engine).facts.enter([entry], at=moved)
    rows = await desk.totals(ME, question(grouping=Grouping.TRANSFORMER, names=("T1", "T2")))
    t1, t2 = ([r.total for r in rows if r.group == name] for name in ("T1", "T2"))
    assert t1[1] == (3 * 96 + 12 * 4) * 100
    assert [a + b for a, b in zip(t1, t2, strict=True)] == [40 * n * 100 for n in (96, 96, 92, 96, 96)]


async def test_a_group_that_differs_from_a_released_one_by_few_is_refused_and_the_same_is_shown_again(
    desk: UsageDesk, store_process: Path
) -> None:
    async def released(preset: str = "15/15", recipient: str = "the city", **changes: object) -> dict[str, object]:
        asked = question(grouping=Grouping.FEEDER, **changes)
        record = await desk.release(ME, asked, PRESETS[preset], recipient=recipient, reason="its climate report")
        return record.result

    first = await released(names=("F1", "F2"))
    assert first["customers"] == 40
    # Somebody's reading is corrected: what was released does not show it, in whatever grain it is asked for.
    store = SocketStore(store_process)
    later = KNOWN + timedelta(days=2)
    await store.write_days(days_of(POINTS[5], watt_hours=900, version=2, known_at=later), token=f"v2-{POINTS[5]}")
    await store.close()
    assert await released(names=("F1", "F2")) == first
    assert await released(recipient="the county", names=("F1", "F2")) == first
    with pytest.raises(ReleaseRefusedError, match="fewer than 100"):
        await released(preset="ca-100", names=("F1", "F2"))
    hours = await released(names=("F1", "F2"), grain=Grain.HOUR)
    assert sum(r["total"] for r in hours["rows"]) == sum(r["total"] for r in first["rows"])  # type: ignore[attr-defined]
    # A neighbor moves to another feeder: the group without it differs from the released one by one customer.
    async with room_database(desk.settings, "openami_mdm") as engine:
        entry = FactEntry(POINTS[0], FactKind.FEEDER, "F3", MADE)
        await PostgresRegistry(engine).facts.enter([entry], at=KNOWN)
    with pytest.raises(ReleaseRefusedError, match="put together"):
        await released(names=("F1", "F2"))
    with pytest.raises(ReleaseRefusedError, match="fewer than 15"):
        await released(names=("F3",))
    # Either feeder differs from the whole by enough; both together would leave the neighbor alone.
    await released(names=("F1",))
    with pytest.raises(ReleaseRefusedError, match="put together"):
        await released(names=("F2",))
    kept = await desk.releases(ME, limit=10)
    assert sorted(r.recipient for r in kept) == ["the city"] * 3 + ["the county"]


async def test_a_customer_with_several_places_is_one_customer(desk: UsageDesk) -> None:
    account = uuid4()
    async with room_database(desk.settings, "openami_mdm") as engine:
        entries = [FactEntry(p, FactKind.ACCOUNT, str(account), MADE) for p in POINTS[:8]]
        await PostgresRegistry(engine).facts.enter(entries, at=KNOWN)
    with pytest.raises(ReleaseRefusedError, match="fewer than 15 customers"):
        await desk.release(
            ME, question(grouping=Grouping.FEEDER, names=("F1",)), PRESETS["15/15"], recipient="x", reason="y"
        )


async def moved(desk: UsageDesk, *entries: FactEntry) -> None:
    async with room_database(desk.settings, "openami_mdm") as engine:
        await PostgresRegistry(engine).facts.enter(entries, at=KNOWN)


async def let_out(desk: UsageDesk, *names: str, **changes: object) -> dict[str, object]:
    asked = question(grouping=Grouping.FEEDER, names=names, **changes)
    preset = Preset("plain", 15, None, "test", "at least 15")
    return (await desk.release(ME, asked, preset, recipient="the city", reason="its climate report")).result


async def test_a_second_place_of_a_customer_who_was_in_the_total_before_is_not_told_by_the_difference(
    desk: UsageDesk,
) -> None:
    account = str(uuid4())
    await moved(
        desk,
        FactEntry(POINTS[20], FactKind.FEEDER, "F3", MADE),
        *(FactEntry(p, FactKind.ACCOUNT, account, MADE) for p in (POINTS[0], POINTS[20])),
    )
    await let_out(desk, "F1")
    with pytest.raises(ReleaseRefusedError, match="put together"):
        await let_out(desk, "F1", "F3")


async def test_a_day_on_which_few_are_left_in_a_group_is_not_told(desk: UsageDesk) -> None:
    turn = datetime(2026, 3, 9, 5, tzinfo=UTC)
    await moved(desk, *(FactEntry(p, FactKind.FEEDER, "F9", turn) for p in POINTS[1:20]))
    with pytest.raises(ReleaseRefusedError, match="fewer than 15"):
        await let_out(desk, "F1")
    await let_out(desk, "F1", last=FIRST + timedelta(days=2))


async def test_a_place_that_left_is_not_told_by_the_difference_of_two_groups_that_both_had_it(desk: UsageDesk) -> None:
    turn = datetime(2026, 3, 9, 5, tzinfo=UTC)
    await moved(desk, FactEntry(POINTS[0], FactKind.FEEDER, "F3", turn))
    await let_out(desk, "F1")
    with pytest.raises(ReleaseRefusedError, match="put together"):
        await let_out(desk, "F1", "F3")


async def test_customers_who_have_no_such_channel_hide_nobody(desk: UsageDesk, store_process: Path) -> None:
    store = SocketStore(store_process)
    for point in POINTS[:3]:
        days = replace(
            days_of(point, watt_hours=70 if point == POINTS[0] else 0),
            channel=np.full(DAYS, Channel.RECEIVED, np.uint8),
        )
        await store.write_days(days, token=f"r-{point}")
    await store.close()
    with pytest.raises(ReleaseRefusedError, match="fewer than 15"):
        await let_out(desk, "F1", channel=Channel.RECEIVED)


async def test_a_virtual_channel_is_named_read_and_ended(desk: UsageDesk) -> None:
    definition = VirtualChannel(
        "campus", (Term(1, POINTS[0], Channel.DELIVERED), Term(-1, POINTS[1], Channel.DELIVERED))
    )
    await desk.define(ME, "campus", definition, reason="one customer, two meters")
    assert await desk.virtual_channels() == {"campus": definition}
    series = await desk.virtual_series(ME, "campus", FIRST, FIRST)
    assert (len(series), int(series.value.sum()), int((series.quality == QualityState.ESTIMATED).sum())) == (96, 0, 24)
    await desk.define(ME, "campus", None, reason="sold")
    assert await desk.virtual_channels() == {}
    with pytest.raises(UsageRefusedError, match="no service point"):
        await desk.define(ME, "x", VirtualChannel("x", (Term(1, uuid4(), Channel.DELIVERED),)), reason="")


async def test_an_unknown_group_or_place_is_named(desk: UsageDesk) -> None:
    with pytest.raises(UsageRefusedError, match="feeder F9"):
        await desk.totals(ME, question(grouping=Grouping.FEEDER, names=("F1", "F9")))
    with pytest.raises(UsageRefusedError, match="no service point"):
        await desk.totals(ME, question(places=(uuid4(),)))
