"""One meter's change of keys as a job: why, where it stands, when it is tried again. Pure.

Whether a meter is safe does not rest on this: the vault knows which keys a meter may have, and keeps both until the
meter has shown which. A job lost here is begun anew, and finds the same new keys. What rests on it is whose turn it is,
and what people see.

States and what moves them:

* DUE, nothing has gone to the meter that holds its new keys, or its answer says that it did not take them.
* UNCERTAIN, the transfer has gone and nothing came back: the meter has the old keys or the new ones. It is tried again
  at its next word, the new keys first and then the old.
* DONE, the meter has spoken under the new keys and they are in use.
* FAILED, the meter or the vault says no, and trying again does not help: for a person.

Source: requirement R4.3 (counters), research/security-privacy section 7 (rotation), attack A11.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from uuid import UUID

from openami.kernel.ids import SystemTitle


class Cause(StrEnum):
    """Why keys change, the gravest first: in this order meters have their turn."""

    COMPROMISED = "compromised"
    COUNTER = "counter"
    FACTORY = "factory"
    ORDERED = "ordered"
    AGE = "age"


CAUSES = tuple(Cause)
REOPENING = frozenset({Cause.COMPROMISED, Cause.COUNTER, Cause.ORDERED, Cause.AGE})
"""Causes that begin a job anew after it failed; a factory's keys that could not be changed wait for a person."""


class RekeyStep(StrEnum):
    """Where a job stands."""

    DUE = "due"
    UNCERTAIN = "uncertain"
    DONE = "done"
    FAILED = "failed"


OPEN = frozenset({RekeyStep.DUE, RekeyStep.UNCERTAIN})


