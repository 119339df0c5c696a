"""From sealed frames to readings: open, judge, decode. No I/O, no clock; the same input gives the same output.

Two steps, so that the shell may fetch new keys between them: :meth:`Intake.open` verifies and changes nothing;
:meth:`Intake.judge` asks the counter windows, which only verified frames reach, and decodes what they accept.

The number of a message is ``generation << 32 | counter``: with the meter's id it names the frame for ever, so what is
emitted twice after a crash collapses downstream.

Source: DESIGN section 4, step 4; docs/adr/0004.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from openami.contracts.deadletter import DeadLetter, RefusalReason
from openami.contracts.errors import ContractError
from openami.contracts.event import DeviceEvent
from openami.contracts.frame import MAX_FRAME_OCTETS, FrameColumns, decode_frame_batches
from openami.contracts.reading import ReadingBatch, RegisterBatch
from openami.headend.listening.decoding import Pushes, decode_pushes
from openami.headend.listening.envelope import SEALED_HEAD_OCTETS, ClearHeads, EqualFrames, Refusal, read_clear_heads
from openami.headend.listening.window import MAX_JUMP, WIDTH, CounterWindows, Rows, Verdict
from openami.headend.profiles import FastLayouts
from openami.headend.profiles.model import ClockRule
from openami.headend.profiles.said import SaidScales
from openami.headend.profiles.stamps import CLOCK_OCTETS, NO_STAMP, read_stamps
from openami.protocol.apdu.tags import ApduTag
from openami.security.keys.table import KeyTable
from openami.security.suites.batch import open_columns

I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]
U8 = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
FRESH_S = 86_400
"""A frame that says it was sent within this of its arrival is new. Its counter is a window's width behind, and a meter
takes more than ten days for that many frames."""
_PUSH = int(ApduTag.DATA_NOTIFICATION)
_ANSWERS = (
    ApduTag.INITIATE_RESPONSE,
    ApduTag.CONFIRMED_SERVICE_ERROR,
    ApduTag.GET_RESPONSE,
    ApduTag.SET_RESPONSE,
    ApduTag.ACTION_RESPONSE,
    ApduTag.ACCESS_RESPONSE,
    ApduTag.EXCEPTION_RESPONSE,
)
_IS_ANSWER = np.isin(np.arange(256), _ANSWERS)
"""By first octet: what a meter says only when it is asked."""
_DATED_OCTETS, _LENGTH_AT, _SENT_AT = 18, 5, slice(6, 18)
"""Of a DataNotification: tag, invoke id (4), length of the date-time (0 or 12), date-time. IEC 62056-5-3, 9.4."""
LAST_STAMP_MS = 253_402_214_400_000
"""9999-12-31T00:00Z. The stamps of collector and gateway are outside the seal and 64 bits wide; what lies beyond the
calendar is cut to it: a broken clock may spoil a figure, never stop the partition."""


_FOR_WANT_OF_KEYS = frozenset({RefusalReason.UNKNOWN_TITLE, RefusalReason.BAD_TAG})


@dataclass(frozen=True, slots=True)
class StreamMessage:
    """One message of the frame stream: its sequence and octets (a frame batch)."""

    seq: int
    octets: bytes


@dataclass(frozen=True, slots=True)
class Accepted:
    """Frames that the windows accepted: for "last frame of this meter" and its clock. Columns of one length n.

    ``stamped_s`` is what the meter's clock showed when it sent, seconds since the epoch; ``NO_STAMP`` for none.
    """

    rows: Rows
    counters: I64
    collected_at_ms: I64
    received_at_ms: I64
    stamped_s: I64

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a meter answered with. It is for whoever waits for it, never for the stores.

    Args:
        title: system title, 8 octets.
        frame: the wrapper frame as it came.
        sealed: its part from the security control on; None where it is in the clear and proves nothing.
        plaintext: the APDU inside, verified; None where nothing is sealed. Not shown.
    """

    title: bytes
    frame: bytes
    sealed: bytes | None = None
    plaintext: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one input batch gave."""

    first_seq: int
    last_seq: int
    frames: int
    readings: ReadingBatch
    registers: RegisterBatch
    events: list[DeviceEvent]
    letters: list[DeadLetter]
    accepted: Accepted
    answers: list[Answer] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Opened:
    """An input batch after the keys and before the windows.

    Args:
        messages: as they came.
        frames: (n,) of all messages that are frame batches.
        message: (n,) index of the message that each frame came in.
        place: (n,) place of each frame in its message.
        received_at_ms: (n,) the gateway's clock.
        heads: (n,) what needs no key.
        rows: (n,) row of the key pair that opened the frame; -1 where none did.
        plaintexts: of the frames that were opened: (places, (m, length) octets).
        first: (n,) first octet of each plaintext; 0 where there is none.
        refusals: frames that are refused so far.
        spoiled: messages that are no frame batches.
    """

    messages: Sequence[StreamMessage]
    frames: FrameColumns
    message: I64
    place: I64
    received_at_ms: U64
    heads: ClearHeads
    rows: Rows
    plaintexts: list[tuple[I64, U8]]
    first: U8
    refusals: list[Refusal]
    spoiled: list[DeadLetter]

    @property
    def wants_keys(self) -> bool:
        """Whether a key that is not in the table was asked for: of a new meter, or new keys of a known one."""
        return any(r.reason in _FOR_WANT_OF_KEYS for r in self.refusals)


class Intake:
    """Opens and judges frames of the partitions that this head-end owns.

    Args:
        table: key pairs by title; may grow between calls.
        windows: counter windows by row of the table.
        zone: IANA zone of a meter clock that has no deviation and no zone of its own.
        said: what meters said of their own columns; may grow between calls.
    """

    def __init__(self, table: KeyTable, windows: CounterWindows, *, zone: str, said: SaidScales | None = None) -> None:
        self._table = table
        self._said = said or SaidScales()
        self._windows = windows
        self._zone = zone
        self._layouts = FastLayouts()

    def open(self, messages: Sequence[StreamMessage], *, partitions: frozenset[int], now_ms: int) -> Opened:
        """Verify and decrypt every frame; nothing but the returned value changes.

        Args:
            messages: in the order of the stream.
            partitions: those of the group that is read; a frame of another partition came by the wrong door.
            now_ms: domain time, milliseconds since the epoch.
        """
        opened = _unpack(messages, now_ms)
        owned = np.isin(np.arange(256), list(partitions))
        for group in opened.heads.groups:
            self._unseal(opened, group, owned)
        return opened

    def judge(self, opened: Opened, *, now_ms: int) -> Outcome:
        """Ask the windows about every verified frame, decode what they accept, and write letters for the rest."""
        self._windows.grow(len(self._table))
        verified = np.flatnonzero(opened.rows >= 0)
        counters, rows = opened.heads.counter[verified], opened.rows[verified]
        verdicts = self._windows.accept(rows, counters)
        is_lowered = self._lowered(opened, verified, verdicts)
        refusals = opened.refusals + _judged(verified, counters, verdicts, is_lowered, self._windows.highest[rows])
        good = verdicts == Verdict.ACCEPTED
        accepted = verified[good]
        asked = _IS_ANSWER[opened.first[accepted]]
        pushed = np.flatnonzero(~asked)
        pushes = self._pushes(opened, accepted[pushed], rows[good][pushed], counters[good][pushed])
        decoded = decode_pushes(pushes, now_s=now_ms // 1000, layouts=self._layouts)
        refusals += decoded.refusals
        return Outcome(
            first_seq=opened.messages[0].seq,
            last_seq=opened.messages[-1].seq,
            frames=len(opened.frames),
            readings=decoded.readings,
            registers=decoded.registers,
            events=decoded.events,
            letters=opened.spoiled + [_letter(opened, r, now_ms) for r in sorted(refusals, key=lambda r: r.index)],
            accepted=Accepted(
                rows[good],
                counters[good],
                _stamps(opened.frames.collected_at_ms[accepted]),
                _stamps(opened.received_at_ms[accepted]),
                _sent_at(pushes.plaintexts, pushed, len(accepted)),
            ),
            answers=_answers(opened, accepted[asked].tolist()),
        )

    def _lowered(self, opened: Opened, verified: I64, verdicts: U8) -> Mask:
        """Tell which verified frames are no replays though their counters are used up: (verified,).

        A frame that was captured and sent again says when it was sent, and its counter was passed since by more than
        a window: that takes days. One that says it was sent just now has a counter of its own time, which fell.
        """
        is_low: Mask = np.zeros(len(verified), np.bool_)
        used = np.flatnonzero(verdicts == Verdict.REPLAY)
        frames = verified[used]
        below = self._windows.highest[opened.rows[frames]] - opened.heads.counter[frames] >= WIDTH
        used, frames = used[below], frames[below]
        if len(used):
            wanted = [(index, octets, np.isin(index, frames)) for index, octets in opened.plaintexts]
            pushes = [(index[kept], octets[kept]) for index, octets, kept in wanted if kept.any()]
            every = np.arange(len(opened.frames))
            sent_s = np.where(opened.first == _PUSH, _sent_at(pushes, every, len(every)), NO_STAMP)[frames]
            received_s = _stamps(opened.received_at_ms[frames]) // 1000
            is_low[used] = (sent_s != NO_STAMP) & (np.abs(received_s - sent_s) <= FRESH_S)
        return is_low

    def _unseal(self, opened: Opened, group: EqualFrames, owned: npt.NDArray[np.bool_]) -> None:
        """Try the key pairs of each frame's title, the newest first."""
        place, tries = self._table.candidates(opened.heads.title[group.index])
        opened.refusals += _refused(
            group.index[tries == 0], RefusalReason.UNKNOWN_TITLE, "no keys for this system title"
        )
        for turn in range(int(tries.max(initial=0))):
            here = np.flatnonzero((tries > turn) & (opened.rows[group.index] < 0))
            rows = self._table.row_at(place[here] + turn)
            mine = owned[self._table.partition[rows]]
            if turn == 0:
                strayed = group.index[here[~mine]]
                opened.refusals += _refused(strayed, RefusalReason.BAD_ENVELOPE, "came by another device's partition")
            self._try_keys(
                opened, group if mine.all() and len(here) == len(tries) else group.take(here[mine]), rows[mine]
            )
            tries[here[~mine]] = 0
        failed = group.index[(tries > 0) & (opened.rows[group.index] < 0)]
        opened.refusals += _refused(failed, RefusalReason.BAD_TAG, "the authentication tag does not verify")

    def _try_keys(self, opened: Opened, group: EqualFrames, rows: Rows) -> None:
        plaintexts, good = open_columns(group.vectors, group.sealed, self._table.pair_columns(rows))
        opened.rows[group.index[good]] = rows[good]
        if not good.all():
            plaintexts = plaintexts[good]
        opened.plaintexts.append((group.index[good], plaintexts))
        if plaintexts.shape[1]:
            opened.first[group.index[good]] = plaintexts[:, 0]

    def _pushes(self, opened: Opened, indexes: Rows, rows: Rows, counters: I64) -> Pushes:
        place = np.full(len(opened.frames), -1, np.int64)
        place[indexes] = np.arange(len(indexes))
        plaintexts = []
        for index, octets in opened.plaintexts:
            kept = place[index] >= 0
            plaintexts.append((place[index[kept]], octets if kept.all() else octets[kept]))
        generation = self._table.generation[rows].astype(np.uint64)
        dialects = [((profile, zone or self._zone), at) for (profile, zone), at in self._table.dialects(rows)]
        return Pushes(
            index=indexes,
            plaintexts=plaintexts,
            meter_id=self._table.meter_id[rows],
            message_id=(generation << np.uint64(32)) | counters.astype(np.uint64),
            dialects=dialects,
            said=self._said.changes(self._table.meter_id[rows], dialects),
        )


