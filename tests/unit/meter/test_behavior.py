"""What a meter notices, writes down and says: losses of supply, attacks, tampering, voltage, alarms."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from tests.unit.meter.made import (
    MANAGEMENT,
    NOON,
    READER,
    VOLTS,
    at,
    call,
    meter,
    opened,
    pushed,
    read,
    rows,
    run,
    write,
)

from openami.contracts.frame import FrameClass
from openami.contracts.quality import RawQuality
from openami.meter.events import EventCode
from openami.meter.gasp import GaspRadio
from openami.meter.meter import VirtualMeter
from openami.meter.tampering import Tampering
from openami.protocol.association.ports import SecurityIncident
from openami.protocol.axdr import Data, Tag, u8, u16, u32
from openami.protocol.cosem.reference import ActionResult, DataAccessResult
from openami.protocol.envelope.ports import frame_class

EVENTS = "0.4.25.9.0.255"


def log(one: VirtualMeter, number: int) -> list[int]:
    return [code for _, code in rows(read(one, 7, f"0.0.99.98.{number}.255"))]


def thrown(*values: float) -> Iterator[float]:
    yield from values


def test_a_last_gasp_is_repeated_on_stored_energy_and_some_are_lost() -> None:
    dice = thrown(0.9, 0.1, 0.5, 0.29, 0.31, 0.0)
    one = meter(gasps=GaspRadio(lambda: next(dice), loss=0.3))
    run(one, hours=0.3)
    heard = run(one, hours=1, power_mw=0, voltage_dv=None)
    assert len(heard) == 3
    assert {frame_class(opened(f)[0]) for f in heard} == {FrameClass.LAST_GASP}
    # The same event each time, sealed each time with a counter of its own.
    assert len({str(pushed([f])) for f in heard}) == 1
    assert len(set(heard)) == 3
    assert read(one, 1, "0.0.97.98.2.255").integer == 1


def test_a_masked_last_gasp_is_not_sent_but_written_down() -> None:
    one = meter()
    assert write(one, 1, "0.0.97.98.12.255", 2, u32(0)) is DataAccessResult.SUCCESS
    assert run(one, hours=1, power_mw=0, voltage_dv=None) == []
    assert log(one, 0) == [EventCode.POWER_DOWN]


def test_the_restoration_message_carries_both_ends_and_the_failure_is_counted() -> None:
    one = meter()
    run(one, hours=0.3)
    down = one.now
    run(one, hours=1, power_mw=0, voltage_dv=None)
    up = one.now
    frames = run(one, hours=0.1)
    setup, told = pushed(frames)[-1]
    assert setup == EVENTS
    assert told == [[int(down.timestamp()), 0, 1], [int(up.timestamp()), 0, 2]]
    assert rows(read(one, 7, "1.0.99.97.0.255")) == [[int(up.timestamp()), 3_600]]
    assert [read(one, 1, f"0.0.96.7.{e}.255").integer for e in (0, 5, 21)] == [1, 1, 1]
    assert read(one, 4, "0.0.96.7.15.255").integer == 3_600


def test_a_momentary_failure_is_counted_and_not_in_the_log_of_long_ones() -> None:
    one = meter()
    run(one, hours=0.1)
    run(one, hours=100 / 3600, power_mw=0, voltage_dv=None)
    run(one, hours=0.1)
    assert [read(one, 1, f"0.0.96.7.{e}.255").integer for e in (0, 5)] == [1, 0]
    assert write(one, 3, "0.0.96.7.20.255", 2, u16(100)) is DataAccessResult.SUCCESS
    run(one, hours=100 / 3600, power_mw=0, voltage_dv=None)
    run(one, hours=0.1)
    assert [read(one, 1, f"0.0.96.7.{e}.255").integer for e in (0, 5)] == [2, 1]


@pytest.mark.attack("A1", "A6")
@pytest.mark.parametrize(
    ("incident", "number", "code"),
    [
        (SecurityIncident.FAILED_AUTHENTICATION, 1, 46),
        (SecurityIncident.BAD_TAG, 1, 47),
        (SecurityIncident.REPLAY, 1, 48),
        (SecurityIncident.DOWNGRADE, 5, 47),
        (SecurityIncident.PLAINTEXT, 5, 47),
    ],
)
def test_an_attack_is_in_its_log_and_raises_the_fraud_alarm(incident: SecurityIncident, number: int, code: int) -> None:
    one = meter()
    one.device.report(MANAGEMENT, incident)
    assert log(one, number) == [code]
    assert read(one, 1, f"0.0.96.11.{number}.255").integer == code
    assert read(one, 1, "0.0.97.98.0.255").integer == 1 << 13
    ((setup, told),) = pushed(one.take_frames())
    assert (setup, told[0][1:]) == (EVENTS, [number, code])


@pytest.mark.attack("A33")
def test_a_flood_of_forged_messages_neither_washes_the_log_away_nor_makes_the_meter_talk() -> None:
    one = meter()
    one.tamper(Tampering(is_cover_open=True))
    for _ in range(5_000):
        one.device.report(READER, SecurityIncident.BAD_TAG)
    run(one, hours=1)
    for _ in range(5_000):
        one.device.report(READER, SecurityIncident.BAD_TAG)
    assert log(one, 1) == [EventCode.COVER_REMOVED, 47, 47]
    assert one.take_frames() == []


def test_an_alarm_is_pushed_when_it_rises_and_again_only_after_it_was_cleared() -> None:
    one = meter()
    one.device.report(READER, SecurityIncident.REPLAY)
    assert len(one.take_frames()) == 1
    run(one, hours=0.1)
    one.device.report(READER, SecurityIncident.REPLAY)
    assert one.take_frames() == []
    assert write(one, 1, "0.0.97.98.0.255", 2, u32(0)) is DataAccessResult.SUCCESS
    assert write(one, 1, "0.0.97.98.20.255", 2, u32(0)) is DataAccessResult.SUCCESS
    run(one, hours=0.1)
    one.device.report(READER, SecurityIncident.REPLAY)
    assert len(one.take_frames()) == 1


def test_a_filtered_alarm_shows_in_its_register_and_is_not_pushed() -> None:
    one = meter()
    assert write(one, 1, "0.0.97.98.10.255", 2, u32(0xFFFF_FFFF ^ 1 << 13)) is DataAccessResult.SUCCESS
    one.device.report(READER, SecurityIncident.REPLAY)
    assert one.take_frames() == []
    assert [read(one, 1, f"0.0.97.98.{n}.255").integer for n in (0, 20)] == [1 << 13, 0]


def test_an_alarm_register_can_be_cleared_and_not_set() -> None:
    one = meter()
    for name in ("0.0.97.98.0.255", "0.0.97.98.20.255", "0.0.97.97.0.255"):
        assert write(one, 1, name, 2, u32(1)) is DataAccessResult.OTHER_REASON
        assert write(one, 1, name, 2, u8(0)) is DataAccessResult.TYPE_UNMATCHED


@pytest.mark.parametrize(
    ("tampering", "delivered_wh", "received_wh"),
    [
        (Tampering(), 1_000, 0),
        (Tampering(bypassed_permille=400), 600, 0),
        (Tampering(bypassed_permille=1_000), 0, 0),
        (Tampering(is_reversed=True), 0, 1_000),
        (Tampering(is_half_registering=True), 500, 0),
        (Tampering(is_stopped=True), 0, 0),
        (Tampering(has_magnet=True), 300, 0),
        (Tampering(is_half_registering=True, is_reversed=True), 0, 500),
        (Tampering(is_cover_open=True, is_terminal_cover_open=True), 1_000, 0),
    ],
    ids=str,
)
def test_tampering_changes_what_is_measured(tampering: Tampering, delivered_wh: int, received_wh: int) -> None:
    one = meter()
    one.tamper(tampering)
    run(one, hours=1)
    assert sum(r.delivered_wh for r in one.profile) == delivered_wh
    assert sum(r.received_wh for r in one.profile) == received_wh
    assert all(r.voltage_dv == VOLTS for r in one.profile)


@pytest.mark.parametrize(
    ("tampering", "codes"),
    [
        (Tampering(is_cover_open=True), [44, 45]),
        (Tampering(is_terminal_cover_open=True), [40, 41]),
        (Tampering(has_magnet=True), [42, 43]),
        (Tampering(bypassed_permille=500), []),
        (Tampering(is_reversed=True), []),
        (Tampering(is_half_registering=True), []),
        (Tampering(is_stopped=True), []),
        (Tampering(is_push_frozen=True), []),
    ],
    ids=str,
)
def test_a_meter_writes_down_and_says_what_it_can_notice(tampering: Tampering, codes: list[int]) -> None:
    one = meter()
    frames = one.tamper(tampering)
    frames += run(one, hours=0.1)
    frames += one.tamper(Tampering())
    assert log(one, 1) == codes
    assert [row[2] for _, told in pushed(frames) for row in told] == codes


def test_a_frozen_push_is_silent_and_the_profile_goes_on() -> None:
    one = meter()
    one.tamper(Tampering(is_push_frozen=True))
    assert run(one, hours=14) == []
    assert len(rows(read(one, 7, "1.0.99.1.0.255"))) == 56
    one.tamper(Tampering())
    assert len(run(one, hours=0.25)) == 1


def test_a_sag_and_a_swell_are_counted_once_each_after_their_time() -> None:
    one = meter()
    run(one, hours=1)
    run(one, hours=30 / 3600, voltage_dv=2_000)
    run(one, hours=1)
    assert log(one, 4) == []
    run(one, hours=1, voltage_dv=2_000)
    run(one, hours=1)
    run(one, hours=1, voltage_dv=2_700)
    run(one, hours=1)
    assert log(one, 4) == [EventCode.VOLTAGE_SAG, 83, EventCode.VOLTAGE_SWELL, 83]
    assert [read(one, 1, f"1.0.32.{d}.0.255").integer for d in (32, 36)] == [1, 1]
    assert read(one, 1, "0.0.97.98.1.255").integer == 0b1001


def test_the_threshold_of_a_sag_can_be_set() -> None:
    one = meter()
    assert write(one, 3, "1.0.12.31.0.255", 2, u16(2_390)) is DataAccessResult.SUCCESS
    run(one, hours=1, voltage_dv=2_380)
    assert log(one, 4) == [EventCode.VOLTAGE_SAG]


def test_power_voltage_and_current_are_those_of_now() -> None:
    one = meter()
    run(one, hours=0.1, power_mw=2_402_000)
    names = ("1.0.1.7.0.255", "1.0.2.7.0.255", "1.0.12.7.0.255", "1.0.11.7.0.255")
    assert [read(one, 3, n).integer for n in names] == [2_402, 0, VOLTS, 1_000]
    run(one, hours=0.1, power_mw=-1_000_000)
    assert [read(one, 3, n).integer for n in names[:2]] == [0, 1_000]
    assert read(one, 3, "1.0.12.7.0.255", 3).elements[0].integer == -1


def test_the_voltage_behind_the_switch_is_that_of_the_supply_or_what_the_customer_feeds_back() -> None:
    one = meter()
    run(one, hours=0.1)
    behind = "1.128.12.7.0.255"
    assert read(one, 3, behind).integer == VOLTS
    assert call(one, 70, "0.0.96.3.10.255", 1, Data(Tag.INTEGER, 0)) is ActionResult.SUCCESS
    assert [read(one, 3, name).integer for name in ("1.0.12.7.0.255", behind)] == [VOLTS, 0]
    one.tamper(Tampering(fed_back_dv=1_180))
    assert read(one, 3, behind).integer == 1_180


@pytest.mark.parametrize(
    ("setup", "sent"),
    [
        ("0.1.25.9.0.255", "0.1.25.9.0.255"), ("0.2.25.9.0.255", "0.2.25.9.0.255"), (EVENTS, EVENTS),
        ("0.3.25.9.0.255", EVENTS), ("0.7.25.9.0.255", "0.2.25.9.0.255"),
    ],
)  # fmt: skip
def test_a_push_setup_sends_when_it_is_told_to_under_the_name_that_its_list_begins_with(setup: str, sent: str) -> None:
    one = meter()
    run(one, hours=1)
    one.tamper(Tampering(is_cover_open=True))
    first = read(one, 40, setup, 2).elements[0].elements
    assert (first[0].integer, first[1].octets) == (40, bytes(int(g) for g in sent.split(".")))
    assert call(one, 40, setup, 1, None) is ActionResult.SUCCESS
    ((named, told),) = pushed(one.take_frames())
    assert named == sent
    # What follows the name is a profile: its columns are the columns of the message.
    profile = read(one, 40, setup, 2).elements[1].elements
    name = ".".join(str(o) for o in profile[1].octets or b"")
    columns = len(read(one, 7, name, 3).elements)
    # An event row says its log as well, between clock and code.
    assert len(told[0]) == columns + (sent == EVENTS)


def test_a_meter_that_has_nothing_to_say_refuses_to_push() -> None:
    one = meter()
    assert call(one, 40, EVENTS, 1) is ActionResult.TEMPORARY_FAILURE
    assert call(one, 40, "0.1.25.9.0.255", 1) is ActionResult.TEMPORARY_FAILURE


def test_an_installed_meter_says_what_its_registers_show() -> None:
    one = meter()
    assert pushed(one.install()) == [("0.2.25.9.0.255", [[int(NOON.timestamp()), 1_000, 20]])]
    assert one.now - NOON == timedelta(0)


def test_a_clock_that_outlived_its_reserve_is_distrusted_until_it_is_set() -> None:
    one = meter()
    run(one, hours=0.1)
    run(one, hours=24 * 7, power_mw=0, voltage_dv=None)
    frames = run(one, hours=1)
    assert [row[2] for setup, told in pushed(frames) if setup == EVENTS for row in told] == [6, 1, 2]
    assert one.profile[-1].status & RawQuality.CLOCK_INVALID
    assert [read(one, 8, "0.0.1.0.0.255", 4).integer, read(one, 1, "0.0.97.97.0.255").integer] == [1, 1]
    assert write(one, 1, "0.0.97.97.0.255", 2, u32(0)) is DataAccessResult.SUCCESS
    assert read(one, 1, "0.0.97.97.0.255").integer == 1
    assert write(one, 8, "0.0.1.0.0.255", 2, at(one.now)) is DataAccessResult.SUCCESS
    run(one, hours=1)
    assert one.profile[-1].status == 0
    assert [read(one, 8, "0.0.1.0.0.255", 4).integer, read(one, 1, "0.0.97.97.0.255").integer] == [0, 0]
