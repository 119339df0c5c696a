"""Ports of the head-end: where frames come from, where readings go, and what survives a kill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from openami.contracts.airtime import AirtimeDay
from openami.contracts.command import Refusal
from openami.contracts.deadletter import DeadLetter
from openami.contracts.reading import I64, UUIDS
from openami.headend.keeping.answer import Answer, Figure
from openami.headend.keeping.request import Request
from openami.headend.keeping.roster import Roster
from openami.headend.listening.intake import Outcome, StreamMessage
from openami.headend.listening.release import CounterRelease
from openami.headend.profiles.columns import ColumnSheet
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


@dataclass(frozen=True, slots=True)
class Lease:
    """A group in hand: the number that fences its writes, and the stream sequence its state stands at."""

    group: int
    fence: int
    position: int


@dataclass(frozen=True, slots=True, eq=False)
class LastFrames:
    """The newest accepted frame of each meter since the last snapshot. Columns of one length n.

    Args:
        meter_id: (n,) V16, each once.
        generation: (n,) key generation.
        counter: (n,) invocation counter.
        collected_at_ms, received_at_ms: (n,) by the collector's and the gateway's clock.
        frames: (n,) how many frames were accepted since the last snapshot.
    """

    meter_id: UUIDS
    generation: I64
    counter: I64
    collected_at_ms: I64
    received_at_ms: I64
    frames: I64


@dataclass(frozen=True, slots=True)
class LevelRow:
    """Counts of a UTC day and cell: within 1, 6, 24, 72 hours, later, owed by finished days, owed by all."""

    day: date
    cell: str
    counts: tuple[int, int, int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class RegisterLevelRow:
    """Billing-window register reads of a read day and cell: due, there by 07:00, there now."""

    read_day: date
    cell: str
    due: int
    in_time: int
    came: int


@dataclass(frozen=True, slots=True)
class KeptPage:
    """What a group remembers of its meters, for the next owner and for staff pages.

    Args:
        page: see :mod:`openami.headend.keeping.memory_page`.
        is_base: the page holds every meter of the group; earlier pages go.
        levels: service levels for staff pages; none between two plans.
        registers: register levels, likewise.
    """

    page: bytes
    is_base: bool
    levels: tuple[LevelRow, ...]
    registers: tuple[RegisterLevelRow, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that changes when a group's position moves, written in one transaction or not at all.

    Args:
        since: position that the group stood at before; anything else there means that another write came through.
        position: stream sequence up to which every output is durable.
        page: counter windows, see :mod:`openami.headend.listening.snapshot`.
        is_base: the page holds every window of the group; earlier pages go.
        frames, accepted: how many since the last snapshot.
        refusals: how many of each reason since then.
        letters: those to show; the stream of dead letters has them all.
        forget_before_ms: letters refused before this (domain time) go from the page; None to leave them.
        last_frames: newest frame of each meter.
        kept: what is remembered of meters; None where nothing of it changed.
    """

    since: int
    position: int
    page: bytes
    is_base: bool
    frames: int
    accepted: int
    refusals: Counter[str]
    letters: list[DeadLetter]
    forget_before_ms: int | None
    last_frames: LastFrames
    kept: KeptPage | None = None


