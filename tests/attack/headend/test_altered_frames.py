"""Attacks A5 and A6 without a gap: every control octet, every flipped bit, every shortened tag, at both doors.

The gateway looks at a frame without a key, the head-end opens what is left; between them nothing altered passes, the
meter's counters stay where they were, and its next genuine frame is taken.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from openami.app.bench.pushes import FIRST_END, PushFactory
from openami.contracts.deadletter import RefusalReason
from openami.contracts.frame import SealedFrame, encode_frame_batch
from openami.contracts.stream import PARTITIONS
from openami.headend.listening.intake import Intake, Outcome, StreamMessage
from openami.headend.listening.window import CounterWindows
from openami.kernel.time import epoch_s
from openami.network.gateway.check import is_control_taken, refusal_of
from openami.protocol.envelope.wrapper import wrap
from openami.protocol.push import load_profile_body
from openami.security.keys.table import KeyTable

EVERY = frozenset(range(PARTITIONS))
NOW_MS = epoch_s(FIRST_END) * 1000 + 60_000
TAG_OCTETS = 12
ENVELOPE = {RefusalReason.BAD_ENVELOPE, RefusalReason.DOWNGRADE}


class Doors:
    """A gateway's check and a head-end, one behind the other."""

    def __init__(self) -> None:
        self.factory = PushFactory(meters=1)
        table = KeyTable()
        table.merge(self.factory.key_columns())
        self.windows = CounterWindows()
        self.intake = Intake(table, self.windows, zone="America/Chicago")
        self.title = self.factory.meters[0].title
        assert self.said(self.factory.profile_push(0, 1)) is None

    def said(self, octets: bytes) -> RefusalReason | None:
        """Return why one of the doors refuses a frame, None where it becomes readings."""
        at_gateway = refusal_of(octets, self.title)
        return at_gateway or self.opened([octets])

    def opened(self, frames: list[bytes]) -> RefusalReason | None:
        outcome = self.judge(frames)
        assert len(outcome.letters) + len(outcome.accepted) == len(frames)
        found = {letter.reason for letter in outcome.letters}
        assert len(found) <= 1
        return next(iter(found), None)

    def judge(self, frames: list[bytes]) -> Outcome:
        made = [replace(self.factory.frame(0, octets), octets=octets) for octets in frames]
        octets = encode_frame_batch(gateway_id=1, received_at_ms=NOW_MS, frames=made)
        opened = self.intake.open([StreamMessage(1, octets)], partitions=EVERY, now_ms=NOW_MS)
        return self.intake.judge(opened, now_ms=NOW_MS)


@pytest.fixture
def doors() -> Doors:
    return Doors()


@pytest.mark.attack("A5")
def test_a5_of_256_control_octets_the_gateway_takes_three_and_the_head_end_the_meters_own(doors: Doors) -> None:
    body = load_profile_body(doors.factory.rows(0))
    genuine = doors.factory.octets(0, 9, body)
    at = genuine.index(bytes((0x30, 0, 0, 0, 9)))
    frames = {c: genuine[:at] + bytes((c,)) + genuine[at + 1 :] for c in range(256)}
    # Sealed with the meter's own keys, and yet in another way.
    frames |= {c: doors.factory.octets(0, 9, body, control=c) for c in (0x10, 0x20, 0x31, 0x11, 0x21, 0x50, 0x60, 0x70)}
    taken = {c for c, frame in frames.items() if refusal_of(frame, doors.title) is None}
    assert taken == {0x30, 0x31, 0x32}
    assert taken == {c for c in range(256) if is_control_taken(c)}
    for least in (1, 2):
        above = {c for c in taken if c - 0x30 >= least}
        assert {c for c, f in frames.items() if refusal_of(f, doors.title, least_suite=least) is None} == above
    for control, frame in frames.items():
        said = doors.said(frame)
        assert (said is None) == (control == 0x30), f"0x{control:02x}"
        assert said in {None, RefusalReason.DOWNGRADE, RefusalReason.BAD_TAG}


@pytest.mark.attack("A6")
def test_a6_every_flipped_bit_and_every_shortened_tag_is_refused_and_the_counter_stays(doors: Doors) -> None:
    genuine = doors.factory.profile_push(0, 2)
    assert refusal_of(genuine, doors.title) is None
    passed_gateway: list[bytes] = []
    for bit in [*range(2 * 8), *range(6 * 8, len(genuine) * 8)]:
        # Not the wrapper's two ports: they are not sealed, and nobody believes anything of a frame for them.
        altered = bytearray(genuine)
        altered[bit // 8] ^= 1 << bit % 8
        said = refusal_of(bytes(altered), doors.title)
        assert said is None or said in ENVELOPE
        if said is None:
            passed_gateway.append(bytes(altered))
    for cut in range(1, TAG_OCTETS + 1):
        apdu = genuine[8:-cut]
        length_at = 10
        size = len(apdu) - length_at - (2 if apdu[length_at] == 0x81 else 1)
        whole = apdu[:length_at] + (b"\x81" if size > 127 else b"") + bytes([size]) + apdu[-size:]
        said = refusal_of(wrap(1, 103, whole), doors.title)
        if said is None:
            passed_gateway.append(wrap(1, 103, whole))
    assert len(passed_gateway) > 800, "most of what is altered can be seen with the key alone"
    before = doors.judge([]).accepted
    outcome = doors.judge(passed_gateway)
    assert len(outcome.accepted) == len(before) == 0
    assert len(outcome.letters) == len(passed_gateway)
    # One word for all that was sealed and does not open: it tells nobody how far a forgery came.
    sealed = [letter for letter in outcome.letters if letter.reason not in ENVELOPE]
    assert {(letter.reason, letter.detail) for letter in sealed} == {
        (RefusalReason.BAD_TAG, "the authentication tag does not verify")
    }
    assert doors.said(genuine) is None
    assert doors.said(genuine) is RefusalReason.REPLAY


def test_what_the_doors_are_tried_with_is_a_real_push(doors: Doors) -> None:
    frame: SealedFrame = doors.factory.frame(0, doors.factory.profile_push(0, 3))
    outcome = doors.judge([frame.octets])
    assert len(outcome.accepted) == 1
    assert np.all(outcome.readings.value >= 0)
