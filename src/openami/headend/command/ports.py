"""What the command process asks of the world around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from openami.contracts.command import Command, CommandClass, CommandOutcome, Refusal
from openami.kernel.errors import OpenAmiError
from openami.kernel.ids import SystemTitle


class CommandUnavailableError(OpenAmiError):
    """An engine that the command process needs does not answer now: try again."""


class CommandRefusedError(OpenAmiError):
    """The command process will not. The text says why, in words for staff.

    Args:
        refusal: why, as a number of the contract.
        text: why, in words.
    """

    def __init__(self, refusal: Refusal, text: str) -> None:
        super().__init__(text)
        self.refusal = refusal


class CounterReserve(Protocol):
    """Invocation counters that were never used and never will be by another."""

    async def reserve(self, meter_id: UUID, generation: int, *, count: int) -> int:
        """Return the first of ``count`` consecutive counters of a key pair, reserved through any loss of power.

        Raises:
            CommandUnavailableError: the database does not answer; counters may have been skipped.
            CommandRefusedError: the key pair has no counters left; it needs new keys.
        """
        ...


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """What an approval must be for.

    Args:
        title: the meter.
        command_class: what it does.
        digest: SHA-256 of the plain APDU.
        plaintext: the plain APDU: an approval is for exactly this, or for something of which this is a part.
    """

    title: SystemTitle
    command_class: CommandClass
    digest: bytes
    plaintext: bytes = field(default=b"", repr=False)


class Approvals(Protocol):
    """The approvals that people gave. Raises :class:`CommandUnavailableError` where they cannot be asked for."""

    async def find(self, request: ApprovalRequest) -> tuple[UUID, ...]:
        """Return the approvals that this rests on and that are good now; none where it may not be done."""
        ...

    async def spend(self, request: ApprovalRequest) -> tuple[UUID, ...]:
        """As :meth:`find`, and they are good no more."""
        ...


class NoApprovals:
    """Nobody approves anything."""

    async def find(self, request: ApprovalRequest) -> tuple[UUID, ...]:  # noqa: ARG002 - the port's signature
        """Return none."""
        return ()

    async def spend(self, request: ApprovalRequest) -> tuple[UUID, ...]:  # noqa: ARG002 - the port's signature
        """Return none."""
        return ()


class Road(Protocol):
    """The way to the gateway, and the record of what went down it."""

    async def record(self, command: Command) -> None:
        """Keep a command durably before it goes.

        Raises:
            CommandUnavailableError: it was not kept.
        """
        ...

    async def send(self, command: Command) -> None:
        """Hand a command to the DMZ. Whether a gateway takes it is told by its outcome, or by silence.

        Raises:
            CommandUnavailableError: the DMZ's bus is away.
        """
        ...

    async def listen(self, heard: Callable[[CommandOutcome], None]) -> None:
        """Pass outcomes on to core, and to ``heard``, from now on."""
        ...
