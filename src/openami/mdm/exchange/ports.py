"""Ports of the exchange: what is kept of messages, and what billing is asked and told."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from openami.mdm.exchange.acknowledgement import Acknowledgement, Answer
from openami.mdm.exchange.message import Message
from openami.mdm.exchange.record import MasterRecord
from openami.mdm.registry.facts import FactEntry

Span = tuple[UUID, date, date]
"""A service point and local days, both ends included."""


class IdKind(StrEnum):
    """What another system has ids of."""

    PREMISE = "premise"
    SERVICE_POINT = "service_point"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class Answered:
    """A record with its answer: None where it could not be read; its digest tells two of one number apart."""

    record: MasterRecord | None
    digest: bytes
    answer: Answer


@dataclass(frozen=True, slots=True)
class KeptRecord:
    """A record as kept with its answer.

    Args:
        sender: whose.
        message: in which message it came.
        record: as read; None where it could not be.
        answer: what became of it.
        at: when, domain time.
    """

    sender: str
    message: str
    record: MasterRecord | None
    answer: Answer
    at: datetime


class ExchangeBook(Protocol):
    """Messages that came, the answer to each record, and what the other system calls things."""

    async def earlier(self, sender: str, message: str) -> tuple[bytes, Acknowledgement] | None:
        """Return the digest of a message of that number and what was answered; None where it never came whole."""
        ...

    async def answers(self, sender: str, records: Collection[str]) -> dict[str, tuple[bytes, Answer]]:
        """Return the digest and the last answer of records by their numbers."""
        ...

    async def note(self, message: Message, answered: Sequence[Answered], *, at: datetime) -> None:
        """Keep the answers to records, in order."""
        ...

    async def finish(self, message: Message, found: Acknowledgement) -> None:
        """Keep that a message was taken whole."""
        ...

    async def open(self, sender: str | None, *, limit: int) -> list[KeptRecord]:
        """Return records that were rejected or held and have not been accepted since, newest first."""
        ...

    async def ids(self, sender: str, kind: IdKind, names: Collection[str]) -> dict[str, UUID]:
        """Return our ids of what the other system calls so; unknown names are absent."""
        ...

    async def make_ids(self, sender: str, kind: IdKind, names: Mapping[str, UUID], *, at: datetime) -> None:
        """Keep ids for names that have none yet."""
        ...

    async def names(self, sender: str, kind: IdKind) -> dict[UUID, str]:
        """Return what the other system calls our ids of a kind."""
        ...

    async def senders(self) -> list[str]:
        """Return the systems that have named something, by name."""
        ...

    async def set_premise(self, service_point: UUID, premise: UUID, *, at: datetime) -> bool:
        """Keep at which premise a service point is; tells whether that is news."""
        ...

    async def premises(self) -> dict[UUID, UUID]:
        """Return the premise of each service point."""
        ...


class Biller(Protocol):
    """What billing is asked and told of a change."""

    async def count(self, spans: Sequence[Span]) -> int:
        """Return how many issued bills hold one of these days."""
        ...

    async def enter_rates(self, entries: Sequence[FactEntry], *, at: datetime) -> None:
        """Put places on the rates that bills are made by, where billing knows them; repeating changes nothing.

        Raises:
            RegistryError: billing refuses, for example because a later rate is entered already.
        """
        ...
