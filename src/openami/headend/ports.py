"""Ports of the head-end: where frames come from, where readings go, and the way to meters and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from openami.contracts.command import Refusal
from openami.headend.keeping.answer import Answer
from openami.headend.listening.intake import Outcome, StreamMessage
from openami.kernel.errors import OpenAmiError
from openami.kernel.ids import SystemTitle


class HeadendError(OpenAmiError):
    """The head-end cannot go on with something now; the text says with what."""


class BusUnavailableError(HeadendError):
    """The bus does not answer now: try again."""


class StateUnavailableError(HeadendError):
    """The database that keeps leases and windows does not answer now: try again."""


class LostLeaseError(HeadendError):
    """Another head-end owns the group: stop, write nothing, forget its windows."""


class NoAnswerError(HeadendError):
    """A meter did not answer in time. The text says in words how far the message came: staff read it."""


class DownlinkUnavailableError(HeadendError):
    """The way to the meters is closed now (gateway, collector or bus away): not the meter's fault, try again.

    Args:
        text: why, in words.
        refusal: why the gateway will not, where it is the gateway that will not.
    """

    def __init__(self, text: str, refusal: Refusal = Refusal.NONE) -> None:
        super().__init__(text)
        self.refusal = refusal


class SealingUnavailableError(HeadendError):
    """The process that seals does not answer now: try again."""


class SealingRefusedError(HeadendError):
    """The process that seals will not: no key, no approval, or a limit reached. Trying again does not help.

    Args:
        text: why, in words.
        refusal: why, as a number of the contract.
    """

    def __init__(self, text: str, refusal: Refusal = Refusal.NONE) -> None:
        super().__init__(text)
        self.refusal = refusal


class ForgedAnswerError(HeadendError):
    """An answer does not verify under the meter's keys: the association is over, and somebody should know."""


class Sealing(Protocol):
    """What needs a meter's keys in a session. No key passes this door in either direction.

    Every method raises :class:`SealingUnavailableError` when the other side cannot be reached, and
    :class:`SealingRefusedError` when it refuses.
    """

    async def seal(self, title: SystemTitle, plaintext: bytes, *, control: int, generation: int = 0) -> bytes:
        """Return an APDU for a meter as ``SC | IC | ciphertext | tag``, under a counter that was never used.

        Args:
            title: the meter.
            plaintext: the APDU; its class (association, read, write, switch, firmware, key) decides what it needs.
            control: security control octet, 0x30 and the suite.
            generation: of the keys; 0 for those in use.
        """
        ...

    async def open(self, title: SystemTitle, sealed: bytes) -> bytes:
        """Return the APDU inside ``SC | IC | ciphertext | tag`` that a meter answered with.

        Raises:
            ForgedAnswerError: the tag does not verify, or the counter was seen before.
        """
        ...

    async def prove(self, title: SystemTitle, challenge: bytes, *, generation: int = 0) -> bytes:
        """Return our answer ``SC | IC | tag`` to a meter's challenge (high-level authentication with GMAC)."""
        ...

    async def verify(self, title: SystemTitle, challenge: bytes, proof: bytes) -> bool:
        """Tell whether a meter's answer to our challenge proves that it holds its keys."""
        ...


class Downlink(Protocol):
    """The way to a meter and back: gateway, collector and radio."""

    async def exchange(self, title: SystemTitle, octets: bytes, *, timeout_s: float) -> bytes:
        """Send a wrapper frame to a meter and return the wrapper frame that it answers with.

        One exchange of a meter at a time; a late answer to an earlier one is never returned.

        Args:
            title: the meter.
            octets: 8-octet wrapper header and APDU.
            timeout_s: how long to wait [s], real time.

        Raises:
            NoAnswerError: nothing came in time.
            DownlinkUnavailableError: the message could not be handed over.
        """
        ...


class KeyProcess(Protocol):
    """The command process, as whoever changes meters' keys sees it. No key passes this door in either direction.

    Every method raises as :class:`Sealing`.
    """

    async def begin_keys(self, title: SystemTitle) -> tuple[int, bool]:
        """Return the generation of a meter's new keys, which are in the vault, and whether they were made just now.

        New keys that no meter has proved yet are given again: nobody knows whether it holds them.
        """
        ...

    async def keys_parameter(self, title: SystemTitle, generation: int) -> bytes:
        """Return what *key_transfer* takes for these keys, as A-XDR; nobody but the meter can open it."""
        ...

    async def keys_proved(self, title: SystemTitle, generation: int, sealed: bytes) -> None:
        """Put new keys into use, by what the meter has sealed with them: ``SC | IC | ciphertext | tag``."""
        ...


class CommandSender(Protocol):
    """The command process, as whoever exchanges with meters sees it."""

    async def send(self, title: SystemTitle, frame: bytes, *, request_id: UUID, time_left_s: float) -> None:
        """Have a wrapper frame signed and handed to the DMZ. What became of it is told by an outcome, or by silence.

        Args:
            title: the meter.
            frame: wrapper header and an APDU that was sealed by the same process.
            request_id: fresh and random; the outcome names it.
            time_left_s: how long it may take to reach the meter [s], real time.

        Raises:
            SealingRefusedError: it will not sign this.
            DownlinkUnavailableError: the process or the DMZ's bus is away; it was not sent.
            NoAnswerError: the process died with it in hand; it may have been sent.
        """
        ...


class FrameReader(Protocol):
    """Frame batches of some partitions in the order of the stream, from a position on, none left out."""

    async def read(self, *, wait_s: float) -> list[StreamMessage]:
        """Return the next messages; nothing where none came in time.

        Raises:
            BusUnavailableError: the bus has not been heard for longer than its heartbeat allows.
        """
        ...

    async def close(self) -> None:
        """Stop reading. Never raises."""
        ...


class FrameSource(Protocol):
    """The stream of sealed frames."""

    async def open(self, partitions: Sequence[int], *, after_seq: int) -> FrameReader:
        """Return a reader of these partitions that begins behind a stream sequence.

        Raises:
            BusUnavailableError: the bus does not answer.
        """
        ...


class Outbox(Protocol):
    """Where outcomes go."""

    async def publish(self, outcome: Outcome, *, group: int, subject_partition: int) -> None:
        """Return when everything in the outcome is durable. May be repeated: receivers drop what they have.

        Args:
            outcome: what an input batch gave.
            group: number of the lease group, for message ids.
            subject_partition: the partition whose subjects are used, the lowest of the group's.

        Raises:
            BusUnavailableError: not everything was acknowledged; publish it again.
        """
        ...


class AnswerOutbox(Protocol):
    """Where answers of meters go."""

    async def publish_answer(self, answer: Answer, *, name: str, subject_partition: int) -> None:
        """Return when every row that a meter answered with is durable. May be repeated, as outcomes may.

        Args:
            answer: what a session brought home.
            name: the request and its try, for message ids.
            subject_partition: the partition whose subjects are used, the lowest of the group's.

        Raises:
            BusUnavailableError: not everything was acknowledged; publish it again.
        """
        ...
