"""What a profile leaves out comes back in its own column."""

from __future__ import annotations

import pytest

from openami.kernel.obis import Obis
from openami.protocol.axdr import (
    CompactArray,
    Data,
    Tag,
    TypeDescription,
    array,
    null,
    octet_string,
    structure,
    u16,
    u32,
)
from openami.protocol.axdr import decode as decode_value
from openami.protocol.axdr import u8 as byte
from openami.protocol.cosem.profile_buffer import clock_column_of, compress_rows, expand_rows
from openami.protocol.cosem.reference import CaptureObject
from openami.protocol.errors import PeerError, UsageError

NOON, QUARTER_PAST, HALF_PAST = (
    octet_string(bytes.fromhex(h))
    for h in ("07ea0301070c0000ff8000ff", "07ea0301070c0f00ff8000ff", "07ea0301070c1e00ff8000ff")
)


def delta(tag: Tag, value: int) -> Data:
    return Data(tag, value)


def test_null_in_any_column_repeats_that_column_and_shifts_none() -> None:
    buffer = array(
        structure(NOON, byte(1), u32(100), u32(7)),
        structure(null(), byte(2), null(), u32(8)),
        structure(null(), null(), u32(103), null()),
    )
    assert expand_rows(buffer, capture_period_s=900) == (
        (NOON, byte(1), u32(100), u32(7)),
        (QUARTER_PAST, byte(2), u32(100), u32(8)),
        (HALF_PAST, byte(2), u32(103), u32(8)),
    )


def test_differences_add_up_in_the_type_of_the_column() -> None:
    buffer = array(
        structure(u32(1000), u16(230), Data(Tag.LONG, -5)),
        structure(delta(Tag.DELTA_UNSIGNED, 200), delta(Tag.DELTA_INTEGER, -3), delta(Tag.DELTA_INTEGER, -1)),
        structure(delta(Tag.DELTA_LONG_UNSIGNED, 60_000), null(), delta(Tag.DELTA_LONG, 300)),
        structure(null(), delta(Tag.DELTA_DOUBLE_LONG, 1), delta(Tag.DELTA_DOUBLE_LONG_UNSIGNED, 0)),
    )
    assert expand_rows(buffer, clock_column=None) == (
        (u32(1000), u16(230), Data(Tag.LONG, -5)),
        (u32(1200), u16(227), Data(Tag.LONG, -6)),
        (u32(61_200), u16(227), Data(Tag.LONG, 294)),
        (u32(61_200), u16(228), Data(Tag.LONG, 294)),
    )


def test_a_compact_array_has_the_same_rows() -> None:
    kind = TypeDescription(Tag.STRUCTURE, (TypeDescription(Tag.OCTET_STRING), TypeDescription(Tag.UNSIGNED)))
    rows = (structure(NOON, byte(1)), structure(QUARTER_PAST, byte(2)))
    buffer = Data(Tag.COMPACT_ARRAY, CompactArray(kind, rows))
    assert expand_rows(buffer) == ((NOON, byte(1)), (QUARTER_PAST, byte(2)))


def test_a_compact_array_from_the_wire_has_the_same_rows() -> None:
    # 13 | structure of 2: double-long-unsigned, unsigned | 10 octets | two rows.
    buffer = decode_value(bytes.fromhex("13 02 02 06 11 0a 00000001 05 00000002 06"))
    assert expand_rows(buffer, clock_column=None) == ((u32(1), byte(5)), (u32(2), byte(6)))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("07ea0301070c0000ff8000ff", "07ea0301070c0f00ff8000ff", id="wall clock"),
        pytest.param("07ea0c1f04172d0000ffc400", "07eb010105000000" + "00ffc400", id="new year, with a weekday"),
        pytest.param("07e8021cff172dff00000000", "07e8021dff0000ff00000000", id="leap day, no weekday, no seconds"),
        pytest.param("07ea0301070c000032008000", "07ea0301070c0f0032008000", id="hundredths and deviation stay"),
    ],
)
def test_the_clock_steps_by_a_quarter_of_an_hour(before: str, after: str) -> None:
    buffer = array(structure(octet_string(bytes.fromhex(before))), structure(null()))
    assert expand_rows(buffer, capture_period_s=900)[1] == (octet_string(bytes.fromhex(after)),)


