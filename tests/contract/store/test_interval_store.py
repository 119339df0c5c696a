"""What every interval store must do, asked of the real one over its socket and of the one in memory."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID, uuid4

import numpy as np
import pytest
from tests.contract.store.fake_store import FakeStore

from openami.contracts.channel import Channel
from openami.contracts.day import DayTable, DayVersion
from openami.contracts.quality import QualityState, RawQuality
from openami.contracts.reading import ReadingBatch, RegisterBatch, uuid_column, uuids_of
from openami.kernel.clock import FixedClock
from openami.kernel.time import Period, epoch_s
from openami.mdm.adapters.store_fleet import SocketFleetStore
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.ports import IntervalStore, IntervalSummaries, MeterSpan, StoreError, StoreUnavailableError
from openami.mdm.validation.fleet.ports import FleetStore, IdRange
from openami.mdm.vee.profile import DayDigests
from openami.security.access.scope import Purpose, Scope, ScopeError, granted_scope, system_scope

pytestmark = pytest.mark.engines
DAY = datetime(2026, 3, 8, tzinfo=UTC)
WHOLE = Period(DAY - timedelta(days=40), DAY + timedelta(days=40))
SYSTEM = system_scope(process="test", purpose=Purpose.VALIDATION)


class Store(IntervalStore, IntervalSummaries, Protocol):
    """Both ports of one store."""


@dataclass(slots=True)
class Home:
    """A service point with a meter, new for each test, so tests share one store."""

    point: UUID
    meter: UUID

    def span(self, period: Period = WHOLE) -> MeterSpan:
        return MeterSpan(self.point, self.meter, period)


@pytest.fixture(params=["fake", "socket"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "fake":
        yield FakeStore(FixedClock(datetime(2026, 6, 1, tzinfo=UTC)))
        return
    place: Path = request.getfixturevalue("store_process")
    real = SocketStore(place)
    yield real
    await real.close()


@pytest.fixture
def home() -> Home:
    return Home(uuid4(), uuid4())


def fleet_of(store: Store) -> FleetStore:
    """The same store, asked about a fleet."""
    if isinstance(store, SocketStore):
        return SocketFleetStore(store)
    assert isinstance(store, FakeStore)
    return store


def token() -> str:
    return f"test-{uuid4()}"


def readings(meter: UUID, first: datetime, values: list[int], **columns: Any) -> ReadingBatch:
    n = len(values)
    given: dict[str, Any] = {
        "channel": np.full(n, Channel.DELIVERED, np.uint8),
        "start": epoch_s(first) + 900 * np.arange(n, dtype=np.int64),
        "interval_s": np.full(n, 900, np.uint32),
        "value": np.array(values, np.int64),
        "quality": np.zeros(n, np.uint16),
        "source": np.full(n, 1, np.uint8),
        "message_id": np.arange(n, dtype=np.uint64),
    }
    for name, value in columns.items():
        given[name] = np.full(n, value, given[name].dtype)
    return ReadingBatch(meter_id=uuid_column([meter] * n), **given)


def registers(meter: UUID, at: list[datetime], values: list[int], message_id: int = 1) -> RegisterBatch:
    n = len(values)
    return RegisterBatch(
        meter_id=uuid_column([meter] * n),
        channel=np.full(n, Channel.DELIVERED, np.uint8),
        at=np.array([epoch_s(i) for i in at], np.int64),
        value=np.array(values, np.int64),
        source=np.full(n, 1, np.uint8),
        message_id=np.full(n, message_id, np.uint64),
    )


def day(point: UUID, local_day: date, *, version: int = 1, known: datetime = DAY, **columns: Any) -> DayVersion:
    n = columns.pop("n", 96)
    values = columns.pop("values", np.arange(n, dtype=np.int64))
    given: dict[str, Any] = {
        "quality": np.zeros(n, np.uint8),
        "method": np.zeros(n, np.uint8),
        "band_low": values,
        "band_high": values,
        **columns,
    }
    start = datetime(local_day.year, local_day.month, local_day.day, 6, tzinfo=UTC)
    return DayVersion(
        point, Channel.DELIVERED, local_day, 900, start, version, known, UUID(int=version), values, **given
    )


async def read(store: Store, home: Home, period: Period = WHOLE, scope: Scope = SYSTEM) -> list[int]:
    got = await store.readings(scope, [home.span()], Channel.DELIVERED, period)
    bare = await store.values(scope, [home.span()], Channel.DELIVERED, period)
    for name in ("meter_id", "start", "value", "quality"):
        assert np.array_equal(getattr(bare, name), getattr(got, name)), f"{name} differs without its origin"
        assert getattr(bare, name).dtype == getattr(got, name).dtype
    values: list[int] = got.value.tolist()
    return values


async def second_later(store: Store) -> datetime:
    """Return an instant between what was kept and what will be."""
    if isinstance(store, FakeStore):
        instant = store.clock.now()
        store.clock.advance(2)
        return instant
    await asyncio.sleep(1.1)
    return datetime.now(UTC) - timedelta(seconds=1)


async def moment_later(store: Store) -> None:
    """Let a little domain time pass."""
    if isinstance(store, FakeStore):
        store.clock.advance(1)
    await asyncio.sleep(0.005)


async def test_readings_come_back_as_they_went_by_meter_and_start(store: Store, home: Home) -> None:
    other = Home(uuid4(), uuid4())
    mine, theirs = readings(home.meter, DAY, [5, -4, 2**40]), readings(other.meter, DAY, [1, 2])
    await store.write_readings(ReadingBatch.concatenate([theirs, mine]), token=token())
    got = await store.readings(SYSTEM, [home.span(), other.span()], Channel.DELIVERED, WHOLE)
    expected = sorted([(home.meter.bytes, 5), (home.meter.bytes, -4), (home.meter.bytes, 2**40),
                       (other.meter.bytes, 1), (other.meter.bytes, 2)], key=lambda row: row[0])  # fmt: skip
    assert list(zip([m.bytes for m in uuids_of(got.meter_id)], got.value.tolist(), strict=True)) == expected
    mine_got = await store.readings(SYSTEM, [home.span()], Channel.DELIVERED, WHOLE)
    for name in ("channel", "start", "interval_s", "value", "quality", "source", "message_id"):
        assert np.array_equal(getattr(mine_got, name), getattr(mine, name)), name
        assert getattr(mine_got, name).dtype == getattr(mine, name).dtype, name


async def test_an_empty_batch_is_kept_and_an_unknown_meter_has_nothing(store: Store, home: Home) -> None:
    await store.write_readings(ReadingBatch.empty(), token=token())
    await store.write_registers(RegisterBatch.empty(), token=token())
    await store.write_days(DayTable.from_rows([]), token=token())
    assert await read(store, home) == []
    assert len(await store.readings(SYSTEM, [], Channel.DELIVERED, WHOLE)) == 0
    assert len(await store.registers(SYSTEM, [home.span()], Channel.DELIVERED, WHOLE)) == 0
    assert len(await store.days(SYSTEM, [home.point], Channel.DELIVERED, date(2026, 1, 1), date(2026, 2, 1))) == 0
    assert len(await store.daily_totals(SYSTEM, [], Channel.DELIVERED, date(2026, 1, 1), date(2026, 2, 1))) == 0


@pytest.mark.attack("A2")
async def test_a_repeated_token_counts_once(store: Store, home: Home) -> None:
    name = token()
    for _ in range(3):
        await store.write_readings(readings(home.meter, DAY, [1, 2, 3]), token=name)
        await store.write_registers(registers(home.meter, [DAY], [100]), token=name)
        await store.write_days(DayTable.from_rows([day(home.point, date(2026, 3, 8))]), token=name)
    assert await read(store, home) == [1, 2, 3]
    assert (await store.registers(SYSTEM, [home.span()], Channel.DELIVERED, WHOLE)).value.tolist() == [100]
    assert len(await store.days(SYSTEM, [home.point], Channel.DELIVERED, date(2026, 3, 8), date(2026, 3, 8))) == 1


@pytest.mark.attack("A2")
async def test_the_same_rows_in_batches_of_another_cut_count_once(store: Store, home: Home) -> None:
    whole = readings(home.meter, DAY, list(range(20)))
    await store.write_readings(whole, token=token())
    for cut in (7, 13):
        parts = [ReadingBatch.from_arrow(whole.to_arrow().slice(a, cut)) for a in range(0, 20, cut)]
        for part in parts:
            await store.write_readings(part, token=token())
    assert await read(store, home) == list(range(20))
    assert sum((await store.completeness(SYSTEM, [home.span()], Channel.DELIVERED, WHOLE)).values()) == 20
    assert await store.conflicts(SYSTEM, [home.span()], Channel.DELIVERED, WHOLE) == []


async def test_of_two_readings_of_one_interval_the_one_that_the_meter_made_last_counts_and_is_marked(
    store: Store, home: Home
) -> None:
    both = [readings(home.meter, DAY, [10, 20], message_id=1), readings(home.meter, DAY, [11], message_id=2)]
    await store.write_readings(ReadingBatch.concatenate(both), token=token())
    assert await read(store, home) == [11, 20]
    got = await store.readings(SYSTEM, [home.span()], Channel.DELIVERED, WHOLE)
    assert got.quality.tolist() == [RawQuality.CONFLICTING, 0]
    found = await store.conflicts(SYSTEM, [home.span()], Channel.DELIVERED, WHOLE)
    assert [(c.start, c.value, c.message_id) for c in found] == [(DAY, 10, 1), (DAY, 11, 2)]


@pytest.mark.attack("A1", "A2")
async def test_a_replay_of_an_old_reading_does_not_outrun_its_correction(store: Store, home: Home) -> None:
    old, correction = (readings(home.meter, DAY, [v], message_id=m) for v, m in ((10, 3), (12, 9)))
    for batch in (old, correction, old):
        await store.write_readings(batch, token=token())
        await moment_later(store)
    assert await read(store, home) == [12]


async def test_of_two_files_the_second_counts_and_the_first_brought_again_does_not_undo_it(
    store: Store, home: Home
) -> None:
    first, second = (readings(home.meter, DAY, [v], message_id=m, source=3) for v, m in ((10, 9), (12, 3)))
    for batch in (first, second, first):
        await store.write_readings(batch, token=token())
        await moment_later(store)
    assert await read(store, home) == [12]


async def test_in_whatever_order_and_however_often_messages_come_the_same_readings_count(store: Store) -> None:
    """Pushes that overlap and disagree, answers to questions, and replays of each, in five orders."""
    dice = random.Random(20260308)
    messages = [(1, m, 900 * dice.randrange(20), dice.randrange(3)) for m in range(1, 9)]
    messages += [(2, 500 + m, 900 * dice.randrange(20), 7 + m) for m in range(2)]

    def batch(meter: UUID, source: int, message: int, since: int, value: int) -> ReadingBatch:
        start = DAY + timedelta(seconds=since)
        return readings(meter, start, [100 * value + n for n in range(6)], message_id=message, source=source)

    async def kept(order: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int]]:
        home = Home(uuid4(), uuid4())
        for message in order:
            await store.write_readings(batch(home.meter, *message), token=token())
        await read(store, home)
        got = await store.readings(SYSTEM, [home.span()], Channel.DELIVERED, WHOLE)
        return list(zip(got.start.tolist(), got.value.tolist(), got.quality.tolist(), strict=True))

    # The two answers do not overlap, so nothing in what follows depends on which came first.
    messages[-1] = (2, 501, 900 * 30, 8)
    expected = await kept(messages)
    assert any(q for _, _, q in expected), "nothing disagrees: the test tests nothing"
    for _ in range(4):
        order = messages + dice.sample(messages, 4)
        dice.shuffle(order)
        assert await kept(order) == expected


async def test_raw_rows_can_be_asked_for_as_they_were_known(store: Store, home: Home) -> None:
    await store.write_readings(readings(home.meter, DAY, [10, 20], message_id=1), token=token())
    await store.write_registers(registers(home.meter, [DAY], [100]), token=token())
    then = await second_later(store)
    await store.write_readings(readings(home.meter, DAY, [11], message_id=2), token=token())
    await store.write_readings(readings(home.meter, DAY, [10, 20], message_id=1), token=token())
    await store.write_registers(registers(home.meter, [DAY], [130], message_id=2), token=token())

    async def known(instant: datetime | None) -> tuple[list[int], list[int]]:
        raw = await store.readings(SYSTEM, [home.span()], Channel.DELIVERED, WHOLE, as_known_at=instant)
        reads = await store.registers(SYSTEM, [home.span()], Channel.DELIVERED, WHOLE, as_known_at=instant)
        return raw.value.tolist(), reads.value.tolist()

    assert await known(then) == ([10, 20], [100])
    assert await known(None) == ([11, 20], [130])
    assert await known(datetime(2001, 1, 1, tzinfo=UTC)) == ([], [])
    assert await known(then) == ([10, 20], [100])


async def test_a_stamped_version_is_known_from_its_writing_on_and_what_was_answered_before_stays(
    store: Store, home: Home
) -> None:
    when = date(2026, 3, 8)

    async def versions(instant: datetime | None) -> list[int]:
        got = await store.days(SYSTEM, [home.point], Channel.DELIVERED, when, when, as_known_at=instant)
        return [int(v) for v in got.version]

    old = DAY + timedelta(days=1)
    await store.write_days(DayTable.from_rows([day(home.point, when, known=old)]), token=token(), stamp=True)
    assert await versions(old) == []
    answers = []
    for version in (2, 3):
        instant = await second_later(store)
        answers.append((instant, await versions(instant)))
        row = day(home.point, when, version=version, known=old)
        await store.write_days(DayTable.from_rows([row]), token=token(), stamp=True)
        for asked, answer in answers:
            assert await versions(asked) == answer
    assert [a for _, a in answers] == [[1], [2]]
    assert await versions(None) == [3]


async def test_only_the_meters_own_spans_are_read(store: Store) -> None:
    point, old, new = uuid4(), uuid4(), uuid4()
    swap = DAY + timedelta(hours=1)
    for meter, value in ((old, 1), (new, 2)):
        await store.write_readings(readings(meter, DAY, [value] * 8), token=token())
    spans = [MeterSpan(point, old, Period(WHOLE.start, swap)), MeterSpan(point, new, Period(swap, WHOLE.end))]
    got = await store.readings(SYSTEM, spans, Channel.DELIVERED, WHOLE)
    assert dict(zip(got.start.tolist(), got.value.tolist(), strict=True)) == {
        epoch_s(DAY) + 900 * i: 1 if i < 4 else 2 for i in range(8)
    }


async def test_the_period_is_half_open_for_intervals_and_closed_for_registers(store: Store, home: Home) -> None:
    await store.write_readings(readings(home.meter, DAY, [1, 2, 3]), token=token())
    at = [DAY, DAY + timedelta(minutes=15), DAY + timedelta(minutes=30)]
    await store.write_registers(registers(home.meter, at, [100, 101, 103]), token=token())
    two = Period(DAY, DAY + timedelta(minutes=30))
    assert await read(store, home, two) == [1, 2]
    got = await store.registers(SYSTEM, [home.span()], Channel.DELIVERED, two)
    assert (got.at.tolist(), got.value.tolist()) == ([epoch_s(i) for i in at], [100, 101, 103])
    removed = home.span(Period(WHOLE.start, DAY))
    closing = await store.registers(SYSTEM, [removed], Channel.DELIVERED, Period(DAY, WHOLE.end))
    assert closing.value.tolist() == [100]


async def test_another_channel_is_another_series(store: Store, home: Home) -> None:
    await store.write_readings(readings(home.meter, DAY, [1]), token=token())
    await store.write_readings(readings(home.meter, DAY, [2400], channel=Channel.VOLTAGE), token=token())
    assert await read(store, home) == [1]
    volts = await store.readings(SYSTEM, [home.span()], Channel.VOLTAGE, WHOLE)
    assert volts.value.tolist() == [2400]


@pytest.mark.parametrize("first", [datetime(1999, 12, 31, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)])
async def test_a_reading_out_of_all_time_is_refused_whole(store: Store, home: Home, first: datetime) -> None:
    bad = ReadingBatch.concatenate([readings(home.meter, DAY, [1]), readings(home.meter, first, [2])])
    with pytest.raises(StoreError):
        await store.write_readings(bad, token=token())
    assert await read(store, home) == []


async def test_days_of_every_length_come_back_full(store: Store, home: Home) -> None:
    rows = []
    for number, n in enumerate((92, 96, 100, 24)):
        values = np.arange(n, dtype=np.int64) * 1000 - 7
        quality, method = np.zeros(n, np.uint8), np.zeros(n, np.uint8)
        low, high = values.copy(), values.copy()
        if number % 2:
            quality[3], method[3], low[3], high[3] = 1, 2, -50, 2**33
        rows.append(
            day(home.point, date(2026, 3, 1 + number), n=n, values=values, quality=quality, method=method,
                band_low=low, band_high=high)
        )  # fmt: skip
    await store.write_days(DayTable.from_rows(rows), token=token())
    got = list((await store.days(SYSTEM, [home.point], Channel.DELIVERED, date(2026, 3, 1), date(2026, 3, 4))).rows())
    assert len(got) == 4
    for sent, back in zip(rows, got, strict=True):
        assert (back.local_day, back.start_utc, back.version, back.known_at, back.run_id, back.interval_s) == (
            sent.local_day, sent.start_utc, sent.version, sent.known_at, sent.run_id, sent.interval_s)  # fmt: skip
        for name in ("values", "quality", "method", "band_low", "band_high"):
            assert np.array_equal(getattr(back, name), getattr(sent, name)), name


async def test_a_day_can_be_asked_for_as_it_was_known(store: Store, home: Home) -> None:
    when = date(2026, 3, 8)
    known = [DAY + timedelta(days=1), DAY + timedelta(days=3)]
    for version, instant in enumerate(known, start=1):
        row = day(home.point, when, version=version, known=instant, values=np.full(96, version, np.int64))
        await store.write_days(DayTable.from_rows([row]), token=token())

    async def version_at(instant: datetime | None) -> list[int]:
        got = await store.days(SYSTEM, [home.point], Channel.DELIVERED, when, when, as_known_at=instant)
        totals = await store.daily_totals(SYSTEM, [home.point], Channel.DELIVERED, when, when, as_known_at=instant)
        assert totals.version.tolist() == got.version.tolist()
        return [int(v) for v in got.version]

    assert await version_at(None) == [2]
    assert await version_at(known[1]) == [2]
    assert await version_at(known[1] - timedelta(seconds=1)) == [1]
    assert await version_at(known[0] - timedelta(seconds=1)) == []


async def test_daily_totals_are_the_sums_of_the_latest_days(store: Store, home: Home) -> None:
    quality = np.zeros(96, np.uint8)
    quality[:5], quality[5:7] = 1, 2
    first = day(home.point, date(2026, 3, 7), values=np.full(96, 3, np.int64), quality=quality)
    rows = [first, day(home.point, date(2026, 3, 8), n=92)]
    await store.write_days(DayTable.from_rows(rows), token=token())
    got = await store.daily_totals(SYSTEM, [home.point], Channel.DELIVERED, date(2026, 3, 1), date(2026, 3, 31))
    assert uuids_of(got.service_point_id) == [home.point, home.point]
    assert got.total.tolist() == [288, 92 * 91 // 2]
    assert got.intervals.tolist() == [96, 92]
    assert (got.estimated.tolist(), got.missing.tolist()) == ([5, 0], [2, 0])


async def test_the_digests_of_earlier_days_come_with_the_latest_version_of_each(store: Store, home: Home) -> None:
    other, silent = Home(uuid4(), uuid4()), Home(uuid4(), uuid4())
    states = np.array([QualityState.ACTUAL, QualityState.QUESTIONABLE, QualityState.ESTIMATED, QualityState.ACTUAL])
    digests = DayDigests(
        base=np.array([10, 20, 30, 40]),
        digest=np.array([5, 2**32 - 1, 7, 8], np.uint64),
        state=states.astype(np.uint8),
        profile=np.arange(96, dtype=np.int32).reshape(4, 24),
    )
    rows = [
        day(home.point, date(2026, 3, 6)),
        day(home.point, date(2026, 3, 8), values=np.arange(92), n=92),
        day(other.point, date(2026, 3, 7), values=np.full(96, 7, np.int64)),
        day(other.point, date(2026, 3, 9)),
    ]
    await store.write_days(DayTable.from_rows(rows), token=token(), digests=digests)
    values, missing = np.full(96, 3, np.int64), np.where(np.arange(96) == 5, QualityState.MISSING, 0).astype(np.uint8)
    later = day(home.point, date(2026, 3, 6), values=values, quality=missing, version=2, known=DAY + timedelta(hours=1))
    await store.write_days(DayTable.from_rows([later]), token=token())
    got = await store.history(
        SYSTEM, [silent.point, home.point, other.point], Channel.DELIVERED, date(2026, 3, 9), days=3
    )
    assert got.total.tolist() == [[0, 0, 0], [288, 0, 92 * 91 // 2], [0, 672, 0]]
    assert got.maximum.tolist() == [[0, 0, 0], [3, 0, 91], [0, 7, 0]]
    none = QualityState.MISSING
    assert got.state.tolist() == [
        [none] * 3, [none, none, QualityState.QUESTIONABLE], [none, QualityState.ESTIMATED, none]
    ]  # fmt: skip
    assert got.base.tolist() == [[0, 0, 0], [0, 0, 20], [0, 30, 0]]
    assert got.digest.tolist() == [[0, 0, 0], [0, 0, 2**32 - 1], [0, 7, 0]]
    assert got.profile.tolist() == [[0] * 24, list(range(24, 48)), [0] * 24]
    assert (await store.history(SYSTEM, [], Channel.DELIVERED, date(2026, 3, 9), days=3)).total.shape == (0, 3)


async def test_a_block_holds_every_reading_of_a_range_of_meters_by_day_meter_and_channel(store: Store) -> None:
    low, high, out = (UUID(int=(0xF1 << 120) + k) for k in (1, 2, 9))
    evening = DAY - timedelta(minutes=30)
    await store.write_readings(readings(high, evening, [1, 2, 3, 4], quality=0), token=token())
    await store.write_readings(readings(low, DAY, [7, 8], quality=5), token=token())
    await store.write_readings(readings(low, DAY, [8, 8], message_id=99), token=token())
    await store.write_readings(readings(low, DAY, [2_400], channel=Channel.VOLTAGE), token=token())
    await store.write_readings(readings(out, DAY, [1]), token=token())
    fleet = fleet_of(store)
    period = Period(evening, DAY + timedelta(hours=1))
    got = await fleet.fleet_block(SYSTEM, IdRange(low.bytes, high.bytes), period)
    at = epoch_s(DAY)
    found = {}
    for g, (a, b) in enumerate(pairwise(got.offsets.tolist())):
        key = (uuids_of(got.meter_id)[g], int(got.channel[g]), int(got.start[a]) // 86_400 * 86_400 - at)
        flags = got.flag_start[got.flag_offsets[g] : got.flag_offsets[g + 1]]
        rows = sorted(zip((got.start[a:b].astype(int) - at).tolist(), got.value[a:b].tolist(), strict=True))
        assert key not in found
        found[key] = rows, sorted((flags.astype(int) - at).tolist())
    assert found == {
        (high, 1, -86_400): ([(-1_800, 1), (-900, 2)], []),
        (high, 1, 0): ([(0, 3), (900, 4)], []),
        (low, 1, 0): ([(0, 7), (0, 8), (900, 8), (900, 8)], [0, 900]),
        (low, 3, 0): ([(0, 2_400)], []),
    }
    assert got.flag.tolist() == [5, 5]
    none = await fleet.fleet_block(SYSTEM, IdRange(out.bytes[:15] + b"\xaa", out.bytes[:15] + b"\xff"), period)
    assert (len(none.meter_id), none.offsets.tolist(), none.flag_offsets.tolist()) == (0, [0], [0])


async def test_register_reads_of_a_range_include_both_midnights(store: Store) -> None:
    low, high = (UUID(int=(0xF2 << 120) + k) for k in (1, 2))
    midnights = [DAY - timedelta(days=1), DAY, DAY + timedelta(days=1)]
    await store.write_registers(registers(high, midnights, [10, 20, 30]), token=token())
    await store.write_registers(registers(low, [DAY], [5]), token=token())
    period = Period(DAY, DAY + timedelta(days=1))
    got = await fleet_of(store).fleet_reads(SYSTEM, IdRange(low.bytes, high.bytes), period)
    found = {
        uuids_of(got.meter_id)[g]: sorted(zip(got.at[a:b].tolist(), got.value[a:b].tolist(), strict=True))
        for g, (a, b) in enumerate(pairwise(got.offsets.tolist()))
    }
    at = epoch_s(DAY)
    assert found == {low: [(at, 5)], high: [(at, 20), (at + 86_400, 30)]}


async def test_the_history_of_a_fleet_tells_which_days_have_a_version(store: Store) -> None:
    points = [uuid4() for _ in range(3)]
    missing = np.full(96, QualityState.MISSING, np.uint8)
    big = np.full(96, 2**33, np.int64)
    rows = [
        day(points[0], date(2026, 3, 6), values=big),
        day(points[0], date(2026, 3, 8)),
        day(points[2], date(2026, 3, 7), quality=missing),
    ]
    await store.write_days(DayTable.from_rows(rows), token=token())
    fleet = fleet_of(store)
    days = {Channel.DELIVERED: 2, Channel.VOLTAGE: 1}
    of_channel = await fleet.fleet_history(SYSTEM, uuid_column(points), date(2026, 3, 8), days)
    assert not of_channel[Channel.VOLTAGE].has_version(slice(None), 0).any()
    got = of_channel[Channel.DELIVERED]
    assert got.has_version(slice(None), 2).tolist() == [True, False, False]
    assert got.has_version(slice(None), 0, 2).tolist() == [True, False, True]
    assert got.history(slice(None), 0, 2).total.tolist() == [[96 * 2**33, 0], [0, 0], [0, 95 * 48]]
    assert got.history(slice(2, 3), 1, 2).maximum.tolist() == [[95]]
    assert got.history(np.array([2, 0]), 2).total.tolist() == [[0], [95 * 48]]
    assert (got.history(slice(None), 0, 2).state == QualityState.MISSING).tolist() == [
        [False, True], [True, True], [True, True]
    ]  # fmt: skip


async def test_a_fleet_is_for_a_processs_scope_alone(store: Store, home: Home) -> None:
    one = granted_scope(
        actor="person:1", purpose=Purpose.VALIDATION, service_points=frozenset({home.point}), audit_id=uuid4()
    )
    fleet, meters = fleet_of(store), IdRange(b"\0" * 16, b"\xff" * 16)
    for ask in (fleet.fleet_block, fleet.fleet_reads):
        with pytest.raises(ScopeError):
            await ask(one, meters, WHOLE)
    with pytest.raises(ScopeError):
        await fleet.fleet_history(one, uuid_column([home.point]), date(2026, 3, 8), {Channel.DELIVERED: 2})


async def test_completeness_counts_each_interval_once_by_the_hour_it_starts_in(store: Store, home: Home) -> None:
    await store.write_readings(readings(home.meter, DAY, [1] * 6), token=token())
    await store.write_readings(readings(home.meter, DAY, [2] * 2, message_id=9), token=token())
    got = await store.completeness(SYSTEM, [home.span()], Channel.DELIVERED, WHOLE)
    assert got == {DAY: 4, DAY + timedelta(hours=1): 2}
    fleet = await store.completeness(SYSTEM, None, Channel.DELIVERED, Period(DAY, DAY + timedelta(hours=1)))
    assert fleet[DAY] >= 4


async def test_the_last_reading_of_each_meter_is_found(store: Store, home: Home) -> None:
    silent = Home(uuid4(), uuid4())
    await store.write_readings(readings(home.meter, DAY, [1] * 6), token=token())
    newest = DAY + timedelta(minutes=75)
    got = await store.last_readings(SYSTEM, [home.span(), silent.span()], WHOLE)
    assert {m: r.start for m, r in got.items()} == {home.meter: newest}
    assert (await store.last_readings(SYSTEM, None, WHOLE))[home.meter].start == newest
    early = await store.last_readings(SYSTEM, [home.span()], Period(WHOLE.start, DAY + timedelta(minutes=30)))
    assert early[home.meter].start == DAY + timedelta(minutes=15)
    assert {r.first for r in (got[home.meter], early[home.meter])} == {DAY}


async def test_table_sizes_count_rows(store: Store, home: Home) -> None:
    await store.write_readings(readings(home.meter, DAY, [1] * 6), token=token())
    sizes = {s.table: s.rows for s in await store.table_sizes(SYSTEM)}
    assert sizes["reading_raw"] >= 6


class TestScope:
    """A scope is a wall, not a filter on good will."""

    async def test_a_service_point_outside_the_scope_is_refused(self, store: Store, home: Home) -> None:
        narrow = granted_scope(
            actor="user:1", purpose=Purpose.OWN_DATA, service_points=frozenset({uuid4()}), audit_id=uuid4()
        )
        with pytest.raises(ScopeError):
            await read(store, home, scope=narrow)
        with pytest.raises(ScopeError):
            await store.registers(narrow, [home.span()], Channel.DELIVERED, WHOLE)
        with pytest.raises(ScopeError):
            await store.days(narrow, [home.point], Channel.DELIVERED, date(2026, 3, 1), date(2026, 3, 2))
        with pytest.raises(ScopeError):
            await store.daily_totals(narrow, [home.point], Channel.DELIVERED, date(2026, 3, 1), date(2026, 3, 2))
        with pytest.raises(ScopeError):
            await store.conflicts(narrow, None, Channel.DELIVERED, WHOLE)
        with pytest.raises(ScopeError):
            await store.completeness(narrow, None, Channel.DELIVERED, WHOLE)
        with pytest.raises(ScopeError):
            await store.last_readings(narrow, None, WHOLE)
        with pytest.raises(ScopeError):
            await store.table_sizes(narrow)

    async def test_a_scope_with_times_gives_only_those_times(self, store: Store, home: Home) -> None:
        moved_in = DAY + timedelta(minutes=30)
        scope = granted_scope(
            actor="user:1",
            purpose=Purpose.OWN_DATA,
            service_points=frozenset({home.point}),
            audit_id=uuid4(),
            periods={home.point: (Period(moved_in, WHOLE.end),)},
        )
        await store.write_readings(readings(home.meter, DAY, [1, 2, 3, 4]), token=token())
        rows = [day(home.point, date(2026, 3, 7)), day(home.point, date(2026, 3, 8))]
        await store.write_days(DayTable.from_rows(rows), token=token())
        assert await read(store, home, scope=scope) == [3, 4]
        got = await store.days(scope, [home.point], Channel.DELIVERED, date(2026, 3, 1), date(2026, 3, 31))
        assert [r.local_day for r in got.rows()] == [date(2026, 3, 8)]
        totals = await store.daily_totals(scope, [home.point], Channel.DELIVERED, date(2026, 3, 1), date(2026, 3, 31))
        assert len(totals) == 1


async def test_a_store_that_is_not_there_says_try_again(short_tmp: Path) -> None:
    absent = SocketStore(short_tmp / "store.sock")
    with pytest.raises(StoreUnavailableError, match="try again"):
        await absent.write_readings(readings(uuid4(), DAY, [1]), token="t")
    with pytest.raises(StoreUnavailableError, match="try again"):
        await absent.table_sizes(SYSTEM)
