"""The approvals of every class of command, each asked of whoever keeps them. What nobody keeps is not approved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from openami.contracts.command import CommandClass
from openami.headend.command.ports import ApprovalRequest, Approvals, Warrant


@dataclass(frozen=True, slots=True)
class CompositeApprovals:
    """:class:`openami.headend.command.ports.Approvals` of several classes.

    Args:
        by_class: who is asked for each class; a class without one is never approved.
    """

    by_class: Mapping[CommandClass, Approvals]

    async def find(self, request: ApprovalRequest) -> Warrant | None:
        """Ask whoever keeps the approvals of this class."""
        keeper = self.by_class.get(request.command_class)
        return await keeper.find(request) if keeper is not None else None

    async def spend(self, request: ApprovalRequest) -> Warrant | None:
        """As :meth:`find`, and they are good no more."""
        keeper = self.by_class.get(request.command_class)
        return await keeper.spend(request) if keeper is not None else None
