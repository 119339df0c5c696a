"""The territory's meters answer through the process that plays them, and a restart forgets nothing that they said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import numpy as np
from tests.pair.meter.reading import Reader
from tests.unit.meter.made import CLOCK, at, rows

from openami.app.process.territory import Meters
from openami.app.territory.territory_files import Standing, TerritoryFiles
from openami.kernel.clock import FixedClock
from openami.kernel.obis import Obis
from openami.kernel.time import instant_from_epoch_s
from openami.protocol.axdr import Data, Tag, array, octet_string, structure
from openami.protocol.cosem.reference import AttributeRef, MethodRef, RangeSelection
from openami.security.suites.wrap import wrap_key
from openami.sim.factory import make_meters, shipment_document
from openami.sim.plan import make_plan

HOMES, DAYS = 12, 12
NOW = datetime(2026, 6, 10, 17, 7, tzinfo=UTC)
PROFILE = AttributeRef(7, Obis.from_text("1.0.99.1.0.255"), 2)
SWITCH = Obis.from_text("0.0.96.3.10.255")
SECURITY = Obis.from_text("0.0.43.0.0.255")


def made(home: Path) -> TerritoryFiles:
    """Return the files of a small territory whose history has ended just now."""
    files = TerritoryFiles(home)
    points = [UUID(int=k) for k in range(HOMES)]
    plan = make_plan(seed=5, homes=HOMES, days=DAYS, zone="America/Chicago", now=NOW, service_points=points)
    territory = plan.territory()
    dice = np.random.Generator(np.random.SFC64(1))
    meters = make_meters(territory.meter_count, secret=dice.bytes)
    files.write_plan(plan, book=shipment_document(meters, shipment_id="small", made_at=NOW))
    bank = territory.registers_at_genesis()
    totals = (bank.delivered_mj + 10**13, bank.received_mj + 10**13)
    files.write_standing(Standing(plan.history_end_s, *totals, plan.history_end_s, *totals))
    return files


def started(files: TerritoryFiles) -> Meters:
    meters = Meters(FixedClock(NOW), files, files.plan(), [])
    meters.prepare()
    return meters


def reader(meters: Meters, meter: int, *, first_counter: int = 1) -> Reader:
    identity = meters.fleet.identities[meter]

    def answer(client: int, octets: bytes) -> list[bytes]:
        return asyncio.run(meters.answer(identity.title, client, octets))

    one = Reader(identity, answer, first_counter=first_counter)
    one.associate()
    return one


def hanging(meters: Meters) -> int:
    return next(m for m in range(HOMES) if meters.live.has_supply(m, meters.live.at_s))


def after_a_restart(files: TerritoryFiles, work: Callable[[Meters, int], None]) -> Meters:
    """Let somebody work with a meter, forget the process as a kill does, and start again."""
    before = started(files)
    work(before, hanging(before))
    return started(files)


def test_an_order_that_was_answered_survives_a_kill(tmp_path: Path) -> None:
    def disconnect(meters: Meters, meter: int) -> None:
        one = reader(meters, meter)
        one.run(one.association.call(MethodRef(70, SWITCH, 1), Data(Tag.INTEGER, 0)))

    again = after_a_restart(made(tmp_path), disconnect)
    assert again.live.memory.open_meters(again.live.at_s + 900) == [hanging(again)]


def test_a_quarter_hour_before_the_order_is_measured_again_as_it_was(tmp_path: Path) -> None:
    files = made(tmp_path)
    first = started(files)
    meter = hanging(first)
    # The order comes at 17:07; the quarter-hour to 17:00 was measured, but its standing was not kept.
    first.live.at_s -= 900
    first.live.step()
    one = reader(first, meter)
    one.run(one.association.call(MethodRef(70, SWITCH, 1), Data(Tag.INTEGER, 0)))
    again = started(files)
    again.live.at_s -= 900
    again.live.step()
    assert (again.fleet.registers.delivered_mj == first.fleet.registers.delivered_mj).all()
    before = int(again.fleet.registers.delivered_mj[meter])
    again.live.step()
    assert int(again.fleet.registers.delivered_mj[meter]) == before


def test_new_keys_survive_a_kill_and_the_old_ones_open_nothing(tmp_path: Path) -> None:
    new = bytes(range(100, 116))
    before: list[bytes] = []

    def renew(meters: Meters, meter: int) -> None:
        one = reader(meters, meter)
        identity = meters.fleet.identities[meter]
        before.append(identity.encryption_key)
        wrapped = wrap_key(new, wrapping_key=identity.master_key or b"")
        key = array(structure(Data(Tag.ENUM, 0), octet_string(wrapped)))
        one.run(one.association.call(MethodRef(64, SECURITY, 2), key))

    again = after_a_restart(made(tmp_path), renew)
    assert again.fleet.identities[hanging(again)].encryption_key == new != before[0]
    reader(again, hanging(again))


def test_the_days_before_the_meters_came_to_life_are_in_their_profiles_and_filled_once(tmp_path: Path) -> None:
    files = made(tmp_path)
    meters = started(files)
    asyncio.run(meters.remember(asyncio.Event()))
    one = reader(meters, hanging(meters))
    end = instant_from_epoch_s(meters.live.at_s)
    wanted = RangeSelection(CLOCK, at(end.replace(day=1)), at(end))
    got = rows(one.run(one.association.read(PROFILE, wanted)))
    assert len(got) >= 96 * 9
    assert got[-1][0] == meters.live.at_s
    again = started(files)
    cursor = again.kept.past()
    assert cursor is not None
    assert cursor.at_s <= again.territory.genesis_s
    asyncio.run(again.remember(asyncio.Event()))
    later = reader(again, hanging(again), first_counter=500)
    assert rows(later.run(later.association.read(PROFILE, wanted))) == got


def test_a_meter_that_has_just_been_started_shows_the_voltage_of_its_last_row(tmp_path: Path) -> None:
    meters = started(made(tmp_path))
    asyncio.run(meters.remember(asyncio.Event()))
    one = reader(meters, hanging(meters))
    voltage = one.run(one.association.read(AttributeRef(3, Obis.from_text("1.0.12.7.0.255"), 2)))
    end = instant_from_epoch_s(meters.live.at_s)
    last = rows(one.run(one.association.read(PROFILE, RangeSelection(CLOCK, at(end), at(end)))))[-1]
    assert voltage.integer == last[4]
    assert 2_000 < (voltage.integer or 0) < 2_800
