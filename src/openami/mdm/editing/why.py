"""Why a read is missing, estimated or held: the chain from the meter to the bill, and the first link that is broken.

Pure: facts come in, sentences go out. The first broken link gives the headline and the one action; what lies behind it
is told as well, since it may be broken too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from openami.kernel.finding import Severity
from openami.mdm.editing.casebook import Case
from openami.mdm.editing.ports import DecisionHead, DecisionState
from openami.mdm.editing.words import evidence_words
from openami.mdm.validation.ports import DayFinding

SILENT_AFTER = timedelta(hours=24)


class Link(StrEnum):
    """Links of the chain, from the meter to the bill."""

    INSTALLED = "installed"
    HEARD = "heard"
    COMPLETE = "complete"
    BELIEVED = "believed"
    DECIDED = "decided"
    VALIDATED = "validated"


class LinkStands(StrEnum):
    """Whether a link holds."""

    GOOD = "good"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"


class Act(StrEnum):
    """The one thing that frees a link."""

    NONE = "none"
    INSTALL = "install"
    READ_METER = "read_meter"
    OPEN_CASE = "open_case"
    DECIDE = "decide"
    APPROVE = "approve"


@dataclass(frozen=True, slots=True)
class DayCount:
    """Intervals of one validated day by state.

    Args:
        local_day, version, total: the day; counts of its values added.
        intervals: how many it has; the rest of them by state.
        held: QUESTIONABLE ones.
    """

    local_day: date
    version: int
    total: int
    intervals: int
    actual: int
    estimated: int
    missing: int
    held: int
    edited: int


@dataclass(frozen=True, slots=True)
class WhyFacts:
    """All that is known of a channel of a place.

    Args:
        now: domain time.
        day: the local day that is asked about.
        meter_id: what hangs there at the end of that day; None for nothing.
        last_reading: the newest interval of any channel; None where none came.
        day_count: the day's validated version; None where it has none.
        findings: open ones of that day.
        cases: open cases that hold findings of this place.
        decisions: about this place, newest first.
        queued: whether the day is on validation's queue.
        has_ended: whether the day is over, with the half hour that its first run waits.
    """

    now: datetime
    day: date
    meter_id: UUID | None
    last_reading: datetime | None
    day_count: DayCount | None
    findings: Sequence[DayFinding] = ()
    cases: Sequence[Case] = ()
    decisions: Sequence[DecisionHead] = ()
    queued: bool = False
    has_ended: bool = True


@dataclass(frozen=True, slots=True)
class ChainLink:
    """One link with how it stands, in words."""

    link: Link
    stands: LinkStands
    words: str
    act: Act = Act.NONE
    since: datetime | None = None
    subject: UUID | None = None


@dataclass(frozen=True, slots=True)
class WhyAnswer:
    """The answer: a headline, since when, the one action, and the whole chain."""

    headline: str
    since: datetime | None
    act: Act
    subject: UUID | None
    chain: tuple[ChainLink, ...] = field(default_factory=tuple)


def why(facts: WhyFacts) -> WhyAnswer:
    """Return why the day's values are as they are, and what frees them."""
    chain = (
        _installed(facts), _heard(facts), _complete(facts), _believed(facts), _decided(facts), _validated(facts)
    )  # fmt: skip
    broken = next((link for link in chain if link.stands is LinkStands.BLOCKED), None)
    if broken is None:
        words = "Everything was read and believed." if facts.day_count is not None else "This day is not over yet."
        return WhyAnswer(words, None, Act.NONE, None, chain)
    return WhyAnswer(broken.words, broken.since, broken.act, broken.subject, chain)


def _installed(facts: WhyFacts) -> ChainLink:
    if facts.meter_id is None:
        words = "No meter hung here on this day, so nothing could be read."
        return ChainLink(Link.INSTALLED, LinkStands.BLOCKED, words, Act.INSTALL)
    return ChainLink(Link.INSTALLED, LinkStands.GOOD, "A meter hangs here.")


