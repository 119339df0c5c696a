"""Firmware goes out in waves, stops when too many fail, goes on where it stood, and reaches a real meter's memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from openami.headend.keeping.campaign import (
    MAX_TRIES,
    TRANSITIONS,
    Campaign,
    CampaignPlan,
    CampaignState,
    MeterStep,
    Report,
    assigned_waves,
    resumed,
)
from openami.headend.session.firmware import Image, Progress, activate_image, confirm_image, send_image
from openami.headend.session.session import MANAGEMENT, SessionFailedError, Sessions
from openami.kernel.errors import MisuseError
from openami.meter.objects.image import BLOCK_OCTETS
from openami.protocol.association.client import ClientAssociation
from openami.protocol.association.steps import Steps
from openami.sim.week import at_once
from openami.sim.week_world import HEADEND_TITLE, Air, WeekDownlink, WeekSealing, WeekWorld

PLAN = CampaignPlan(UUID(int=7), wave_shares=(0.05, 1.0), abort_share=0.1, abort_least=2, watch_s=100.0, at_once=10)
METERS = [UUID(int=n) for n in range(40)]


def campaign() -> Campaign:
    made = Campaign(PLAN, {m.meter_id: m for m in assigned_waves(PLAN, METERS)})
    made.start()
    return made


def half() -> float:
    return 0.5


def finish(made: Campaign, meter_id: UUID, *, now_s: float) -> None:
    for report in (Report.VERIFIED, Report.ACTIVATED, Report.CONFIRMED):
        made.report(meter_id, report, now_s=now_s, words="", dice=half)


def test_waves_are_drawn_the_same_each_time_and_hold_every_meter_once() -> None:
    waves = assigned_waves(PLAN, METERS)
    assert waves == assigned_waves(PLAN, reversed(METERS))
    assert Counter(m.wave for m in waves) == {0: 2, 1: 38}
    assert waves != assigned_waves(replace(PLAN, campaign_id=UUID(int=8)), METERS)
    with pytest.raises(MisuseError):
        CampaignPlan(UUID(int=1), wave_shares=(0.5, 0.5, 1.0))


def test_the_second_wave_waits_until_the_first_has_been_watched() -> None:
    made = campaign()
    first = made.take(now_s=0)
    assert {m.wave for m in first} == {0}
    for m in first:
        finish(made, m.meter_id, now_s=10)
    assert made.take(now_s=109) == []
    second = made.take(now_s=110)
    assert (len(second), {m.wave for m in second}) == (10, {1})
    assert made.take(now_s=110) == []


def test_too_many_failures_abort_and_few_do_not() -> None:
    made = campaign()
    for m in made.take(now_s=0):
        finish(made, m.meter_id, now_s=0)
    taken = made.take(now_s=200)
    for m in taken[:3]:
        made.report(m.meter_id, Report.REFUSED, now_s=200, words="no", dice=half)
    assert made.state is CampaignState.RUNNING
    made.report(taken[3].meter_id, Report.REFUSED, now_s=200, words="no", dice=half)
    assert (made.state, made.words) == (CampaignState.ABORTED, "4 of 38 meters of wave 2 have failed")
    assert made.take(now_s=10_000) == []
    with pytest.raises(MisuseError):
        made.start()


def test_silence_is_tried_again_and_then_is_a_failure() -> None:
    made, now = campaign(), 0.0
    meter = made.take(now_s=now)[0]
    for _ in range(MAX_TRIES):
        after = made.report(meter.meter_id, Report.NO_ANSWER, now_s=now, words="no answer", dice=half)
        now = max(now, after.not_before_s)
        made.take(now_s=now)
    assert (after.step, after.words) == (MeterStep.FAILED, "no answer; given up after 8 tries")


def test_a_killed_owner_leaves_every_meter_where_it_stood() -> None:
    made = campaign()
    meter = made.take(now_s=0)[0]
    made.report(meter.meter_id, Report.BLOCKS_SENT, now_s=1, words="", dice=half, next_block=64)
    made.take(now_s=2)
    again = resumed(PLAN, list(made.meters.values()), made.state)
    assert again.meters == made.meters
    assert meter.meter_id in {m.meter_id for m in again.take(now_s=2)}
    assert again.meters[meter.meter_id].next_block == 64


@pytest.mark.parametrize("step", list(MeterStep))
@pytest.mark.parametrize("report", [r for r in Report if r is not Report.NO_ANSWER])
def test_only_what_the_table_knows_can_be_reported(step: MeterStep, report: Report) -> None:
    made = campaign()
    one = METERS[0]
    made.meters[one] = replace(made.meters[one], step=step)
    if (step, report) in TRANSITIONS:
        assert made.report(one, report, now_s=0, words="", dice=half).step is TRANSITIONS[step, report]
    else:
        with pytest.raises(MisuseError):
            made.report(one, report, now_s=0, words="", dice=half)


Operation = Callable[[ClientAssociation], Steps[Progress]]


class Lab:
    """One simulated meter and sessions with it; the maker's signature is a constant of 64 octets."""

    SIGNATURE = b"\x5a" * 64

    def __init__(self, *, loss: float = 0.0) -> None:
        zone = ZoneInfo("America/Chicago")
        air = Air(push_loss=0.0, exchange_loss=loss)
        self.world = WeekWorld(meters=1, cells=1, seed=4, start_s=1_772_500_000, zone=zone, air=air)
        self.meter = self.world.meters[0].meter
        self.meter.state.image.verifier = lambda _message, signature: signature == self.SIGNATURE
        self.downlink = WeekDownlink(self.world, at_s=1_772_500_000.0)
        self.sessions = Sessions(
            sealing=WeekSealing(self.world),
            downlink=self.downlink,
            own_title=HEADEND_TITLE,
            secret=lambda n: bytes(range(n)),
            monotonic=lambda: self.downlink.at_s,
        )

    def run(self, operation: Operation) -> Progress:
        title = self.world.meters[0].made.identity.title
        return at_once(self.sessions.run(title, operation, port=MANAGEMENT))


