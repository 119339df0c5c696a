"""``bench decode``: authenticated four-row pushes verified, judged and decoded by one core.

Measured on the head-end's own code: "verify and decode" is open, tag check and load-profile columns in batches, keys
given; "whole intake" adds frame batch and envelope parsing, key look-up, counter windows and the outgoing Arrow bytes.
Best of a few runs, because other processes share the machine; the sum of all values is compared with what was sealed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec

import numpy as np

from openami.app.bench.pushes import FIRST_END, PushFactory
from openami.contracts.channel import Channel
from openami.contracts.frame import SealedFrame, encode_frame_batch
from openami.contracts.stream import PARTITIONS
from openami.headend.intake import Intake, Outcome, StreamMessage
from openami.headend.profiles import FastLayouts, decode_batch
from openami.headend.window import CounterWindows
from openami.kernel.time import epoch_s
from openami.protocol.envelope.sealed import parse_sealed_header
from openami.security.keys.table import KeyTable
from openami.security.suites import gcm
from openami.security.suites.batch import open_batch

METERS = 2_000
FRAMES = 20_000
ROWS = 4
FRAMES_PER_MESSAGE = 100
MESSAGES_PER_BATCH = 40
RUNS = 5
EVERY_PARTITION = frozenset(range(PARTITIONS))


def run() -> dict[str, object]:
    """Measure and return the figures in the shape of ``openami bench``."""
    factory = PushFactory(meters=METERS)
    frames = factory.profile_frames(FRAMES, rows=ROWS)
    decode_s = min(_seconds(_verify_and_decode(factory, frames)) for _ in range(RUNS))
    intake_s = min(_seconds(_whole_intake(factory, frames)) for _ in range(RUNS))
    figures = {
        "verify and decode": {"value": FRAMES / decode_s, "unit": "pushes/s"},
        "whole intake": {"value": FRAMES / intake_s, "unit": "pushes/s"},
        "push": {"value": len(frames[0].octets), "unit": "octets"},
        "rows": {"value": ROWS, "unit": "rows/push"},
    }
    installed = find_spec("dlms_cosem") is not None
    why = "not measured in this process" if installed else "not installed; it is a peer in an environment of its own"
    return {"durability": "none: no disk", "figures": figures, "peers": {}, "skipped": {"dlms-cosem": why}, "ratio": {}}


def _seconds(act: Callable[[], None]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def _verify_and_decode(factory: PushFactory, frames: Sequence[SealedFrame]) -> Callable[[], None]:
    """Return the work on envelopes that are parsed already."""
    by_title = {m.title: m.key + m.auth_key for m in factory.meters}
    titles, counters, controls, ciphertexts = [], [], [], []
    for frame in frames:
        header = parse_sealed_header(frame.octets[8:])
        titles.append(header.system_title)
        counters.append(header.invocation_counter)
        controls.append(header.security_control)
        ciphertexts.append(frame.octets[8 + header.body_offset + gcm.HEADER_OCTETS :])
    keys: list[bytes | None] = [by_title[t] for t in titles]
    step = FRAMES_PER_MESSAGE * MESSAGES_PER_BATCH
    layouts = FastLayouts()

    def work() -> None:
        rows = 0
        for at in range(0, len(frames), step):
            part = slice(at, at + step)
            opened = open_batch(titles[part], counters[part], controls[part], ciphertexts[part], keys[part])
            whole = [p for p in opened if p is not None]
            parts, left = decode_batch(whole, profile="oam-1", zone=None, layouts=layouts)
            rows += sum(part.stamp.size for part in parts)
            _require(not len(left), "a push took the slow path")
        _require(rows == len(frames) * ROWS, "rows are missing")

    return work


def _whole_intake(factory: PushFactory, frames: Sequence[SealedFrame]) -> Callable[[], None]:
    """Return the work on messages as they come from the stream."""
    table = KeyTable()
    table.merge(factory.key_columns())
    intake = Intake(table, CounterWindows(), zone="UTC")
    messages = messages_of(frames)
    now_ms = epoch_s(FIRST_END) * 1000
    sealed = sum(row.delivered_wh for _, row in factory.rows_of_frames(len(frames), rows=ROWS))

    def work() -> None:
        total = 0
        for at in range(0, len(messages), MESSAGES_PER_BATCH):
            opened = intake.open(messages[at : at + MESSAGES_PER_BATCH], partitions=EVERY_PARTITION, now_ms=now_ms)
            outcome = intake.judge(opened, now_ms=now_ms)
            outcome.readings.encode()
            total += _delivered(outcome)
            _require(not outcome.letters, "a frame was refused")
        _require(total == sealed, "the values differ from those that were sealed")

    return work


def messages_of(frames: Sequence[SealedFrame], *, size: int = FRAMES_PER_MESSAGE) -> list[StreamMessage]:
    """Return frames as stream messages of ``size`` frames."""
    return [
        StreamMessage(1 + i, encode_frame_batch(gateway_id=1, received_at_ms=0, frames=frames[at : at + size]))
        for i, at in enumerate(range(0, len(frames), size))
    ]


def _delivered(outcome: Outcome) -> int:
    return int(np.sum(outcome.readings.value[outcome.readings.channel == Channel.DELIVERED]))


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)
