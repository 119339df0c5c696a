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
        at_once: most meters that are worked on at a time.

    Raises:
        MisuseError: waves that do not rise to all.
    """

    campaign_id: UUID
    wave_shares: tuple[float, ...] = (0.001, 0.01, 0.1, 1.0)
    abort_share: float = 0.02
    abort_least: int = 3
    watch_s: float = 86_400.0
    at_once: int = 20

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
        """Return the wave that is worked on; None where all have ended or the last is still watched."""
        for number in range(len(self.plan.wave_shares)):
            members = [m for m in self.meters.values() if m.wave == number]
            if any(m.step not in ENDED for m in members):
                return number
            is_last = number == len(self.plan.wave_shares) - 1
            watched_until_s = max((m.changed_at_s for m in members), default=0.0) + self.plan.watch_s
            if members and not is_last and now_s < watched_until_s:
                return None
        return None

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
        meter = self.meters[meter_id]
        self.busy.discard(meter_id)
        if report is Report.NO_ANSWER:
            after = self._tried(meter, now_s, words, dice)
        else:
            step = TRANSITIONS.get((meter.step, report))
            if step is None:
                raise MisuseError(f"a meter that is {meter.step.value} reports {report.value}")
            after = replace(
                meter, step=step, next_block=max(next_block, meter.next_block), tries=0, not_before_s=now_s,
                changed_at_s=now_s, words=words,
            )  # fmt: skip
        self.meters[meter_id] = after
        self.changed.add(meter_id)
        self._judge(after.wave)
        return after

    def _tried(self, meter: CampaignMeter, now_s: float, words: str, dice: Callable[[], float]) -> CampaignMeter:
        tries = meter.tries + 1
        if tries >= MAX_TRIES:
            words = f"{words}; given up after {tries} tries"
            return replace(meter, step=MeterStep.FAILED, tries=tries, changed_at_s=now_s, words=words)
        pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** (tries - 1)) * (0.5 + 0.5 * dice())
        return replace(meter, tries=tries, not_before_s=now_s + pause_s, words=words)

    def _judge(self, wave: int) -> None:
        """Abort where too many of a wave have failed; end where every meter has."""
        members = [m for m in self.meters.values() if m.wave == wave]
        failed = sum(m.step is MeterStep.FAILED for m in members)
        if failed >= self.plan.abort_least and failed > self.plan.abort_share * len(members):
            self.state = CampaignState.ABORTED
            self.words = f"{failed} of {len(members)} meters of wave {wave + 1} have failed"
        elif self.state is CampaignState.RUNNING and all(m.step in ENDED for m in self.meters.values()):
            self.state = CampaignState.DONE


def standing_by_wave(campaign: Campaign) -> list[Mapping[MeterStep, int]]:
    """Return how many meters of each wave stand where, for the staff page."""
    waves: list[dict[MeterStep, int]] = [dict.fromkeys(MeterStep, 0) for _ in campaign.plan.wave_shares]
    for meter in campaign.meters.values():
        waves[meter.wave][meter.step] += 1
    return list(waves)


def resumed(plan: CampaignPlan, meters: Sequence[CampaignMeter], state: CampaignState, words: str = "") -> Campaign:
    """Return a campaign as its tables tell it: nobody is busy, and everything else stands where it stood."""
    return Campaign(plan, {m.meter_id: m for m in meters}, state, words)