def _answers(opened: Opened, sealed: list[int]) -> list[Answer]:
    """Return the answers in order of arrival: those that were opened, and those in the clear."""
    frames, asked = opened.frames, set(sealed)
    answers = {i: Answer(int(frames.title[i]).to_bytes(8), frames.frame(i)) for i in opened.heads.in_clear}
    for index, octets in opened.plaintexts if asked else ():
        for at, i in enumerate(index.tolist()):
            if i in asked:
                title, frame = int(frames.title[i]).to_bytes(8), frames.frame(i)
                body = frame[int(opened.heads.body_at[i]) - SEALED_HEAD_OCTETS :]
                answers[i] = Answer(title, frame, body, octets[at].tobytes())
    return [answers[i] for i in sorted(answers)]


def refusal_counts(letters: Sequence[DeadLetter]) -> Counter[str]:
    """Return how many letters there are of each reason."""
    return Counter(letter.reason.value for letter in letters)


def _unpack(messages: Sequence[StreamMessage], now_ms: int) -> Opened:
    read = decode_frame_batches([message.octets for message in messages])
    heads = read_clear_heads(read.frames)
    count = len(read.frames)
    # Counted from the first frame of the same message.
    place = np.arange(count) - np.searchsorted(read.batch, read.batch)
    return Opened(
        messages=messages,
        frames=read.frames,
        message=read.batch,
        place=place,
        received_at_ms=read.received_at_ms,
        heads=heads,
        rows=np.full(count, -1, np.int64),
        plaintexts=[],
        first=np.zeros(count, np.uint8),
        refusals=list(heads.refusals),
        spoiled=[_spoiled_letter(messages[number], error, now_ms) for number, error in read.errors.items()],
    )