class RekeyReport(StrEnum):
    """What a try came to."""

    CHANGED = "changed"
    UNCERTAIN = "uncertain"
    NO_ANSWER = "no_answer"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class RekeyPolicy:
    """How fast, and how patient.

    Args:
        per_hour: changes that begin in an hour.
        burst: changes that may begin at once after a pause.
        at_once: changes under way at once.
        first_pause_s, most_pause_s: real time before the next try after a silence; it doubles from one to the other.
        patient_tries: tries after which a meter is on the list of those that are left over; it is tried all the same.
    """

    per_hour: float = 1_200.0
    burst: float = 40.0
    at_once: int = 16
    first_pause_s: float = 60.0
    most_pause_s: float = 6 * 3_600.0
    patient_tries: int = 4

    def shared(self, groups: int) -> RekeyPolicy:
        """Return the share of one of some lease groups."""
        at_once = max(1, self.at_once // groups)
        return replace(self, per_hour=self.per_hour / groups, burst=max(1.0, self.burst / groups), at_once=at_once)


@dataclass(frozen=True, slots=True)
class Rekey:
    """A job.

    Args:
        meter_id: the meter.
        title: its system title.
        cause: why.
        step: where it stands.
        since_s: when it became due, real time.
        generation: of the new keys; 0 before there are any.
        tries: how often it was tried.
        not_before_s: when it is tried next, real time.
        changed_at_s: when it moved last, real time.
        words: how it stands, for people.
        order_id: the order of people that named this meter; None where a rule did.
    """

    meter_id: UUID
    title: SystemTitle
    cause: Cause
    step: RekeyStep
    since_s: float
    generation: int = 0
    tries: int = 0
    not_before_s: float = 0.0
    changed_at_s: float = 0.0
    words: str = ""
    order_id: UUID | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is still something to do."""
        return self.step in OPEN

    def is_left_over(self, policy: RekeyPolicy) -> bool:
        """Whether people should know that it does not get on."""
        return self.step is RekeyStep.FAILED or (self.is_open and self.tries >= policy.patient_tries)


@dataclass(frozen=True, slots=True)
class Tried:
    """What a try gave.

    Args:
        report: what it came to.
        words: for people.
        generation: of the new keys; 0 where there are none.
    """

    report: RekeyReport
    words: str
    generation: int = 0


def stepped(policy: RekeyPolicy, job: Rekey, tried: Tried, *, now_s: float, dice: Callable[[], float]) -> Rekey:
    """Return a job after a try.

    Args:
        policy: how patient.
        job: before.
        tried: what it gave.
        now_s: real time.
        dice: gives numbers in [0, 1): tries of many meters after one outage shall not come together.
    """
    after = replace(
        job,
        tries=job.tries + 1,
        words=tried.words,
        generation=tried.generation or job.generation,
        changed_at_s=now_s,
        not_before_s=now_s + _pause_s(policy, job.tries, dice),
    )
    if tried.report is RekeyReport.CHANGED:
        return replace(after, step=RekeyStep.DONE)
    if tried.report is RekeyReport.REFUSED:
        return replace(after, step=RekeyStep.FAILED)
    if tried.report is RekeyReport.UNCERTAIN:
        return replace(after, step=RekeyStep.UNCERTAIN)
    return after


def sent(job: Rekey, generation: int, *, now_s: float) -> Rekey:
    """Return a job whose transfer goes now. It is kept before it goes."""
    return replace(job, step=RekeyStep.UNCERTAIN, generation=generation, changed_at_s=now_s)


def heard(job: Rekey, *, now_s: float) -> Rekey:
    """Return a job whose meter has just spoken: what waited for its next word is tried at once."""
    return replace(job, not_before_s=min(job.not_before_s, now_s)) if job.is_open else job


def renewed(job: Rekey | None, fresh: Rekey) -> Rekey | None:
    """Return the job of a meter for which there is one more reason; None where nothing changes.

    Args:
        job: the job that is known; None for none.
        fresh: what is due now.
    """
    if job is None:
        return fresh
    if fresh.order_id is not None and job.order_id == fresh.order_id:
        return None
    if job.is_open:
        graver = CAUSES.index(fresh.cause) < CAUSES.index(job.cause)
        if not graver:
            return replace(job, order_id=fresh.order_id) if fresh.order_id is not None else None
        return replace(job, cause=fresh.cause, not_before_s=fresh.not_before_s, order_id=fresh.order_id)
    if job.step is RekeyStep.FAILED and fresh.cause not in REOPENING:
        return None
    return fresh


@dataclass(slots=True)
class Pace:
    """How many changes may begin now: a bucket that refills by the hour.

    Args:
        policy: its size and refill.
    """

    policy: RekeyPolicy
    _tokens: float = field(init=False)
    _at_s: float | None = None

    def __post_init__(self) -> None:
        self._tokens = self.policy.burst

    def take(self, most: int, *, now_s: float) -> int:
        """Return how many may begin, up to a number, and count them as begun.

        Args:
            most: how many are wanted.
            now_s: real time.
        """
        policy = self.policy
        passed_s = 0.0 if self._at_s is None else max(0.0, now_s - self._at_s)
        self._at_s = now_s if self._at_s is None else max(self._at_s, now_s)
        self._tokens = min(policy.burst, self._tokens + passed_s * policy.per_hour / 3_600.0)
        granted = max(0, min(most, int(self._tokens)))
        self._tokens -= granted
        return granted


@dataclass(frozen=True, slots=True)
class RekeyProgress:
    """How a fleet's changes stand.

    Args:
        due, uncertain, done, failed: jobs in each state.
        left_over: jobs that people should look at; they are among due, uncertain and failed.
    """

    due: int = 0
    uncertain: int = 0
    done: int = 0
    failed: int = 0
    left_over: int = 0


def progress_of(jobs: Iterable[Rekey], policy: RekeyPolicy) -> RekeyProgress:
    """Return how jobs stand."""
    found = list(jobs)
    counts = {step: sum(job.step is step for job in found) for step in RekeyStep}
    return RekeyProgress(
        due=counts[RekeyStep.DUE],
        uncertain=counts[RekeyStep.UNCERTAIN],
        done=counts[RekeyStep.DONE],
        failed=counts[RekeyStep.FAILED],
        left_over=sum(job.is_left_over(policy) for job in found),
    )


def _pause_s(policy: RekeyPolicy, tries: int, dice: Callable[[], float]) -> float:
    pause_s = min(policy.most_pause_s, policy.first_pause_s * 2.0 ** min(tries, 30))
    return pause_s * (0.75 + 0.5 * dice())
