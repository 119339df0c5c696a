"""Each code of the companion standards has our name, whichever of them it is from.

Source of the rows: IDIS package 2, DSMR P3 4.2.2, SMR 5.2, IS 15959 parts 1 and 2, as their public readers list them.
"""

from __future__ import annotations

import pytest

from openami.contracts.event import STATUS_WORD_LOG, EventKind, alarm_log
from openami.headend.listening.event_codes import event_kind
from openami.headend.profiles import profile_of

NTA = {
    1: "power_down", 2: "power_up", 3: "daylight_saving_changed", 4: "clock_adjusted", 5: "clock_adjusted",
    6: "clock_invalid", 7: "battery_replace", 8: "battery_low", 9: "tariff_activated", 10: "error_cleared",
    11: "alarm_cleared", 12: "program_memory_error", 13: "ram_error", 14: "nv_memory_error", 15: "watchdog_error",
    16: "measurement_error", 17: "firmware_ready", 18: "firmware_activated", 19: "tariff_updated",
    20: "self_check_passed", 21: "module_removed", 22: "module_inserted", 40: "terminal_opened",
    41: "terminal_closed", 42: "magnet", 43: "magnet_gone", 44: "cover_opened", 45: "cover_closed",
    46: "authentication_failed", 60: "disconnected_manually", 61: "connected_manually", 62: "disconnected_remotely",
    63: "connected_remotely", 64: "disconnected_locally", 65: "limit_exceeded", 66: "limit_normal",
    67: "limit_changed", 100: "mbus_communication_failed", 101: "mbus_communication_restored",
    102: "mbus_battery_low", 103: "mbus_fraud_suspected", 104: "mbus_clock_adjusted", 105: "mbus_device_found",
    106: "mbus_device_failed", 113: "mbus_fraud_suspected", 133: "mbus_fraud_suspected",
    230: "manufacturer_specific", 249: "manufacturer_specific", 255: "log_cleared",
}  # fmt: skip
# The same number, another event.
DIFFERS = {
    "idis": {
        47: "authentication_failed", 48: "replay_seen", 49: "other", 77: "undervoltage", 79: "overvoltage",
        80: "overvoltage", 81: "overvoltage", 82: "phase_lost", 83: "phase_lost", 84: "phase_lost",
        85: "voltage_normal", 86: "voltage_normal", 87: "voltage_normal", 90: "other",
    },
    "dsmr": {
        47: "configuration_changed", 48: "module_cover_opened", 49: "module_cover_closed", 77: "undervoltage",
        79: "undervoltage", 80: "voltage_sag", 81: "voltage_sag", 82: "voltage_sag", 83: "voltage_swell",
        84: "voltage_swell", 85: "voltage_swell", 86: "phase_lost", 87: "phase_lost", 88: "phase_lost",
        89: "phase_loss_test", 90: "phase_returned", 91: "phase_returned", 92: "phase_returned",
    },
    "smr": {
        47: "configuration_changed", 48: "module_cover_opened", 49: "module_cover_closed", 78: "undervoltage",
        80: "overvoltage", 81: "overvoltage", 82: "overvoltage", 83: "voltage_normal", 84: "voltage_normal",
        85: "voltage_normal", 86: "phase_lost", 90: "phase_returned",
    },
}  # fmt: skip
ALARMS = {
    0: {
        0: "clock_invalid", 1: "battery_replace", 2: "power_up", 3: "auxiliary", 4: "configuration_changed",
        5: "other", 8: "program_memory_error", 9: "ram_error", 10: "nv_memory_error", 11: "measurement_error",
        12: "watchdog_error", 13: "fraud_suspected", **dict.fromkeys(range(16, 20), "mbus_communication_failed"),
        **dict.fromkeys(range(20, 24), "mbus_fraud_suspected"), **dict.fromkeys(range(24, 28), "mbus_device_found"),
        28: "phase_lost", 29: "phase_lost", 30: "phase_lost", 31: "phase_loss_test",
    },
    1: {**dict.fromkeys(range(3), "voltage_sag"), **dict.fromkeys(range(3, 6), "voltage_swell"), 6: "other"},
    2: {0: "last_gasp", 1: "last_gasp_test", 2: "other"},
}  # fmt: skip
INDIA = {
    0: {
        1: "phase_lost", 2: "phase_returned", 3: "phase_lost", 4: "phase_returned", 5: "phase_lost",
        6: "phase_returned", 7: "overvoltage", 8: "voltage_normal", 9: "undervoltage", 10: "voltage_normal",
        11: "voltage_unbalanced", 12: "voltage_normal",
    },
    1: {
        51: "current_reversed", 53: "current_reversed", 55: "current_reversed", 57: "current_open",
        59: "current_open", 61: "current_open", 63: "current_unbalanced", 65: "current_bypassed",
        67: "overcurrent", 69: "earth_loaded", **dict.fromkeys(range(52, 71, 2), "current_normal"),
    },
    2: {101: "power_down", 102: "power_up"},
    3: {
        151: "clock_adjusted", 152: "configuration_changed", 155: "tariff_updated", 157: "firmware_activated",
        158: "limit_changed", 161: "key_changed", 164: "key_changed", 166: "billing_reset",
        169: "configuration_changed",
    },
    4: {
        201: "magnet", 202: "magnet_gone", 203: "neutral_disturbed", 204: "neutral_normal", 205: "power_factor_low",
        206: "power_factor_normal", 207: "single_wire", 208: "single_wire_gone", 209: "module_removed",
        210: "module_inserted", 215: "overload", 216: "overload_gone",
    },
    5: {251: "cover_opened"},
    6: {301: "disconnected", 302: "connected"},
    STATUS_WORD_LOG: {
        0: "phase_lost", 2: "phase_lost", 3: "overvoltage", 4: "undervoltage", 5: "voltage_unbalanced",
        6: "current_reversed", 9: "current_unbalanced", 10: "current_bypassed", 11: "overcurrent",
        12: "power_factor_low", 51: "earth_loaded", 81: "magnet", 82: "neutral_disturbed", 83: "cover_opened",
        84: "switch_changed", 85: "last_gasp", 86: "first_breath", 87: "billing_reset", 127: "other",
    },
}  # fmt: skip