def _spoiled_letter(message: StreamMessage, error: ContractError, now_ms: int) -> DeadLetter:
    octets = message.octets[:MAX_FRAME_OCTETS]
    reason = RefusalReason.BAD_ENVELOPE
    return DeadLetter(f"{message.seq}-0", reason, str(error), "", None, 0, now_ms, now_ms, octets)


def _sent_at(plaintexts: Sequence[tuple[I64, U8]], pushed: I64, frames: int) -> I64:
    """Return what notifications say of when they were sent, where they say it without need of a zone: (frames,)."""
    stamps = np.full(frames, NO_STAMP, np.int64)
    for places, octets in plaintexts:
        if octets.shape[1] >= _DATED_OCTETS:
            dated = octets[:, _LENGTH_AT] == CLOCK_OCTETS
            clocks = np.ascontiguousarray(octets[dated, _SENT_AT])
            stamps[pushed[places[dated]]] = read_stamps(clocks, None, ClockRule())
    return stamps


def _stamps(stamps_ms: U64) -> I64:
    """Return stamps within the calendar."""
    return np.minimum(stamps_ms, np.uint64(LAST_STAMP_MS)).astype(np.int64)


def _refused(indexes: Rows, reason: RefusalReason, detail: str) -> list[Refusal]:
    return [Refusal(index, reason, detail) for index in indexes.tolist()]


