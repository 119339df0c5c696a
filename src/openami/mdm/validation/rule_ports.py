"""Port of the settings of rules: what operators set, kept for ever, and what a change of them would touch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from openami.mdm.vee.ruleset import RuleSetting


@dataclass(frozen=True, slots=True)
class KeptSetting:
    """A setting as kept.

    Args:
        id: rises with each; of two of one thing the higher holds.
        setting: what.
        reason: why, in a person's words.
        by: who.
        at: domain time.
    """

    id: int
    setting: RuleSetting
    reason: str
    by: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class RuleReach:
    """What a setting touches: local days that had their first run, and the service points that had a meter on them.

    Args:
        days: how many days.
        first, last: the first and the last of them; None where there is none.
        service_points: how many places.
    """

    days: int
    first: date | None
    last: date | None
    service_points: int


class RuleSettings(Protocol):
    """Settings of rules."""

    async def kept(self) -> list[KeptSetting]:
        """Return all settings, in the order in which they were made."""
        ...

    async def reach(self, setting: RuleSetting) -> RuleReach:
        """Return what runs again if this is set."""
        ...

    async def keep(self, setting: RuleSetting, *, reason: str, by: UUID, at: datetime) -> KeptSetting:
        """Keep a setting and, in the same step, ask for the days that it touches to run again."""
        ...
