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
from openami.contracts.frame import MAX_FRAME_OCTETS, FrameRow, decode_frame_rows
from openami.contracts.reading import ReadingBatch, RegisterBatch
from openami.headend.decoding import Pushes, decode_pushes
from openami.headend.envelope import SEALED_HEAD_OCTETS, ClearHeads, Refusal, read_clear_heads
from openami.headend.profiles import FastLayouts
from openami.headend.window import MAX_JUMP, CounterWindows, Rows, Verdict
from openami.protocol.apdu.tags import ApduTag
from openami.security.keys.table import KeyTable
from openami.security.suites.batch import open_batch
from openami.security.suites.gcm import AUTHENTICATED_AND_ENCRYPTED

I64 = npt.NDArray[np.int64]
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
LAST_STAMP_MS = 253_402_214_400_000
"""9999-12-31T00:00Z. The stamps of collector and gateway are outside the seal and 64 bits wide; what lies beyond the
calendar is cut to it: a broken clock may spoil a figure, never stop the partition."""


@dataclass(frozen=True, slots=True)
class StreamMessage:
    """One message of the frame stream: its sequence and octets (a frame batch)."""

    seq: int
    octets: bytes


@dataclass(frozen=True, slots=True)
class Accepted:
    """Frames that the windows accepted: for "last frame of this meter". Columns of one length n."""

    rows: Rows
    counters: I64
    collected_at_ms: I64
    received_at_ms: I64

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


@dataclass(slots=True)
class Opened:
    """An input batch after the keys and before the windows. Lists and columns have one length n, a frame each."""

    messages: Sequence[StreamMessage]
    frames: list[FrameRow] = field(default_factory=list)
    letter_ids: list[str] = field(default_factory=list)
    received_at_ms: list[int] = field(default_factory=list)
    heads: ClearHeads | None = None
    rows: Rows = field(default_factory=lambda: np.zeros(0, np.int64))
    plaintexts: list[bytes | None] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    spoiled: list[DeadLetter] = field(default_factory=list)

    @property
    def has_unknown_title(self) -> bool:
        """Whether a key that is not in the table was asked for."""
        return any(r.reason is RefusalReason.UNKNOWN_TITLE for r in self.refusals)


class Intake:
    """Opens and judges frames of the partitions that this head-end owns.

    Args:
        table: key pairs by title; may grow between calls.
        windows: counter windows by row of the table.
        zone: IANA zone of a meter clock that has no deviation and no zone of its own.
    """

    def __init__(self, table: KeyTable, windows: CounterWindows, *, zone: str) -> None:
        self._table = table
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
        opened = Opened(messages)
        for message in messages:
            _unpack(message, opened, now_ms)
        if not opened.frames:
            return opened
        heads = read_clear_heads([f[5] for f in opened.frames], [f[3] for f in opened.frames])
        opened.heads = heads
        opened.refusals = list(heads.refusals)
        self._unseal(opened, heads, np.flatnonzero(heads.sound), partitions)
        return opened

    def judge(self, opened: Opened, *, now_ms: int) -> Outcome:
        """Ask the windows about every verified frame, decode what they accept, and write letters for the rest."""
        self._windows.grow(len(self._table))
        verified = np.array([i for i, p in enumerate(opened.plaintexts) if p is not None], np.int64)
        counters = opened.heads.counter[verified] if opened.heads is not None else np.zeros(0, np.int64)
        rows = opened.rows[verified]
        verdicts = self._windows.accept(rows, counters)
        refusals = opened.refusals + _judged(verified, counters, verdicts)
        good = verdicts == Verdict.ACCEPTED
        accepted = verified[good]
        asked = _IS_ANSWER[
            np.frombuffer(bytes([(opened.plaintexts[i] or b"\0")[0] for i in accepted.tolist()]), np.uint8)
        ]
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
                _stamps([opened.frames[i][4] for i in accepted.tolist()]),
                _stamps([opened.received_at_ms[i] for i in accepted.tolist()]),
            ),
            answers=_answers(opened, accepted[asked].tolist()),
        )

    def _unseal(self, opened: Opened, heads: ClearHeads, sound: Rows, partitions: frozenset[int]) -> None:
        opened.plaintexts = [None] * len(opened.frames)
        opened.rows = np.full(len(opened.frames), -1, np.int64)
        place, tries = self._table.candidates(heads.title[sound])
        opened.refusals += [
            Refusal(i, RefusalReason.UNKNOWN_TITLE, "no keys for this system title") for i in sound[tries == 0].tolist()
        ]
        owned = np.isin(np.arange(256), list(partitions))
        for turn in range(int(tries.max(initial=0))):
            here = np.flatnonzero((tries > turn) & (opened.rows[sound] < 0))
            rows = self._table.row_at(place[here] + turn)
            mine = owned[self._table.partition[rows]]
            if turn == 0:
                opened.refusals += _strayed(sound[here[~mine]])
            self._try_keys(opened, heads, sound[here[mine]], rows[mine])
            tries[here[~mine]] = 0
        failed = sound[(tries > 0) & (opened.rows[sound] < 0)]
        opened.refusals += [
            Refusal(i, RefusalReason.BAD_TAG, "the authentication tag does not verify") for i in failed.tolist()
        ]

    def _try_keys(self, opened: Opened, heads: ClearHeads, indexes: Rows, rows: Rows) -> None:
        places = indexes.tolist()
        frames, body_at = [opened.frames[i] for i in places], heads.body_at[indexes].tolist()
        plaintexts = open_batch(
            [f[3] for f in frames],
            heads.counter[indexes].tolist(),
            [AUTHENTICATED_AND_ENCRYPTED] * len(places),
            [f[5][at:] for f, at in zip(frames, body_at, strict=True)],
            self._table.key_pairs(rows),
        )
        for place, row, plaintext in zip(places, rows.tolist(), plaintexts, strict=True):
            if plaintext is not None:
                opened.plaintexts[place] = plaintext
                opened.rows[place] = row

    def _pushes(self, opened: Opened, indexes: Rows, rows: Rows, counters: I64) -> Pushes:
        table, places = self._table, rows.tolist()
        generation = table.generation[rows].astype(np.uint64)
        return Pushes(
            index=indexes.tolist(),
            plaintext=[opened.plaintexts[i] or b"" for i in indexes.tolist()],
            meter_id=table.meter_id[rows],
            message_id=(generation << np.uint64(32)) | counters.astype(np.uint64),
            profile=[table.profile[row] for row in places],
            zone=[table.zone[row] or self._zone for row in places],
        )


