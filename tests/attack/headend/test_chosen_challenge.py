"""Whoever stands between us and a meter may choose a challenge, and gets no tag of a request for it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

import pytest
from tests.unit.headend.test_classify import DISCONNECT, ON

from openami.headend.session.session import SessionFailedError, Sessions
from openami.kernel.ids import SystemTitle
from openami.kernel.obis import Obis
from openami.protocol import apdu as messages
from openami.protocol.apdu.acse import AssociationResponse
from openami.protocol.apdu.services import ActionRequest
from openami.protocol.association.client import ClientAssociation
from openami.protocol.association.steps import Steps
from openami.protocol.axdr import Data
from openami.protocol.cosem.reference import AttributeRef
from openami.protocol.envelope.wrapper import parse_wrapper, wrap
from openami.sim.week_world import HEADEND_TITLE, Air, WeekDownlink, WeekSealing, WeekWorld

START_S = 1_772_500_000
CLOCK = AttributeRef(8, Obis.from_text("0.0.1.0.0.255"), 2)


@dataclass
class Middle:
    """A collector that puts its own challenge into what a meter answers."""

    road: WeekDownlink
    challenge: bytes

    async def exchange(self, title: SystemTitle, octets: bytes, *, timeout_s: float) -> bytes:
        answer = await self.road.exchange(title, octets, timeout_s=timeout_s)
        header, apdu = parse_wrapper(answer)
        message = messages.decode(apdu)
        if isinstance(message, AssociationResponse):
            apdu = messages.encode(replace(message, responding_authentication=self.challenge))
        return wrap(header.source_port, header.destination_port, apdu)


class Watched(WeekSealing):
    """Notes what it was asked to prove."""

    def __init__(self, world: WeekWorld) -> None:
        super().__init__(world)
        self.proved: list[bytes] = []

    async def prove(self, title: SystemTitle, challenge: bytes, *, generation: int = 0) -> bytes:
        self.proved.append(challenge)
        return await super().prove(title, challenge, generation=generation)


def read_clock(client: ClientAssociation) -> Steps[Data]:
    return client.read(CLOCK)


def test_a16_a_challenge_that_is_a_request_is_not_proved() -> None:
    air = Air(push_loss=0.0, exchange_loss=0.0)
    world = WeekWorld(meters=1, cells=1, seed=4, start_s=START_S, zone=ZoneInfo("America/Chicago"), air=air)
    sealing = Watched(world)
    road = Middle(WeekDownlink(world, at_s=float(START_S)), messages.encode(ActionRequest(0xC1, DISCONNECT, ON)))
    sessions = Sessions(
        sealing=sealing, downlink=road, own_title=HEADEND_TITLE, secret=lambda n: bytes(range(n)), monotonic=lambda: 0.0
    )
    with pytest.raises(SessionFailedError, match="bad_challenge") as caught:
        asyncio.run(sessions.run(world.meters[0].made.identity.title, read_clock, port=1))
    assert sealing.proved == []
    assert not caught.value.is_final
