"""A campaign over real engines and processes: waves, a kill in the middle, an abort, and nothing without two people."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from tests.integration.firmware.conftest import ANNA, BEN, CONTENT, NEW, OLD, VERA, Site

from openami.app.devices.firmware_desk import FirmwareRefusedError, Person
from openami.app.people.desk import SignInRefusedError
from openami.app.settings import real_now
from openami.contracts.command import CommandClass
from openami.headend.adapters.campaigns_postgres import CampaignRefusedError
from openami.headend.keeping.campaign import CampaignState, MeterStep
from openami.kernel.time import Period
from openami.meter.objects.image import ImageTransfer
from openami.security.access.approval import ApprovalRefusedError
from openami.security.access.gate import AccessDeniedError
from openami.security.suites.curve import public_key_of

pytestmark = [pytest.mark.engines, pytest.mark.timeout(240)]
BLOCKS = 7


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Counter[int]:
    """How often each block was taken, over all meters."""
    counts: Counter[int] = Counter()
    take = ImageTransfer.take_block

    def counted(self: ImageTransfer, number: int, octets: bytes) -> None:
        take(self, number, octets)
        counts[number] += 1

    monkeypatch.setattr(ImageTransfer, "take_block", counted)
    return counts


async def test_ten_meters_in_three_waves_come_home_though_everything_is_killed_in_the_middle(
    site: Site, taken: Counter[int]
) -> None:
    village = site.village
    await site.headend.start()
    campaign = await site.planned(site.wish())
    await site.until_words(campaign, "waits for approval")
    assert village.heard.total() == 0
    # In the first meter's image, after some of its blocks.
    village.hold_at = 10
    await site.desk.approve(BEN, campaign)
    await asyncio.wait_for(village.held.wait(), 30)
    some = taken.total()
    assert 0 < some < BLOCKS
    await asyncio.gather(site.headend.kill(), site.command.kill())
    assert await site.steps(campaign) == {MeterStep.WAITING: 10}
    village.go.set()
    await asyncio.gather(site.headend.start(), site.command.start())
    await site.until(campaign, CampaignState.DONE, wait_s=120)
    assert village.running() == {NEW: 10}
    assert taken == dict.fromkeys(range(BLOCKS), 10)
    _, meters, people = await site.one(campaign)
    assert people == 2
    ended = [[t.meter.changed_at_s for t in meters if t.meter.wave == wave] for wave in range(3)]
    assert [len(wave) for wave in ended] == [1, 3, 6]
    assert max(ended[0]) < min(ended[1]) < max(ended[1]) < min(ended[2])
    assert set(await site.recorded()) == {CommandClass.FIRMWARE}


@pytest.mark.attack("A20")
async def test_images_that_do_not_verify_abort_after_the_first_wave(site: Site) -> None:
    await site.headend.start()
    campaign = await site.planned(site.wish(CONTENT + bytes(64)))
    await site.desk.approve(BEN, campaign)
    head = await site.until(campaign, CampaignState.ABORTED)
    assert head.words == "1 of 1 meters of wave 1 have failed"
    assert await site.steps(campaign) == {MeterStep.FAILED: 1, MeterStep.WAITING: 9}
    assert site.village.running() == {OLD: 10}
    assert len(site.village.heard) == 1
    with pytest.raises(CampaignRefusedError):
        await site.desk.change(ANNA, campaign, CampaignState.RUNNING)


@pytest.mark.attack("A16", "A20")
async def test_nothing_goes_out_for_what_two_people_have_not_approved(site: Site) -> None:
    await site.headend.start()
    now = real_now()
    early = replace(site.wish(meters=2), window=Period(now + timedelta(hours=1), now + timedelta(hours=2)))
    alone = await site.planned(site.wish(meters=2))
    for who, error in ((ANNA, ApprovalRefusedError), (VERA, AccessDeniedError)):
        with pytest.raises(error):
            await site.desk.approve(who, alone)
    with pytest.raises(SignInRefusedError):
        await site.desk.approve(Person(BEN.login, "not Ben's"), alone)
    with pytest.raises(FirmwareRefusedError, match="not the image"):
        await site.desk.approve(BEN, alone, image=b"another")
    with pytest.raises(CampaignRefusedError, match="another campaign"):
        await site.planned(early)
    await site.until_words(alone, "waits for approval by 2 different people")
    await site.desk.change(BEN, alone, CampaignState.PAUSED)
    await site.desk.change(BEN, alone, CampaignState.RUNNING)
    await site.desk.change(BEN, alone, CampaignState.ABORTED)
    with pytest.raises(FirmwareRefusedError, match="aborted"):
        await site.desk.approve(BEN, alone)
    later = await site.planned(early)
    await site.desk.approve(BEN, later)
    await site.until_words(later, "waits for its window")
    assert (site.village.heard.total(), await site.recorded()) == (0, Counter())
    looks = await site.looks()
    assert [allowed for query, allowed in looks if query == "firmware.approve"] == [True, False, True]


async def test_the_command_line_plans_approves_and_tells(site: Site) -> None:
    home = site.settings.home.path
    (home / "image.bin").write_bytes(site.wish().image)
    (home / "maker.pub").write_text(public_key_of(site.village.maker.signing_key).hex())
    (home / "meters.txt").write_text("\n".join(str(title) for title in list(site.village.meters)[:2]))

    async def said(*words: str, person: Person | None = None) -> dict[str, Any]:
        command = [sys.executable, "-m", "openami", "firmware", *words, "--home", str(home), "--json"]
        if person is not None:
            command += ["--as", person.login]
        # Without a terminal of its own, so that the password is asked of standard input.
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
        )
        word = f"{person.password}\n".encode() if person is not None else b""
        out, err = await asyncio.wait_for(process.communicate(word), 60)
        assert process.returncode == 0, err.decode()
        assert person is None or person.password not in (out + err).decode()
        found: dict[str, Any] = json.loads(out)
        return found

    planned = await said(
        "plan", str(home / "image.bin"), "--id", NEW.decode(), "--maker-key", str(home / "maker.pub"),
        "--meters", str(home / "meters.txt"), "--waves", "1,rest", "--watch-hours", "0", person=ANNA,
    )  # fmt: skip
    campaign = planned["campaign"]
    approved = await said("approve", campaign, "--image", str(home / "image.bin"), person=BEN)
    assert approved["image"] == NEW.decode()
    await site.headend.start()
    await site.until(UUID(campaign), CampaignState.DONE)
    told = await said("status", campaign)
    assert (told["state"], told["confirmed"], told["approved_by"]) == ("done", 2, 2)
    assert told["waves"] == [{"wave": 1, "confirmed": 1}, {"wave": 2, "confirmed": 1}]
    assert told["failed"] == []
