"""Batches of the gateway: what a collector has in one can be turned away as a whole."""

from __future__ import annotations

import random

from openami.contracts.deadletter import RefusalReason
from openami.contracts.frame import decode_frame_batch
from openami.network.gateway.batch import Batch
from openami.network.link import LinkMessage, MessageType


def message(seq: int, title: bytes) -> LinkMessage:
    return LinkMessage(int(MessageType.FRAME), 2, seq, title, 1_000 + seq, b"frame of " + title)


def test_a_discredited_collector_leaves_the_batch_and_keeps_its_place_in_the_sequence() -> None:
    dice = random.Random(7)
    batch = Batch()
    theirs: list[tuple[int, int, bytes]] = []
    others: list[tuple[int, int, bytes]] = []
    for seq in range(1, 200):
        title = b"OAM" + seq.to_bytes(5)
        by = dice.choice((7, 8, 7 << 8))
        batch.add(by, message(seq, title))
        (theirs if by == 7 else others).append((by, seq, title))
    batch.refuse(7, message(200, b"OAM12345"), RefusalReason.DOWNGRADE)
    before, frames = dict(batch.last_seq), batch.frames
    assert batch.discredit(7, RefusalReason.STOLEN_COLLECTOR) == len(theirs)
    assert batch.discredit(9, RefusalReason.STOLEN_COLLECTOR) == 0
    assert (batch.last_seq, batch.frames) == (before, frames)
    payloads = batch.payloads(gateway_id=1, received_at_ms=1)
    kept = [f for _, octets in payloads for f in decode_frame_batch(octets).frames]
    assert {(f.collector_id, f.seq, f.system_title.octets) for f in kept} == set(others)
    stolen = [f for f in batch.refused if f.reason is RefusalReason.STOLEN_COLLECTOR]
    assert {(f.collector_id, f.seq, f.title) for f in stolen} == set(theirs)
    assert all(f.octets == b"frame of " + f.title and f.collected_at_ms == 1_000 + f.seq for f in stolen)
