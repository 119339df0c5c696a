"""Laws of A-XDR, date-times and APDUs: round trips, and any octets give a value or a PeerError."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.property.protocol.values import any_data

from openami.kernel.obis import Obis
from openami.protocol import apdu, axdr
from openami.protocol.axdr import BitString, CompactArray, Data, Tag, TypeDescription
from openami.protocol.cosem import CosemDateTime, date_time_from_utc, decode_date_time
from openami.protocol.errors import PeerError, UsageError

date_times = st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1)).map(  # noqa: DTZ001 - zone is set next
    lambda d: d.replace(tzinfo=UTC, microsecond=d.microsecond // 10_000 * 10_000)
)


@given(any_data)
def test_every_value_survives_the_wire(data: Data) -> None:
    assert axdr.decode(axdr.encode(data)) == data


@given(any_data, st.data())
def test_every_cut_is_refused(data: Data, dice: st.DataObject) -> None:
    octets = axdr.encode(data)
    cut = dice.draw(st.integers(0, len(octets) - 1))
    with pytest.raises(PeerError) as refused:
        axdr.decode(octets[:cut])
    assert 0 <= refused.value.offset <= cut


@given(st.binary(max_size=400))
def test_any_octets_are_a_value_or_a_peer_error(octets: bytes) -> None:
    for decoder in (axdr.decode, apdu.decode, decode_date_time):
        try:
            decoder(octets)
        except PeerError as error:
            outside = not 0 <= error.offset <= len(octets)
        else:
            outside = False
        assert not outside


def test_not_a_number_survives() -> None:
    value = axdr.decode(axdr.encode(Data(Tag.FLOAT32, math.nan))).value
    assert isinstance(value, float)
    assert math.isnan(value)


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        pytest.param(b"\x01\x01" * 17 + b"\x00", "too_deep", id="arrays in arrays"),
        pytest.param(bytes.fromhex("13" + "01ffff" * 2 + "00" + "0100"), "too_many", id="compact array of nothing"),
        pytest.param(
            bytes.fromhex("13" + "01ffff" * 2 + "010000" + "00" + "0100"),
            "too_many",
            id="compact array of empty arrays",
        ),
        pytest.param(bytes.fromhex("1300" + "0100"), "bad_compact_array", id="null elements"),
        pytest.param(bytes.fromhex("0184ffffffff"), "cut", id="four billion elements"),
        pytest.param(bytes.fromhex("0984ffffffff"), "cut", id="four billion octets"),
        pytest.param(bytes.fromhex("0985ffffffffff"), "bad_length", id="length of length"),
        pytest.param(bytes.fromhex("1313110100"), "unknown_type", id="compact in compact"),
        pytest.param(b"\x07\x00", "unknown_type", id="tag 7"),
        pytest.param(b"\x11\x00\x00", "trailing", id="left over"),
        pytest.param(b"", "cut", id="nothing"),
    ],
)
def test_limits_are_held_with_a_typed_error(octets: bytes, code: str) -> None:
    with pytest.raises(PeerError) as refused:
        axdr.decode(octets)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "data",
    [
        Data(Tag.UNSIGNED, 256),
        Data(Tag.UNSIGNED, b"x"),
        Data(Tag.OCTET_STRING, 3),
        Data(Tag.BOOLEAN, 1),
        Data(Tag.DATE_TIME, b"short"),
        Data(Tag.BIT_STRING, BitString(9, b"\x00")),
        Data(Tag.COMPACT_ARRAY, CompactArray(TypeDescription(Tag.UNSIGNED), (Data(Tag.LONG, 1),))),
    ],
)
def test_what_a_type_cannot_hold_is_our_misuse(data: Data) -> None:
    with pytest.raises(UsageError):
        axdr.encode(data)


@given(date_times, st.sampled_from([0, -60, -120, 300, 360]))
def test_an_instant_survives_its_date_time(instant: datetime, deviation: int) -> None:
    octets = date_time_from_utc(instant, deviation_minutes=deviation).encode()
    assert decode_date_time(octets).to_utc() == instant


def test_two_hours_ahead_of_utc_is_minus_120() -> None:
    # The Kaifa capture: 2021-09-27 09:47:15, deviation -120.
    stamp = decode_date_time(bytes.fromhex("07e5091b01092f0f00ff8880"))
    assert stamp.to_utc() == datetime(2021, 9, 27, 7, 47, 15, tzinfo=UTC)


@pytest.mark.parametrize(("status", "hour"), [("80", 6), ("00", 7)])
def test_the_status_bit_tells_the_two_passes_of_an_ambiguous_hour(status: str, hour: int) -> None:
    # 2026-11-01 01:30 in Chicago comes twice: 06:30Z with daylight saving, 07:30Z without.
    stamp = decode_date_time(bytes.fromhex("07ea0b0107011e00ff8000" + status))
    assert stamp.to_utc(ZoneInfo("America/Chicago")) == datetime(2026, 11, 1, hour, 30, tzinfo=UTC)
    with pytest.raises(PeerError, match="zone"):
        stamp.to_utc()


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param("ffffffffffffffffff8000ff", id="all wildcards"),
        pytest.param("07ea0d0101000000008000ff", id="month 13"),
        pytest.param("07ea0101010000ff64000000", id="100 hundredths"),
        pytest.param("000101010100000000fcb800", id="before year 1"),
        pytest.param("07ea010101000000007fff00", id="22 days of deviation"),
    ],
)
def test_a_date_time_that_names_no_instant_is_refused(octets: str) -> None:
    with pytest.raises(PeerError):
        decode_date_time(bytes.fromhex(octets)).to_utc(ZoneInfo("America/Chicago"))


@given(st.integers(0, 2**32 - 1), st.none() | date_times, any_data)
def test_a_notification_survives_the_wire(invoke_id: int, at: datetime | None, body: Data) -> None:
    sent = apdu.DataNotification(invoke_id, None if at is None else date_time_from_utc(at), body)
    assert apdu.decode(apdu.encode(sent)) == sent


def test_the_tagged_date_time_of_older_firmware_is_read() -> None:
    stamp = bytes.fromhex("07e40119060d091eff800000")
    for head in (b"\x0c", b"\x09\x0c"):
        decoded = apdu.decode(b"\x0f\x40\x00\x00\x00" + head + stamp + b"\x11\x05")
        assert decoded == apdu.DataNotification(0x40000000, decode_date_time(stamp), axdr.u8(5))


instances = st.binary(min_size=6, max_size=6)


@given(st.none() | date_times, st.integers(0, 0xFFFF), instances, st.integers(-128, 127), any_data)
def test_an_event_notification_survives_the_wire(
    at: datetime | None, class_id: int, instance: bytes, attribute: int, value: Data
) -> None:
    stamp = None if at is None else date_time_from_utc(at)
    sent = apdu.EventNotification(stamp, class_id, Obis(instance), attribute, value)
    assert apdu.decode(apdu.encode(sent)) == sent


@pytest.mark.parametrize("response", [apdu.ExceptionResponse(1, 2), apdu.ExceptionResponse(2, 6, 77)])
def test_an_exception_response_survives_the_wire(response: apdu.ExceptionResponse) -> None:
    octets = apdu.encode(response)
    assert apdu.decode(octets) == response
    for cut in range(1, len(octets)):
        with pytest.raises(PeerError):
            apdu.decode(octets[:cut])


def test_a_date_time_keeps_wildcards_as_sent() -> None:
    octets = bytes.fromhex("fffffefdffffffffff8000ff")
    assert decode_date_time(octets) == CosemDateTime(0xFFFF, 0xFE, 0xFD, 255, 255, 255, 255, 255, -0x8000, 255)
    assert decode_date_time(octets).encode() == octets