class GroupStore(Protocol):
    """Leases and state of the groups. Instants are real time, given by the caller.

    Every method raises :class:`StateUnavailableError` when the database cannot be reached.
    """

    async def prepare(self, groups: int) -> None:
        """Make the rows of the groups where there are none.

        Raises:
            HeadendError: the partitions are shared in another number of groups already.
        """
        ...

    async def enlist(self, owner: str, *, now: datetime, until: datetime) -> int:
        """Say that this owner is alive and return how many owners are, itself included."""
        ...

    async def resign(self, owner: str) -> None:
        """Say that this owner is leaving, so that the others need not wait for its silence."""
        ...

    async def acquire(
        self, owner: str, *, limit: int, working: Sequence[int], now: datetime, until: datetime
    ) -> list[Lease]:
        """Take up to ``limit`` groups that are free, run out, or this owner's of an earlier life, not ``working``."""
        ...

    async def renew(self, leases: Sequence[Lease], *, until: datetime) -> set[int]:
        """Extend leases and return the groups that are still in hand."""
        ...

    async def release(self, lease: Lease) -> None:
        """Give a group back, if it is still in hand."""
        ...

    async def pages(self, group: int) -> list[bytes]:
        """Return the pages of counter windows, the base first."""
        ...

    async def releases(self, *, after: int) -> list[CounterRelease]:
        """Return the held counter jumps that people have released, of all groups, numbered above ``after``."""
        ...

    async def memory(self, group: int) -> list[bytes]:
        """Return the pages of what is remembered of meters, the base first."""
        ...

    async def write(self, lease: Lease, snapshot: Snapshot) -> None:
        """Keep a snapshot.

        Raises:
            LostLeaseError: the fence is not this lease's any more, or the group does not stand where the snapshot
                begins (an earlier write was kept although its answer was lost); nothing was written.
        """
        ...


class ColumnSheets(Protocol):
    """What meters said of their own columns. Nothing is changed; a newer sheet supersedes an older one."""

    async def keep(self, sheets: Sequence[ColumnSheet]) -> None:
        """Keep sheets durably; one that is kept already is kept once.

        Raises:
            StateUnavailableError: the database does not answer.
        """
        ...

    async def revision(self) -> int:
        """Return the number of the sheet that was kept last; 0 for none.

        Raises:
            StateUnavailableError: the database does not answer.
        """
        ...

    async def newer(self, after: int) -> tuple[list[ColumnSheet], int]:
        """Return sheets after a number in the order of keeping, as many as fit at once, and the number of the last.

        Raises:
            StateUnavailableError: the database does not answer.
        """
        ...

    async def sheets_of(self, meter_ids: Sequence[UUID]) -> list[ColumnSheet]:
        """Return the newest sheet of each subject of these meters.

        Raises:
            StateUnavailableError: the database does not answer.
        """
        ...


class RequestStore(Protocol):
    """Requests to meters, so that none is lost or begun twice when an owner dies.

    Every method raises :class:`StateUnavailableError` when the database cannot be reached.
    """

    async def open(self, group: int) -> list[Request]:
        """Return the open requests of a group, those that staff entered since included."""
        ...

    async def arrivals(self, group: int) -> list[Request]:
        """Return requests of people that nobody has begun."""
        ...

    async def rested(self, group: int, *, since_s: float) -> list[Request]:
        """Return requests for intervals that were given up since an instant (real time)."""
        ...

    async def save(self, lease: Lease, requests: Sequence[Request], figures: Mapping[UUID, Sequence[Figure]]) -> None:
        """Keep requests as they stand, and what a person asked for by request.

        Raises:
            LostLeaseError: the fence is not this lease's any more; nothing was written.
        """
        ...

    async def forget(self, group: int, *, done_before_s: float, before_s: float) -> None:
        """Drop requests that were answered, and any, that ended before an instant (real time)."""
        ...


class AirtimeBook(Protocol):
    """How long radios of meters were on the air, by day.

    Every method raises :class:`StateUnavailableError` when the database cannot be reached.
    """

    async def days(self, title: SystemTitle, first: date, last: date) -> list[AirtimeDay]:
        """Return a device's UTC days in a span, both ends included, newest first."""
        ...

    async def keep(self, rows: Sequence[AirtimeDay], *, today: date) -> int:
        """Keep rows, in any order and any number of times; return how many were of a day that can be."""
        ...

    async def forget(self, *, today: date) -> None:
        """Drop days that are too old."""
        ...


class RosterSource(Protocol):
    """Who hangs where, by the registry."""

    async def roster(self) -> Roster:
        """Return every meter that hangs or hung, as it stands now.

        Raises:
            StateUnavailableError: the registry does not answer.
        """
        ...
