"""What the network room asks of the world around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from openami.contracts.command import CommandOutcome
from openami.contracts.health import CollectorWord
from openami.contracts.threshold_word import ThresholdWord
from openami.kernel.errors import OpenAmiError


class FrameStreamError(OpenAmiError):
    """The durable stream did not say that it has a batch. It may have it or not: read the marks again."""


class FrameStreamConflictError(FrameStreamError):
    """The stream refused a batch: another gateway, or an earlier batch of ours, moved a collector's mark."""


class DeliveryError(OpenAmiError):
    """A meter was not reached, or did not answer."""


class UnknownMeterError(DeliveryError):
    """No meter of this title is heard here."""


@dataclass(frozen=True, slots=True)
class StreamMessage:
    """One message of a batch.

    Args:
        subject: where it goes.
        payload: octets.
        expected_sequence: the stream's last sequence on this subject must still be this (0: none yet); None: any.
    """

    subject: str
    payload: bytes
    expected_sequence: int | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """A collector's position in the stream.

    Args:
        seq: last link sequence of it that the stream has.
        stream_sequence: where in the stream that is said.
    """

    seq: int
    stream_sequence: int


NO_MARK = Mark(0, 0)


class FrameStream(Protocol):
    """The durable stream between DMZ and core, as the gateway sees it."""

    async def read_mark(self, collector_id: int) -> Mark:
        """Return a collector's newest mark, or ``NO_MARK``.

        Raises:
            FrameStreamError: the stream does not answer.
        """
        ...

    async def commit(self, messages: Sequence[StreamMessage], *, batch_id: str) -> int:
        """Put all messages into the stream and on disk, or none; return the stream sequence of the last.

        The messages of a batch have consecutive sequences.

        Args:
            messages: 1 to 1,000, each payload under 4 MiB.
            batch_id: a name that no other batch has.

        Raises:
            FrameStreamConflictError: an expected sequence was not the last one; nothing was kept.
            FrameStreamError: no answer; all or none of the batch is in the stream.
        """
        ...


class KnownTitles(Protocol):
    """Which devices may send."""

    def __contains__(self, title: object) -> bool:
        """Tell whether a device with this system title (8 octets) may send."""
        ...

    def least_suite(self, title: bytes) -> int | None:
        """Return the least security suite that is taken from a device, 0 to 2; None where it may not send."""
        ...

    def refresh(self) -> None:
        """Look whether the list has changed. Called every second; does not wait."""
        ...


class RateLimit(Protocol):
    """How fast one collector may send."""

    def delay_s(self, *, octets: int, now_s: float) -> float:
        """Count octets that came now and return for how long to read no more, 0 for on and on."""
        ...


class SigningKeys(Protocol):
    """Whose commands pass the gateway."""

    def verifies(self, signature: bytes, octets: bytes) -> bool:
        """Tell whether one of the command process's keys signed these octets."""
        ...

    def refresh(self) -> None:
        """Look whether the keys have changed. Called every second; does not wait."""
        ...


class CommandBus(Protocol):
    """Commands from core, and the word back. Loses what is under way when either side is away."""

    async def subscribe(self, take: Callable[[bytes], None]) -> None:
        """Call ``take`` with the octets of each command, from now on, also after a reconnection."""
        ...

    def tell(self, outcome: CommandOutcome) -> None:
        """Send the word about a command. Does not wait; with the bus away the word is lost."""
        ...


class HealthBus(Protocol):
    """Where the gateway says how its collectors are."""

    async def tell(self, words: Sequence[CollectorWord]) -> None:
        """Put words on the stream and on disk; return when all are there.

        Raises:
            FrameStreamError: some may not be there: say them again.
        """
        ...


class AirtimeBus(Protocol):
    """Where the gateway puts what radios counted."""

    async def put(self, collector_id: int, part: int, octets: bytes) -> None:
        """Put the newest count of a part on the stream and on disk.

        Raises:
            FrameStreamError: it may not be there: put it again.
        """
        ...


class DirectiveBus(Protocol):
    """What core tells the DMZ as standing facts. The gateway listens on its own bus and dials nobody."""

    async def read(self, take: Callable[[bytes], object]) -> None:
        """Call ``take`` with the octets of the newest directive of each kind and part; a bus away gives none."""
        ...

    async def listen(self, take: Callable[[bytes], object]) -> None:
        """Call ``take`` with all that there are and with each that comes, until cancelled."""
        ...


class ThresholdBus(Protocol):
    """Where what the gateway says about thresholds is kept for core."""

    async def tell(self, words: Sequence[ThresholdWord]) -> None:
        """Keep words durably, in their order.

        Raises:
            FrameStreamError: some of them may not be kept: say all of them again.
        """
        ...
