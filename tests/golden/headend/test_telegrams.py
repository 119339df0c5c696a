"""Captured telegrams of other people's meters give the figures that other people's programs gave."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from openami.contracts.channel import Channel
from openami.headend.inspection.telegram import Framing, Keys, Telegram, decode_telegram
from openami.headend.profiles import rows_of
from openami.kernel.time import zone_named

NAMES = [
    "dlms_parser/hdlc_iskra550",
    "dlms_parser/hdlc_landis_gyr_e450",
    "dlms_parser/hdlc_landis_gyr_e450_cyprus",
    "dlms_parser/hdlc_norway_han_1phase",
    "dlms_parser/mbus_netz_noe_p1",
    "dlms_parser/raw_salzburg_netz",
    "amshan/aidon.no_list_1",
    "amshan/aidon.no_list_2",
    "amshan/kaifa.no_list_2",
    "amshan/kamstrup.no_list_2_three_phase",
    "amshan/kamstrup.se_list_real_sample",
    "smartmeter-datacollector/lg_e360.UNENCRYPTED_VALID_DATA_CFG2026",
    "smartmeter-datacollector/lg_e450.UNENCRYPTED_VALID_DATA1",
    "smartmeter-datacollector/lg_e450.ENCRYPTED_DATA_NO_PUSHLIST",
    "smartmeter-datacollector/lg_e570.ENCRYPTED_VALID_DATA",
    "dlms-cosem/gas_udp_00",
    "dlms-cosem/gas_udp_02",
]
every_telegram = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="session")
def telegrams(shared_data: Path) -> dict[str, dict[str, Any]]:
    document = json.loads((shared_data / "telegrams" / "telegrams.json").read_text())
    return {t["name"]: t for t in document["telegrams"]}


def keys_of(telegram: dict[str, Any]) -> Keys:
    keys = {k: bytes.fromhex(v) for k, v in telegram["keys"].items()}
    return Keys(keys.get("encryption"), keys.get("authentication"))


def read(telegram: dict[str, Any], octets: bytes | None = None, framing: str | None = None) -> Telegram:
    octets = bytes.fromhex(telegram["hex"]) if octets is None else octets
    return decode_telegram(octets, keys=keys_of(telegram), framing=Framing(framing or telegram["framing"]))


def same_text(expected: str, found: object) -> bool:
    """Texts, and moments written another way: to the second, by the wall clock or in UTC."""
    return expected == found or expected[:19].replace(" ", "T") == str(found)[:19]


def test_the_list_of_names_is_that_of_the_data(telegrams: dict[str, dict[str, Any]]) -> None:
    assert list(telegrams) == NAMES


@every_telegram
@pytest.mark.parametrize("framing", ["auto", None])
def test_every_comparable_figure_is_equal(telegrams: dict[str, dict[str, Any]], name: str, framing: str | None) -> None:
    telegram = telegrams[name]
    result = read(telegram, framing=framing)
    assert result.error is None
    document = result.document()
    objects = document["objects"]
    by_obis = {o["obis"]: o for o in objects}
    expected = telegram["expected"]
    for obis, number in expected.get("numbers", {}).items():
        assert by_obis[obis]["value"] == pytest.approx(number, abs=1e-9), obis
    for obis, text in expected.get("strings", {}).items():
        # The suite that asserted these names the unnamed clock 0.0.0.0.0.0.
        found = by_obis["0.0.1.0.0.255" if obis == "0.0.0.0.0.0" else obis]["value"]
        # It also writes the deviation where others write the offset: 09:47:15 is local, two hours ahead of UTC.
        moment = "2021-09-27T07:47:15" if text.endswith("-02:00") else text
        assert same_text(moment, found), obis
    for reading in expected.get("readings", []):
        found = [o for o in objects if o["obis"] and ".".join(o["obis"].split(".")[2:5]) == reading["obis_cde"]]
        assert len(found) == 1
        assert found[0]["value"] == pytest.approx(reading["value"], abs=1e-9), reading
        assert (found[0]["unit"] or "") == reading["unit"], reading
    texts = expected.get("text", {})
    for key in ("timestamp_utc_if_deviation_given", "meter_datetime"):
        if texts.get(key):
            assert same_text(texts[key], document["timestamp"])
    values = [o["value"] for o in objects]
    for key in ("source_id", "list_ver_id", "meter_id", "meter_type"):
        if texts.get(key):
            assert texts[key] in values


@every_telegram
def test_every_object_and_every_integer_is_there_in_order(telegrams: dict[str, dict[str, Any]], name: str) -> None:
    telegram = telegrams[name]
    objects = read(telegram).document()["objects"]
    expected = [o for o in telegram["objects"] if o.get("class") != 40]
    found = [o for o in objects if o["obis"] != "0.8.25.9.0.255"]
    assert [o.get("raw") for o in found] == [o.get("raw") for o in expected]
    for mine, theirs in zip(found, expected, strict=True):
        if theirs["obis"]:
            assert mine["obis"] == theirs["obis"]
        if "value" in theirs:
            assert mine["value"] == pytest.approx(theirs["value"], abs=1e-9)
            assert mine["scaler"] == theirs["scaler"]
            assert mine["unit"] == theirs["unit"]
        if "text" in theirs:
            assert mine["value"] == theirs["text"]


@every_telegram
def test_the_seal_is_reported_as_it_is(telegrams: dict[str, dict[str, Any]], name: str) -> None:
    security = telegrams[name].get("security")
    document = read(telegrams[name]).document()
    if security is None:
        assert document["system_title"] is None
        assert (document["encrypted"], document["authenticated"]) == (False, False)
    else:
        assert document["system_title"] == security["system_title"]
        assert document["invocation_counter"] == security["invocation_counter"]
        assert document["encrypted"]
        assert document["authenticated"] == bool(security["tag_verified"])


@every_telegram
def test_a_cut_at_any_octet_is_refused_at_an_offset(telegrams: dict[str, dict[str, Any]], name: str) -> None:
    octets = bytes.fromhex(telegrams[name]["hex"])
    for framing in (telegrams[name]["framing"], "auto"):
        for cut in range(len(octets)):
            error = read(telegrams[name], octets[:cut], framing).error
            assert error is not None, cut
            assert 0 <= error.offset <= len(octets)
            assert error.code
            assert error.message


@every_telegram
def test_a_flipped_bit_is_refused_where_a_check_covers_it(telegrams: dict[str, dict[str, Any]], name: str) -> None:
    telegram = telegrams[name]
    octets = bytes.fromhex(telegram["hex"])
    for bit in range(len(octets) * 8):
        flipped = bytearray(octets)
        flipped[bit // 8] ^= 0x80 >> bit % 8
        result = read(telegram, bytes(flipped))
        if telegram["framing"] in ("hdlc", "mbus"):
            assert result.error is not None, bit
        elif telegram["framing"] == "wrapper" and bit // 8 not in range(2, 6):
            # All but the two ports: the wrapper's version and length, and everything that the tag covers.
            assert result.error is not None, bit
        else:
            assert (result.error is None) == (result.push is not None or result.message is not None)


@every_telegram
def test_a_wrong_key_is_refused_or_not_called_authenticated(telegrams: dict[str, dict[str, Any]], name: str) -> None:
    telegram = telegrams[name]
    if not telegram["keys"]:
        pytest.skip("not sealed")
    octets, keys = bytes.fromhex(telegram["hex"]), keys_of(telegram)
    wrong = bytes(16)
    result = decode_telegram(octets, keys=Keys(wrong, keys.auth_key))
    assert result.error is not None
    assert not result.authenticated
    assert result.error.code == ("bad_tag" if keys.auth_key else "bad_plaintext")
    result = decode_telegram(octets, keys=Keys(keys.key, wrong))
    if telegram["security"]["security_control"] & 0x10:
        assert result.error is not None
        assert result.error.code == "bad_tag"
    assert not result.authenticated
    unverified = decode_telegram(octets, keys=Keys(keys.key, None))
    assert unverified.error is None
    assert not unverified.authenticated
    no_key = decode_telegram(octets)
    assert no_key.error is not None
    assert no_key.error.code == "no_key"


def test_the_captured_e450_push_becomes_register_reads_in_the_zone_of_the_registry(
    telegrams: dict[str, dict[str, Any]],
) -> None:
    push = read(telegrams["dlms_parser/hdlc_landis_gyr_e450"]).push
    assert push is not None
    reads = {r.channel: r for r in rows_of(push, zone=zone_named("Europe/Vienna")).registers}
    assert {c: r.value for c, r in reads.items()} == {
        Channel.DELIVERED: 4408736,
        Channel.RECEIVED: 0,
        Channel.REACTIVE_DELIVERED: 1591784,
        Channel.REACTIVE_RECEIVED: 1401005,
        Channel.DELIVERED_RATE_1: 3593919,
        Channel.DELIVERED_RATE_2: 814817,
    }
    assert {r.at for r in reads.values()} == {datetime(2022, 2, 21, 16, 37, 30, tzinfo=UTC)}


PROFILES = {
    "dlms_parser/hdlc_iskra550": "dlms",
    "dlms_parser/hdlc_landis_gyr_e450": "lg-e450",
    "dlms_parser/hdlc_landis_gyr_e450_cyprus": "lg-e450",
    "dlms_parser/hdlc_norway_han_1phase": "aidon",
    "dlms_parser/mbus_netz_noe_p1": "kaifa-p1",
    "dlms_parser/raw_salzburg_netz": "kaifa-p1",
    "amshan/aidon.no_list_1": "dlms",
    "amshan/aidon.no_list_2": "aidon",
    "amshan/kaifa.no_list_2": "kaifa-ma",
    "amshan/kamstrup.no_list_2_three_phase": "kamstrup",
    "amshan/kamstrup.se_list_real_sample": "kamstrup",
    "smartmeter-datacollector/lg_e360.UNENCRYPTED_VALID_DATA_CFG2026": "lg-e360",
    "smartmeter-datacollector/lg_e450.UNENCRYPTED_VALID_DATA1": "lg-e450",
    "smartmeter-datacollector/lg_e450.ENCRYPTED_DATA_NO_PUSHLIST": "lg-e450",
    "smartmeter-datacollector/lg_e570.ENCRYPTED_VALID_DATA": "lg-e570",
    "dlms-cosem/gas_udp_00": "fiorentini-rse",
    "dlms-cosem/gas_udp_02": "fiorentini-rse",
}
"""Two of them say nothing of their maker: they are read by the standard alone."""


@every_telegram
def test_the_makers_profile_is_found_and_says_what_the_values_are(
    telegrams: dict[str, dict[str, Any]], name: str
) -> None:
    document = read(telegrams[name]).document()
    assert document["profile"] == PROFILES[name]
    measured = [o for o in document["objects"] if "raw" in o and o["obis"].startswith("1.")]
    assert [o["obis"] for o in measured if not o["name"]] == []


@pytest.mark.parametrize(
    "name", [n for n, p in PROFILES.items() if p != "dlms" and not n.startswith("dlms_parser/hdlc_landis_gyr_e450_cyp")]
)
def test_every_measured_value_has_a_unit(telegrams: dict[str, dict[str, Any]], name: str) -> None:
    # The Cypriot E450 sends currents and a power factor whose worth no telegram and no file says: they stay counts.
    measured = [o for o in read(telegrams[name]).document()["objects"] if "raw" in o and o["obis"].startswith("1.")]
    assert [o["obis"] for o in measured if o["scaler"] is None] == []
    assert [o["obis"] for o in measured if o["unit"] is None and not o["obis"].endswith(".13.7.0.255")] == []