def _answers(opened: Opened, sealed: list[int]) -> list[Answer]:
    """Return the answers in order of arrival: those that were opened, and those in the clear."""
    if opened.heads is None:
        return []
    answers = {i: Answer(opened.frames[i][3], opened.frames[i][5]) for i in opened.heads.in_clear}
    for i in sealed:
        title, frame = opened.frames[i][3], opened.frames[i][5]
        body = frame[int(opened.heads.body_at[i]) - SEALED_HEAD_OCTETS :]
        answers[i] = Answer(title, frame, body, opened.plaintexts[i])
    return [answers[i] for i in sorted(answers)]


def refusal_counts(letters: Sequence[DeadLetter]) -> Counter[str]:
    """Return how many letters there are of each reason."""
    return Counter(letter.reason.value for letter in letters)


def _unpack(message: StreamMessage, opened: Opened, now_ms: int) -> None:
    try:
        _, received_at_ms, rows = decode_frame_rows(message.octets)
    except ContractError as error:
        opened.spoiled.append(
            DeadLetter(
                f"{message.seq}-0",
                RefusalReason.BAD_ENVELOPE,
                str(error),
                "",
                None,
                0,
                now_ms,
                now_ms,
                message.octets[:MAX_FRAME_OCTETS],
            )
        )
        return
    opened.letter_ids += [f"{message.seq}-{i}" for i in range(len(rows))]
    opened.received_at_ms += [received_at_ms] * len(rows)
    opened.frames += rows


def _stamps(stamps_ms: list[int]) -> I64:
    """Return stamps within the calendar as a column."""
    return np.minimum(np.array(stamps_ms, np.uint64), np.uint64(LAST_STAMP_MS)).astype(np.int64)


def _strayed(indexes: Rows) -> list[Refusal]:
    return [Refusal(i, RefusalReason.BAD_ENVELOPE, "came by another device's partition") for i in indexes.tolist()]


def _judged(indexes: Rows, counters: I64, verdicts: npt.NDArray[np.uint8]) -> list[Refusal]:
    refusals = []
    for at in np.flatnonzero(verdicts != Verdict.ACCEPTED).tolist():
        if verdicts[at] == Verdict.JUMP:
            detail = f"counter {int(counters[at])} jumps over {MAX_JUMP} ahead: held for a person"
            refusals.append(Refusal(int(indexes[at]), RefusalReason.COUNTER_JUMP, detail))
        else:
            detail = f"counter {int(counters[at])} was accepted before or lies below the window"
            refusals.append(Refusal(int(indexes[at]), RefusalReason.REPLAY, detail))
    return refusals


def _letter(opened: Opened, refusal: Refusal, now_ms: int) -> DeadLetter:
    collector_id, _, _, title, collected_at_ms, octets = opened.frames[refusal.index]
    counter = int(opened.heads.counter[refusal.index]) if opened.heads is not None else -1
    return DeadLetter(
        letter_id=opened.letter_ids[refusal.index],
        reason=refusal.reason,
        detail=refusal.detail,
        system_title=title.hex(),
        invocation_counter=counter if counter >= 0 else None,
        collector_id=collector_id,
        collected_at_ms=min(collected_at_ms, LAST_STAMP_MS),
        refused_at_ms=now_ms,
        frame=octets,
    )
