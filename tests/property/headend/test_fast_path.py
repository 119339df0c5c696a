"""The template path reads a load-profile push exactly as the generic path does, or leaves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.contracts.channel import Channel
from openami.headend.profiles import decode_load_profile_batch, interpret, rows_of
from openami.kernel.time import epoch_s
from openami.protocol import apdu
from openami.protocol.cosem import date_time_from_utc
from openami.protocol.errors import PeerError
from openami.protocol.push import EventRow, LoadProfileRow, RegisterRow, event_body, load_profile_body, register_body

u32 = st.integers(0, 2**32 - 1)
instants = st.datetimes(datetime(1971, 1, 1), datetime(2099, 1, 1)).map(  # noqa: DTZ001 - zone is set next
    lambda d: d.replace(tzinfo=UTC, microsecond=0)
)
rows = st.builds(LoadProfileRow, instants, st.integers(0, 255), u32, u32, st.integers(0, 65535))


@st.composite
def pushes(draw: st.DrawFn) -> bytes:
    stamp = draw(st.none() | instants)
    at = None if stamp is None else date_time_from_utc(stamp)
    kind = draw(st.integers(0, 9))
    if kind == 0:
        body = register_body([RegisterRow(draw(instants), draw(u32), draw(u32))])
    elif kind == 1:
        body = event_body([EventRow(draw(instants), 0, 1)])
    else:
        body = load_profile_body(draw(st.lists(rows, max_size=5)))
    octets = bytearray(apdu.encode(apdu.DataNotification(draw(u32), at, body)))
    for place, octet in draw(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=2)):
        octets[place % len(octets)] = octet
    return bytes(octets)


Row = tuple[int, int, int, int, int]


def generic(plaintext: bytes) -> list[Row] | None:
    """Rows as the generic path gives them; None where it refuses or the push is another."""
    try:
        notification = apdu.decode(plaintext)
        assert isinstance(notification, apdu.DataNotification)
        found = rows_of(interpret(notification, profile="oam-1")).intervals
    except (PeerError, AssertionError):
        return None
    return [
        (
            epoch_s(r.start),
            r.status,
            dict(r.values)[Channel.DELIVERED],
            dict(r.values)[Channel.RECEIVED],
            dict(r.values)[Channel.VOLTAGE],
        )
        for r in found
    ]


@given(st.lists(pushes(), max_size=6))
@settings(max_examples=200)
def test_both_paths_say_the_same(plaintexts: list[bytes]) -> None:
    columns, left = decode_load_profile_batch(plaintexts)
    assert left.shape == (len(plaintexts),)
    for index, plaintext in enumerate(plaintexts):
        mine = columns.message == index
        assert mine.any() != left[index]
        if not left[index]:
            fields = (columns.start, columns.status, columns.delivered_wh, columns.received_wh, columns.voltage_dv)
            assert [tuple(int(f[i]) for f in fields) for i in np.flatnonzero(mine)] == generic(plaintext)
    assert (np.diff(columns.message) >= 0).all()


def test_a_healthy_push_takes_the_fast_path_with_the_start_of_its_interval() -> None:
    end = datetime(2026, 3, 1, 0, 15, tzinfo=UTC)
    four = [LoadProfileRow(end + i * timedelta(minutes=15), i, 100 + i, i, 2401 + i) for i in range(4)]
    stamp = date_time_from_utc(end + timedelta(hours=1))
    plaintexts = [
        apdu.encode(apdu.DataNotification(7, stamp, load_profile_body(four))),
        apdu.encode(apdu.DataNotification(8, None, load_profile_body(four[:1]))),
    ]
    columns, left = decode_load_profile_batch(plaintexts)
    assert not left.any()
    assert columns.message.tolist() == [0, 0, 0, 0, 1]
    assert columns.start.tolist() == [epoch_s(end) - 900 + 900 * i for i in (0, 1, 2, 3, 0)]
    assert columns.delivered_wh.tolist() == [100, 101, 102, 103, 100]
    assert columns.voltage_dv.tolist() == [2401, 2402, 2403, 2404, 2401]
    assert columns.status.tolist() == [0, 1, 2, 3, 0]
    assert columns.interval_s == 900


def test_a_clock_with_a_deviation_is_left_and_read_right_by_the_generic_path() -> None:
    end = datetime(2026, 3, 1, 0, 15, tzinfo=UTC)
    octets = apdu.encode(apdu.DataNotification(7, None, load_profile_body([LoadProfileRow(end, 0, 1, 2, 3)])))
    utc = date_time_from_utc(end).encode()
    local = date_time_from_utc(end, deviation_minutes=360).encode()
    changed = octets.replace(utc, local)
    columns, left = decode_load_profile_batch([changed])
    assert left.tolist() == [True]
    assert len(columns) == 0
    assert generic(changed) == generic(octets)


def test_nothing_in_gives_nothing_out() -> None:
    columns, left = decode_load_profile_batch([])
    assert len(columns) == 0
    assert left.shape == (0,)
