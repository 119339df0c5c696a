"""The disconnect switch mode by mode, and the limiter that opens it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.unit.meter.made import NOON, READER, VOLTS, call, meter, read, run, write

from openami.meter.events import EventCode
from openami.meter.objects.switch import ControlState, Order, Switch
from openami.protocol.axdr import Data, Tag, u32
from openami.protocol.cosem.reference import ActionResult, DataAccessResult

SWITCH = "0.0.96.3.10.255"
OFF, ON, READY = ControlState.DISCONNECTED, ControlState.CONNECTED, ControlState.READY_FOR_RECONNECTION
# IEC 62056-6-2, disconnect control, table of modes. By hand: what each order leads to from 0, 1 and 2.
REMOTE_OFF = (OFF, OFF, OFF)
NOTHING = (OFF, ON, READY)
MODES = {
    0: dict.fromkeys(Order, NOTHING),
    1: {
        Order.REMOTE_DISCONNECT: REMOTE_OFF, Order.REMOTE_RECONNECT: (READY, ON, READY),
        Order.MANUAL_DISCONNECT: (OFF, READY, READY), Order.MANUAL_RECONNECT: (OFF, ON, ON),
        Order.LOCAL_DISCONNECT: (OFF, READY, READY), Order.LOCAL_RECONNECT: NOTHING,
    },
    2: {
        Order.REMOTE_DISCONNECT: REMOTE_OFF, Order.REMOTE_RECONNECT: (ON, ON, READY),
        Order.MANUAL_DISCONNECT: (OFF, READY, READY), Order.MANUAL_RECONNECT: (OFF, ON, ON),
        Order.LOCAL_DISCONNECT: (OFF, READY, READY), Order.LOCAL_RECONNECT: NOTHING,
    },
    3: {
        Order.REMOTE_DISCONNECT: REMOTE_OFF, Order.REMOTE_RECONNECT: (READY, ON, READY),
        Order.MANUAL_DISCONNECT: NOTHING, Order.MANUAL_RECONNECT: (OFF, ON, ON),
        Order.LOCAL_DISCONNECT: (OFF, READY, READY), Order.LOCAL_RECONNECT: NOTHING,
    },
    4: {
        Order.REMOTE_DISCONNECT: REMOTE_OFF, Order.REMOTE_RECONNECT: (ON, ON, READY),
        Order.MANUAL_DISCONNECT: NOTHING, Order.MANUAL_RECONNECT: (OFF, ON, ON),
        Order.LOCAL_DISCONNECT: (OFF, READY, READY), Order.LOCAL_RECONNECT: NOTHING,
    },
    5: {
        Order.REMOTE_DISCONNECT: REMOTE_OFF, Order.REMOTE_RECONNECT: (READY, ON, READY),
        Order.MANUAL_DISCONNECT: (OFF, READY, READY), Order.MANUAL_RECONNECT: (OFF, ON, ON),
        Order.LOCAL_DISCONNECT: (OFF, READY, READY), Order.LOCAL_RECONNECT: (OFF, ON, ON),
    },
    6: {
        Order.REMOTE_DISCONNECT: REMOTE_OFF, Order.REMOTE_RECONNECT: (READY, ON, READY),
        Order.MANUAL_DISCONNECT: NOTHING, Order.MANUAL_RECONNECT: (OFF, ON, ON),
        Order.LOCAL_DISCONNECT: (OFF, READY, READY), Order.LOCAL_RECONNECT: (OFF, ON, ON),
    },
}  # fmt: skip


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("mode", MODES)
def test_each_order_in_each_mode_leads_where_the_standard_says(mode: int, order: Order) -> None:
    for before in ControlState:
        switch = Switch(before, mode)
        changed = switch.order(order)
        assert switch.state is MODES[mode][order][before]
        assert changed == (switch.state is not before)


def test_nothing_flows_behind_an_open_switch_and_both_orders_are_in_the_log() -> None:
    one = meter()
    run(one, hours=1)
    assert call(one, 70, SWITCH, 1, Data(Tag.INTEGER, 0)) is ActionResult.SUCCESS
    assert (read(one, 70, SWITCH, 2).value, read(one, 70, SWITCH, 3).value) == (False, 0)
    run(one, hours=1)
    assert call(one, 70, SWITCH, 2, Data(Tag.INTEGER, 0)) is ActionResult.SUCCESS
    assert (read(one, 70, SWITCH, 2).value, read(one, 70, SWITCH, 3).value) == (True, 1)
    run(one, hours=1)
    assert [r.delivered_wh for r in one.profile] == [250] * 4 + [0] * 4 + [250] * 4
    assert all(r.voltage_dv == VOLTS for r in one.profile)
    assert [c for _, c in one.log] == [EventCode.REMOTE_DISCONNECT, EventCode.REMOTE_CONNECT]


def test_an_order_that_is_carried_out_already_succeeds_and_is_not_logged_again() -> None:
    one = meter()
    assert [call(one, 70, SWITCH, 1), call(one, 70, SWITCH, 1)] == [ActionResult.SUCCESS] * 2
    assert len(one.log) == 1


def test_a_reader_does_not_switch() -> None:
    one = meter()
    assert call(one, 70, SWITCH, 1, client=READER) is ActionResult.READ_WRITE_DENIED
    assert one.state.switch.is_closed


def test_a_meter_that_is_always_connected_refuses_to_disconnect() -> None:
    one = meter()
    assert write(one, 70, SWITCH, 4, Data(Tag.ENUM, 0)) is DataAccessResult.SUCCESS
    assert call(one, 70, SWITCH, 1) is ActionResult.OTHER_REASON


def test_mode_0_cannot_be_written_to_close_an_open_switch() -> None:
    one = meter()
    call(one, 70, SWITCH, 1)
    assert write(one, 70, SWITCH, 4, Data(Tag.ENUM, 0)) is DataAccessResult.OTHER_REASON
    assert not one.state.switch.is_closed


def test_a_button_closes_what_was_made_ready() -> None:
    one = meter()
    write(one, 70, SWITCH, 4, Data(Tag.ENUM, 1))
    call(one, 70, SWITCH, 1)
    one.press(close=True)
    assert not one.state.switch.is_closed
    call(one, 70, SWITCH, 2)
    assert one.state.switch.state is READY
    one.press(close=True)
    assert one.state.switch.is_closed


def test_the_limiter_opens_after_its_time_and_the_registers_stop_there() -> None:
    one = meter()
    assert write(one, 71, "0.0.17.0.0.255", 4, u32(5_000)) is DataAccessResult.SUCCESS
    assert write(one, 71, "0.0.17.0.0.255", 6, u32(120)) is DataAccessResult.SUCCESS
    run(one, hours=1, power_mw=6_000_000)
    assert one.state.switch.state is READY
    # 6 kW for two minutes
    assert sum(r.delivered_wh for r in one.profile) == 200
    codes = [c for _, c in one.log]
    # The power is 0 then, under the limit: the limiter is content again, but mode 4 waits for a hand.
    assert codes == [
        EventCode.LIMITER_CHANGED, EventCode.LIMITER_EXCEEDED, EventCode.LOCAL_DISCONNECT, EventCode.LIMITER_OK,
    ]  # fmt: skip
    assert one.log[1][0] == NOON + timedelta(minutes=2)


def test_a_short_peak_does_not_open_the_switch() -> None:
    one = meter()
    write(one, 71, "0.0.17.0.0.255", 4, u32(5_000))
    for _ in range(10):
        run(one, hours=59 / 3600, power_mw=6_000_000)
        run(one, hours=1 / 3600, power_mw=1_000_000)
    assert one.state.switch.is_closed
