"""A real association over the whole road: the head-end's client, sealing in the command process, a virtual meter."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from tests.integration.downlink.conftest import Road
from tests.unit.meter.made import between, rows

from openami.app.bench.pushes import FIRST_END
from openami.app.territory.territory_radio import RadioCell
from openami.headend.ports import SealingRefusedError
from openami.kernel.ids import SystemTitle
from openami.kernel.obis import Obis
from openami.meter.answering import FleetSendCounter, MeterAssociations
from openami.meter.clock import MeterClock
from openami.meter.counters import InvocationCounters, MemoryCounterStore
from openami.meter.meter import VirtualMeter
from openami.meter.registers import DEFAULT_CAPACITY_WH, MJ_PER_WH, RegisterBank
from openami.meter.sealing import MeterIdentity
from openami.network.delivery import Deliveries
from openami.protocol.apdu.acse import Mechanism
from openami.protocol.association.client import ClientAssociation, ClientSettings
from openami.protocol.association.drive import EnvelopeSealing, drive_async
from openami.protocol.association.form import Form
from openami.protocol.association.steps import Steps
from openami.protocol.axdr import Data, Tag, octet_string
from openami.protocol.cosem.datetime import date_time_from_utc
from openami.protocol.cosem.reference import AttributeRef, MethodRef
from openami.protocol.envelope.wrapper import parse_wrapper, wrap
from openami.sim.mesh import TerritoryAir

ENERGY = AttributeRef(3, Obis.from_text("1.0.1.8.0.255"), 2)
PROFILE = AttributeRef(7, Obis.from_text("1.0.99.1.0.255"), 2)
CLOCK = AttributeRef(8, Obis.from_text("0.0.1.0.0.255"), 2)
DISCONNECT = MethodRef(70, Obis.from_text("0.0.96.3.10.255"), 1)
pytestmark = pytest.mark.engines


@dataclass
class Bodies:
    """The road's sealing for one meter."""

    road: Road
    title: SystemTitle

    async def seal(self, plaintext: bytes, *, control: int) -> bytes:
        return await self.road.sealing.seal(self.title, plaintext, control=control)

    async def open(self, sealed: bytes) -> bytes:
        return await self.road.sealing.open(self.title, sealed)

    async def prove(self, challenge: bytes) -> bytes:
        return await self.road.sealing.prove(self.title, challenge)

    async def verify(self, challenge: bytes, answer: bytes) -> bool:
        return await self.road.sealing.verify(self.title, challenge, answer)


def virtual(road: Road) -> VirtualMeter:
    """A meter with the keys of the road's, at work for thirty hours until the hour of the installation."""
    made = road.rig.factory.meters[0]
    identity = MeterIdentity(SystemTitle(made.title), made.key, made.auth_key)
    bank = RegisterBank(np.array([1_000 * MJ_PER_WH]), np.array([0]), np.array([DEFAULT_CAPACITY_WH], dtype=np.int64))
    begin = FIRST_END - timedelta(hours=30)
    counters = InvocationCounters(MemoryCounterStore(1))
    for _ in range(200):
        counters.take(0)
    one = VirtualMeter(identity, bank, counters, MeterClock(begin, 0), ZoneInfo("America/Chicago"), begin)
    one.advance(FIRST_END, power_mw=1_000_000, voltage_dv=2_402)
    return one


def listen(road: Road, one: VirtualMeter, *, wait: Callable[[float], Awaitable[None]]) -> RadioCell:
    """Put the meter behind the simulated radio of the road's collector."""
    served = MeterAssociations(
        one.device,
        identity=lambda: one.identity,
        send=FleetSendCounter(one.counters, 0),
        received=one.state.received,
        dice=os.urandom,
    )

    async def answer(_title: SystemTitle, client: int, octets: bytes) -> list[bytes]:
        return served.answer(client, octets)

    air = TerritoryAir(1, np.zeros(1, dtype=np.int64)).cells[0]
    cell = RadioCell({one.identity.title: 0}, air, answer, lambda: 0, wait)
    deliveries = Deliveries(
        deliver=cell.deliver, offer=road.collector.offer, tell=road.collector.tell, stamp_ms=lambda: 1
    )
    road.deliveries = deliveries
    road.collector.on_down(deliveries.take)
    return cell


async def no_wait(_seconds: float) -> None:
    """The radio's seconds are not waited for here."""


@pytest.mark.attack("A16")
@pytest.mark.parametrize("form", [Form.GLO, Form.GENERAL_GLO], ids=lambda form: form.value)
async def test_a_session_reads_a_day_and_sets_the_clock_and_may_not_disconnect(road: Road, form: Form) -> None:
    one = virtual(road)
    cell = listen(road, one, wait=no_wait)
    own, title = road.own_title, one.identity.title
    settings = ClientSettings(Mechanism.HIGH_GMAC, 0x30, form, own_title=own, expected_title=title.octets)
    client = ClientAssociation(settings)
    exchanges = 0

    async def exchange(apdu: bytes) -> bytes:
        nonlocal exchanges
        exchanges += 1
        return parse_wrapper(await road.exchanges.exchange(title, wrap(1, 1, apdu), timeout_s=10))[1]

    async def run(steps: Steps[Any]) -> Data | None:
        return await drive_async(steps, sealing=EnvelopeSealing(Bodies(road, title), own_title=own), exchange=exchange)

    await drive_async(
        client.associate(challenge=os.urandom(32)),
        sealing=EnvelopeSealing(Bodies(road, title), own_title=own),
        exchange=exchange,
    )
    energy = await run(client.read(ENERGY))
    assert energy is not None
    assert energy.integer == 31_000
    began = time.monotonic()
    day = await run(client.read(PROFILE, between(FIRST_END - timedelta(hours=24) + timedelta(minutes=15), FIRST_END)))
    took_s = time.monotonic() - began
    assert day is not None
    assert [r[2] for r in rows(day)] == [250] * 96
    print(f"a day of 96 rows: {took_s * 1000:.0f} ms; {exchanges} exchanges in all; {cell.airtime_s:.2f} s on the air")  # noqa: T201
    await run(client.write(CLOCK, octet_string(date_time_from_utc(FIRST_END).encode())))
    with pytest.raises(SealingRefusedError, match="needs an approval"):
        await run(client.call(DISCONNECT, Data(Tag.INTEGER, 0)))
    await run(client.release())
    assert cell.calls["answered"] == exchanges
    assert await road.rig.letters() == []
