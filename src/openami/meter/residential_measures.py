"""What the meter measures, as registers, and the quality of its supply."""

from __future__ import annotations

from collections.abc import Callable

from openami.meter.objects.basic import data_object, extended_register, register
from openami.meter.objects.model import CosemObject, Writing
from openami.meter.objects.profile import Table
from openami.meter.objects.shapes import Number, integer_of
from openami.meter.objects.values import AMPERE, SECOND, VOLT, WATT, WH, clock_value, no_time
from openami.meter.ports import MeterBody
from openami.meter.quality import VoltageQuality
from openami.meter.state import DeviceState
from openami.protocol.axdr import Data, Tag, u8, u16, u32

LOAD_VOLTAGE = "1.128.12.7.0.255"
U16_MOST = 0xFFFF
HIGHEST_THRESHOLD_DV = 4_000
LONGEST_WAIT_S = 3_600
LONGEST_FAILURE_THRESHOLD_S = 3_600


def measure_objects(body: MeterBody, state: DeviceState) -> list[CosemObject]:
    """Return the registers, the counters of power failures, and those of sags and swells."""

    def last(column: int) -> Callable[[], int]:
        return lambda: _last(body.load_profile(), column)

    delivered, received, voltage = last(1), last(2), last(3)
    return [
        register("1.0.1.8.0.255", lambda: u32(body.registers_wh()[0]), 0, WH),
        register("1.0.2.8.0.255", lambda: u32(body.registers_wh()[1]), 0, WH),
        register("1.0.1.7.0.255", lambda: u32(max(body.power_w(), 0)), 0, WATT),
        register("1.0.2.7.0.255", lambda: u32(max(-body.power_w(), 0)), 0, WATT),
        register("1.0.12.7.0.255", lambda: u16(min(body.voltage_dv(), U16_MOST)), -1, VOLT),
        # B of 128 and above is the maker's own: the standard has no name for the load side of a switch.
        register(LOAD_VOLTAGE, lambda: u16(min(body.load_voltage_dv(), U16_MOST)), -1, VOLT),
        register("1.0.11.7.0.255", lambda: u16(_current_ca(body)), -2, AMPERE),
        register("1.0.1.29.0.255", lambda: u32(delivered()), 0, WH),
        register("1.0.2.29.0.255", lambda: u32(received()), 0, WH),
        register("1.0.12.24.0.255", lambda: u16(voltage()), -1, VOLT),
        data_object("0.0.96.10.1.255", lambda: u8(body.profile_status())),
        *_failure_objects(state),
        *_quality_objects(state.quality),
    ]


def _last(rows: Table, column: int) -> int:
    return int(rows.columns[column][-1]) if len(rows) else 0


def _current_ca(body: MeterBody) -> int:
    """Return the current at unity power factor [0.01 A]; 0 without supply."""
    voltage_dv = body.voltage_dv()
    # W / (0.1 V) is 10 A, a thousand hundredths.
    return min(abs(body.power_w()) * 1_000 // voltage_dv, U16_MOST) if voltage_dv else 0


def _failure_objects(state: DeviceState) -> list[CosemObject]:
    failures = state.failures

    def set_long(data: Data) -> None:
        failures.long_s = integer_of(data)

    def last_end() -> Data:
        return clock_value(failures.last_long[0]) if failures.last_long else no_time()

    def last_duration() -> Data:
        return u32(failures.last_long[1] if failures.last_long else 0)

    threshold = Writing(Number(Tag.LONG_UNSIGNED, 1, LONGEST_FAILURE_THRESHOLD_S), set_long)
    return [
        data_object("0.0.96.7.0.255", lambda: u32(failures.count)),
        data_object("0.0.96.7.5.255", lambda: u32(failures.long_count)),
        data_object("0.0.96.7.10.255", last_end),
        extended_register("0.0.96.7.15.255", last_duration, 0, SECOND, at=last_end),
        register("0.0.96.7.20.255", lambda: u16(failures.long_s), 0, SECOND, writing=threshold),
        # A meter of one phase: any phase is all phases.
        data_object("0.0.96.7.21.255", lambda: u32(failures.count)),
    ]


def _quality_objects(quality: VoltageQuality) -> list[CosemObject]:
    def set_sag(data: Data) -> None:
        quality.sag_dv = integer_of(data)

    def set_swell(data: Data) -> None:
        quality.swell_dv = integer_of(data)

    def set_wait(data: Data) -> None:
        quality.wait_s = integer_of(data)

    level = Number(Tag.LONG_UNSIGNED, 0, HIGHEST_THRESHOLD_DV)
    wait = Number(Tag.LONG_UNSIGNED, 1, LONGEST_WAIT_S)
    return [
        register("1.0.12.31.0.255", lambda: u16(quality.sag_dv), -1, VOLT, writing=Writing(level, set_sag)),
        register("1.0.12.35.0.255", lambda: u16(quality.swell_dv), -1, VOLT, writing=Writing(level, set_swell)),
        register("1.0.12.43.0.255", lambda: u16(quality.wait_s), 0, SECOND, writing=Writing(wait, set_wait)),
        register("1.0.12.44.0.255", lambda: u16(quality.wait_s), 0, SECOND),
        data_object("1.0.32.32.0.255", lambda: u32(quality.sags)),
        data_object("1.0.32.36.0.255", lambda: u32(quality.swells)),
    ]
