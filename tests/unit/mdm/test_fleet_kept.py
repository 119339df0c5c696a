"""Versions gathered from shards come out by key, each with its own values and digests."""

from __future__ import annotations

import numpy as np

from openami.contracts.channel import Channel
from openami.contracts.day import DayTable
from openami.contracts.reading import UUIDS
from openami.mdm.validation.fleet.kept import Kept, joined_by_key
from openami.mdm.vee.profile import DayDigests

COLUMNS = 4


def _kept(points: UUIDS, channel: Channel, first: int, *, is_whole: bool) -> Kept:
    """Return one version a point, whose values and digests all say which it is."""
    n = len(points)
    values = np.repeat(first + np.arange(n), COLUMNS)
    octets = np.zeros(len(values), np.uint8)
    days = DayTable(
        points, np.full(n, channel, np.uint8), np.zeros(n, np.int32), np.full(n, 900, np.uint32),
        np.zeros(n, np.int64), np.ones(n, np.uint64), np.zeros(n, np.int64), points,
        np.arange(n + 1) * COLUMNS, values, octets, octets,
        values if is_whole else values - 1, values if is_whole else values + 1,
    )  # fmt: skip
    number = first + np.arange(n)
    digests = DayDigests(
        number, number.astype(np.uint64), np.zeros(n, np.uint8), np.repeat(number[:, None], 24, axis=1).astype(np.int32)
    )
    return Kept(days, digests)


def test_versions_come_out_by_place_and_channel_with_their_own_values_and_digests() -> None:
    ids = np.frombuffer(np.random.default_rng(3).bytes(16 * 50), "V16")
    parts = [
        _kept(ids[:30], Channel.VOLTAGE, 0, is_whole=True),
        _kept(ids[20:], Channel.DELIVERED, 100, is_whole=True),
        _kept(ids[:5], Channel.RECEIVED, 200, is_whole=False),
    ]
    whole = joined_by_key(parts, COLUMNS)
    days = whole.days
    keys = [(bytes(p), c) for p, c in zip(days.service_point_id.tolist(), days.channel.tolist(), strict=True)]
    assert keys == sorted(keys)
    wanted = {
        (bytes(p), c): v
        for part in parts
        for p, c, v in zip(
            part.days.service_point_id.tolist(), part.days.channel.tolist(), part.digests.base.tolist(), strict=True
        )
    }
    assert [wanted[k] for k in keys] == whole.digests.base.tolist() == whole.digests.profile[:, 7].tolist()
    values = days.values.reshape(-1, COLUMNS)
    assert (values == whole.digests.base[:, None]).all()
    off = (days.band_high - days.values).reshape(-1, COLUMNS)[:, 0]
    assert off.tolist() == [int(c == Channel.RECEIVED) for _, c in keys]


def test_the_band_of_whole_days_stays_the_values_themselves() -> None:
    ids = np.frombuffer(np.random.default_rng(4).bytes(16 * 9), "V16")
    parts = [_kept(ids[:4], Channel.VOLTAGE, 0, is_whole=True), _kept(ids[4:], Channel.VOLTAGE, 9, is_whole=True)]
    days = joined_by_key(parts, COLUMNS).days
    assert days.band_low is days.values
    assert days.band_high is days.values
