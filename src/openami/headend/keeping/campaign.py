"""A firmware campaign: waves that grow, a share of failures at which it stops, and every meter's state, resumable.

Waves: a few meters first, then more, then all. A wave begins when the one before has ended in every meter, has been
watched for a while, and has not failed too often. When too many of a wave have failed the campaign is aborted: meters
that hold a verified image and have not been told to run it are left as they are.

A meter: *waiting*, *transferring* (blocks go in sessions, and go on where they stood), *verified*, *activated*, and at
last *confirmed* (it says that it runs the image) or *failed*. What a killed owner leaves is its table; nothing else.

Source: IEC 62056-6-2, 4.4.6 (image transfer); requirement of two people for firmware: the command process asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from uuid import UUID, uuid5

from openami.kernel.errors import MisuseError

MAX_TRIES = 8
FIRST_PAUSE_S, LONGEST_PAUSE_S = 300.0, 21_600.0


class MeterStep(StrEnum):
    """Where a meter stands in a campaign."""

    WAITING = "waiting"
    TRANSFERRING = "transferring"
    VERIFIED = "verified"
    ACTIVATED = "activated"
    CONFIRMED = "confirmed"
    FAILED = "failed"


class Report(StrEnum):
    """What a session with a meter gave."""

    BLOCKS_SENT = "blocks_sent"
    VERIFIED = "verified"
    ACTIVATED = "activated"
    CONFIRMED = "confirmed"
    NO_ANSWER = "no_answer"
    REFUSED = "refused"


class CampaignState(StrEnum):
    """Life of a campaign."""

    PLANNED = "planned"
    RUNNING = "running"
    PAUSED = "paused"
    ABORTED = "aborted"
    DONE = "done"


_M, _R = MeterStep, Report
TRANSITIONS: Mapping[tuple[MeterStep, Report], MeterStep] = {
    (_M.WAITING, _R.BLOCKS_SENT): _M.TRANSFERRING,
    (_M.TRANSFERRING, _R.BLOCKS_SENT): _M.TRANSFERRING,
    # The last blocks and the meter's verdict come in one session.
    (_M.WAITING, _R.VERIFIED): _M.VERIFIED,
    (_M.TRANSFERRING, _R.VERIFIED): _M.VERIFIED,
    (_M.VERIFIED, _R.ACTIVATED): _M.ACTIVATED,
    (_M.ACTIVATED, _R.CONFIRMED): _M.CONFIRMED,
    # A meter may run the image already: an earlier answer was lost.
    (_M.WAITING, _R.CONFIRMED): _M.CONFIRMED,
    (_M.TRANSFERRING, _R.CONFIRMED): _M.CONFIRMED,
    (_M.VERIFIED, _R.CONFIRMED): _M.CONFIRMED,
    **{(step, _R.REFUSED): _M.FAILED for step in (_M.WAITING, _M.TRANSFERRING, _M.VERIFIED, _M.ACTIVATED)},
}
ENDED = frozenset({MeterStep.CONFIRMED, MeterStep.FAILED})


@dataclass(frozen=True, slots=True)
class CampaignPlan:
    """How a campaign goes.

    Args:
        campaign_id: random.
        wave_shares: cumulative share of the meters at the end of each wave, rising, the last 1.0.
        abort_share: a wave of which more than this share has failed aborts the campaign.
        abort_least: but never for fewer failures than this: of three meters one may be broken by itself.
        watch_s: how long a wave is watched before the next begins, real time [s].
        at_once: most meters of one lease group that are worked on at a time.
        first_pause_s: pause after the first session without an answer [s]; doubles with each.

    Raises:
        MisuseError: waves that do not rise to all.
    """

    campaign_id: UUID
    wave_shares: tuple[float, ...] = (0.001, 0.01, 0.1, 1.0)
    abort_share: float = 0.02
    abort_least: int = 3
    watch_s: float = 86_400.0
    at_once: int = 20
    first_pause_s: float = FIRST_PAUSE_S

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in zip((0.0, *self.wave_shares), self.wave_shares, strict=False))
        if not rising or self.wave_shares[-1] != 1.0:
            raise MisuseError("the shares of a campaign's waves rise from above 0 to 1")


@dataclass(frozen=True, slots=True)
class CampaignMeter:
    """One meter of a campaign.

    Args:
        meter_id: the meter.
        wave: from 0.
        step: where it stands.
        next_block: first block that the meter has not confirmed.
        tries: failures in a row.
        not_before_s: earliest next session, real time.
        changed_at_s: when its step changed last, real time.
        words: how it stands, for people.
    """

    meter_id: UUID
    wave: int
    step: MeterStep = MeterStep.WAITING
    next_block: int = 0
    tries: int = 0
    not_before_s: float = 0.0
    changed_at_s: float = 0.0
    words: str = ""


@dataclass(frozen=True, slots=True)
class WaveStanding:
    """How many of a wave stand where.

    Args:
        wave: from 0.
        meters: of the wave.
        ended: confirmed or failed.
        failed: failed.
        changed_at_s: when the newest step of any of them was, real time.
    """

    wave: int
    meters: int
    ended: int
    failed: int
    changed_at_s: float


def standings_of(meters: Iterable[CampaignMeter]) -> list[WaveStanding]:
    """Return how the waves stand, in order."""
    by_wave: dict[int, list[CampaignMeter]] = {}
    for one in meters:
        by_wave.setdefault(one.wave, []).append(one)
    return [
        WaveStanding(
            wave,
            len(members),
            sum(m.step in ENDED for m in members),
            sum(m.step is MeterStep.FAILED for m in members),
            max(m.changed_at_s for m in members),
        )
        for wave, members in sorted(by_wave.items())
    ]


def due_wave(plan: CampaignPlan, standings: Sequence[WaveStanding], now_s: float) -> int | None:
    """Return the wave that is worked on; None where all have ended or the last that did is still watched.

    Args:
        plan: how the campaign goes.
        standings: of every wave that has meters, in order.
        now_s: real time.
    """
    for one in standings:
        if one.ended < one.meters:
            return one.wave
        if one is not standings[-1] and now_s < one.changed_at_s + plan.watch_s:
            return None
    return None


def judged(plan: CampaignPlan, standings: Sequence[WaveStanding]) -> tuple[CampaignState, str]:
    """Return how a running campaign stands now: aborted where too many of a wave have failed, done where all ended."""
    for one in standings:
        too_many = one.failed >= plan.abort_least and one.failed > plan.abort_share * one.meters
        # A small wave has not often ``abort_least`` meters; one of which nothing is left is a warning all the same.
        if one.meters and (too_many or one.failed == one.meters):
            words = f"{one.failed} of {one.meters} meters of wave {one.wave + 1} have failed"
            return CampaignState.ABORTED, words
    if all(one.ended == one.meters for one in standings):
        return CampaignState.DONE, ""
    return CampaignState.RUNNING, ""


@dataclass(frozen=True, slots=True)
class Happened:
    """What a session with a meter gave.

    Args:
        report: what happened.
        words: for people.
        next_block: first block that the meter has not confirmed.
    """

    report: Report
    words: str
    next_block: int = 0


def stepped(
    plan: CampaignPlan, meter: CampaignMeter, happened: Happened, *, now_s: float, dice: Callable[[], float]
) -> CampaignMeter:
    """Return where a meter stands after a session.

    Args:
        plan: says how long after silence it is tried again.
        meter: as it stood.
        happened: what the session gave.
        now_s: real time [s].
        dice: spreads next tries.

    Raises:
        MisuseError: it cannot happen where the meter stands.
    """
    words = happened.words
    if happened.report is Report.NO_ANSWER:
        tries = meter.tries + 1
        if tries >= MAX_TRIES:
            words = f"{words}; given up after {tries} tries"
            return replace(meter, step=MeterStep.FAILED, tries=tries, changed_at_s=now_s, words=words)
        pause_s = min(LONGEST_PAUSE_S, plan.first_pause_s * 2.0 ** (tries - 1)) * (0.5 + 0.5 * dice())
        return replace(meter, tries=tries, not_before_s=now_s + pause_s, words=words)
    step = TRANSITIONS.get((meter.step, happened.report))
    if step is None:
        raise MisuseError(f"a meter that is {meter.step.value} reports {happened.report.value}")
    return replace(
        meter, step=step, next_block=max(happened.next_block, meter.next_block), tries=0, not_before_s=now_s,
        changed_at_s=now_s, words=words,
    )  # fmt: skip


def assigned_waves(plan: CampaignPlan, meters: Iterable[UUID]) -> list[CampaignMeter]:
    """Return the meters in their waves, the same each time; the first wave has at least one.

    Which meters go first is drawn by the campaign's id, so that it is not always the same ones that try out.
    """
    drawn = sorted(meters, key=lambda m: uuid5(plan.campaign_id, m.hex).bytes)
    ends = [max(1, round(share * len(drawn))) for share in plan.wave_shares]
    return [
        CampaignMeter(meter, next(wave for wave, end in enumerate(ends) if place < end))
        for place, meter in enumerate(drawn)
    ]


@dataclass(slots=True)
class Campaign:
    """A campaign under way: pure, driven by a shell that runs the sessions and keeps what changed.

    Args:
        plan: how it goes.
        meters: every meter as it stands.
        state: of the campaign.
        words: why it is paused or aborted.
    """

    plan: CampaignPlan
    meters: dict[UUID, CampaignMeter]
    state: CampaignState = CampaignState.PLANNED
    words: str = ""
    busy: set[UUID] = field(default_factory=set)
    changed: set[UUID] = field(default_factory=set)

    def start(self) -> None:
        """Begin, or go on after a pause.

        Raises:
            MisuseError: it was aborted or is done.
        """
        if self.state not in {CampaignState.PLANNED, CampaignState.PAUSED, CampaignState.RUNNING}:
            raise MisuseError(f"a campaign that is {self.state.value} does not go on")
        self.state, self.words = CampaignState.RUNNING, ""

    def pause(self, words: str) -> None:
        """Begin no more sessions; those under way end."""
        if self.state is CampaignState.RUNNING:
            self.state, self.words = CampaignState.PAUSED, words

    def wave(self, now_s: float) -> int | None:
        """Return the wave that is worked on; see :func:`due_wave`."""
        return due_wave(self.plan, standings_of(self.meters.values()), now_s)

    def take(self, *, now_s: float) -> list[CampaignMeter]:
        """Return the meters whose turn it is; each is busy until it is reported on."""
        if self.state is not CampaignState.RUNNING:
            return []
        number = self.wave(now_s)
        ready = [
            m for m in self.meters.values()
            if m.wave == number and m.step not in ENDED and m.not_before_s <= now_s and m.meter_id not in self.busy
        ]  # fmt: skip
        # Those that have begun go first: half an image in many meters is worth less than a whole one in few.
        ready.sort(key=lambda m: (m.step is MeterStep.WAITING, m.meter_id))
        taken = ready[: max(0, self.plan.at_once - len(self.busy))]
        self.busy.update(m.meter_id for m in taken)
        return taken

    def report(
        self,
        meter_id: UUID,
        report: Report,
        *,
        now_s: float,
        words: str,
        dice: Callable[[], float],
        next_block: int = 0,
    ) -> CampaignMeter:
        """Take what a session gave.

        Args:
            meter_id: a busy meter.
            report: what happened.
            now_s: real time [s].
            words: for people.
            dice: spreads next tries.
            next_block: first block that the meter has not confirmed.

        Raises:
            MisuseError: it cannot happen where the meter stands.
        """
        self.busy.discard(meter_id)
        happened = Happened(report, words, next_block)
        after = stepped(self.plan, self.meters[meter_id], happened, now_s=now_s, dice=dice)
        self.meters[meter_id] = after
        self.changed.add(meter_id)
        if self.state is CampaignState.RUNNING:
            self.state, self.words = judged(self.plan, standings_of(self.meters.values()))
        return after


def standing_by_wave(campaign: Campaign) -> list[Mapping[MeterStep, int]]:
    """Return how many meters of each wave stand where, for the staff page."""
    waves: list[dict[MeterStep, int]] = [dict.fromkeys(MeterStep, 0) for _ in campaign.plan.wave_shares]
    for meter in campaign.meters.values():
        waves[meter.wave][meter.step] += 1
    return list(waves)


def resumed(plan: CampaignPlan, meters: Sequence[CampaignMeter], state: CampaignState, words: str = "") -> Campaign:
    """Return a campaign as its tables tell it: nobody is busy, and everything else stands where it stood."""
    return Campaign(plan, {m.meter_id: m for m in meters}, state, words)
