"""What one virtual meter captures and pushes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.contracts.frame import FrameClass
from openami.contracts.quality import RawQuality
from openami.kernel.errors import MisuseError
from openami.kernel.ids import SystemTitle
from openami.meter.clock import MeterClock
from openami.meter.counters import BLOCK, CounterExhaustedError, InvocationCounters, MemoryCounterStore
from openami.meter.events import EventCode
from openami.meter.meter import VirtualMeter
from openami.meter.registers import MJ_PER_WH, RegisterBank
from openami.meter.sealing import MeterIdentity
from openami.protocol.apdu import DataNotification, decode
from openami.protocol.envelope.ports import frame_class
from openami.protocol.envelope.sealed import parse_sealed_header
from openami.protocol.envelope.wrapper import parse_wrapper
from openami.protocol.push import EVENT_PUSH, LOAD_PROFILE_PUSH, REGISTER_PUSH
from openami.security.suites.gcm import open_sealed

ZONE = ZoneInfo("America/Chicago")
NOON = datetime(2026, 7, 1, 17, tzinfo=UTC)
IDENTITY = MeterIdentity(SystemTitle(b"OAM\x00\x00\x00\x00\x07"), bytes(range(16)), bytes(range(16, 32)))
VOLTS = 2402


def bank(*, delivered_wh: int = 0, capacity_wh: int = 100_000_000) -> RegisterBank:
    return RegisterBank(
        np.array([delivered_wh * MJ_PER_WH]), np.zeros(1, dtype=np.int64), np.array([capacity_wh], dtype=np.int64)
    )


def meter(now: datetime = NOON, *, drift_ppm: int = 0, registers: RegisterBank | None = None,
          rows_per_push: int = 1) -> VirtualMeter:  # fmt: skip
    counters = InvocationCounters(MemoryCounterStore(1))
    return VirtualMeter(IDENTITY, registers or bank(), counters, MeterClock(now, drift_ppm), ZONE, now, rows_per_push)


def opened(frame: bytes) -> tuple[int, DataNotification]:
    """Return the source port and the notification of a sealed frame."""
    header, apdu = parse_wrapper(frame)
    clear = parse_sealed_header(apdu)
    plain = open_sealed(
        clear.system_title,
        apdu[clear.body_offset :],
        key=IDENTITY.encryption_key,
        auth_key=IDENTITY.authentication_key,
    )
    notification = decode(plain)
    assert isinstance(notification, DataNotification)
    return header.source_port, notification


def push_setup(frame: bytes) -> bytes:
    value = opened(frame)[1].body.value[0].value  # type: ignore[index, union-attr]
    assert isinstance(value, bytes)
    return value


def test_a_quarter_hour_of_a_kilowatt_is_one_row_of_250_watt_hours() -> None:
    one = meter()
    frames = one.advance(NOON + timedelta(minutes=15), power_mw=1_000_000, voltage_dv=VOLTS)
    assert [push_setup(f) for f in frames] == [LOAD_PROFILE_PUSH.octets]
    (row,) = one.profile
    assert (row.delivered_wh, row.received_wh, row.voltage_dv, row.status) == (250, 0, VOLTS, 0)
    assert row.end == NOON + timedelta(minutes=15)


def test_energy_below_a_watt_hour_is_carried_into_the_next_interval() -> None:
    one = meter()
    one.advance(NOON + timedelta(hours=1), power_mw=2_500, voltage_dv=VOLTS)
    assert [r.delivered_wh for r in one.profile] == [0, 1, 0, 1]
    assert sum(r.delivered_wh for r in one.profile) == int(one.registers.shown_wh()[0][0])


def test_intervals_add_up_to_the_register_through_a_rollover() -> None:
    one = meter(registers=bank(delivered_wh=99_999_800))
    one.advance(NOON + timedelta(hours=2), power_mw=1_234_567, voltage_dv=VOLTS)
    shown = int(one.registers.shown_wh()[0][0])
    assert shown < 3_000
    assert sum(r.delivered_wh for r in one.profile) == (shown - 99_999_800) % 100_000_000


def test_power_from_the_customer_counts_on_the_other_register() -> None:
    one = meter()
    one.advance(NOON + timedelta(minutes=15), power_mw=-4_000_000, voltage_dv=VOLTS)
    assert (one.profile[0].delivered_wh, one.profile[0].received_wh) == (0, 1000)


def test_the_daily_read_goes_out_at_local_midnight() -> None:
    before_midnight = datetime(2026, 7, 2, 4, 45, tzinfo=UTC)
    frames = meter(before_midnight).advance(before_midnight + timedelta(minutes=15), power_mw=800_000, voltage_dv=VOLTS)
    assert [push_setup(f) for f in frames] == [LOAD_PROFILE_PUSH.octets, REGISTER_PUSH.octets]


def test_an_outage_leaves_marked_rows_at_its_ends_and_no_row_between() -> None:
    one = meter()
    down, up = NOON + timedelta(minutes=20), NOON + timedelta(minutes=70)
    one.advance(down, power_mw=1_000_000, voltage_dv=VOLTS)
    (gasp,) = one.advance(up, power_mw=0, voltage_dv=None)
    frames = one.advance(NOON + timedelta(minutes=90), power_mw=1_000_000, voltage_dv=VOLTS)
    assert frame_class(opened(gasp)[0]) is FrameClass.LAST_GASP
    assert EVENT_PUSH.octets in [push_setup(f) for f in frames]
    assert [(r.end - NOON) // timedelta(minutes=15) for r in one.profile] == [1, 2, 5, 6]
    assert [r.status for r in one.profile] == [0, RawQuality.POWER_DOWN, RawQuality.POWER_DOWN, 0]
    assert sum(r.delivered_wh for r in one.profile) == int(one.registers.shown_wh()[0][0])
    assert [code for _, code in one.log] == [EventCode.POWER_DOWN, EventCode.POWER_UP]


def test_a_clock_that_gains_captures_early_and_says_so_when_it_is_set() -> None:
    one = meter(drift_ppm=1_000)
    one.advance(NOON + timedelta(hours=10), power_mw=1_000_000, voltage_dv=VOLTS)
    assert one.profile[-1].end == NOON + timedelta(hours=10)
    (frame,) = one.adjust_clock()
    assert push_setup(frame) == EVENT_PUSH.octets
    one.advance(NOON + timedelta(hours=11), power_mw=1_000_000, voltage_dv=VOLTS)
    assert sum(1 for r in one.profile if r.status & RawQuality.CLOCK_ADJUSTED) == 1
    # The last row ended 3.6 s early by the true clock: one watt-hour of the register is still in the running interval.
    assert sum(r.delivered_wh for r in one.profile) == int(one.registers.shown_wh()[0][0]) - 1 == 10_999


def test_four_rows_go_out_in_one_push_when_the_push_setup_says_so() -> None:
    frames = meter(rows_per_push=4).advance(NOON + timedelta(hours=2), power_mw=500_000, voltage_dv=VOLTS)
    assert len(frames) == 2
    assert [len(opened(f)[1].body.value[1].value) for f in frames] == [4, 4]  # type: ignore[index, union-attr, arg-type]


@pytest.mark.attack("A3")
def test_a_counter_is_never_used_twice_whatever_a_restart_forgets() -> None:
    store = MemoryCounterStore(2)
    first = InvocationCounters(store)
    used = {first.take(0) for _ in range(3)}
    again = InvocationCounters(store)
    used_again = {again.take(0) for _ in range(BLOCK + 3)}
    assert not used & used_again
    assert min(used_again) - max(used) <= BLOCK


@pytest.mark.attack("A3")
def test_a_meter_without_counters_left_does_not_send() -> None:
    store = MemoryCounterStore(1)
    store.keep(np.array([0xFFFF_FFFF]))
    counters = InvocationCounters(store)
    counters.take(0)
    with pytest.raises(CounterExhaustedError):
        counters.take(0)


@pytest.mark.attack("A10", "A34")
def test_keys_are_not_shown_and_two_equal_keys_are_refused() -> None:
    assert bytes(range(16)).hex() not in repr(IDENTITY)
    assert repr(bytes(range(16))) not in repr(IDENTITY)
    with pytest.raises(MisuseError):
        MeterIdentity(IDENTITY.title, bytes(range(16)), bytes(range(16)))


@pytest.mark.parametrize(
    ("to", "power_mw", "voltage_dv"),
    [(NOON - timedelta(seconds=1), 0, VOLTS), (NOON + timedelta(days=90), 0, VOLTS), (NOON, 1, None)],
    ids=["backwards", "too far", "power without supply"],
)
def test_misuse_is_refused(to: datetime, power_mw: int, voltage_dv: int | None) -> None:
    with pytest.raises(MisuseError):
        meter().advance(to, power_mw=power_mw, voltage_dv=voltage_dv)
