"""Laws of registers and of the meter that reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.kernel.ids import SystemTitle
from openami.meter.clock import MeterClock
from openami.meter.counters import InvocationCounters, MemoryCounterStore
from openami.meter.meter import VirtualMeter
from openami.meter.registers import MJ_PER_WH, RegisterBank
from openami.meter.sealing import MeterIdentity

NOON = datetime(2026, 7, 1, 17, tzinfo=UTC)
IDENTITY = MeterIdentity(SystemTitle(b"OAM\x00\x00\x00\x00\x09"), bytes(range(1, 17)), bytes(range(17, 33)))
powers_mw = st.lists(st.integers(-20_000_000, 48_000_000), min_size=1, max_size=40)


def bank(start_mj: int, capacity_wh: int) -> RegisterBank:
    return RegisterBank(np.array([start_mj]), np.array([0]), np.array([capacity_wh]))


@given(
    energy_mj=st.lists(st.integers(0, 43_200_000_000), min_size=1, max_size=200),
    start_mj=st.integers(0, 10**15),
    capacity_wh=st.integers(100_000, 1 << 32),
)
def test_intervals_are_the_advance_of_the_register_modulo_its_capacity(
    energy_mj: list[int], start_mj: int, capacity_wh: int
) -> None:
    one = bank(start_mj, capacity_wh)
    before = int(one.shown_wh()[0][0])
    captured = one.integrate(np.array([energy_mj]), np.zeros((1, len(energy_mj)), np.int64))
    after = int(one.shown_wh()[0][0])
    total = int(captured.delivered_wh.sum())
    assert (after - before) % capacity_wh == total % capacity_wh
    assert abs(total * MJ_PER_WH - sum(energy_mj)) < MJ_PER_WH
    assert (captured.delivered_wh >= 0).all()


@given(energy_mj=st.lists(st.integers(0, 10**10), min_size=2, max_size=60), cut=st.integers(1, 59))
def test_intervals_do_not_depend_on_how_many_are_integrated_at_once(energy_mj: list[int], cut: int) -> None:
    whole, parts = bank(12_345, 1 << 32), bank(12_345, 1 << 32)
    none = np.zeros((1, len(energy_mj)), np.int64)
    energy = np.array([energy_mj])
    at_once = whole.integrate(energy, none).delivered_wh
    first = parts.integrate(energy[:, :cut], none[:, :cut]).delivered_wh
    second = parts.integrate(energy[:, cut:], none[:, cut:]).delivered_wh
    assert np.array_equal(at_once, np.concatenate([first, second], axis=1))
    assert np.array_equal(whole.delivered_mj, parts.delivered_mj)


@settings(max_examples=40, deadline=None)
@given(power_mw=powers_mw)
def test_one_meter_and_a_fleet_capture_the_same_intervals(power_mw: list[int]) -> None:
    one = VirtualMeter(
        IDENTITY, bank(0, 1 << 32), InvocationCounters(MemoryCounterStore(1)), MeterClock(NOON),
        ZoneInfo("America/Chicago"), NOON,
    )  # fmt: skip
    for k, power in enumerate(power_mw):
        one.advance(NOON + timedelta(minutes=15 * (k + 1)), power_mw=power, voltage_dv=2400)
    energy = np.array([power_mw]) * 900
    fleet = bank(0, 1 << 32).integrate(np.maximum(energy, 0), np.maximum(-energy, 0))
    assert [r.delivered_wh for r in one.profile] == fleet.delivered_wh[0].tolist()
    assert [r.received_wh for r in one.profile] == fleet.received_wh[0].tolist()


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.integers(1, 5_000), st.integers(0, 20_000_000), st.booleans()), min_size=1, max_size=30
    ),
    drift_ppm=st.integers(-500, 500),
)
def test_rows_and_register_agree_whatever_the_supply_and_the_clock_do(
    steps: list[tuple[int, int, bool]], drift_ppm: int
) -> None:
    one = VirtualMeter(
        IDENTITY, bank(0, 1 << 32), InvocationCounters(MemoryCounterStore(1)), MeterClock(NOON, drift_ppm),
        ZoneInfo("America/Chicago"), NOON,
    )  # fmt: skip
    now = NOON
    for seconds, power, lit in steps:
        now += timedelta(seconds=seconds)
        one.advance(now, power_mw=power if lit else 0, voltage_dv=2400 if lit else None)
    # Whatever is left of the running interval is captured in the end.
    one.advance(now + timedelta(minutes=31), power_mw=0, voltage_dv=2400)
    assert sum(r.delivered_wh for r in one.profile) == int(one.registers.shown_wh()[0][0])
    ends = [r.end for r in one.profile]
    assert ends == sorted(set(ends))
