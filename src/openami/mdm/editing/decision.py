"""A decision: what a person said about readings that validation cannot settle by itself.

Raw readings never change. A decision stands beside them and is applied in every validation run of the days it touches,
so a run is a function of raw readings, registry, rules and decisions. It is never altered and never deleted: undoing it
is another row, after which the days run again and get another version.

A decision about readings that came is about the values that were *seen*. A reading that arrives later and differs was
never judged, so the decision does not speak of it. Values that a person entered stay until they are undone.

Source: CPUC D.98-12-080 (VEE standard: an edit keeps who, when, why, the old and the new value).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from uuid import UUID

from openami.contracts.channel import CHANNELS, Channel
from openami.kernel.errors import OpenAmiError
from openami.kernel.time import Period, require_utc

MAX_TARGETS = 50_000
"""Spans of one bulk decision: ten clock faults of the size that a cell of 5,000 meters makes."""
MAX_INTERVALS = 100 * 366
"""Intervals of one target: a year of quarter-hours."""
MAX_REASON = 500
MAX_SHIFT_S = 86_400
MAX_FACTOR = 1_000_000
UNSEEN = -(2**63)
"""In a column of seen readings: none had come."""


class DecisionRefusedError(OpenAmiError):
    """A decision that cannot be. The text says why and what to mend."""


class DecisionKind(StrEnum):
    """What was decided. Values are stored: they stay for ever."""

    ACCEPT = "accept"
    """The readings are true although a rule failed them; they become VERIFIED."""
    REPLACE = "replace"
    """These values stand in place of what is there; they become EDITED."""
    ESTIMATE_AGAIN = "estimate_again"
    """The intervals are not believed: they are estimated."""
    REJECT_RAW = "reject_raw"
    """Neither the intervals nor the register reads of the span are believed."""
    REJECT_READS = "reject_reads"
    """The register reads of the span (its end included) are not believed; good intervals stay."""
    SHIFT_CLOCK = "shift_clock"
    """The meter's clock was wrong: everything stamped in the span belongs ``shift_s`` later."""
    SWAP_CHANNELS = "swap_channels"
    """Delivered and received were connected the wrong way round."""
    SCALE = "scale"
    """Counts of the span are times ``numerator / denominator``: a wrong constant, a lost element."""


OF_CELLS = frozenset({DecisionKind.ACCEPT, DecisionKind.REPLACE, DecisionKind.ESTIMATE_AGAIN, DecisionKind.REJECT_RAW})
OF_RAW = frozenset(DecisionKind) - OF_CELLS | {DecisionKind.REJECT_RAW}
SWAPPED = {Channel.DELIVERED: Channel.RECEIVED, Channel.RECEIVED: Channel.DELIVERED}


