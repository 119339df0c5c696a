"""What moves APDUs between a client and a meter: ports, limits and what may go wrong. Octets only.

An adapter knows addresses, frames, time-outs and limits; what an APDU says is the business of the association that
asks (:class:`ApduExchange`) or answers (:class:`MeterSession`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from openami.kernel.errors import OpenAmiError
from openami.protocol.envelope.limits import MAX_APDU_OCTETS


class ExchangeError(OpenAmiError):
    """An exchange with a meter did not come to its answer. The meter may have carried out what it was asked."""


class NoConnectionError(ExchangeError):
    """The meter cannot be reached, refused, or ended the connection."""


class NoAnswerError(ExchangeError):
    """The meter did not answer in time, however often it was asked."""


class BadAnswerError(ExchangeError):
    """The meter's octets are no frames, or more than the limits allow."""


@dataclass(frozen=True, slots=True)
class ExchangeLimits:
    """What one exchange may take.

    Args:
        connect_s: for the connection, each try.
        answer_s: from the question to the whole answer, each try.
        tries: how often a connection, or a question over UDP, is tried. Over TCP a question is sent once: the
            transport sends again, and a second copy with the same counter would be refused as a replay.
        answer_octets: longest answer.
        session_octets: what may be received over one connection, answers and everything else.
    """

    connect_s: float = 10.0
    answer_s: float = 15.0
    tries: int = 3
    answer_octets: int = MAX_APDU_OCTETS
    session_octets: int = 64 * 1024 * 1024


class ApduExchange(Protocol):
    """A way to one meter, as one client. Exchanges go one after another."""

    async def exchange(self, apdu: bytes) -> bytes:
        """Send an APDU and return the one that answers it.

        Raises:
            ExchangeError: no answer; after it the way is closed, because a late answer could not be told from the next.
        """
        ...

    async def close(self) -> None:
        """End the way."""
        ...


class MeterSession(Protocol):
    """The meter's side of one client's conversation."""

    def receive(self, apdu: bytes) -> Sequence[bytes]:
        """Take an APDU and return what is to be sent back, in order; nothing where nobody answers.

        Any octets give an answer or nothing: an exception is a bug and ends the connection.
        """
        ...

    def close(self) -> None:
        """Take note that the connection has ended."""
        ...


OpenSession = Callable[[int, int], MeterSession | None]
"""Begins a session for (client address, logical device address); None where there is no such logical device."""


@dataclass(frozen=True, slots=True)
class ServeLimits:
    """What a meter's socket takes.

    Args:
        connections: open at once; a meter serves few.
        sessions: conversations over one connection, by pair of addresses.
        idle_s: a connection on which nothing comes for so long is ended.
    """

    connections: int = 16
    sessions: int = 8
    idle_s: float = 180.0