@pytest.mark.parametrize("profile", ["idis", "dsmr", "smr", "oam-1", "lg-e450", "iskra-am550"])
@pytest.mark.parametrize(("code", "kind"), NTA.items())
def test_a_code_of_the_family_is_the_same_in_each_of_its_profiles(profile: str, code: int, kind: str) -> None:
    assert event_kind(profile, 0, code) == kind


@pytest.mark.parametrize(
    ("profile", "code", "kind"), [(p, code, kind) for p, rows in DIFFERS.items() for code, kind in rows.items()]
)
def test_a_code_that_differs_is_read_by_its_own_standard(profile: str, code: int, kind: str) -> None:
    assert event_kind(profile, 4, code) == kind


@pytest.mark.parametrize(
    ("register", "bit", "kind"), [(r, bit, kind) for r, bits in ALARMS.items() for bit, kind in bits.items()]
)
def test_a_bit_of_an_alarm_register_is_an_event(register: int, bit: int, kind: str) -> None:
    assert event_kind("smr", alarm_log(register), bit) == kind


@pytest.mark.parametrize(("log", "code", "kind"), [(x, c, kind) for x, cs in INDIA.items() for c, kind in cs.items()])
def test_an_indian_code_is_read_by_its_group(log: int, code: int, kind: str) -> None:
    assert event_kind("is15959", log, code) == kind


@pytest.mark.parametrize(
    ("code", "kind"), [(77, "undervoltage"), (80, "overvoltage"), (83, "voltage_normal"), (47, "authentication_failed")]
)
def test_our_meter_tells_voltage_as_smr_does(code: int, kind: str) -> None:
    assert event_kind("oam-1", 4, code) == kind


def test_an_indian_code_in_the_wrong_group_is_not_guessed() -> None:
    assert event_kind("is15959", 4, 1) is EventKind.OTHER


@pytest.mark.parametrize("log", range(10))
def test_a_spanish_code_is_kept_as_other_until_a_profile_lists_it(log: int) -> None:
    assert event_kind("spain", log, 1) is EventKind.OTHER
    assert log in profile_of("spain").logs


@pytest.mark.parametrize("log", [0, 1, 2, 4, 5])
@pytest.mark.parametrize("code", [44, 62, 48, 255])
def test_our_meter_has_idis_codes_in_every_log(log: int, code: int) -> None:
    assert event_kind("oam-1", log, code) is event_kind("idis", log, code) is not EventKind.OTHER
    assert log in profile_of("oam-1").logs


@pytest.mark.parametrize(("profile", "log", "code"), [("oam-1", 0, 9999), ("oam-1", -5, 3), ("nobody-knows", 0, 1)])
def test_what_nobody_lists_is_other(profile: str, log: int, code: int) -> None:
    assert event_kind(profile, log, code) is EventKind.OTHER


def test_the_names_that_were_stored_before_are_still_there() -> None:
    stored = (
        "power_down power_up last_gasp clock_adjusted clock_invalid battery_low cover_opened cover_closed "
        "terminal_opened terminal_closed magnet authentication_failed replay_seen log_cleared other"
    )
    assert set(stored.split()) <= {kind.value for kind in EventKind}
