"""History and live meters are one story: the same energy, the same registers, the same losses."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.contracts.channel import Channel
from openami.contracts.quality import RawQuality
from openami.contracts.reading import uuid_column
from openami.kernel.time import epoch_s, local_midnight
from openami.meter.counters import InvocationCounters, MemoryCounterStore
from openami.meter.fleet import MeterFleet
from openami.meter.registers import MAX_CAPACITY_WH, MJ_PER_WH, RegisterBank
from openami.protocol.apdu import DataNotification, decode
from openami.protocol.cosem import decode_date_time
from openami.protocol.envelope.sealed import parse_sealed_header
from openami.protocol.envelope.wrapper import parse_wrapper
from openami.protocol.push import LOAD_PROFILE_PUSH, REGISTER_PUSH
from openami.security.suites.gcm import open_sealed
from openami.sim.check import Ledger, RegisterStretch, energy_is_conserved
from openami.sim.factory import FactoryMeter, make_meters, parse_book, shipment_document
from openami.sim.history import Archive, days_between, tell_story
from openami.sim.live import Heard, LiveMeters, backfill_day
from openami.sim.territory import Territory
from openami.sim.world.world import World

ZONE = ZoneInfo("America/Chicago")
SPRING = date(2026, 3, 8)
DAYS = days_between(date(2026, 3, 1), date(2026, 3, 15))


def midnight_s(day: date) -> int:
    return epoch_s(local_midnight(day, ZONE))


@pytest.fixture(scope="module")
def territory() -> Territory:
    return Territory(World(seed=3, home_count=70), midnight_s(DAYS[0]), midnight_s(DAYS[-1]))


@pytest.fixture(scope="module")
def meters(territory: Territory) -> list[FactoryMeter]:
    dice = np.random.Generator(np.random.SFC64(1))
    return make_meters(territory.meter_count, secret=dice.bytes)


def fleet_of(meters: list[FactoryMeter], registers: RegisterBank) -> MeterFleet:
    return MeterFleet([m.identity for m in meters], registers, InvocationCounters(MemoryCounterStore(len(meters))))


def opened(heard: Heard, meters: list[FactoryMeter]) -> tuple[bytes, list[list[Any]]]:
    """Return push setup and rows of a frame, clocks as epoch seconds."""
    _, apdu = parse_wrapper(heard.octets)
    identity = next(m.identity for m in meters if m.identity.title == heard.title)
    body = apdu[parse_sealed_header(apdu).body_offset :]
    plain = open_sealed(heard.title.octets, body, key=identity.encryption_key, auth_key=identity.authentication_key)
    notification = decode(plain)
    assert isinstance(notification, DataNotification)
    value: Any = notification.body.value
    setup, rows = value
    read: list[list[Any]] = []
    for row in rows.value:
        clock, *values = [v.value for v in row.value]
        read.append([epoch_s(decode_date_time(clock).to_utc()), *values])
    return setup.value, read


def test_every_watt_hour_is_in_an_interval_or_beside_a_marked_gap_through_exchange_outage_and_daylight_saving(
    territory: Territory,
) -> None:
    bank = territory.registers_at_genesis()
    first = [int(v) for v in bank.shown_wh()[0]]
    total, outside = np.zeros(territory.meter_count, np.int64), np.zeros(territory.meter_count, np.int64)
    for day in DAYS:
        today = territory.day(day)
        energy = bank.integrate(today.delivered_mj, today.received_mj)
        total += (energy.delivered_wh * today.captured).sum(axis=1)
        outside += (energy.delivered_wh * ~today.captured).sum(axis=1)
    last = [int(v) for v in bank.shown_wh()[0]]
    ledgers = [
        Ledger(
            UUID(int=m), 1, [int(total[m])], int(outside[m]), [RegisterStretch([first[m], last[m]], MAX_CAPACITY_WH)]
        )
        for m in range(territory.meter_count)
    ]
    assert energy_is_conserved(ledgers, tolerance_wh=0) == []
    assert (outside[: territory.world.home_count] > 0).sum() <= len(territory.exchanges)


def test_a_meter_that_rounds_each_interval_by_itself_breaks_the_law(territory: Territory) -> None:
    today = territory.day(SPRING)
    rounded = (today.delivered_mj + MJ_PER_WH // 2) // MJ_PER_WH
    bank = territory.registers_at_genesis()
    before = bank.shown_wh()[0]
    bank.integrate(today.delivered_mj, today.received_mj)
    advance = bank.shown_wh()[0] - before
    ledgers = [
        Ledger(UUID(int=m), 1, rounded[m].tolist(), 0, [RegisterStretch([0, int(advance[m])], MAX_CAPACITY_WH)])
        for m in range(territory.world.home_count)
    ]
    assert len(energy_is_conserved(ledgers)) > territory.world.home_count // 4


def test_live_meters_go_on_exactly_where_the_history_ends(territory: Territory, meters: list[FactoryMeter]) -> None:
    story = tell_story(territory, DAYS[:8])
    live = LiveMeters(territory, fleet_of(meters, story.end), territory.power_flow(), midnight_s(DAYS[8]))
    heard = [h for _ in range(96) for h in live.step()]
    longer = tell_story(territory, DAYS[:10])
    archive = Archive(
        territory, longer, uuid_column([m.meter_id for m in meters]), territory.power_flow(),
        np.zeros(0, np.int64), 1 << 60,
    )  # fmt: skip
    batch = archive.readings([DAYS[8]])
    loaded = {
        (batch.meter_id[k].tobytes(), int(batch.start[k])): int(batch.value[k])
        for k in np.flatnonzero(batch.channel == int(Channel.DELIVERED))
    }
    sent: dict[tuple[bytes, int], Any] = {}
    ids = {m.identity.title: m.meter_id.bytes for m in meters}
    for h in heard:
        setup, rows = opened(h, meters)
        if setup == LOAD_PROFILE_PUSH.octets:
            sent |= {(ids[h.title], int(r[0]) - 900): r[2] for r in rows}
    assert sent == loaded
    assert np.array_equal(live.fleet.registers.delivered_mj, longer.delivered_mj[9])


def test_what_was_held_back_is_sent_with_the_values_the_history_would_have_had(
    territory: Territory, meters: list[FactoryMeter]
) -> None:
    story = tell_story(territory, DAYS)
    k, few = 10, np.array([0, 5], dtype=np.int64)
    bank = RegisterBank(story.delivered_mj[k].copy(), story.received_mj[k].copy(), story.end.capacity_wh)
    heard = backfill_day(
        territory, fleet_of(meters, bank), territory.power_flow(), meters=few, day=DAYS[k], until_s=midnight_s(DAYS[-1])
    )
    pushes = [opened(h, meters) for h in heard]
    rows = [r for setup, part in pushes if setup == LOAD_PROFILE_PUSH.octets for r in part]
    reads = [r for setup, part in pushes if setup == REGISTER_PUSH.octets for r in part]
    assert 150 < len(rows) <= 192
    assert len(reads) == 2
    assert reads[0][1] == int(story.delivered_mj[k + 1][0] // MJ_PER_WH)
    assert np.array_equal(bank.delivered_mj, story.delivered_mj[k + 1])


def test_an_archive_leaves_out_what_is_held_back_and_what_was_lost(
    territory: Territory, meters: list[FactoryMeter]
) -> None:
    story = tell_story(territory, DAYS)
    ids = uuid_column([m.meter_id for m in meters])
    few = np.array([0, 5], dtype=np.int64)
    archive = Archive(territory, story, ids, None, few, midnight_s(DAYS[7]))
    newest, older = archive.readings(DAYS[7:14]), archive.readings(DAYS[:7])
    assert not np.isin(newest.meter_id, ids[few]).any()
    assert np.isin(older.meter_id, ids[few]).any()
    whole = territory.world.home_count * sum(len(territory.world.slots(d)) for d in DAYS[:7])
    delivered = int((older.channel == int(Channel.DELIVERED)).sum())
    assert 0.94 * whole < delivered < whole


def test_outage_ends_are_marked_and_the_dark_between_leaves_no_rows() -> None:
    world = World(seed=3, home_count=140)
    territory = Territory(world, midnight_s(DAYS[0]), midnight_s(DAYS[-1]))
    for day in days_between(date(2026, 3, 1), date(2026, 6, 30)):
        today = territory.day(day)
        if today.outages:
            break
    marked = today.status == int(RawQuality.POWER_DOWN)
    assert marked.any()
    assert set(np.unique(np.nonzero(marked)[0])) <= set(np.concatenate([o.homes for o in today.outages]).tolist())
    assert (today.delivered_mj[~today.captured] == 0).all()


def test_the_factory_gives_each_meter_keys_of_its_own_and_a_book_that_reads_back(meters: list[FactoryMeter]) -> None:
    keys = {k for m in meters for k in (m.identity.encryption_key, m.identity.authentication_key)}
    assert len(keys) == 2 * len(meters)
    assert len({m.identity.title for m in meters}) == len(meters)
    text = shipment_document(meters, shipment_id=str(uuid4()), made_at=local_midnight(SPRING, ZONE))
    assert parse_book(text) == meters
