"""Columns survive the wire and refuse what is not theirs."""

from __future__ import annotations

from datetime import UTC, date, datetime
from uuid import uuid4

import numpy as np
import pytest

from openami.contracts.channel import Channel
from openami.contracts.day import DayTable, DayVersion
from openami.contracts.errors import ContractError
from openami.contracts.frame import SealedFrame, decode_frame_batch, encode_frame_batch
from openami.contracts.reading import ReadingBatch, RegisterBatch, uuid_column, uuids_of
from openami.kernel.ids import SystemTitle


def readings(count: int) -> ReadingBatch:
    ids = [uuid4() for _ in range(count)]
    return ReadingBatch(
        meter_id=uuid_column(ids),
        channel=np.full(count, 1, np.uint8),
        start=np.arange(count, dtype=np.int64) * 900,
        interval_s=np.full(count, 900, np.uint32),
        value=np.arange(count, dtype=np.int64) - 3,
        quality=np.zeros(count, np.uint16),
        source=np.ones(count, np.uint8),
        message_id=np.arange(count, dtype=np.uint64),
    )


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_a_reading_batch_comes_back_as_it_went(count: int) -> None:
    sent = readings(count)
    got = ReadingBatch.decode(sent.encode())
    assert uuids_of(got.meter_id) == uuids_of(sent.meter_id)
    assert got.value.tolist() == sent.value.tolist()
    assert len(got) == count


def test_a_register_batch_is_not_a_reading_batch() -> None:
    with pytest.raises(ContractError, match="schema"):
        ReadingBatch.decode(RegisterBatch.empty().encode())


@pytest.mark.parametrize("cut", [0, 1, 10, 100, 300])
def test_a_cut_batch_is_refused(cut: int) -> None:
    with pytest.raises(ContractError):
        ReadingBatch.decode(readings(4).encode()[:cut])


def test_a_day_table_keeps_ragged_days() -> None:
    rows = [
        DayVersion(
            service_point_id=uuid4(),
            channel=Channel.DELIVERED,
            local_day=date(2026, 3, 8),
            interval_s=900,
            start_utc=datetime(2026, 3, 8, 6, tzinfo=UTC),
            version=1,
            known_at=datetime(2026, 3, 9, tzinfo=UTC),
            run_id=uuid4(),
            values=np.arange(n, dtype=np.int64),
            quality=np.zeros(n, np.uint8),
            method=np.zeros(n, np.uint8),
            band_low=np.arange(n, dtype=np.int64),
            band_high=np.arange(n, dtype=np.int64),
        )
        for n in (92, 96, 100)
    ]
    got = list(DayTable.from_arrow(DayTable.from_rows(rows).to_arrow()).rows())
    assert [len(r.values) for r in got] == [92, 96, 100]
    assert [r.service_point_id for r in got] == [r.service_point_id for r in rows]
    assert got[2].values.tolist() == list(range(100))


def test_a_frame_batch_cut_at_every_octet_is_refused() -> None:
    frame = SealedFrame(7, 1, 2, SystemTitle(b"OAM\0\0\0\0\1"), 1_700_000_000_000, b"sealed")
    octets = encode_frame_batch(gateway_id=1, received_at_ms=2, frames=[frame, frame])
    assert decode_frame_batch(octets).frames == (frame, frame)
    for cut in range(len(octets)):
        with pytest.raises(ContractError):
            decode_frame_batch(octets[:cut])
