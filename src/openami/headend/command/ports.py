"""What the command process asks of the world around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from openami.contracts.command import NO_ID, Command, CommandClass, CommandEffect, CommandOutcome, Refusal
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
        effect: what it does to supply or clock.
        request_id: of the command that it is spent for, which outcomes name; ``NO_ID`` where it is only asked for.
    """

    title: SystemTitle
    command_class: CommandClass
    digest: bytes
    plaintext: bytes = field(default=b"", repr=False)
    effect: CommandEffect = CommandEffect.NONE
    request_id: UUID = NO_ID


@dataclass(frozen=True, slots=True)
class Warrant:
    """What a command rests on, as people approved it. The gateway counts by it.

    Args:
        approvals: ids of the approvals.
        order_id: the order that asks for it; ``NO_ID`` for none.
        requester: who asked for that order; ``NO_ID`` for nobody.
        feeder: number of the feeder that serves the meter; 0 where it is not known.
        load_w: load that it switches, 0 to 2^32-1 W; 0 where it is not known.
    """

    approvals: tuple[UUID, ...] = ()
    order_id: UUID = NO_ID
    requester: UUID = NO_ID
    feeder: int = 0
    load_w: int = 0


class Approvals(Protocol):
    """The approvals that people gave. Raises :class:`CommandUnavailableError` where they cannot be asked for."""

    async def find(self, request: ApprovalRequest) -> Warrant | None:
        """Return what this rests on, where that is good now; None where it may not be done.

        Raises:
            CommandRefusedError: it is approved and may not be done all the same, for a reason that staff must read.
        """
        ...

    async def spend(self, request: ApprovalRequest) -> Warrant | None:
        """As :meth:`find`, and it is good no more."""
        ...


class NoApprovals:
    """Nobody approves anything."""

    async def find(self, request: ApprovalRequest) -> None:
        """Return nothing."""

    async def spend(self, request: ApprovalRequest) -> None:
        """Return nothing."""


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
