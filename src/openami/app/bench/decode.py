"""``bench decode``: authenticated four-row pushes verified, judged and decoded by one core, beside another library.

Measured on the head-end's own code, from frame batches as they come off the stream. "Verify and decode" is frame batch,
wrapper and ciphering header, key look-up, decryption, tag check, every value and every clock: what the peer does to the
same octets. "Whole intake" adds counter windows, the choice between fast and generic path, and outgoing Arrow bytes.
Both layouts are our own meter's: rows of clock, status and three values (``oam-1``), or six (``oam-6``).

Processor time of one thread, best of a few runs, because other processes share the machine; the sums of what was sealed
and of what was read are compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from openami.app.bench.peers import PeerUnavailableError, peer_python, run_peer
from openami.app.bench.pushes import FIRST_END, PushFactory
from openami.contracts.channel import Channel
from openami.contracts.frame import SealedFrame, encode_frame_batch
from openami.contracts.stream import PARTITIONS
from openami.headend.listening.intake import Intake, Outcome, StreamMessage
from openami.headend.listening.window import CounterWindows
from openami.headend.profiles import FastLayouts
from openami.kernel.time import epoch_s
from openami.security.keys.table import KeyTable

METERS = 2_000
FRAMES = 20_000
ROWS = 4
FRAMES_PER_MESSAGE = 100
MESSAGES_PER_BATCH = 20
RUNS = 5
EVERY_PARTITION = frozenset(range(PARTITIONS))
PEER, PEER_VERSION = "dlms-cosem", "25.1.0"
NOW_MS = epoch_s(FIRST_END) * 1000

_Figures = dict[str, dict[str, object]]


def run() -> dict[str, object]:
    """Measure and return the figures in the shape of ``openami bench``."""
    figures: _Figures = {}
    peers: _Figures = {}
    ratio: dict[str, float] = {}
    skipped: dict[str, str] = {}
    for wide in (False, True):
        factory = PushFactory(meters=METERS, wide=wide)
        layout = f"{ROWS} rows x {factory.values} values"
        frames = factory.profile_frames(FRAMES, rows=ROWS)
        messages = messages_of(frames)
        sealed = sum(row.delivered_wh for _, row in factory.rows_of_frames(FRAMES, rows=ROWS))
        decode_s = _best_s(lambda: _verify_and_decode(factory, messages, sealed))  # noqa: B023 - called at once
        intake_s = _best_s(lambda: _whole_intake(factory, messages, sealed))  # noqa: B023 - called at once
        figures[f"verify and decode, {layout}"] = {"value": FRAMES / decode_s, "unit": "pushes/s/core"}
        figures[f"whole intake, {layout}"] = {"value": FRAMES / intake_s, "unit": "pushes/s/core"}
        figures[f"push, {layout}"] = {"value": len(frames[0].octets), "unit": "octets"}
        try:
            peer_s = _peer_s(factory, frames, sealed)
        except PeerUnavailableError as error:
            skipped[PEER] = str(error)
            continue
        peers.setdefault(PEER, {})[f"{PEER_VERSION}, {layout}"] = {"value": FRAMES / peer_s, "unit": "pushes/s/core"}
        ratio[f"to {PEER}, {layout}"] = peer_s / decode_s
    return {"durability": "none: no disk", "figures": figures, "peers": peers, "skipped": skipped, "ratio": ratio}


def _best_s(prepare: Callable[[], Callable[[], None]]) -> float:
    """Return the least processor time that prepared work takes."""
    best = float("inf")
    for _ in range(RUNS):
        act = prepare()
        start = time.process_time()
        act()
        best = min(best, time.process_time() - start)
    return best


def _intake(factory: PushFactory) -> Intake:
    table = KeyTable()
    table.merge(factory.key_columns())
    return Intake(table, CounterWindows(), zone="UTC")


def _verify_and_decode(factory: PushFactory, messages: Sequence[StreamMessage], sealed: int) -> Callable[[], None]:
    intake, layouts = _intake(factory), FastLayouts()

    def work() -> None:
        rows = total = 0
        for at in range(0, len(messages), MESSAGES_PER_BATCH):
            part = messages[at : at + MESSAGES_PER_BATCH]
            for _, octets in intake.open(part, partitions=EVERY_PARTITION, now_ms=NOW_MS).plaintexts:
                columns, left = layouts.decode(octets, profile=factory.profile, zone=None)
                _require(not len(left), "a push took the slow path")
                rows += sum(c.stamp.size for c in columns)
                total += sum(int(v.sum()) for c in columns for channel, v in c.values if channel == Channel.DELIVERED)
        _require(rows == FRAMES * ROWS and total == sealed, "what was read differs from what was sealed")

    return work


def _whole_intake(factory: PushFactory, messages: Sequence[StreamMessage], sealed: int) -> Callable[[], None]:
    intake = _intake(factory)

    def work() -> None:
        total = 0
        for at in range(0, len(messages), MESSAGES_PER_BATCH):
            opened = intake.open(messages[at : at + MESSAGES_PER_BATCH], partitions=EVERY_PARTITION, now_ms=NOW_MS)
            outcome = intake.judge(opened, now_ms=NOW_MS)
            outcome.readings.encode()
            total += _delivered(outcome)
            _require(not outcome.letters, "a frame was refused")
        _require(total == sealed, "what was read differs from what was sealed")

    return work


def _peer_s(factory: PushFactory, frames: Sequence[SealedFrame], sealed: int) -> float:
    """Return the processor time that the peer takes for the same octets."""
    task: dict[str, Any] = {
        "frames": [frame.octets.hex() for frame in frames],
        "keys": {m.title.hex(): [m.key.hex(), m.auth_key.hex()] for m in factory.meters},
    }
    answer = run_peer(peer_python(PEER, PEER_VERSION), Path(__file__).parent / "peer_dlms_cosem.py", task)
    _require(answer["sum"] == sealed and answer["rows"] == FRAMES * ROWS, f"{PEER} read something else")
    return float(answer["seconds"])


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