def image(*, signature: bytes = Lab.SIGNATURE, blocks: int = 7) -> Image:
    return Image(b"OAM240-02.00.00", bytes(range(256)) * (2 * (blocks - 1)) + b"end" + signature)


def sending(most_blocks: int, what: Image) -> Operation:
    def operation(client: ClientAssociation) -> Steps[Progress]:
        return send_image(client, what, most_blocks=most_blocks)

    return operation


def test_an_image_goes_in_sessions_is_verified_activated_and_confirmed() -> None:
    lab, what = Lab(), image()
    assert len(what.octets) == 6 * BLOCK_OCTETS + 3 + 64
    assert lab.run(sending(3, what)) == Progress(Report.BLOCKS_SENT, 3, "3 of 7 blocks are there")
    assert lab.run(sending(3, what)) == Progress(Report.BLOCKS_SENT, 6, "6 of 7 blocks are there")
    assert lab.run(sending(3, what)).report is Report.VERIFIED
    # The answer was lost, and the shell sends again: nothing is thrown away.
    assert lab.run(sending(3, what)).report is Report.VERIFIED
    assert lab.run(lambda c: confirm_image(c, what)).report is Report.NO_ANSWER
    assert lab.run(lambda c: activate_image(c, what)).report is Report.ACTIVATED
    assert lab.run(lambda c: confirm_image(c, what)).report is Report.CONFIRMED
    assert lab.run(lambda c: activate_image(c, what)).report is Report.CONFIRMED
    assert lab.run(sending(3, what)).report is Report.CONFIRMED
    assert lab.meter.state.image.active == what.identifier


def test_an_image_that_the_maker_has_not_signed_is_refused_by_the_meter() -> None:
    lab = Lab()
    assert lab.run(sending(64, image(signature=b"\x00" * 64))).report is Report.REFUSED
    assert lab.meter.state.image.active == b"OAM240-01.00.00"


def test_a_lossy_radio_costs_sessions_and_never_a_block() -> None:
    lab, what = Lab(loss=0.05), image()
    reports = []
    for _ in range(60):
        try:
            reports.append(lab.run(sending(2, what)).report)
        except SessionFailedError:
            continue
        if reports[-1] is Report.VERIFIED:
            break
    assert reports[-1] is Report.VERIFIED
