"""A head-end that was taken over asks the command process for what it likes, and writes its own tables as it likes."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy.exc import ProgrammingError
from tests.integration.firmware.conftest import BEN, CONTENT, NEW, OLD, Site

from openami.app.engines.nats import connect
from openami.app.settings import real_now
from openami.headend.adapters.command_process import NatsCommandProcess
from openami.headend.keeping.campaign import CampaignState
from openami.headend.ports import SealingRefusedError
from openami.headend.session.firmware import IMAGE, IMAGE_CLASS, INITIATE
from openami.kernel.ids import SystemTitle
from openami.kernel.time import Period
from openami.protocol import apdu as messages
from openami.protocol.apdu.services import ActionRequest
from openami.protocol.axdr import octet_string, structure, u32
from openami.protocol.cosem.reference import MethodRef

pytestmark = [pytest.mark.engines, pytest.mark.timeout(120)]
OCTETS = len(CONTENT) + 64
ADD = (
    "insert into headend.campaign_meter (campaign_id, meter_id, wave, state, system_title, partition) "
    "values (:campaign, :meter, 0, 'waiting', :title, 0)"
)


def begin(image_id: bytes = NEW, octets: int = OCTETS) -> bytes:
    parameter = structure(octet_string(image_id), u32(octets))
    return messages.encode(ActionRequest(0xC1, MethodRef(IMAGE_CLASS, IMAGE, INITIATE), parameter))


@pytest.mark.attack("A16", "A20")
async def test_an_approval_serves_neither_another_image_nor_another_meter_nor_after_its_end(site: Site) -> None:
    now = real_now()
    inside, *_, outside = site.village.meters
    wish = replace(site.wish(meters=2), window=Period(now - timedelta(minutes=1), now + timedelta(seconds=6)))
    campaign = await site.planned(wish)
    core = await connect(site.nats.url("core_headend"), name="test")
    process = NatsCommandProcess(core, real_now)

    async def passes(title: SystemTitle, plaintext: bytes) -> bool:
        try:
            await process.seal(title, plaintext, control=0x30)
        except SealingRefusedError:
            return False
        return True

    assert not await passes(inside, begin())
    await site.desk.approve(BEN, campaign)
    await asyncio.sleep(1.1)
    assert await passes(inside, begin())
    assert not await passes(inside, begin(b"OAM240-09.00.00"))
    assert not await passes(inside, begin(octets=OCTETS - 1))
    await site.sql(ADD, campaign=campaign, meter=UUID(int=5), title=outside.octets)
    assert not await passes(outside, begin())
    assert await passes(inside, begin())
    await asyncio.sleep(max(0.0, (wish.window.end - real_now()).total_seconds()) + 1.1)
    assert not await passes(inside, begin())
    await core.close()


@pytest.mark.attack("A16")
async def test_a_withdrawn_approval_lets_nothing_pass(site: Site) -> None:
    title = next(iter(site.village.meters))
    campaign = await site.planned(site.wish(meters=1))
    await site.desk.approve(BEN, campaign)
    core = await connect(site.nats.url("core_headend"), name="test")
    process = NatsCommandProcess(core, real_now)
    await process.seal(title, begin(), control=0x30)
    await site.desk.change(BEN, campaign, CampaignState.ABORTED)
    await site.sql("update headend.campaign set state = 'running'")
    await asyncio.sleep(1.1)
    with pytest.raises(SealingRefusedError, match="needs an approval"):
        await process.seal(title, begin(), control=0x30)
    await core.close()


@pytest.mark.attack("A16")
async def test_a_campaign_of_more_meters_than_were_approved_waits_and_says_so(site: Site) -> None:
    campaign = await site.planned(site.wish(meters=2))
    await site.desk.approve(BEN, campaign)
    await site.sql(ADD, campaign=campaign, meter=UUID(int=5), title=list(site.village.meters)[5].octets)
    await site.headend.start()
    await site.until_words(campaign, "the command process refuses")
    assert await site.recorded() == Counter()
    assert site.village.running() == {OLD: 10}


@pytest.mark.attack("A16")
@pytest.mark.parametrize(
    "statement",
    [
        "update access.firmware_approval set meters_digest = image_digest",
        "delete from access.firmware_approval",
        "insert into access.firmware_approval select * from access.firmware_approval",
    ],
    ids=["change", "delete", "insert"],
)
async def test_no_approval_can_be_written_with_the_rights_of_the_headend(site: Site, statement: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        await site.sql(statement)