def test_a_clock_in_seconds_and_one_of_its_own_type_step_too() -> None:
    stamp = Data(Tag.DATE_TIME, bytes.fromhex("07ea0301070c0000ff8000ff"))
    assert expand_rows(array(structure(u32(60)), structure(null())), capture_period_s=900)[1] == (u32(960),)
    later = expand_rows(array(structure(stamp), structure(null())), capture_period_s=900)[1]
    assert later == (Data(Tag.DATE_TIME, bytes.fromhex("07ea0301070c0f00ff8000ff")),)


def test_a_clock_without_a_capture_period_stands_still() -> None:
    assert expand_rows(array(structure(NOON), structure(null())))[1] == (NOON,)


def test_null_with_nothing_before_it_stays_null() -> None:
    buffer = array(structure(null(), null()), structure(null(), null()), structure(NOON, byte(1)))
    rows = expand_rows(buffer, capture_period_s=900)
    assert rows == ((null(), null()), (null(), null()), (NOON, byte(1)))


def test_no_rows_are_no_rows() -> None:
    assert expand_rows(array()) == ()
    assert compress_rows(()) == array()


def test_the_clock_column_is_the_one_of_class_8() -> None:
    register = CaptureObject(3, Obis.from_text("1.0.1.8.0.255"), 2)
    clock = CaptureObject(8, Obis.from_text("0.0.1.0.0.255"), 2)
    assert clock_column_of((register, clock)) == 1
    assert clock_column_of((register,)) is None


@pytest.mark.parametrize(
    ("buffer", "code"),
    [
        pytest.param(null(), "bad_buffer", id="no buffer"),
        pytest.param(structure(byte(1)), "bad_buffer", id="a structure"),
        pytest.param(array(byte(1)), "bad_row", id="a row that is a number"),
        pytest.param(array(structure(NOON, byte(1)), structure(NOON)), "uneven", id="a column less"),
        pytest.param(array(structure(NOON), structure(NOON, byte(1))), "uneven", id="a column more"),
        pytest.param(array(structure(delta(Tag.DELTA_LONG, 1))), "bad_delta", id="a difference to nothing"),
        pytest.param(
            array(structure(null()), structure(delta(Tag.DELTA_LONG, 1))), "bad_delta", id="a difference to null"
        ),
        pytest.param(
            array(structure(NOON), structure(delta(Tag.DELTA_LONG, 1))), "bad_delta", id="a difference to octets"
        ),
        pytest.param(
            array(structure(Data(Tag.BOOLEAN, True)), structure(delta(Tag.DELTA_LONG, 1))),
            "bad_delta",
            id="a difference to a boolean",
        ),
        pytest.param(
            array(structure(byte(250)), structure(delta(Tag.DELTA_UNSIGNED, 6))), "bad_delta", id="beyond the type"
        ),
        pytest.param(
            array(structure(byte(1)), structure(delta(Tag.DELTA_INTEGER, -2))), "bad_delta", id="below the type"
        ),
        pytest.param(
            array(structure(octet_string(b"\xff" * 12)), structure(null())), "bad_date_time", id="a clock of wildcards"
        ),
        pytest.param(array(structure(octet_string(b"12")), structure(null())), "bad_date_time", id="no clock"),
        pytest.param(
            array(structure(octet_string(bytes.fromhex("270f0c1fff173b3bff8000ff"))), structure(null())),
            "bad_date_time",
            id="the end of the calendar",
        ),
    ],
)
def test_a_malformed_buffer_is_refused(buffer: Data, code: str) -> None:
    with pytest.raises(PeerError) as refused:
        expand_rows(buffer, capture_period_s=900)
    assert refused.value.code == code


def test_compression_leaves_out_what_null_and_differences_can_say() -> None:
    rows = ((NOON, byte(1), u32(1000)), (QUARTER_PAST, byte(1), u32(1200)), (NOON, byte(2), u32(900)))
    short = compress_rows(rows, capture_period_s=900, with_deltas=True)
    assert short == array(
        structure(*rows[0]),
        structure(null(), null(), delta(Tag.DELTA_UNSIGNED, 200)),
        structure(NOON, byte(2), delta(Tag.DELTA_LONG, -300)),
    )


def test_what_compression_cannot_say_is_our_misuse() -> None:
    with pytest.raises(UsageError, match="missing value"):
        compress_rows(((byte(1),), (null(),)))
    with pytest.raises(UsageError, match="one length"):
        compress_rows(((byte(1),), ()))