def _heard(facts: WhyFacts) -> ChainLink:
    last = facts.last_reading
    if last is None:
        if facts.meter_id is None:
            return ChainLink(Link.HEARD, LinkStands.UNKNOWN, "There is no meter to hear.")
        words = "Its meter has never been heard."
        return ChainLink(Link.HEARD, LinkStands.BLOCKED, words, Act.READ_METER, None, facts.meter_id)
    if facts.now - last > SILENT_AFTER:
        hours = int((facts.now - last) / timedelta(hours=1))
        words = f"Its meter has been silent for {hours // 24} days and {hours % 24} hours."
        return ChainLink(Link.HEARD, LinkStands.BLOCKED, words, Act.READ_METER, last, facts.meter_id)
    return ChainLink(Link.HEARD, LinkStands.GOOD, "Its meter is heard.", since=last)


def _complete(facts: WhyFacts) -> ChainLink:
    count = facts.day_count
    if count is None:
        return ChainLink(Link.COMPLETE, LinkStands.UNKNOWN, "The day has no validated version yet.")
    if count.missing:
        words = f"{count.missing} of {count.intervals} intervals are missing, and nothing speaks for an estimate."
        return ChainLink(Link.COMPLETE, LinkStands.BLOCKED, words, Act.READ_METER, None, facts.meter_id)
    if count.estimated:
        case = next((c for c in facts.cases if c.rule in {"missing", "storm_hold", "prolonged_estimation"}), None)
        words = f"{count.estimated} of {count.intervals} intervals are estimated: their readings did not come"
        if case is not None:
            words += f", as at {case.evidence.places - 1:,} other places ({case.title})"
            return ChainLink(Link.COMPLETE, LinkStands.BLOCKED, words + ".", Act.OPEN_CASE, case.opened_at, case.id)
        return ChainLink(Link.COMPLETE, LinkStands.BLOCKED, words + ".", Act.READ_METER, None, facts.meter_id)
    return ChainLink(Link.COMPLETE, LinkStands.GOOD, f"All {count.intervals} intervals were read.")


def _believed(facts: WhyFacts) -> ChainLink:
    failing = [f for f in facts.findings if f.severity is Severity.FAIL and f.rule != "missing"]
    held = facts.day_count.held if facts.day_count is not None else 0
    if not failing and not held:
        return ChainLink(Link.BELIEVED, LinkStands.GOOD, "No rule holds anything.")
    rules = ", ".join(sorted({f.rule.replace("_", " ") for f in failing})) or "a rule"
    words = f"{held} intervals are held by {rules}" if held else f"The rule {rules} failed"
    since = min((f.known_at for f in failing), default=None)
    case = next((c for c in facts.cases if c.rule in {f.rule for f in failing}), None)
    if case is not None:
        return ChainLink(
            Link.BELIEVED, LinkStands.BLOCKED, f"{words}, with {case.open_items:,} places: {case.title}.",
            Act.OPEN_CASE, since, case.id,
        )  # fmt: skip
    if failing:
        words += f": {evidence_words(failing[0].evidence)}"
    return ChainLink(Link.BELIEVED, LinkStands.BLOCKED, words + ".", Act.DECIDE, since)


def _decided(facts: WhyFacts) -> ChainLink:
    waiting = [h for h in facts.decisions if h.state in {DecisionState.WAITING, DecisionState.UNDOING}]
    if waiting:
        d = waiting[0].decision
        words = f"A decision waits for a second person: {d.words()}."
        return ChainLink(Link.DECIDED, LinkStands.BLOCKED, words, Act.APPROVE, d.at, d.id)
    standing = [h for h in facts.decisions if h.state is DecisionState.IN_FORCE]
    words = f"{len(standing)} decisions of people are in force." if standing else "No decision waits."
    return ChainLink(Link.DECIDED, LinkStands.GOOD, words)


def _validated(facts: WhyFacts) -> ChainLink:
    if facts.queued:
        return ChainLink(Link.VALIDATED, LinkStands.UNKNOWN, "The day runs again within minutes.")
    if facts.day_count is None and facts.has_ended and facts.meter_id is not None:
        words = "The day is over and has not been validated: its first run has not come, or nothing was sent."
        return ChainLink(Link.VALIDATED, LinkStands.BLOCKED, words, Act.READ_METER, None, facts.meter_id)
    if facts.day_count is None:
        return ChainLink(Link.VALIDATED, LinkStands.UNKNOWN, "The day is not over yet.")
    return ChainLink(Link.VALIDATED, LinkStands.GOOD, f"Version {facts.day_count.version} stands.")
