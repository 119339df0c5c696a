"""Findings about collectors: what a person should look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from openami.kernel.finding import Severity


class CollectorRule(StrEnum):
    """What is wrong. Staff screens print these in words."""

    SILENT = "collector_silent"
    ENCLOSURE_OPEN = "collector_enclosure_open"
    MOVED = "collector_moved"
    OTHER_CELL = "collector_other_cell"
    CERTIFICATE_ENDS = "collector_certificate_ends"
    CLOCK_OFF = "collector_clock_off"
    STOLEN = "collector_stolen"
    BRINGS_REFUSED = "collector_brings_refused"


SECURITY_RULES = frozenset(
    {
        CollectorRule.ENCLOSURE_OPEN,
        CollectorRule.MOVED,
        CollectorRule.OTHER_CELL,
        CollectorRule.SILENT,
        CollectorRule.STOLEN,
        CollectorRule.BRINGS_REFUSED,
    }
)
"""What a thief causes: never left out of a list to make room for others."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is so now.

    Args:
        collector_id: of which collector.
        rule: what.
        severity: fail asks for a look today.
        since_ms: since when, real time, milliseconds since the epoch.
        evidence: numbers and short words that show why.
    """

    collector_id: int
    rule: CollectorRule
    severity: Severity
    since_ms: int
    evidence: Mapping[str, int | float | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CollectorFinding:
    """A condition as it is kept: with its end, once it has one.

    Args:
        condition: what was so.
        ended_ms: until when; None while it lasts.
    """

    condition: Condition
    ended_ms: int | None
