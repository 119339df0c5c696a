"""A request goes from the head-end to a meter and its answer comes home; whatever dies on the way, somebody says so."""

from __future__ import annotations

import asyncio
import time

import pytest
from tests.integration.downlink.conftest import ANSWER, INITIATE_RESPONSE, Road

from openami.contracts.command import COMMAND_MAGIC, CommandClass, OutcomeKind, decode_command, decode_outcome
from openami.contracts.stream import CORE_COMMAND
from openami.headend.ports import (
    DownlinkUnavailableError,
    ForgedAnswerError,
    NoAnswerError,
    SealingRefusedError,
    SealingUnavailableError,
)
from openami.protocol.envelope.association import parse_association
from openami.protocol.envelope.wrapper import parse_wrapper, wrap
from openami.security.suites.gcm import gmac_answer

GET_ENERGY = bytes.fromhex("c001c100030100010800ff0200")
DISCONNECT = bytes.fromhex("c301c10046000060030aff01010f00")
INITIATE = bytes.fromhex("01000000065f1f0400007e1f04b0")
pytestmark = pytest.mark.engines


async def associate(road: Road) -> bytes:
    """Return the plain initiate response of an association."""
    title = road.meter.title
    sealed = await road.sealing.seal(title, INITIATE, control=0x30)
    inside = bytes([0x21, len(sealed)]) + sealed
    body = bytes.fromhex("a109060760857405080103a60a0408") + road.own_title
    body += bytes([0xBE, len(inside) + 2, 4, len(inside)]) + inside
    frame = wrap(2, 1, bytes([0x60, len(body)]) + body)
    _, apdu = parse_wrapper(await road.exchanges.exchange(title, frame, timeout_s=10))
    sealed_at = parse_association(apdu).sealed_at
    assert sealed_at is not None
    return await road.sealing.open(title, apdu[sealed_at:])


async def outcomes(road: Road) -> list[OutcomeKind]:
    return [decode_outcome(o).kind for _, o in await road.rig.messages(CORE_COMMAND) if o[:4] == b"OO01"]


async def test_a_request_goes_down_and_its_answer_comes_home(road: Road) -> None:
    assert await associate(road) == INITIATE_RESPONSE
    began = time.monotonic()
    for _ in range(20):
        assert await road.read(GET_ENERGY) == ANSWER
    took_s = (time.monotonic() - began) / 20
    assert road.meter.asked == [INITIATE, *[GET_ENERGY] * 20]
    assert took_s < 2.0
    print(f"a read of one APDU: {took_s * 1000:.0f} ms")  # noqa: T201 - the figure for the documents
    # The answers used up the meter's counters, and its next push is read as ever.
    await road.heard()
    await road.rig.until_counted(1 + 1 + 20 + 1)
    assert len(await road.rig.emitted()) == 2 * 4 * 3
    assert await road.rig.letters() == []
    meter = road.rig.factory.meters[0]
    proof = await road.sealing.prove(road.meter.title, bytes(16))
    ours = gmac_answer(road.own_title, int.from_bytes(proof[1:5]), bytes(16), key=meter.key, auth_key=meter.auth_key)
    assert proof == ours
    theirs = gmac_answer(meter.title, 7, b"c" * 16, key=meter.key, auth_key=meter.auth_key)
    assert await road.sealing.verify(road.meter.title, b"c" * 16, theirs)
    assert not await road.sealing.verify(road.meter.title, b"d" * 16, theirs)
    assert await outcomes(road) == [OutcomeKind.ANSWERED] * 21


@pytest.mark.attack("A16")
async def test_what_needs_an_approval_reaches_no_meter_and_silence_is_said_in_words(road: Road) -> None:
    with pytest.raises(SealingRefusedError, match="needs an approval"):
        await road.sealing.seal(road.meter.title, DISCONNECT, control=0x30)
    with pytest.raises(ForgedAnswerError):
        await road.sealing.open(road.meter.title, bytes(40))
    road.meter.silent = True
    with pytest.raises(NoAnswerError, match="on the radio"):
        await road.read(GET_ENERGY)
    road.meter.silent, road.meter.holds = False, True
    with pytest.raises(NoAnswerError):
        await road.read(GET_ENERGY, timeout_s=1.0)
    road.meter.holds = False
    assert await road.read(GET_ENERGY) == ANSWER
    assert road.meter.asked == [GET_ENERGY]
    kept = [decode_command(o) for _, o in await road.rig.messages(CORE_COMMAND) if o[:4] == COMMAND_MAGIC]
    assert [c.command_class for c in kept] == []
    assert CommandClass.SWITCH not in {c.command_class for c in kept}


@pytest.mark.parametrize("victim", ["gateway", "command", "collector"])
async def test_a_kill_while_the_meter_has_the_request_ends_in_words_and_the_road_mends(road: Road, victim: str) -> None:
    road.meter.holds = True
    road.meter.has_it.clear()
    asking = asyncio.create_task(road.read(GET_ENERGY, timeout_s=6.0))
    await asyncio.wait_for(road.meter.has_it.wait(), 10)
    if victim == "collector":
        await road.stop_collector()
    else:
        await (road.gateway if victim == "gateway" else road.command).kill()
    road.meter.holds = False
    road.meter.go.set()
    # The command process is not in the way of what is under way, but for the network's word about it.
    with pytest.raises(NoAnswerError, match="no answer"):
        await asyncio.wait_for(asking, 10)
    with pytest.raises((DownlinkUnavailableError, SealingUnavailableError, NoAnswerError)):
        await road.read(GET_ENERGY, timeout_s=1.0)
    if victim == "collector":
        road.start_collector()
    else:
        await (road.gateway if victim == "gateway" else road.command).start()
    await road.heard()
    assert await road.read(GET_ENERGY) == ANSWER
    assert len(road.meter.asked) <= 2, "nothing was carried out twice"
