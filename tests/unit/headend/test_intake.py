"""The head-end's core accepts what is genuine and new, and names why it refuses everything else."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest

from openami.app.bench.pushes import FIRST_END, PushFactory
from openami.contracts.channel import Channel
from openami.contracts.deadletter import RefusalReason
from openami.contracts.event import EventKind
from openami.contracts.frame import SealedFrame, encode_frame_batch
from openami.contracts.reading import uuids_of
from openami.contracts.stream import PARTITIONS, partition_of
from openami.headend.listening.alarm import LetterAlarm
from openami.headend.listening.intake import Intake, Outcome, StreamMessage
from openami.headend.listening.window import CounterWindows
from openami.kernel.time import EPOCH, epoch_s
from openami.protocol import apdu
from openami.protocol.axdr import octet_string, structure
from openami.protocol.cosem import date_time_from_utc
from openami.protocol.envelope import wrap
from openami.protocol.push import EventRow, LoadProfileRow, RegisterRow, event_body, load_profile_body, register_body
from openami.security.keys.table import KeyTable
from openami.security.suites import gcm
from openami.security.watch.alert import Alert, AlertsUnavailableError

EVERY = frozenset(range(PARTITIONS))
NOW_MS = epoch_s(FIRST_END) * 1000 + 60_000


@pytest.fixture
def factory() -> PushFactory:
    return PushFactory(meters=6)


@pytest.fixture
def intake(factory: PushFactory) -> Intake:
    table = KeyTable()
    table.merge(factory.key_columns())
    return Intake(table, CounterWindows(), zone="America/Chicago")


def run(
    intake: Intake, *batches: Sequence[SealedFrame], partitions: frozenset[int] = EVERY, first_seq: int = 1
) -> Outcome:
    messages = [
        StreamMessage(first_seq + i, encode_frame_batch(gateway_id=1, received_at_ms=NOW_MS, frames=frames))
        for i, frames in enumerate(batches)
    ]
    return intake.judge(intake.open(messages, partitions=partitions, now_ms=NOW_MS), now_ms=NOW_MS)


def reasons(outcome: Outcome) -> list[RefusalReason]:
    return [letter.reason for letter in outcome.letters]


def test_accepted_pushes_become_readings_stamped_at_interval_start(factory: PushFactory, intake: Intake) -> None:
    outcome = run(intake, factory.profile_frames(12))
    assert (reasons(outcome), outcome.frames, len(outcome.accepted)) == ([], 12, 12)
    readings = outcome.readings
    assert len(readings) == 12 * 4 * 3
    got = {
        (m, int(c), int(s)): (int(v), int(i))
        for m, c, s, v, i in zip(
            uuids_of(readings.meter_id),
            readings.channel,
            readings.start,
            readings.value,
            readings.message_id,
            strict=True,
        )
    }
    for number, meter in enumerate(factory.meters):
        for counter, row in [(1, r) for r in factory.rows(number)]:
            start = epoch_s(row.end) - 900
            assert got[meter.meter_id, Channel.DELIVERED, start] == (row.delivered_wh, (1 << 32) | counter)
            assert got[meter.meter_id, Channel.RECEIVED, start] == (row.received_wh, (1 << 32) | counter)
            assert got[meter.meter_id, Channel.VOLTAGE, start] == (row.voltage_dv, (1 << 32) | counter)


def test_registers_and_events_come_beside_readings(factory: PushFactory, intake: Intake) -> None:
    at = datetime(2026, 1, 5, 6, tzinfo=UTC)
    registers = factory.octets(0, 1, register_body([RegisterRow(at, 1_234_567, 89)]))
    events = factory.octets(1, 1, event_body([EventRow(at, 0, 1), EventRow(at, 1, 44), EventRow(at, 3, 200)]))
    outcome = run(intake, [factory.frame(0, registers), factory.frame(1, events)])
    assert reasons(outcome) == []
    assert list(zip(outcome.registers.channel, outcome.registers.value, outcome.registers.at, strict=True)) == [
        (Channel.DELIVERED, 1_234_567, epoch_s(at)),
        (Channel.RECEIVED, 89, epoch_s(at)),
    ]
    assert [(e.kind, e.at, e.log, e.code) for e in outcome.events] == [
        (EventKind.POWER_DOWN, at, 0, 1),
        (EventKind.COVER_OPENED, at, 1, 44),
        (EventKind.OTHER, at, 3, 200),
    ]
    assert len({e.event_id for e in outcome.events}) == 3


def spoil(octets: bytes, at: int) -> bytes:
    at %= len(octets)
    return octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1 :]


@pytest.mark.parametrize(
    ("reason", "make"),
    [
        (RefusalReason.BAD_TAG, lambda f: spoil(f.profile_push(0, 9), -1)),
        (RefusalReason.BAD_TAG, lambda f: spoil(f.profile_push(0, 9), -60)),
        (RefusalReason.BAD_TAG, lambda f: spoil(f.profile_push(0, 9), 24)),
        (RefusalReason.BAD_TAG, lambda f: f.octets(0, 9, load_profile_body(f.rows(0)), key=bytes(range(16)))),
        (RefusalReason.BAD_TAG, lambda f: f.octets(0, 2**32 - 16, load_profile_body(f.rows(0)), key=bytes(16))),
        (RefusalReason.DOWNGRADE, lambda f: f.octets(0, 9, load_profile_body(f.rows(0)), control=0x20)),
        (RefusalReason.DOWNGRADE, lambda f: f.octets(0, 9, load_profile_body(f.rows(0)), control=0x10)),
        (RefusalReason.DOWNGRADE, lambda f: f.octets(0, 9, load_profile_body(f.rows(0)), control=0x31)),
        (RefusalReason.DOWNGRADE, lambda _: wrap(1, 103, b"\x0f\x00\x00\x00\x01\x00\x02\x00")),
        (RefusalReason.BAD_ENVELOPE, lambda f: spoil(f.profile_push(0, 9), 1)),
        (RefusalReason.BAD_ENVELOPE, lambda f: spoil(f.profile_push(0, 9), 7)),
        (RefusalReason.BAD_ENVELOPE, lambda f: spoil(f.profile_push(0, 9), 12)),
        (RefusalReason.BAD_ENVELOPE, lambda f: f.profile_push(1, 9)),
        (RefusalReason.BAD_ENVELOPE, lambda f: f.profile_push(0, 9)[:-1]),
        (RefusalReason.BAD_ENVELOPE, lambda f: wrap(1, 103, f.profile_push(0, 9)[8:18] + b"\x05\x30\x00\x00\x00\x01")),
        (RefusalReason.BAD_ENVELOPE, lambda _: b""),
        (RefusalReason.REPLAY, lambda f: f.profile_push(0, 5)),
        (RefusalReason.COUNTER_JUMP, lambda f: f.profile_push(0, 7 + 10**6 + 1)),
        (RefusalReason.UNKNOWN_LAYOUT, lambda f: f.octets(0, 9, structure(octet_string(b"?")))),
        (RefusalReason.UNKNOWN_LAYOUT, lambda f: f.octets(0, 9, load_profile_body([]))),
        (
            RefusalReason.BAD_CONTENT,
            lambda f: f.octets(0, 9, load_profile_body([LoadProfileRow(datetime(1999, 1, 1, tzinfo=UTC), 0, 1, 1, 1)])),
        ),
    ],
    ids=[
        "A6 tag altered", "A6 ciphertext altered", "A6 counter altered", "A10 wrong key", "A7 forged far counter",
        "A5 encrypted only", "A5 authenticated only", "A5 other suite", "A5 plaintext", "A6 wrapper version",
        "A6 wrapper length", "A6 title altered", "A6 other title inside", "A6 cut", "A6 no tag", "A21 nothing",
        "A1 replay", "A9 far jump", "A21 unknown body", "A21 no rows", "A19 stamp of 1999",
    ],
)  # fmt: skip
def test_a_bad_frame_is_refused_by_name_and_disturbs_nothing(
    factory: PushFactory, intake: Intake, reason: RefusalReason, make: object
) -> None:
    run(intake, [factory.frame(0, factory.profile_push(0, 5))])
    assert callable(make)
    bad = make(factory)
    good = [factory.frame(n, factory.profile_push(n, 7)) for n in range(6)]
    outcome = run(intake, [*good[:3], factory.frame(0, bad), *good[3:]], first_seq=2)
    assert [(letter.letter_id, letter.reason, letter.frame) for letter in outcome.letters] == [("2-3", reason, bad)]
    assert len(outcome.readings) == 6 * 4 * 3
    after = run(intake, [factory.frame(0, factory.profile_push(0, 8))], first_seq=3)
    assert (reasons(after), len(after.readings)) == ([], 12)


def test_an_unknown_title_is_refused_and_asked_for(factory: PushFactory, intake: Intake) -> None:
    stranger = PushFactory(meters=1, seed=2)
    frame = stranger.frame(0, stranger.profile_push(0, 1))
    message = StreamMessage(1, encode_frame_batch(gateway_id=1, received_at_ms=NOW_MS, frames=[frame]))
    opened = intake.open([message], partitions=EVERY, now_ms=NOW_MS)
    assert opened.wants_keys
    assert reasons(intake.judge(opened, now_ms=NOW_MS)) == [RefusalReason.UNKNOWN_TITLE]


def test_a_frame_of_another_groups_partition_is_refused(factory: PushFactory, intake: Intake) -> None:
    frame = factory.frame(0, factory.profile_push(0, 1))
    outcome = run(intake, [frame], partitions=EVERY - {partition_of(frame.system_title)})
    assert [(x.reason, x.detail) for x in outcome.letters] == [
        (RefusalReason.BAD_ENVELOPE, "came by another device's partition")
    ]


def test_a_message_that_is_no_batch_is_one_letter_and_the_rest_goes_on(factory: PushFactory, intake: Intake) -> None:
    good = encode_frame_batch(gateway_id=1, received_at_ms=NOW_MS, frames=factory.profile_frames(6))
    messages = [StreamMessage(1, good[:-1]), StreamMessage(2, b""), StreamMessage(3, good)]
    outcome = intake.judge(intake.open(messages, partitions=EVERY, now_ms=NOW_MS), now_ms=NOW_MS)
    assert [x.letter_id for x in outcome.letters] == ["1-0", "2-0"]
    assert len(outcome.accepted) == 6


@pytest.mark.attack("A2")
def test_frames_out_of_order_are_accepted_and_a_repeat_in_one_batch_is_not(
    factory: PushFactory, intake: Intake
) -> None:
    frames = [factory.frame(0, factory.profile_push(0, c)) for c in (5, 3, 4, 3, 9, 5)]
    outcome = run(intake, frames[:3], frames[3:])
    assert [x.letter_id for x in outcome.letters] == ["2-0", "2-2"]
    assert reasons(outcome) == [RefusalReason.REPLAY] * 2


def test_a_late_frame_of_an_expired_key_opens_and_keeps_its_own_window(factory: PushFactory) -> None:
    columns, table = factory.key_columns(), KeyTable()
    table.merge(replace(columns, state=np.full(6, 2, np.uint8)))
    new_keys = bytes(reversed(columns.encryption_keys))
    table.merge(replace(columns, generation=np.full(6, 2, np.uint32), encryption_keys=new_keys))
    intake = Intake(table, CounterWindows(), zone="UTC")
    body = load_profile_body(factory.rows(0, count=1))
    old = factory.frame(0, factory.octets(0, 700, body))
    new = factory.frame(0, factory.octets(0, 0, body, key=new_keys[:16]))
    outcome = run(intake, [old, new])
    assert reasons(outcome) == []
    assert sorted({int(i) for i in outcome.readings.message_id}) == [(1 << 32) | 700, 2 << 32]


def test_a_stamp_far_ahead_is_kept_and_marked(factory: PushFactory, intake: Intake) -> None:
    body = load_profile_body([LoadProfileRow(datetime(2026, 3, 1, tzinfo=UTC), 0, 1, 1, 1)])
    outcome = run(intake, [factory.frame(0, factory.octets(0, 1, body))])
    assert set(outcome.readings.quality.tolist()) == {2}


def test_the_same_input_gives_the_same_output_for_ever(factory: PushFactory) -> None:
    def once() -> tuple[bytes, bytes, list[UUID], list[str]]:
        table = KeyTable()
        table.merge(factory.key_columns())
        events = factory.octets(1, 99, event_body([EventRow(FIRST_END, 0, 1)]))
        frames = [*factory.profile_frames(20), factory.frame(1, events), *factory.profile_frames(2)]
        outcome = run(Intake(table, CounterWindows(), zone="UTC"), frames)
        ids = [e.event_id for e in outcome.events]
        return outcome.readings.encode(), outcome.registers.encode(), ids, [x.letter_id for x in outcome.letters]

    assert once() == once()


def test_an_altered_batch_header_never_passes_as_other_frames(factory: PushFactory, intake: Intake) -> None:
    octets = encode_frame_batch(gateway_id=1, received_at_ms=NOW_MS, frames=factory.profile_frames(2))
    many = octets[:16] + struct.pack(">I", 10_001) + octets[20:]
    outcome = intake.judge(intake.open([StreamMessage(1, many)], partitions=EVERY, now_ms=NOW_MS), now_ms=NOW_MS)
    assert reasons(outcome) == [RefusalReason.BAD_ENVELOPE]


@pytest.mark.parametrize("stamp_ms", [2**64 - 1, 2**63, 2**62])
def test_a_stamp_beyond_the_calendar_stops_neither_a_good_frame_nor_a_refused_one(
    factory: PushFactory, intake: Intake, stamp_ms: int
) -> None:
    frames = [replace(f, collected_at_ms=stamp_ms) for f in factory.profile_frames(6)]
    spoiled = replace(frames[-1], octets=frames[-1].octets[:-1] + bytes([frames[-1].octets[-1] ^ 1]))
    message = encode_frame_batch(gateway_id=1, received_at_ms=stamp_ms, frames=[*frames[:-1], spoiled])
    opened = intake.open([StreamMessage(1, message)], partitions=EVERY, now_ms=NOW_MS)
    outcome = intake.judge(opened, now_ms=NOW_MS)
    assert len(outcome.accepted) == 5
    assert reasons(outcome) == [RefusalReason.BAD_TAG]
    stamps = [*outcome.accepted.collected_at_ms.tolist(), *outcome.accepted.received_at_ms.tolist()]
    for stamp in [*stamps, outcome.letters[0].collected_at_ms]:
        assert (EPOCH + timedelta(milliseconds=stamp)).year == 9999


def dated(factory: PushFactory, counter: int, sent_at: datetime) -> SealedFrame:
    """A push of meter 0 that says when it was sent, as our meters do."""
    meter = factory.meters[0]
    plaintext = apdu.encode(
        apdu.DataNotification(counter, date_time_from_utc(sent_at), load_profile_body(factory.rows(0)))
    )
    sealed = gcm.seal(meter.title, counter, plaintext, key=meter.key, auth_key=meter.auth_key)
    return factory.frame(0, wrap(1, 103, apdu.general_glo(meter.title, sealed)))


NOW = EPOCH + timedelta(milliseconds=NOW_MS)
FALLEN = [
    pytest.param(5_000 - 1024, timedelta(0), RefusalReason.COUNTER_LOWERED, id="A4 reset just now"),
    pytest.param(0, timedelta(hours=23), RefusalReason.COUNTER_LOWERED, id="A4 reset, and a day under way"),
    pytest.param(0, timedelta(hours=-23), RefusalReason.COUNTER_LOWERED, id="A4 reset, and its clock ahead"),
    pytest.param(0, timedelta(hours=25), RefusalReason.REPLAY, id="A1 an old capture"),
    pytest.param(5_000, timedelta(0), RefusalReason.REPLAY, id="A1 the newest frame again"),
]


@pytest.mark.parametrize(("counter", "ago", "reason"), FALLEN)
def test_a_counter_that_fell_is_told_from_a_replay(
    factory: PushFactory, intake: Intake, counter: int, ago: timedelta, reason: RefusalReason
) -> None:
    run(intake, [dated(factory, 5_000, NOW)])
    outcome = run(intake, [dated(factory, counter, NOW - ago)], first_seq=2)
    assert reasons(outcome) == [reason]
    # Whoever looks at it sees both counters.
    assert outcome.letters[0].detail.startswith(f"counter {counter} ")
    assert outcome.letters[0].detail.endswith("the highest of its key is 5000")
    assert len(outcome.readings) == 0
    after = run(intake, [dated(factory, 5_001, NOW)], first_seq=3)
    assert (reasons(after), len(after.accepted)) == ([], 1)


def test_a4_a_push_that_does_not_say_when_it_was_sent_is_called_a_replay(factory: PushFactory, intake: Intake) -> None:
    run(intake, [factory.frame(0, factory.profile_push(0, 5_000))])
    assert reasons(run(intake, [factory.frame(0, factory.profile_push(0, 1))], first_seq=2)) == [RefusalReason.REPLAY]


class Alerts:
    """Alerts of a test; away while it is told so."""

    def __init__(self) -> None:
        self.found: list[Alert] = []
        self.is_away = False

    async def raise_alert(self, alert: Alert) -> None:
        if self.is_away:
            raise AlertsUnavailableError("away")
        self.found.append(alert)


async def test_a4_people_are_called_once_a_day_for_a_meter_whose_counter_fell(
    factory: PushFactory, intake: Intake
) -> None:
    run(intake, [dated(factory, 5_000, NOW)])
    alerts, clock = Alerts(), [NOW]
    alarm = LetterAlarm(alerts, lambda: clock[0])  # type: ignore[arg-type]  # only what it calls
    alerts.is_away = True
    for seq in range(2, 6):
        alarm.take(run(intake, [dated(factory, seq, NOW)], first_seq=seq).letters)
        with pytest.raises(AlertsUnavailableError):
            await alarm.look()
    alerts.is_away = False
    await alarm.look()
    alarm.take(run(intake, [dated(factory, 9, NOW), dated(factory, 5_000, NOW)], first_seq=9).letters)
    await alarm.look()
    assert [(a.rule, a.device) for a in alerts.found] == [("counter_lowered", factory.meters[0].title.hex())]
    clock[0] += timedelta(days=1)
    alarm.take(run(intake, [dated(factory, 10, NOW)], first_seq=10).letters)
    await alarm.look()
    assert len(alerts.found) == 2
