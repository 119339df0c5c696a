"""What a lease group's work is made of: the engines that asking needs, and what is done beside reading."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from openami.headend.keeping.keeper import KeepingPolicy
from openami.headend.ports import AnswerOutbox
from openami.headend.session.rekey_group import RekeyEngines
from openami.headend.session.rollout import RolloutEngines
from openami.headend.session.session import Sessions
from openami.headend.session.switch_ports import SwitchEngines
from openami.headend.state_ports import ColumnSheets, RequestStore, RosterSource


@dataclass(frozen=True, slots=True)
class AskingEngines:
    """What asking needs beside the head-end's engines.

    Args:
        requests: keeps requests.
        roster: who hangs where.
        sessions: speaks to meters.
        outbox: where answers go.
        dice: spreads next tries.
        policy: when what is asked.
        columns: keeps what meters say of their columns; None where that is not asked.
        firmware: campaigns; None for a head-end without them.
        rekey: changes of keys; None for a head-end without them.
        switching: switching orders; None for a head-end without them.
    """

    requests: RequestStore
    roster: RosterSource
    sessions: Sessions
    outbox: AnswerOutbox
    dice: Callable[[], float]
    policy: KeepingPolicy = field(default_factory=KeepingPolicy)
    columns: ColumnSheets | None = None
    firmware: RolloutEngines | None = None
    rekey: RekeyEngines | None = None
    switching: SwitchEngines | None = None


class GroupWork(Protocol):
    """What a group's owner does beside keeping its meters read."""

    async def turn(self) -> None:
        """Begin what is due; to be called often.

        Raises:
            StateUnavailableError: the tables do not answer.
            LostLeaseError: the group belongs to another owner now.
        """
        ...

    async def close(self) -> None:
        """Let go of what runs; the next owner takes it up."""
        ...
