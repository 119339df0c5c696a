"""A read that nobody took, estimated from reads alone: last year's season at this year's level, else the last period.

Pure. The register of the estimate never runs back behind the last actual read, and the next actual read puts it right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from openami.mdm.hand_reads.level import levels
from openami.mdm.hand_reads.read import HandReadError, PastRead, Register


@dataclass(frozen=True, slots=True)
class ReadEstimate:
    """An estimated read.

    Args:
        value: counts, cut to what the display resolves.
        method: ``last_year_at_level`` or ``last_period``.
        evidence: what it was made of.
    """

    value: int
    method: str
    evidence: Mapping[str, int | float | str]


def estimated(past: Sequence[PastRead], register: Register, at: datetime, *, serial: str) -> ReadEstimate:
    """Return what the register shows at an instant, as far as reads before it tell.

    Args:
        past: accepted reads of the register.
        register: what it is.
        at: the instant.
        serial: the meter's, for the refusal.

    Raises:
        HandReadError: no period between two actual reads is known before it.
    """
    actual = sorted((p for p in past if not p.is_estimate and p.at < at), key=lambda p: p.at)
    known = levels(actual, register, start=actual[-1].at, end=at) if actual else None
    if known is None or known.expected is None:
        raise HandReadError(f"meter {serial}: no two actual reads before {at.isoformat()}, so none can be estimated")
    base = actual[-1]
    days = (at - base.at) / timedelta(days=1)
    most = int(register.limit_per_hour * days * 24)
    if register.capacity is not None:
        # Beyond half its way round nobody could tell how far the register went.
        most = min(most, register.capacity // 2)
    counts = min(int(known.expected * days), most)
    value = base.value + counts
    value -= value % register.resolution
    value = max(value, base.value)
    if register.capacity is not None:
        value %= register.capacity
    method = "last_period" if known.last_year is None else "last_year_at_level"
    return ReadEstimate(value, method, {"counts_day": round(known.expected, 1), "days": round(days, 2)})
