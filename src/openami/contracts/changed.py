"""What validation changed, as ``core.changed.v1.day`` says it: exactly which channel days got *another* version.

Days that got their first version are counted and not named: nobody can have used them. A run that changes more than
:data:`MAX_DAYS` says ``many`` and the span; whoever listens then looks for itself. News may come twice, and after a
crash a run that had ended may be said as ``many``: it never goes unsaid.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from openami.contracts.channel import Channel
from openami.contracts.errors import ContractError

MAX_DAYS = 5_000
"""Channel days that one message names: about 400 kB."""


@dataclass(frozen=True, slots=True, order=True)
class ChangedDay:
    """One channel's local day and the version that it has now."""

    service_point_id: UUID
    channel: Channel
    local_day: date
    version: int


@dataclass(frozen=True, slots=True)
class DaysChanged:
    """News of one validation run.

    Args:
        run_id: the run.
        first: local day that it was about first.
        last: and last, included; days beside them that share a bracket may be named.
        versions: how many versions it wrote, first ones too; 0 where that is not known any more.
        days: those that had a version before; empty for many.
        many: whether the days are not named.
    """

    run_id: UUID
    first: date
    last: date
    versions: int
    days: tuple[ChangedDay, ...] = ()
    many: bool = False

    def to_octets(self) -> bytes:
        """Return the message."""
        days = [[d.service_point_id.hex, int(d.channel), d.local_day.isoformat(), d.version] for d in self.days]
        row = {
            "run_id": self.run_id.hex,
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
            "versions": self.versions,
            "many": self.many,
            "days": days,
        }
        return json.dumps(row, separators=(",", ":")).encode()

    @classmethod
    def from_octets(cls, octets: bytes) -> DaysChanged:
        """Read a message.

        Raises:
            ContractError: it is none.
        """
        try:
            row = json.loads(octets)
            days = tuple(
                ChangedDay(UUID(hex=point), Channel(channel), date.fromisoformat(day), int(version))
                for point, channel, day, version in row["days"]
            )
            span = date.fromisoformat(row["first"]), date.fromisoformat(row["last"])
            found = cls(UUID(hex=row["run_id"]), *span, int(row["versions"]), days, bool(row["many"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ContractError(f"news of changed days: {type(error).__name__}") from error
        if len(days) > MAX_DAYS or span[1] < span[0]:
            raise ContractError(f"news of {len(days)} changed days from {span[0]} to {span[1]}")
        return found


def news_of(run_id: UUID, first: date, last: date, *, versions: int, days: Sequence[ChangedDay] | None) -> DaysChanged:
    """Return the news of a run.

    Args:
        run_id: the run.
        first: local day that it was about first.
        last: and last.
        versions: how many versions it wrote.
        days: those that had a version before, or None where they were not kept because they are many.
    """
    if days is None or len(days) > MAX_DAYS:
        return DaysChanged(run_id, first, last, versions, (), many=True)
    return DaysChanged(run_id, first, last, versions, tuple(sorted(days)))
