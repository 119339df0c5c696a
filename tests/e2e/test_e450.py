"""A push that a Landis+Gyr E450 really sent, ciphered with its own keys, goes the whole way and ends as register reads.

The telegram and its keys were published with ``dlms_parser``; HDLC and its block transfer end in the collector. Its
clock gives no deviation, so the zone of its shipment applies.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.e2e.conftest import Demo
from tests.e2e.own_meter import OwnMeter, installed, own_collector, place_made, shipped, signed_in, until

from openami.app.settings import Settings
from openami.contracts.channel import CHANNELS, Channel
from openami.contracts.reading import RegisterBatch
from openami.kernel.time import Period
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.ports import MeterSpan
from openami.network.intake import HdlcIntake, OfferedFrame
from openami.protocol.errors import PeerError
from openami.security.access.scope import Purpose, system_scope

pytestmark = [pytest.mark.e2e, pytest.mark.enable_socket, pytest.mark.timeout(300)]
NAME = "dlms_parser/hdlc_landis_gyr_e450"
SHOWN = datetime(2022, 2, 21, 17, 37, 30, tzinfo=ZoneInfo("Europe/Vienna"))
"""What the telegram's clock says, in the zone of the shipment: 16:37:30 UTC."""
FLAG = 0x7E


def telegram(shared_data: Path) -> dict[str, Any]:
    """Return the captured push as it was published."""
    listed = json.loads((shared_data / "telegrams" / "telegrams.json").read_text())
    rows = listed if isinstance(listed, list) else listed["telegrams"]
    found: dict[str, Any] = next(t for t in rows if t["name"] == NAME)
    return found


def carried(octets: bytes, *, at_ms: int) -> list[OfferedFrame]:
    """Return what the collector makes of the meter's line."""
    made = HdlcIntake().receive(octets, collected_at_ms=at_ms)
    assert not [m for m in made if isinstance(m, PeerError)]
    return [m for m in made if not isinstance(m, PeerError)]


def checksum(octets: bytes) -> bytes:
    """Return the HDLC frame check sequence. Source: RFC 1662, appendix C."""
    fcs = 0xFFFF
    for octet in octets:
        fcs ^= octet
        for _ in range(8):
            fcs = fcs >> 1 ^ 0x8408 if fcs & 1 else fcs >> 1
    return (fcs ^ 0xFFFF).to_bytes(2, "little")


def altered(octets: bytes, *, frame: int = 1, back: int = 20) -> bytes:
    """Flip one bit of the ciphertext in one HDLC frame and make its check sequence right again."""
    start = 0
    for _ in range(frame):
        start += 2 + int.from_bytes(octets[start + 1 : start + 3]) % 0x800
    length = int.from_bytes(octets[start + 1 : start + 3]) % 0x800
    inside = bytearray(octets[start + 1 : start + 1 + length])
    assert octets[start] == octets[start + 1 + length] == FLAG
    assert checksum(bytes(inside[:-2])) == bytes(inside[-2:])
    inside[-back] ^= 0x01
    inside[-2:] = checksum(bytes(inside[:-2]))
    return octets[: start + 1] + bytes(inside) + octets[start + 1 + length :]


async def registers(settings: Settings, meter: OwnMeter) -> dict[str, tuple[datetime, int]]:
    """Return the register reads of a meter by OBIS, asked by the store's named query."""
    store = SocketStore(settings.home.store_socket)
    period = Period(datetime(2022, 2, 1, tzinfo=UTC), datetime(2022, 3, 1, tzinfo=UTC))
    spans = [MeterSpan(meter.meter_id, meter.meter_id, period)]
    scope = system_scope(process="e2e", purpose=Purpose.OPERATIONS)
    found = {}
    try:
        for channel in Channel:
            batch: RegisterBatch = await store.registers(scope, spans, channel, period)
            assert len(batch) <= 1
            if len(batch):
                at = datetime.fromtimestamp(int(batch.at[0]), UTC)
                found[str(CHANNELS[channel].register_obis)] = (at, int(batch.value[0]))
    finally:
        await store.close()
    return found


async def test_a_captured_ciphered_push_ends_as_register_reads(demo: Demo, shared_data: Path, tmp_path: Path) -> None:
    published, settings = telegram(shared_data), Settings.load(demo.home)
    keys = {f"{use}_key": bytes.fromhex(key) for use, key in published["keys"].items()}
    title = bytes.fromhex(published["security"]["system_title"])
    meter = await shipped(settings, title=title, profile="lg-e450", zone="Europe/Vienna", **keys)
    place = await place_made(settings, zone="Europe/Vienna", cell="Vienna")
    await installed(settings, meter, place, since=datetime(2022, 2, 20, 23, tzinfo=UTC))
    octets = bytes.fromhex(published["hex"])
    now_ms = int(settings.clock().now().timestamp() * 1000)

    async with signed_in(demo, demo.people["staff"]) as staff, own_collector(settings, tmp_path) as collector:

        async def letters(reason: str) -> list[dict[str, Any]]:
            found = (await staff.get("/staff/dead-letters?limit=500")).json()["letters"]
            return [x for x in found if x["system_title"] == title.hex() and x["reason"] == reason]

        # The forged one first: were it believed, its counter would spoil the true one.
        await collector.offer(carried(altered(octets), at_ms=now_ms))
        forged = await until(lambda: letters("bad_tag"), what="the altered push is a dead letter")
        assert await registers(settings, meter) == {}

        await collector.offer(carried(octets, at_ms=now_ms))
        numbers = published["expected"]["numbers"]
        at = SHOWN.astimezone(UTC)
        stored = {obis for obis in numbers if obis in {str(s.register_obis) for s in CHANNELS.values()}}

        async def all_registers() -> dict[str, tuple[datetime, int]]:
            found = await registers(settings, meter)
            return found if len(found) >= len(stored) else {}

        kept = await until(all_registers, what="the push is in the store")
        assert kept == {obis: (at, int(numbers[obis])) for obis in stored}
        assert {"1.0.1.8.0.255", "1.0.2.8.0.255", "1.0.1.8.1.255", "1.0.1.8.2.255"} <= stored

        await collector.offer(carried(octets, at_ms=now_ms + 1000))
        replayed = await until(lambda: letters("replay"), what="the replayed push is a dead letter")
        assert (len(forged), len(replayed), len(await letters("bad_tag"))) == (1, 1, 1)
        assert await registers(settings, meter) == kept
    figures = f"1.8.0 = {kept['1.0.1.8.0.255'][1]} Wh at {at:%Y-%m-%d %H:%M:%S} UTC"
    print(f"\n{NAME}: {len(kept)} registers, {figures}; altered -> bad_tag, replayed -> replay")  # noqa: T201 - shown to people
