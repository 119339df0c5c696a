"""What a push means depends on its profile: alarm registers, names with B = 1, clocks filled in another way."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from openami.contracts.channel import CHANNELS, Channel
from openami.contracts.event import STATUS_WORD_LOG, alarm_log
from openami.headend.inspection.telegram import decode_telegram
from openami.headend.profiles import interpret, load_profiles, registry, rows_of
from openami.headend.profiles.model import Scale
from openami.headend.profiles.rows import EventRow
from openami.kernel.obis import Obis
from openami.kernel.time import zone_named
from openami.protocol import apdu
from openami.protocol.apdu import DataNotification
from openami.protocol.axdr import Data, Tag, array, octet_string, structure, u8, u16, u32
from openami.protocol.axdr.types import BitString
from openami.protocol.cosem import date_time_from_utc
from openami.protocol.errors import PeerError

AT = datetime(2026, 7, 1, 12, tzinfo=UTC)
STAMP = date_time_from_utc(AT)
A_PLUS = Obis.from_text("1.0.1.8.0.255")


def name(text: str) -> Data:
    return octet_string(Obis.from_text(text).octets)


def alarm(setup: str, register: int) -> DataNotification:
    return DataNotification(1, STAMP, structure(octet_string(b"E0001"), name(setup), u32(register)))


@pytest.mark.parametrize(
    ("profile", "setup", "register", "events"),
    [
        ("dsmr", "0.1.25.9.0.255", 0x2004, [(alarm_log(0), 2), (alarm_log(0), 13)]),
        ("smr", "0.1.25.9.0.255", 1 << 31, [(alarm_log(0), 31)]),
        ("smr", "0.3.25.9.0.255", 1, [(alarm_log(2), 0)]),
        ("dsmr", "0.1.25.9.0.255", 1 << 7, [(alarm_log(0), 7)]),
    ],
)
def test_an_alarm_push_is_an_event_for_each_bit_that_is_set(
    profile: str, setup: str, register: int, events: list[tuple[int, int]]
) -> None:
    found = rows_of(interpret(alarm(setup, register), profile=profile))
    assert found.events == tuple(EventRow(AT, log, bit) for log, bit in events)
    assert (found.intervals, found.registers) == ((), ())


def test_the_indian_status_word_counts_its_bits_from_the_first() -> None:
    word = bytearray(16)
    word[85 // 8] |= 0x80 >> 85 % 8
    body = structure(
        octet_string(b"4000123"),
        name("0.4.25.9.0.255"),
        octet_string(STAMP.encode()),
        Data(Tag.BIT_STRING, BitString(128, bytes(word))),
    )
    push = interpret(DataNotification(1, None, body), profile="is15959")
    assert rows_of(push).events == (EventRow(AT, STATUS_WORD_LOG, 85),)


def test_an_alarm_without_any_time_is_refused_and_not_dated_by_guess() -> None:
    body = structure(octet_string(b"E0001"), name("0.1.25.9.0.255"), u32(4))
    with pytest.raises(PeerError) as caught:
        rows_of(interpret(DataNotification(1, None, body), profile="dsmr"))
    assert caught.value.code == "no_time"


def test_a_push_with_another_number_of_values_than_its_setup_sends_is_refused() -> None:
    body = structure(octet_string(b"E0001"), name("0.1.25.9.0.255"), u32(4), u32(0))
    with pytest.raises(PeerError) as caught:
        interpret(DataNotification(1, STAMP, body), profile="dsmr")
    assert caught.value.code == "bad_layout"


def test_an_alarm_is_told_in_words_by_decode() -> None:
    octets = apdu.encode(alarm("0.1.25.9.0.255", 0x2004))
    push = interpret(alarm("0.1.25.9.0.255", 0x2004), profile="dsmr")
    shown = decode_telegram(octets)
    assert shown.error is None
    document = type(shown)(push=push).document()
    assert document["objects"][2]["meaning"] == "power_up, fraud_suspected"
    assert document["objects"][2]["name"] == "alarm register 1"


def test_a_name_with_b_of_one_is_the_meters_own_where_the_profile_says_so() -> None:
    body = structure(name("1.1.1.8.0.255"), u32(1234))
    here, elsewhere = (
        rows_of(interpret(DataNotification(1, STAMP, body), profile=profile)) for profile in ("kamstrup", "aidon")
    )
    assert [(r.channel, r.value) for r in here.registers] == [(Channel.DELIVERED, 12_340)]
    assert elsewhere.registers == ()


@pytest.mark.parametrize(
    ("rule", "deviation", "instant"),
    [
        ("", -120, datetime(2026, 7, 1, 10, tzinfo=UTC)),
        ('deviation = "reversed"', 120, datetime(2026, 7, 1, 10, tzinfo=UTC)),
        ('deviation = "ignored"', 0, datetime(2026, 7, 1, 10, tzinfo=UTC)),
        ('deviation = "reversed"', -0x8000, datetime(2026, 7, 1, 10, tzinfo=UTC)),
    ],
)
def test_a_clock_is_read_as_the_model_fills_it(
    monkeypatch: pytest.MonkeyPatch, rule: str, deviation: int, instant: datetime
) -> None:
    text = f'[registers]\n"1.0.1.8.0.255" = "delivered"\n[scale]\n"1.0.1.8.0.255" = [0, 30]\n[clock]\n{rule}\n'
    profiles = load_profiles({"dlms": "", "odd": text})
    monkeypatch.setattr(registry, "shipped_profiles", lambda: profiles)
    local = date_time_from_utc(datetime(2026, 7, 1, 12, tzinfo=UTC)).encode()
    stamp = local[:9] + (deviation & 0xFFFF).to_bytes(2) + b"\x80"
    body = structure(name("0.0.1.0.0.255"), octet_string(stamp), name("1.0.1.8.0.255"), u32(5))
    push = interpret(DataNotification(1, None, body), profile="odd")
    (read,) = rows_of(push, zone=zone_named("Europe/Vienna")).registers
    assert read.at == instant


def test_a_status_that_is_not_to_be_trusted_does_not_choose_the_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    text = '[registers]\n"1.0.1.8.0.255" = "delivered"\n[scale]\n"1.0.1.8.0.255" = [0, 30]\n'
    profiles = load_profiles({"dlms": text, "odd": text + "[clock]\ntrusts_status = false\n"})
    monkeypatch.setattr(registry, "shipped_profiles", lambda: profiles)
    # The hour that comes twice in Vienna, with the daylight saving bit set.
    stamp = date_time_from_utc(datetime(2026, 10, 25, 2, 30, tzinfo=UTC)).encode()[:9] + b"\x80\x00\x80"
    body = structure(name("0.0.1.0.0.255"), octet_string(stamp), name("1.0.1.8.0.255"), u32(5))
    found = [
        rows_of(interpret(DataNotification(1, None, body), profile=p), zone=zone_named("Europe/Vienna")).registers[0].at
        for p in ("dlms", "odd")
    ]
    assert [at.hour for at in found] == [0, 1]


def test_the_meters_own_word_comes_before_its_profile_and_the_telegrams_before_both() -> None:
    said = {A_PLUS: Scale(3, 30)}
    plain = structure(name("1.0.1.8.0.255"), u32(7))
    scaler = structure(Data(Tag.INTEGER, 1), Data(Tag.ENUM, 30))
    sent = structure(name("1.0.1.8.0.255"), u32(7), scaler)

    def scale(body: Data, said: dict[Obis, Scale] | None = None, profile: str = "lg") -> Scale | None:
        return interpret(DataNotification(1, STAMP, body), profile=profile, said=said).objects[0].scale

    assert scale(plain, profile="dlms") is None
    assert scale(plain) == Scale(0, 30)
    assert scale(plain, said) == Scale(3, 30)
    assert scale(sent, said) == Scale(1, 30)


def test_rows_of_a_foreign_profile_go_to_the_channels_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        'inherits = "dlms"\n[[layout]]\nkind = "load_profile"\npush_setup = "0.5.25.9.0.255"\ninterval_s = 1800\n'
        'columns = ["0.0.1.0.0.255", "1.0.3.29.0.255", "1.0.12.27.0.255", "1.0.32.24.0.255", "1.0.31.24.0.255"]\n'
        '[intervals]\n"1.0.12.27.0.255" = "voltage"\n'
        '[scale]\n"1.0.3.29.0.255" = [1, 32]\n"1.0.12.27.0.255" = [-1, 35]\n"1.0.32.24.0.255" = [0, 35]\n'
        '"1.0.31.24.0.255" = [-1, 33]\n'
    )
    profiles = load_profiles({"dlms": "", "block-load": text})
    monkeypatch.setattr(registry, "shipped_profiles", lambda: profiles)
    row = structure(octet_string(STAMP.encode()), u32(4), u16(2301), u16(231), u16(42))
    push = interpret(DataNotification(1, None, structure(name("0.5.25.9.0.255"), array(row))), profile="block-load")
    (interval,) = rows_of(push).intervals
    assert interval.start == datetime(2026, 7, 1, 11, 30, tzinfo=UTC)
    assert dict(interval.values) == {
        Channel.REACTIVE_DELIVERED: 40,
        Channel.VOLTAGE: 2301,
        Channel.VOLTAGE_L1: 2310,
        Channel.CURRENT_L1: 420,
    }


def test_channels_say_what_adds_up_and_what_averages() -> None:
    assert {c.name for c, spec in CHANNELS.items() if not spec.is_energy} == {
        "VOLTAGE", "VOLTAGE_L1", "VOLTAGE_L2", "VOLTAGE_L3", "CURRENT_L1", "CURRENT_L2", "CURRENT_L3", "POWER_FACTOR",
    }  # fmt: skip
    assert set(CHANNELS) == set(Channel)
    assert len({spec.interval_obis for spec in CHANNELS.values()}) == len(CHANNELS)
    # An unsigned of one octet is read like any other number.
    assert interpret(DataNotification(1, STAMP, structure(u8(3))), profile="dlms").objects[0].raw == 3
