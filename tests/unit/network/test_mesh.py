"""The mesh finds ways, the air takes its toll, and every sending is on somebody's account."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.kernel.errors import MisuseError
from openami.network.radio import (
    Air,
    AirtimeCounters,
    AirUse,
    Mesh,
    Parcel,
    cross,
    frame_us,
    plan_mesh,
    spread_window_s,
)
from openami.network.radio.airtime import COVERING_MINUTES, MINUTE_US
from openami.network.radio.mesh import MAX_NODES, NOBODY, USABLE_SHARE

T0_US = 1_780_000_020_000_000
HOUR_US = 3_600_000_000


def town(devices: int, *, seed: int = 1, spacing_m: float = 30.0) -> Mesh:
    """Streets of twenty houses with the collector in the middle."""
    i = np.arange(devices)
    x, y = (i % 20) * spacing_m, (i // 20) * spacing_m
    return plan_mesh(np.r_[x.mean(), x + 1], np.r_[y.mean() if devices else 0.0, y + 1], np.random.default_rng(seed))


def chain(length: int, heard: float) -> Mesh:
    """Devices in a row, each heard by the one before it alone."""
    parent = np.arange(-1, length)
    none = np.full(length + 1, NOBODY)
    return Mesh(parent, none, np.full(length + 1, heard), np.zeros(length + 1), np.arange(length + 1))


def parcels(count: int, *, octets: int = 200, within_us: int = 1, seed: int = 3, nodes: int = 60) -> list[Parcel]:
    d = random.Random(seed)
    return [Parcel(T0_US + d.randrange(within_us), 1 + k % nodes, 2, octets, k) for k in range(count)]


@settings(max_examples=30)
@given(devices=st.integers(1, 120), seed=st.integers(0, 1_000), spacing_m=st.floats(5, 400))
def test_every_way_ends_at_the_collector_and_no_second_way_leads_back(
    devices: int, seed: int, spacing_m: float
) -> None:
    mesh = town(devices, seed=seed, spacing_m=spacing_m)
    for node in range(1, mesh.size):
        way = mesh.way(node)
        assert len(set(way)) == len(way)
        assert not mesh.reaches(node) or (way[-1] == 0 and len(way) == mesh.hops[node] + 1)
        if mesh.second[node] != NOBODY:
            assert mesh.second_heard[node] >= USABLE_SHARE
            assert node not in mesh.way(int(mesh.second[node]))


def test_a_town_is_reached_over_one_to_three_links() -> None:
    mesh = town(200)
    assert all(mesh.reaches(node) for node in range(mesh.size))
    assert 1 < mesh.hops[1:].mean() < 3


def test_a_cell_of_more_devices_than_can_be_planned_is_refused() -> None:
    with pytest.raises(MisuseError, match="5000"):
        plan_mesh(np.zeros(MAX_NODES + 2), np.zeros(MAX_NODES + 2), np.random.default_rng(1))


def test_the_same_dice_make_the_same_air() -> None:
    mesh = town(60)
    runs = [Air(mesh, random.Random(5)).carry(parcels(60)) for _ in range(2)]
    assert runs[0] == runs[1]
    assert runs[0] != Air(mesh, random.Random(6)).carry(parcels(60))


def test_a_quarter_hour_of_a_town_arrives_within_seconds_of_being_sent() -> None:
    mesh, air = town(200), None
    air = Air(mesh, random.Random(5))
    sent = parcels(200, within_us=150_000_000, nodes=200)
    heard = air.carry(sent)
    at = {p.key: p.at_us for p in sent}
    assert {a.key for a in heard} == set(at)
    assert air.lost == []
    took_s = np.array([(a.at_us - at[a.key]) / 1e6 for a in heard])
    assert 0.03 < np.median(took_s) < 1.0
    assert np.quantile(took_s, 0.99) < 5.0
    assert {a.hops for a in heard} == set(mesh.hops[1:].tolist())


def test_a_poor_link_loses_frames_and_a_dead_one_all_of_them() -> None:
    poor = Air(chain(1, 0.25), random.Random(1))
    heard = poor.carry(parcels(200, nodes=1, octets=900, within_us=HOUR_US))
    assert 0 < len(poor.lost) < 200
    assert {a.key for a in heard} | set(poor.lost) == set(range(200))
    nobody = Mesh(np.array([NOBODY, NOBODY]), np.array([NOBODY] * 2), np.zeros(2), np.zeros(2), np.zeros(2, np.int64))
    deaf = Air(nobody, random.Random(1))
    assert deaf.carry(parcels(5, nodes=1)) == []
    assert sorted(deaf.lost) == [0, 1, 2, 3, 4]


def test_a_lost_acknowledgement_with_a_second_way_makes_a_duplicate() -> None:
    # Device 3 speaks through 1 or 2, and hardly hears either of them acknowledge.
    mesh = Mesh(
        np.array([NOBODY, 0, 0, 1]), np.array([NOBODY, NOBODY, NOBODY, 2]),
        np.array([0.0, 0.99, 0.99, 0.3]), np.array([0.0, 0.0, 0.0, 0.3]), np.array([0, 1, 1, 2]),
    )  # fmt: skip
    heard = Air(mesh, random.Random(1)).carry([Parcel(T0_US + k * 60_000_000, 3, 2, 100, k) for k in range(300)])
    times = np.bincount([a.key for a in heard])
    assert (times > 1).sum() > 5


def test_a_last_gasp_passes_profiles_that_wait_for_the_same_relay() -> None:
    mesh = chain(2, 0.95)
    waiting = [Parcel(T0_US, 2, 2, 900, k) for k in range(20)]
    heard = Air(mesh, random.Random(1)).carry([*waiting, Parcel(T0_US + 200_000, 2, 0, 90, 99)])
    assert [a.key for a in heard].index(99) <= 2


def test_a_herd_that_is_spread_takes_less_air_than_one_that_is_not() -> None:
    mesh, used = town(200), []
    for window_s in (1, spread_window_s(200, frames=1, octets=120)):
        counters = AirtimeCounters(mesh.size, beacons=False)
        air = Air(mesh, random.Random(2), counters)
        air.carry(parcels(200, octets=120, within_us=window_s * 1_000_000, nodes=200))
        counters.close(T0_US + HOUR_US)
        day = counters.day(counters.days[0])
        used.append(int(day.own_us.sum() + day.relayed_us.sum()))
        assert air.lost == []
    assert used[1] < 0.7 * used[0]


def test_what_a_device_relays_is_not_its_own() -> None:
    counters = AirtimeCounters(4, beacons=False)
    air = Air(chain(3, 1.0), random.Random(1), counters)
    air.carry([Parcel(T0_US, 3, 2, 100, 0)])
    counters.close(T0_US + HOUR_US)
    day = counters.day(counters.days[0])
    assert day.own_us.tolist() == [0, 0, 0, frame_us(100)]
    acks_us = day.relayed_us[0]
    assert 0 < acks_us < frame_us(100)
    assert day.relayed_us.tolist() == [acks_us, acks_us + frame_us(100), acks_us + frame_us(100), 0]


@settings(max_examples=40)
@given(
    sendings=st.lists(
        st.tuples(st.integers(0, 3 * HOUR_US), st.integers(1, 2_000_000), st.sampled_from(AirUse)), max_size=60
    ),
    closings=st.lists(st.integers(0, 4 * HOUR_US), max_size=5),
)
def test_no_thirty_minutes_hold_more_than_the_worst_window_and_no_sum_is_lost(
    sendings: list[tuple[int, int, AirUse]], closings: list[int]
) -> None:
    begin_us = T0_US // (24 * HOUR_US) * 24 * HOUR_US + 2 * HOUR_US
    counters = AirtimeCounters(1, beacons=False)
    counters.close(begin_us)
    for at_us, on_air_us, use in sorted(sendings):
        counters.add(0, use, at_us=begin_us + at_us, on_air_us=on_air_us)
    for until_us in [*closings, 5 * HOUR_US]:
        counters.close(begin_us + until_us)
    days = [counters.day(d) for d in counters.days]
    assert sum(int(d.own_us[0] + d.relayed_us[0] + d.beacon_us[0]) for d in days) == sum(s for _, s, _ in sendings)
    worst_us = max(int(d.worst_us[0]) for d in days)
    for start_us, _, _ in sendings:
        inside = sum(s for at, s, _ in sendings if start_us <= at < start_us + 30 * MINUTE_US)
        assert inside <= worst_us
    # And it is not far off: no window of 31 whole minutes is exceeded.
    minutes = np.bincount([at // MINUTE_US for at, _, _ in sendings], [s for _, s, _ in sendings], 400)
    assert worst_us <= np.convolve(minutes, np.ones(COVERING_MINUTES)).max() + 1


def test_beacons_are_counted_for_every_minute_and_a_day_is_kept_beside_the_one_before() -> None:
    counters = AirtimeCounters(2)
    begin_us = T0_US // (24 * HOUR_US) * 24 * HOUR_US
    counters.close(begin_us)
    for hour in range(1, 73):
        counters.close(begin_us + hour * HOUR_US)
    assert len(counters.days) == 2
    whole = counters.day(counters.days[0])
    assert whole.beacon_us[1] / 1e6 == pytest.approx(58.1, abs=1.0)
    assert whole.worst_us[1] == whole.beacon_us[1] * COVERING_MINUTES // 1_440


def test_a_clock_that_leaps_a_year_costs_two_days_of_minutes() -> None:
    counters = AirtimeCounters(1)
    counters.close(T0_US)
    counters.add(0, AirUse.OWN, at_us=T0_US + 365 * 24 * HOUR_US, on_air_us=5)
    counters.close(T0_US + 365 * 24 * HOUR_US)
    counters.add(0, AirUse.OWN, at_us=T0_US + 365 * 24 * HOUR_US, on_air_us=7)
    counters.close(T0_US + 366 * 24 * HOUR_US)
    assert len(counters.days) == 2
    assert sum(int(counters.day(d).own_us[0]) for d in counters.days) == 7


@pytest.mark.parametrize("down", [True, False])
def test_a_call_crosses_every_link_of_the_way_and_each_sender_is_counted(down: bool) -> None:
    crossing = cross(chain(3, 1.0), random.Random(1), node=3, octets=100, down=down)
    senders = [node for node, on_air_us in crossing.sendings if on_air_us == frame_us(100)]
    assert senders == ([0, 1, 2] if down else [3, 2, 1])
    assert crossing.arrives
    assert crossing.took_us > 3 * frame_us(100)


def test_a_call_over_a_poor_way_is_lost_on_it_and_what_was_sent_is_counted_all_the_same() -> None:
    thrown = [cross(chain(4, 0.3), random.Random(n), node=4, octets=300, down=True) for n in range(200)]
    lost = [c for c in thrown if not c.arrives]
    assert 20 < len(lost) < 200
    assert all(c.on_air_us > 0 for c in lost)


def test_the_window_of_a_herd_grows_with_the_herd_within_its_bounds() -> None:
    windows = [spread_window_s(n, frames=2, octets=250) for n in (1, 50, 200, 1_000, 100_000)]
    assert windows == sorted(windows)
    assert (windows[0], windows[-1]) == (10, 3_600)
    assert all(a < b for a, b in pairwise(windows[1:4]))