def _judged(indexes: Rows, counters: I64, verdicts: U8, is_lowered: Mask, highest: I64) -> list[Refusal]:
    refusals = []
    for at in np.flatnonzero(verdicts != Verdict.ACCEPTED).tolist():
        last = f"the highest of its key is {int(highest[at])}"
        if is_lowered[at]:
            detail = f"counter {int(counters[at])} fell: sent just now, and {last}"
            refusals.append(Refusal(int(indexes[at]), RefusalReason.COUNTER_LOWERED, detail))
        elif verdicts[at] == Verdict.JUMP:
            detail = f"counter {int(counters[at])} jumps over {MAX_JUMP} ahead, {last}: held for a person"
            refusals.append(Refusal(int(indexes[at]), RefusalReason.COUNTER_JUMP, detail))
        else:
            detail = f"counter {int(counters[at])} was accepted before or lies below the window, {last}"
            refusals.append(Refusal(int(indexes[at]), RefusalReason.REPLAY, detail))
    return refusals


def _letter(opened: Opened, refusal: Refusal, now_ms: int) -> DeadLetter:
    index, frames = refusal.index, opened.frames
    counter = int(opened.heads.counter[index])
    return DeadLetter(
        letter_id=f"{opened.messages[int(opened.message[index])].seq}-{int(opened.place[index])}",
        reason=refusal.reason,
        detail=refusal.detail,
        system_title=f"{int(frames.title[index]):016x}",
        invocation_counter=counter if counter >= 0 else None,
        collector_id=int(frames.collector_id[index]),
        collected_at_ms=min(int(frames.collected_at_ms[index]), LAST_STAMP_MS),
        refused_at_ms=now_ms,
        frame=frames.frame(index),
    )
