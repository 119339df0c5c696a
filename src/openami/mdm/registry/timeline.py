"""How a fact that is entered late cuts into what was believed. Pure.

One timeline is what is believed now of one kind at one service point: periods that never overlap.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from openami.mdm.registry.facts import Fact, FactEntry


@dataclass(frozen=True, slots=True)
class Cut:
    """What entering one fact does to its timeline.

    Args:
        closed: believed until now, believed no longer.
        opened: believed from now on: the new fact and what is left of the closed ones.
    """

    closed: tuple[Fact, ...]
    opened: tuple[Fact, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes: the same was believed already."""
        return not self.closed and not self.opened


def cut_in(timeline: Sequence[Fact], entry: FactEntry, *, at: datetime, by: str = "", reason: str = "") -> Cut:
    """Return what entering a fact closes and opens.

    Args:
        timeline: what is believed now of this kind at this service point.
        entry: what is to be believed from now on.
        at: domain time of the entry.
        by: who enters it.
        reason: why.
    """
    met = [f for f in timeline if _overlap(f, entry)]
    if entry.value is not None and any(f.value == entry.value and _holds(f, entry) for f in met):
        return Cut((), ())
    opened = []
    for fact in met:
        if fact.start < entry.start:
            opened.append(replace(fact, end=entry.start, entered_at=at))
        if entry.end is not None and (fact.end is None or fact.end > entry.end):
            opened.append(replace(fact, start=entry.end, entered_at=at))
    if entry.value is not None:
        opened.append(
            Fact(entry.service_point_id, entry.kind, entry.value, entry.start, entry.end, at, None, by, reason)
        )
    return Cut(tuple(met), tuple(sorted(opened, key=lambda f: f.start)))


def value_at(timeline: Iterable[Fact], instant: datetime) -> str | None:
    """Return what holds at an instant, or None."""
    return next((f.value for f in timeline if f.start <= instant and (f.end is None or instant < f.end)), None)


def _overlap(fact: Fact, entry: FactEntry) -> bool:
    return (entry.end is None or fact.start < entry.end) and (fact.end is None or entry.start < fact.end)


def _holds(fact: Fact, entry: FactEntry) -> bool:
    """Tell whether the fact covers the whole period of the entry."""
    return fact.start <= entry.start and (fact.end is None or (entry.end is not None and entry.end <= fact.end))
