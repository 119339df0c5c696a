"""Validation of registers that are read by hand: each rule speaks of one read against those before it. Pure.

High and low compare energy a day with the last period and with the season a year ago, and speak only where both are far
off: of months of real homes 0.27 % lie outside half and double the month before (vee-grid note, section 1.6). Whatever
fails is held for a person, with what may have been meant.

Source: Itron (delta high and low), Oracle (high/low normalised by average daily usage, zero, negative, prolonged
estimation); vee-grid note, sections 1.2 and 1.5.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from openami.kernel.time import require_utc
from openami.mdm.hand_reads.level import MIN_PERIOD, Levels, advance, levels
from openami.mdm.hand_reads.miskeyed import MAX_CANDIDATES, candidates
from openami.mdm.hand_reads.read import Judgement, PastRead, ReadFinding, ReadState, Register, Road

HIGH_RATIO, LOW_RATIO = 2.0, 0.5
MIN_DIFFERENCE_WH_DAY = 5_000
"""A vacant place that doubles from 1 to 2 kWh a day is no finding."""
ZERO_AFTER_WH_DAY = 1_000
MAX_ESTIMATES = 3
"""About three estimates in a row are what a commission allows (20 CSR 4240-13.020)."""
MAX_CUSTOMER_READS = 6
"""So many reads by the customer alone want one by somebody else."""

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Proposed:
    """A read that somebody brings.

    Args:
        at: when it was read.
        value: counts.
        road: how it came.
    """

    at: datetime
    value: int
    road: Road

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", require_utc(self.at))


def judged(read: Proposed, past: Sequence[PastRead], register: Register) -> Judgement:
    """Return what the rules say of a read.

    Args:
        read: what somebody brings.
        past: accepted reads of the register, of any time and in any order.
        register: what it is.
    """
    refused = _refused(read, past, register)
    if refused is not None:
        return Judgement(ReadState.REJECTED, None, (refused,))
    before = sorted((p for p in past if p.at < read.at), key=lambda p: p.at)
    actual = [p for p in before if not p.is_estimate]
    findings = list(_about_estimates(read, before, register))
    findings += _about_readers(read, actual)
    if not actual:
        return Judgement(_state(findings), None, tuple(findings))
    base = actual[-1]
    hours = (read.at - base.at) / timedelta(hours=1)
    usage = advance(base.value, read.value, hours, register)
    known = levels(actual, register, start=base.at, end=read.at)
    if usage is None:
        findings.append(_impossible(read, base, register, hours))
    else:
        findings += _about_usage(usage, base, read, known, register)
        if read.value < base.value:
            findings.append(ReadFinding("register_rollover", is_failure=False, evidence={"usage": usage}))
    meant: tuple[int, ...] = ()
    if any(f.is_failure for f in findings):
        meant = _meant(read, base, known, register, hours)
        if meant:
            evidence = {"likeliest": meant[0], "candidates": len(meant)}
            findings.append(ReadFinding("register_miskeyed", is_failure=True, evidence=evidence))
    return Judgement(_state(findings), usage, tuple(findings), meant)


def _refused(read: Proposed, past: Sequence[PastRead], register: Register) -> ReadFinding | None:
    """Return why a read is no read of this register at all."""
    if register.capacity is not None and read.value >= register.capacity:
        evidence = {"value": read.value, "capacity": register.capacity}
        return ReadFinding("register_digits", is_failure=True, evidence=evidence)
    same = [p for p in past if p.at == read.at and not p.is_estimate]
    if same and any(p.value != read.value for p in same):
        evidence = {"value": read.value, "there": same[0].value}
        return ReadFinding("register_conflict", is_failure=True, evidence=evidence)
    return None


def _about_estimates(read: Proposed, before: Sequence[PastRead], register: Register) -> Iterator[ReadFinding]:
    run = 0
    for past in reversed(before):
        if not past.is_estimate:
            break
        run += 1
    is_estimate = read.road is Road.ESTIMATE
    if run + is_estimate >= MAX_ESTIMATES:
        yield ReadFinding("prolonged_estimate", is_failure=is_estimate, evidence={"estimates": run + is_estimate})
    if run and not is_estimate and advance(before[-1].value, read.value, _hours(before[-1], read), register) is None:
        # The estimate was above what the register shows now: no fault of the register.
        evidence = {"estimated": before[-1].value, "read": read.value}
        yield ReadFinding("over_estimated", is_failure=False, evidence=evidence)


def _about_readers(read: Proposed, actual: Sequence[PastRead]) -> Iterator[ReadFinding]:
    if read.road is not Road.CUSTOMER:
        return
    run = 1
    for past in reversed(actual):
        if not past.is_customers:
            break
        run += 1
    if run >= MAX_CUSTOMER_READS:
        yield ReadFinding("customer_reads_alone", is_failure=False, evidence={"reads": run})


def _about_usage(
    usage: int, base: PastRead, read: Proposed, known: Levels, register: Register
) -> Iterator[ReadFinding]:
    days = (read.at - base.at) / DAY
    wh_day = usage * register.multiplier / days
    references = [r * register.multiplier for r in (known.last, known.last_year, known.expected) if r is not None]
    if not references or days * DAY < MIN_PERIOD:
        return
    evidence: dict[str, int | float | str] = {
        "usage_wh_day": round(wh_day), "last_wh_day": round(references[0]), "days": round(days, 1)
    }  # fmt: skip
    if usage == 0:
        if min(references) >= ZERO_AFTER_WH_DAY:
            yield ReadFinding("register_zero", is_failure=True, evidence=evidence)
    elif all(wh_day > r * HIGH_RATIO and wh_day - r > MIN_DIFFERENCE_WH_DAY for r in references):
        yield ReadFinding("register_high", is_failure=True, evidence=evidence)
    elif all(wh_day < r * LOW_RATIO and r - wh_day > MIN_DIFFERENCE_WH_DAY for r in references):
        yield ReadFinding("register_low", is_failure=True, evidence=evidence)


def _impossible(read: Proposed, base: PastRead, register: Register, hours: float) -> ReadFinding:
    rule = "register_negative" if read.value < base.value else "register_beyond_capacity"
    evidence: dict[str, int | float | str] = {
        "earlier": base.value, "later": read.value, "most": round(register.limit_per_hour * hours)
    }  # fmt: skip
    return ReadFinding(rule, is_failure=True, evidence=evidence)


def _meant(read: Proposed, base: PastRead, known: Levels, register: Register, hours: float) -> tuple[int, ...]:
    """Return what may have been meant: values one slip away whose use is as expected, the nearest to it first."""
    if known.expected is None or read.road in (Road.ESTIMATE, Road.DRIVE_BY):
        return ()
    unit = register.resolution
    digits = (
        len(str((register.capacity - 1) // unit)) if register.capacity is not None else len(str(read.value // unit))
    )
    expected = known.expected * hours / 24
    found = []
    for shown in candidates(read.value // unit, digits=digits):
        value = shown * unit
        if register.capacity is not None and value >= register.capacity:
            continue
        usage = advance(base.value, value, hours, register)
        if usage is not None and expected * LOW_RATIO <= usage <= expected * HIGH_RATIO:
            found.append((abs(usage - expected), value))
    return tuple(value for _, value in sorted(found)[:MAX_CANDIDATES])


def _hours(past: PastRead, read: Proposed) -> float:
    return (read.at - past.at) / timedelta(hours=1)


def _state(findings: Sequence[ReadFinding]) -> ReadState:
    return ReadState.HELD if any(f.is_failure for f in findings) else ReadState.ACCEPTED
