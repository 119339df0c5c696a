"""What people decide about readings: the worklist, cases, previews, decisions, and why a read is as it is."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from uuid import UUID

from pydantic import Field

from openami.portal.views.base import Quality, View
from openami.portal.views.two_person import TwoPersonOrderView

MAX_PLACES = 500
"""Spans that a page names one by one: what fits into a request. A case or a filter decides about more."""
MAX_VALUES = 100 * 31
Why = Field(min_length=5, max_length=500, description="Why, kept for ever with the decision.")


class WaitingName(StrEnum):
    """What a worklist shows: failures wait for a person, warnings are notes."""

    FAIL = "fail"
    WARN = "warn"
    ANY = "any"


class SeverityName(StrEnum):
    """What a finding asks for: look, or do not use the value."""

    WARN = "warn"
    FAIL = "fail"


class WorkOrderName(StrEnum):
    """What the worklist is sorted by first."""

    PRESSING = "pressing"
    DOLLARS = "dollars"
    OLDEST = "oldest"


class DecisionName(StrEnum):
    """What can be decided."""

    ACCEPT = "accept"
    REPLACE = "replace"
    ESTIMATE_AGAIN = "estimate_again"
    REJECT_RAW = "reject_raw"
    REJECT_READS = "reject_reads"
    SHIFT_CLOCK = "shift_clock"
    SWAP_CHANNELS = "swap_channels"
    SCALE = "scale"


class DecisionStateName(StrEnum):
    """How a decision stands."""

    WAITING = "waiting"
    IN_FORCE = "in_force"
    UNDOING = "undoing"
    UNDONE = "undone"
    WITHDRAWN = "withdrawn"


class WorkItemView(View):
    """One thing to look at: findings of one rule about one channel of one place."""

    service_point_id: UUID
    channel: str
    rule: str
    severity: SeverityName
    first: date
    last: date
    findings: int
    bill_on: date
    is_billed: bool
    stake_wh: int
    dollars: str = Field(examples=["12.40"])
    words: str = Field(description="Its newest evidence, in words.")
    cell: str
    transformer: str
    case_id: UUID | None


class CauseCountView(View):
    """How many open findings a rule has."""

    rule: str
    findings: int


class WorklistView(View):
    """A page of the worklist."""

    items: list[WorkItemView]
    total: int
    findings: int
    cases: int = Field(description="Open cases, which fold findings that are not listed here.")
    rules: list[CauseCountView]


class PlaceSpan(View):
    """A span of one channel of one place: whole local days, or exact instants."""

    service_point_id: UUID
    channel: str = Field(default="delivered", max_length=40)
    first: date | None = None
    last: date | None = None
    start_at: int | None = Field(default=None, description="Epoch s; with end_at in place of days.")
    end_at: int | None = None
    values: list[int] = Field(default_factory=list, max_length=MAX_VALUES)


class Decide(View):
    """What a person wants to decide. Without a token it is previewed; with the preview's token it is done."""

    kind: DecisionName
    reason: str = Why
    places: list[PlaceSpan] = Field(min_length=1, max_length=MAX_PLACES)
    rules: list[str] = Field(default_factory=list, max_length=100)
    shift_s: int = 0
    numerator: int = 1
    denominator: int = 1
    token: str = Field(default="", max_length=64)


class FixCase(View):
    """Carry a case's fix out, as previewed."""

    reason: str = Why
    token: str = Field(min_length=64, max_length=64)


class Undo(View):
    """Undo a decision; without a token it is previewed."""

    reason: str = Why
    token: str = Field(default="", max_length=64)


class CloseCase(View):
    """Close a case without a fix."""

    reason: str = Why


class EffectView(View):
    """What would change."""

    service_points: int
    days: int
    up_wh: int
    down_wh: int
    moved_wh: int
    settled: int
    raised: int


class DayChangeView(View):
    """One channel's day before and after."""

    service_point_id: UUID
    channel: str
    local_day: date
    start_at: int
    interval_s: int
    version: int
    before: list[int]
    after: list[int]
    before_wh: int | None
    after_wh: int


class PreviewView(View):
    """What a decision would do. The token does exactly this, and nothing else."""

    words: str
    sentence: str
    effect: EffectView
    second_person: str | None
    changes: list[DayChangeView]
    token: str


class KeptView(View):
    """What became of a decision."""

    decision_id: UUID
    state: DecisionStateName
    words: str


class DecisionView(View):
    """One decision. Times are domain time, epoch s."""

    decision_id: UUID
    kind: DecisionName
    state: DecisionStateName
    words: str
    reason: str
    spans: int
    places: list[UUID] = Field(description="The first of them.")
    at: int
    is_yours: bool
    effect: str
    case_id: UUID | None
    order: TwoPersonOrderView | None = Field(description="What waits for a second person.")


class DecisionsView(View):
    """Decisions, newest first."""

    decisions: list[DecisionView]


class CaseView(View):
    """Findings with one likely cause."""

    case_id: UUID
    title: str
    cause: str
    value: str
    rule: str
    evidence: str
    next_best: str
    findings: int
    open_items: int
    stake_wh: int
    first: date
    last: date
    fix: DecisionName | None
    fix_words: str
    opened_at: int
    closed_at: int | None
    closed_reason: str | None
    decision_id: UUID | None


class CasesView(View):
    """Cases, those with the most open items first."""

    cases: list[CaseView]


class CaseItemView(View):
    """One place of a case."""

    service_point_id: UUID
    channel: str
    first: date
    last: date
    stake_wh: int


class CaseDetailView(View):
    """A case with the places that are still open."""

    case: CaseView
    items: list[CaseItemView] = Field(description="At most a thousand of them.")


class LinkState(StrEnum):
    """Whether a link of the chain holds."""

    GOOD = "good"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"


class ChainLinkView(View):
    """One link between the meter and the bill."""

    title: str
    words: str
    state: LinkState


class WhyActionView(View):
    """The one thing that frees it."""

    label: str
    href: str


class WhyDayView(View):
    """One day of the channel: how many intervals are in which state."""

    local_day: date
    version: int
    total_wh: int
    intervals: int
    actual: int
    estimated: int
    missing: int
    held: int
    edited: int


class WhyFindingView(View):
    """One open finding."""

    rule: str
    severity: SeverityName
    local_day: date
    start_at: int
    end_at: int
    words: str


class WhyIntervalView(View):
    """One interval of the chosen day, with the reading beside the value that stands."""

    start_at: int
    value: int | None
    read: int | None
    state: Quality
    quality: str
    method: str
    low: int | None
    high: int | None


class WhyView(View):
    """Why a read is missing, estimated or held, and the one action that frees it."""

    service_point_id: UUID
    zone: str
    channel: str
    headline: str
    since: int | None
    action: WhyActionView | None
    chain: list[ChainLinkView]
    days: list[WhyDayView]
    findings: list[WhyFindingView]
    decisions: list[DecisionView]
    local_day: date
    intervals: list[WhyIntervalView]
