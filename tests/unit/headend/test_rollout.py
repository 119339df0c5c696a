"""A group's owner works its share of a campaign: in waves, within the air, only while it may, and resumable."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from openami.contracts.stream import partition_of
from openami.headend.keeping.budget import CellBudget, CellPolicy
from openami.headend.keeping.campaign import (
    CampaignMeter,
    CampaignPlan,
    CampaignState,
    MeterStep,
    WaveStanding,
    assigned_waves,
    due_wave,
    judged,
    standings_of,
)
from openami.headend.keeping.request import Lane
from openami.headend.ports import (
    LostLeaseError,
    NoAnswerError,
    SealingRefusedError,
    StateUnavailableError,
)
from openami.headend.session.rollout import LEAST_BLOCKS, LOOK_S, OVERHEAD, GroupRollout, RolloutEngines, Way
from openami.headend.session.rollout_ports import CampaignHead, Turn
from openami.headend.session.session import MANAGEMENT, Sessions
from openami.headend.state_ports import Lease
from openami.kernel.ids import SystemTitle
from openami.kernel.time import Period
from openami.security.access.approval import FirmwareApproval, FirmwareSubject, digest_of_meters
from openami.sim.week_world import HEADEND_TITLE, Air, WeekDownlink, WeekSealing, WeekWorld

START_S = 1_772_500_000
HOUR = timedelta(hours=1)
SIGNATURE = b"\x5a" * 64
IMAGE = bytes(range(256)) * 12 + SIGNATURE
NEW, OLD = b"OAM240-02.00.00", b"OAM240-01.00.00"
EVERYWHERE = frozenset(range(64))
PLAN = CampaignPlan(
    UUID(int=7), wave_shares=(0.25, 1.0), abort_share=0.3, abort_least=1, watch_s=60.0, first_pause_s=1.0
)


@dataclass
class Store:
    """Campaign tables in memory."""

    head: CampaignHead
    titles: dict[UUID, SystemTitle]
    meters: dict[UUID, CampaignMeter]
    fails: type[Exception] | None = None
    kept: list[tuple[UUID, MeterStep]] = field(default_factory=list)

    async def running(self) -> list[CampaignHead]:
        if self.head.state is not CampaignState.RUNNING:
            return []
        return [replace(self.head, standings=tuple(standings_of(self.meters.values())))]

    async def due(
        self, _campaign_id: UUID, *, wave: int, partitions: frozenset[int], now_s: float, limit: int
    ) -> list[Turn]:
        ended = {MeterStep.CONFIRMED, MeterStep.FAILED}
        found = [
            Turn(self.titles[m.meter_id], m) for m in self.meters.values()
            if m.wave == wave and m.step not in ended and m.not_before_s <= now_s
            and partition_of(self.titles[m.meter_id]) in partitions
        ]  # fmt: skip
        return found[:limit]

    async def image(self, _digest: bytes) -> bytes | None:
        return IMAGE

    async def keep(self, _lease: Lease, _campaign_id: UUID, meter: CampaignMeter) -> None:
        if self.fails is not None:
            raise self.fails("no")
        self.meters[meter.meter_id] = meter
        self.kept.append((meter.meter_id, meter.step))
        state, words = judged(self.head.plan, standings_of(self.meters.values()))
        self.head = replace(self.head, state=state, words=words or self.head.words)

    async def say(self, _campaign_id: UUID, words: str) -> None:
        self.head = replace(self.head, words=words)


@dataclass
class Book:
    approvals: list[FirmwareApproval] = field(default_factory=list)

    async def firmware(self, *, now: datetime) -> Sequence[FirmwareApproval]:
        return [a for a in self.approvals if a.subject.window.holds(now)]


class Sealing(WeekSealing):
    """The command process, which may refuse."""

    refuses = False

    async def seal(self, title: SystemTitle, plaintext: bytes, *, control: int, generation: int = 0) -> bytes:
        if self.refuses:
            raise SealingRefusedError("a command of class firmware needs an approval")
        return await super().seal(title, plaintext, control=control, generation=generation)


class Field:
    """Four simulated meters, a campaign for them and its owner."""

    def __init__(self, *, people: int = 2, cell: CellPolicy | None = None, signature: bytes = SIGNATURE) -> None:
        air = Air(push_loss=0.0, exchange_loss=0.0)
        self.world = WeekWorld(meters=4, cells=1, seed=4, start_s=START_S, zone=ZoneInfo("America/Chicago"), air=air)
        self.titles = {m.made.meter_id: m.made.identity.title for m in self.world.meters}
        for m in self.world.meters:
            m.meter.state.image.verifier = lambda _message, given: given == signature
        self.now = datetime.fromtimestamp(START_S, UTC)
        window = Period(self.now - HOUR, self.now + HOUR)
        digest = sha256(IMAGE).digest()
        meters = {m.meter_id: m for m in assigned_waves(PLAN, self.titles)}
        self.store = Store(CampaignHead(PLAN, NEW, digest, window, CampaignState.RUNNING, "", ()), self.titles, meters)
        subject = FirmwareSubject(PLAN.campaign_id, NEW, digest, digest_of_meters(self.titles.values()), window)
        self.book = Book([FirmwareApproval(UUID(int=n), subject, UUID(int=n), self.now) for n in range(people)])
        self.budget = CellBudget(cell or CellPolicy(exchanges_per_s=1000.0))
        self.sealing = Sealing(self.world)
        self.downlink = WeekDownlink(self.world, at_s=float(START_S))
        self.messages = self.breaks_every = 0
        self.rollout = self.owner()

    async def exchange(self, title: SystemTitle, octets: bytes, *, timeout_s: float) -> bytes:
        self.messages += 1
        if self.breaks_every and self.messages % self.breaks_every == 0:
            raise NoAnswerError("the meter did not hear it")
        return await self.downlink.exchange(title, octets, timeout_s=timeout_s)

    def owner(self, partitions: frozenset[int] = EVERYWHERE) -> GroupRollout:
        sessions = Sessions(
            sealing=self.sealing,
            downlink=self,
            own_title=HEADEND_TITLE,
            secret=lambda n: bytes(range(n)),
            monotonic=lambda: self.downlink.at_s,
        )
        way = Way(sessions, lambda _: MANAGEMENT, lambda _: (self.budget, 1), lambda: 0.5, lambda: self.now)
        return GroupRollout(Lease(0, 1, 0), partitions, RolloutEngines(self.store, self.book), way)

    async def turns(self, count: int = 1) -> None:
        for _ in range(count):
            await self.rollout.turn()
            await asyncio.gather(*self.rollout._tasks.values())
            self.now += timedelta(seconds=LOOK_S)

    def active(self) -> list[bytes]:
        return [m.meter.state.image.active for m in self.world.meters]


async def test_a_campaign_goes_through_its_waves_and_ends() -> None:
    field = Field()
    await field.turns(3)
    (first,) = {meter_id for meter_id, _ in field.store.kept}
    steps = [MeterStep.VERIFIED, MeterStep.ACTIVATED, MeterStep.CONFIRMED]
    assert [step for _, step in field.store.kept] == steps
    await field.turns(20)
    assert {meter_id for meter_id, _ in field.store.kept} == {first}
    field.now += timedelta(seconds=PLAN.watch_s)
    # The air of their one cell is enough for one image between two looks.
    await field.turns(9)
    assert field.active() == [NEW] * 4
    assert field.store.head.state is CampaignState.DONE


@pytest.mark.parametrize("people", [0, 1])
async def test_without_two_people_not_even_a_question_goes_out(people: int) -> None:
    field = Field(people=people)
    await field.turns(3)
    assert field.messages == 0
    assert field.store.head.words == "waits for approval by 2 different people"


@pytest.mark.parametrize(("passed", "words"), [(-2, "waits for its window"), (1, "its window has ended")])
async def test_outside_its_window_nothing_goes_out(passed: int, words: str) -> None:
    field = Field()
    field.now += passed * HOUR
    await field.turns(2)
    assert field.messages == 0
    assert field.store.head.words.startswith(words)


async def test_a_paused_campaign_begins_no_session() -> None:
    field = Field()
    field.store.head = replace(field.store.head, state=CampaignState.PAUSED)
    await field.turns(2)
    assert field.messages == 0


async def test_a_cell_with_little_air_gets_few_blocks_at_a_time() -> None:
    # Ten exchanges are left to others; what refills between two looks is too little for a session.
    field = Field(cell=CellPolicy(exchanges_per_s=1.0, burst=10.0 + OVERHEAD + LEAST_BLOCKS))
    await field.turns()
    (one,) = [m for m in field.store.meters.values() if m.step is not MeterStep.WAITING]
    assert (one.step, one.next_block) == (MeterStep.TRANSFERRING, LEAST_BLOCKS)
    said = field.messages
    await field.turns(3)
    assert field.messages == said
    await field.turns(5)
    assert field.store.meters[one.meter_id].step is MeterStep.VERIFIED


async def test_another_groups_meters_are_left_to_their_owner() -> None:
    field = Field()
    (first,) = [m.meter_id for m in field.store.meters.values() if m.wave == 0]
    mine = partition_of(field.titles[first])
    field.rollout = field.owner(EVERYWHERE - {mine})
    await field.turns(3)
    assert field.messages == 0
    field.rollout = field.owner(frozenset({mine}))
    await field.turns(3)
    assert field.store.meters[first].step is MeterStep.CONFIRMED


async def test_images_that_do_not_verify_abort_before_the_second_wave() -> None:
    field = Field(signature=b"another")
    await field.turns(3)
    field.now += timedelta(seconds=PLAN.watch_s)
    await field.turns(3)
    assert field.store.head.state is CampaignState.ABORTED
    assert field.store.head.words == "1 of 1 meters of wave 1 have failed"
    assert field.active() == [OLD] * 4


@pytest.mark.parametrize("error", [StateUnavailableError, LostLeaseError])
async def test_a_step_that_was_not_kept_is_found_in_the_meter_again(error: type[Exception]) -> None:
    field = Field()
    field.store.fails = error
    await field.turns()
    assert field.store.kept == []
    field.store.fails = None
    said = field.messages
    field.now += timedelta(seconds=60)
    await field.turns()
    assert [step for _, step in field.store.kept] == [MeterStep.VERIFIED]
    # Which firmware runs, the status, and whose image is verified; no block again.
    assert field.messages - said == 3


async def test_what_the_command_process_refuses_costs_the_meter_no_try_and_is_said() -> None:
    field = Field()
    field.sealing.refuses = True
    await field.turns(3)
    assert "the command process refuses" in field.store.head.words
    assert {m.tries for m in field.store.meters.values()} == {0}
    said = field.messages
    await field.turns(10)
    assert field.messages == said
    field.sealing.refuses = False
    field.now += timedelta(seconds=60)
    await field.turns(3)
    assert MeterStep.CONFIRMED in {m.step for m in field.store.meters.values()}


async def test_an_owner_that_leaves_lets_go_of_its_sessions() -> None:
    field = Field()
    await field.rollout.turn()
    await field.rollout.close()
    assert field.store.kept == []
    field.rollout = field.owner()
    field.now += timedelta(seconds=LOOK_S)
    await field.turns(3)
    assert MeterStep.CONFIRMED in {m.step for m in field.store.meters.values()}


@pytest.mark.parametrize(
    ("standings", "state"),
    [
        ([(2, 1, 0), (8, 0, 0)], CampaignState.RUNNING),
        ([(2, 2, 0), (8, 8, 2)], CampaignState.DONE),
        ([(2, 2, 0), (8, 4, 3)], CampaignState.ABORTED),
        ([(2, 1, 1), (8, 0, 0)], CampaignState.ABORTED),
        ([(1, 1, 1)], CampaignState.ABORTED),
    ],
)
def test_a_wave_with_too_many_failures_aborts(standings: list[tuple[int, int, int]], state: CampaignState) -> None:
    found = [WaveStanding(n, meters, ended, failed, 0.0) for n, (meters, ended, failed) in enumerate(standings)]
    assert judged(PLAN, found)[0] is state


def test_a_small_wave_of_which_nothing_is_left_aborts_whatever_the_least_number() -> None:
    patient = replace(PLAN, abort_least=3)
    assert judged(patient, [WaveStanding(0, 1, 1, 1, 0.0), WaveStanding(1, 9, 0, 0, 0.0)])[0] is CampaignState.ABORTED
    assert judged(patient, [WaveStanding(0, 3, 1, 1, 0.0), WaveStanding(1, 9, 0, 0, 0.0)])[0] is CampaignState.RUNNING


def test_the_last_wave_is_not_watched_for() -> None:
    waves = [WaveStanding(0, 1, 1, 0, 100.0), WaveStanding(1, 3, 3, 0, 200.0)]
    assert due_wave(PLAN, waves, 201.0) is None
    assert due_wave(PLAN, [waves[0], replace(waves[1], ended=1)], 159.0) is None
    assert due_wave(PLAN, [waves[0], replace(waves[1], ended=1)], 160.0) == 1


def test_a_bucket_gives_what_it_has_and_never_what_is_anothers() -> None:
    budget = CellBudget(CellPolicy(exchanges_per_s=1.0, burst=30.0))
    granted = [budget.spend_some(1, Lane.BACKGROUND, least=4, most=12, now_s=0.0) for _ in range(3)]
    assert granted == [12, 8, 0]
    assert budget.spend_some(1, Lane.PERSON, least=1, most=10, now_s=0.0) == 10
    assert budget.spend_some(2, Lane.BACKGROUND, least=4, most=12, now_s=0.0) == 12
    later = [budget.spend_some(1, Lane.BACKGROUND, least=1, most=99, now_s=float(s)) for s in (10, 11, 12)]
    assert all(a >= b for a, b in pairwise(sorted(later, reverse=True)))
    assert sum(later) <= 2


async def test_a_session_that_breaks_off_after_blocks_is_no_failure_of_the_meter() -> None:
    field = Field()
    # Two to associate, five to come to the first block: some three blocks, and the next message is lost.
    field.breaks_every = 11
    await field.turns()
    (one,) = [m for m in field.store.meters.values() if m.step is not MeterStep.WAITING]
    assert (one.step, one.tries, one.not_before_s <= field.now.timestamp()) == (MeterStep.TRANSFERRING, 0, True)
    assert one.next_block > 0
    assert one.words.endswith("the meter did not hear it")
    await field.turns(30)
    assert field.store.meters[one.meter_id].step is MeterStep.CONFIRMED


async def test_a_meter_that_is_silent_from_the_start_waits_longer_each_time() -> None:
    field = Field()
    field.breaks_every = 1
    await field.turns()
    (one,) = [m for m in field.store.meters.values() if m.tries]
    assert (one.step, one.tries) == (MeterStep.WAITING, 1)
    assert one.not_before_s > field.now.timestamp() - LOOK_S
    await field.turns(200)
    assert field.store.meters[one.meter_id].step is MeterStep.FAILED
    assert field.store.head.state is CampaignState.ABORTED


def test_a_silent_cell_is_not_counted_as_probed_where_nothing_was_asked() -> None:
    budget = CellBudget(CellPolicy(exchanges_per_s=1.0, burst=30.0), silent=frozenset({1}))
    assert budget.spend_some(1, Lane.BACKGROUND, least=25, most=30, now_s=0.0) == 0
    assert budget.spend(1, Lane.BACKGROUND, now_s=0.0)
    assert not budget.spend(1, Lane.BACKGROUND, now_s=1.0)


async def test_in_a_cell_that_nobody_hears_silence_costs_no_meter_a_try() -> None:
    field = Field()
    field.breaks_every = 1
    field.budget.silent = frozenset({1})
    await field.turns(5)
    assert field.messages == 1
    assert {m.tries for m in field.store.meters.values()} == {0}
    field.breaks_every = 0
    field.budget.silent = frozenset()
    field.now += timedelta(seconds=60)
    await field.turns(3)
    assert MeterStep.CONFIRMED in {m.step for m in field.store.meters.values()}