@dataclass(frozen=True, slots=True)
class Target:
    """One span of one channel that a decision is about.

    Args:
        service_point_id: where.
        channel: what.
        period: half-open span in UTC.
        interval_s: length of its intervals [s].
        seen: the reading of each interval in counts after the multiplier as the person saw it, :data:`UNSEEN` where
            none had come; empty where the decision is about whatever is there.
        values: for REPLACE the new count of each interval; else empty.
    """

    service_point_id: UUID
    channel: Channel
    period: Period
    interval_s: int = 900
    seen: tuple[int, ...] = ()
    values: tuple[int, ...] = ()

    @property
    def intervals(self) -> int:
        """Number of intervals of the span."""
        return self.period.duration_s // self.interval_s

    def digest(self) -> bytes:
        """Return SHA-256 over all of it: what an approval of the decision signs."""
        head = f"{self.service_point_id}|{int(self.channel)}|{self.period.start_s}|{self.period.end_s}"
        columns = f"{self.interval_s}|{','.join(map(str, self.seen))}|{','.join(map(str, self.values))}"
        return sha256(f"openami decision v1|{head}|{columns}".encode()).digest()


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision about any number of spans.

    Args:
        id: random.
        kind: what was decided.
        targets: where and when.
        reason: why, in the person's words; no identity of a customer.
        by: the account of who made it.
        at: when, domain time.
        rules: for ACCEPT the rules whose statements it settles; empty for every rule.
        shift_s: for SHIFT_CLOCK what is added to each stamp [s], a whole number of intervals.
        numerator, denominator: for SCALE.
        case_id: the case that it closes, or None.
        approved_by: the account of the second person, where one was needed.
        undone_by, undone_at: who undid it and when; None while it stands.
    """

    id: UUID
    kind: DecisionKind
    targets: tuple[Target, ...]
    reason: str
    by: UUID
    at: datetime
    rules: tuple[str, ...] = ()
    shift_s: int = 0
    numerator: int = 1
    denominator: int = 1
    case_id: UUID | None = None
    approved_by: UUID | None = field(default=None, compare=False)
    undone_by: UUID | None = field(default=None, compare=False)
    undone_at: datetime | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", require_utc(self.at))
        if not 1 <= len(self.targets) <= MAX_TARGETS:
            raise DecisionRefusedError(
                f"a decision is about 1 to {MAX_TARGETS} spans, this one about {len(self.targets)}"
            )
        if not 5 <= len(self.reason.strip()) <= MAX_REASON:
            raise DecisionRefusedError(f"the reason has {len(self.reason.strip())} characters: 5 to {MAX_REASON}")
        _require_numbers(self)
        for target in self.targets:
            _require_target(self.kind, target, self.shift_s)

    @property
    def service_points(self) -> frozenset[UUID]:
        """Every place that it is about."""
        return frozenset(t.service_point_id for t in self.targets)

    def items(self) -> list[bytes]:
        """Return what an order for it is about: a digest of the decision itself, then one of each span."""
        numbers = f"{self.shift_s}|{self.numerator}|{self.denominator}|{','.join(self.rules)}"
        head = f"openami decision v1|{self.id}|{self.kind.value}|{numbers}|{self.reason}"
        return [sha256(head.encode()).digest(), *(target.digest() for target in self.targets)]

    def words(self) -> str:
        """Return what is done, in a few words of ASCII: the action of an order, the line of a list.

        >>> from uuid import uuid4; from datetime import UTC, datetime, timedelta
        >>> start = datetime(2026, 3, 8, 6, tzinfo=UTC)
        >>> hour = Period(start, start + timedelta(hours=1))
        >>> target = Target(uuid4(), Channel.DELIVERED, hour)
        >>> Decision(uuid4(), DecisionKind.SHIFT_CLOCK, (target,), "wrong hour", uuid4(), start, shift_s=3600).words()
        'shift the clock by +3600 s at 1 place'
        """
        places = len(self.service_points)
        where = f"at {places} place{'s' if places != 1 else ''}"
        return f"{_WORDS[self.kind].format(d=self, n=sum(t.intervals for t in self.targets))} {where}"


_WORDS = {
    DecisionKind.ACCEPT: "accept {n} intervals",
    DecisionKind.REPLACE: "replace {n} intervals",
    DecisionKind.ESTIMATE_AGAIN: "estimate {n} intervals again",
    DecisionKind.REJECT_RAW: "reject {n} intervals and their register reads",
    DecisionKind.REJECT_READS: "reject register reads",
    DecisionKind.SHIFT_CLOCK: "shift the clock by {d.shift_s:+d} s",
    DecisionKind.SWAP_CHANNELS: "swap delivered and received",
    DecisionKind.SCALE: "multiply by {d.numerator}/{d.denominator}",
}


def _require_numbers(decision: Decision) -> None:
    """Pass if the numbers of a decision are those of its kind.

    Raises:
        DecisionRefusedError: they are not.
    """
    shifts, scales = decision.kind is DecisionKind.SHIFT_CLOCK, decision.kind is DecisionKind.SCALE
    if shifts != bool(decision.shift_s) or abs(decision.shift_s) > MAX_SHIFT_S:
        raise DecisionRefusedError(
            f"a shift of the clock by {decision.shift_s} s: it must be 1 to {MAX_SHIFT_S} s either way"
            if shifts
            else f"{decision.kind.value} shifts no clock"
        )
    factor = (decision.numerator, decision.denominator)
    if not all(1 <= n <= MAX_FACTOR for n in factor) or scales == (factor[0] == factor[1]):
        raise DecisionRefusedError(
            f"a factor of {factor[0]}/{factor[1]}: it must be above zero, and other than one for scale alone"
        )
    if decision.rules and decision.kind is not DecisionKind.ACCEPT:
        raise DecisionRefusedError("only an acceptance names rules")


def _require_target(kind: DecisionKind, target: Target, shift_s: int) -> None:
    where = f"{target.service_point_id}, {target.period.start.isoformat()}"
    if target.interval_s < 1 or target.period.duration_s % target.interval_s:
        raise DecisionRefusedError(f"{where}: the span is no whole number of intervals of {target.interval_s} s")
    if not 1 <= target.intervals <= MAX_INTERVALS:
        raise DecisionRefusedError(f"{where}: {target.intervals} intervals, the limit is {MAX_INTERVALS}")
    if shift_s % target.interval_s:
        raise DecisionRefusedError(f"{where}: a shift of {shift_s} s is no whole number of intervals")
    for name, column in (("seen", target.seen), ("values", target.values)):
        if column and len(column) != target.intervals:
            raise DecisionRefusedError(f"{where}: {len(column)} {name} for {target.intervals} intervals")
    if (kind is DecisionKind.REPLACE) != bool(target.values):
        raise DecisionRefusedError(f"{where}: {'no new values' if not target.values else 'values are for replace'}")
    if target.values and CHANNELS[target.channel].is_energy and target.channel is not Channel.NET:
        _require_measurable(target.values, where)
    if kind is DecisionKind.ACCEPT and target.channel is not Channel.NET and any(UNSEEN < v < 0 for v in target.seen):
        raise DecisionRefusedError(f"{where}: a measured channel is never negative: replace it, or estimate again")
    if kind is DecisionKind.SWAP_CHANNELS and target.channel not in SWAPPED:
        raise DecisionRefusedError(f"{where}: only delivered and received can be swapped")


def _require_measurable(values: Sequence[int], where: str) -> None:
    if min(values) < 0:
        raise DecisionRefusedError(f"{where}: a measured channel is never negative, {min(values)} is")
