"""New keys come wrapped or not at all; the clock is set within reason and says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.unit.meter.made import IDENTITY, NOON, READER, at, call, meter, opened, pushed, read, rows, run, write

from openami.contracts.quality import RawQuality
from openami.meter.events import EventCode
from openami.meter.meter import VirtualMeter
from openami.protocol.axdr import Data, Tag, array, null, octet_string, structure, u8
from openami.protocol.cosem import date_time_from_utc, decode_date_time
from openami.protocol.cosem.reference import ActionResult, DataAccessResult
from openami.security.suites.wrap import wrap_key

SECURITY = "0.0.43.0.0.255"
CLOCK = "0.0.1.0.0.255"
NEW, OTHER = bytes(range(100, 116)), bytes(range(120, 136))
MASTER = IDENTITY.master_key or b""


def key(key_id: int, value: bytes, under: bytes = MASTER) -> Data:
    return structure(Data(Tag.ENUM, key_id), octet_string(wrap_key(value, wrapping_key=under)))


def test_a_wrapped_key_is_taken_and_the_next_push_is_sealed_with_it() -> None:
    one = meter()
    assert call(one, 64, SECURITY, 2, array(key(0, NEW), key(2, OTHER))) is ActionResult.SUCCESS
    (frame,) = run(one, hours=0.25)
    assert (one.identity.encryption_key, one.identity.authentication_key) == (NEW, OTHER)
    assert opened(frame, one.identity)[0] == 1


def test_the_master_key_changes_too_and_the_old_one_wraps_no_more() -> None:
    one = meter()
    assert call(one, 64, SECURITY, 2, array(key(3, NEW))) is ActionResult.SUCCESS
    assert call(one, 64, SECURITY, 2, array(key(0, OTHER))) is ActionResult.OTHER_REASON
    assert call(one, 64, SECURITY, 2, array(key(0, OTHER, under=NEW))) is ActionResult.SUCCESS


def test_a_groups_key_is_taken_beside_the_meters_own_and_nothing_is_sealed_with_it() -> None:
    one = meter()
    assert call(one, 64, SECURITY, 2, array(key(1, NEW))) is ActionResult.SUCCESS
    (frame,) = run(one, hours=0.25)
    assert (one.identity.broadcast_key, one.identity.encryption_key) == (NEW, IDENTITY.encryption_key)
    assert opened(frame, IDENTITY)[0] == 1


@pytest.mark.attack("A11")
@pytest.mark.parametrize(
    "parameter",
    [
        array(key(0, NEW, under=OTHER)),
        array(key(0, NEW), key(2, OTHER, under=NEW)),
        array(structure(Data(Tag.ENUM, 0), octet_string(b"\x00" * 24))),
        array(structure(Data(Tag.ENUM, 0), octet_string(NEW))),
        array(key(4, NEW)),
        array(structure(u8(0), octet_string(wrap_key(NEW, wrapping_key=MASTER)))),
        array(key(0, NEW), key(0, OTHER)),
        array(key(0, NEW), key(2, NEW)),
        array(key(0, MASTER)),
        array(key(2, IDENTITY.encryption_key)),
        array(),
        array(*(key(k, NEW) for k in (0, 2, 3, 0))),
        structure(key(0, NEW)),
        null(),
        None,
    ],
    ids=[
        "wrong master", "one of two wrong", "zeros", "not wrapped", "no such key", "no enum", "twice", "equal keys",
        "equal to the master", "equal to the other", "none", "four", "structure", "null", "nothing",
    ],
)  # fmt: skip
def test_keys_that_do_not_verify_change_nothing(parameter: Data | None) -> None:
    one = meter()
    assert call(one, 64, SECURITY, 2, parameter) is not ActionResult.SUCCESS
    assert one.identity == IDENTITY


def test_a_reader_changes_no_key_and_nobody_reads_one() -> None:
    one = meter()
    assert call(one, 64, SECURITY, 2, array(key(0, NEW)), client=READER) is ActionResult.READ_WRITE_DENIED
    shown = [read(one, 64, SECURITY, attribute).octets or b"" for attribute in (4, 5)]
    assert shown == [b"", IDENTITY.title.octets]


@pytest.mark.attack("A5")
def test_the_policy_is_the_strongest_and_cannot_sink() -> None:
    one = meter()
    assert read(one, 64, SECURITY, 2).value == 0x6C
    assert call(one, 64, SECURITY, 1, Data(Tag.ENUM, 0)) is ActionResult.OTHER_REASON
    assert call(one, 64, SECURITY, 1, Data(Tag.ENUM, 0x6C)) is ActionResult.SUCCESS
    assert read(one, 64, SECURITY, 2).value == 0x6C


def shown(one: VirtualMeter) -> datetime:
    octets = read(one, 8, CLOCK).octets
    assert octets is not None
    return decode_date_time(octets).to_utc()


@pytest.mark.attack("A19")
def test_a_clock_that_drifts_is_set_logged_and_marked() -> None:
    one = meter(drift_ppm=100)
    run(one, hours=20)
    assert shown(one) == one.now + timedelta(seconds=7.2)
    assert write(one, 8, CLOCK, 2, at(one.now)) is DataAccessResult.SUCCESS
    assert shown(one) == one.now
    log = rows(read(one, 7, "0.0.99.98.0.255"))
    # Sorted by clock: the new time lies before the old one.
    assert [code for _, code in log] == [EventCode.CLOCK_ADJUSTED_TO, EventCode.CLOCK_ADJUSTED_FROM]
    assert read(one, 1, "0.0.96.10.1.255").integer == RawQuality.CLOCK_ADJUSTED
    frames = run(one, hours=0.5)
    # Of events 4 and 5 the second is pushed; then the interval comes, marked.
    assert pushed(frames)[0][1][0][1:] == [0, EventCode.CLOCK_ADJUSTED_TO]
    assert [r.status for r in one.profile][-2:] == [RawQuality.CLOCK_ADJUSTED, 0]


@pytest.mark.attack("A19")
@pytest.mark.parametrize(
    "value",
    [
        octet_string(b""), octet_string(b"Jane Doe, 12"), octet_string(b"\xff" * 12), octet_string(b"\x00" * 12),
        at(datetime(2019, 1, 1, tzinfo=UTC)), at(datetime(2200, 1, 1, tzinfo=UTC)), null(), u8(1),
        Data(Tag.VISIBLE_STRING, date_time_from_utc(NOON).encode()),
    ],
)  # fmt: skip
def test_what_names_no_moment_of_a_meters_life_does_not_set_the_clock(value: Data) -> None:
    one = meter()
    assert write(one, 8, CLOCK, 2, value) is not DataAccessResult.SUCCESS
    assert (shown(one), one.log) == (NOON, [])


@pytest.mark.parametrize(
    ("method", "parameter", "wanted"),
    [
        (1, Data(Tag.INTEGER, 0), NOON + timedelta(minutes=15)),
        (2, Data(Tag.INTEGER, 0), NOON + timedelta(minutes=15)),
        (3, Data(Tag.INTEGER, 0), NOON + timedelta(minutes=8)),
        (6, Data(Tag.LONG, -300), NOON + timedelta(seconds=160)),
    ],
    ids=["to the quarter", "to the period", "to the minute", "shifted"],
)
def test_the_clock_moves_as_its_methods_say(method: int, parameter: Data, wanted: datetime) -> None:
    one = meter()
    run(one, hours=460 / 3600)
    assert call(one, 8, CLOCK, method, parameter) is ActionResult.SUCCESS
    assert shown(one) == wanted


@pytest.mark.attack("A19")
def test_a_shift_of_more_than_a_quarter_hour_is_refused() -> None:
    one = meter()
    assert call(one, 8, CLOCK, 6, Data(Tag.LONG, 901)) is ActionResult.TYPE_UNMATCHED
    assert shown(one) == NOON


def test_a_preset_time_is_taken_only_within_its_window() -> None:
    one = meter()
    hour = timedelta(hours=1)
    preset = structure(at(NOON + 3 * hour), at(NOON + hour), at(NOON + 2 * hour))
    assert call(one, 8, CLOCK, 5, preset) is ActionResult.SUCCESS
    assert call(one, 8, CLOCK, 4) is ActionResult.OTHER_REASON
    assert call(one, 8, CLOCK, 5, preset) is ActionResult.SUCCESS
    run(one, hours=1.5)
    assert call(one, 8, CLOCK, 4) is ActionResult.SUCCESS
    assert shown(one) == NOON + 3 * hour


def test_zone_and_daylight_saving_are_those_of_chicago() -> None:
    one = meter()
    assert [read(one, 8, CLOCK, a).value for a in (3, 7, 8, 9)] == [360, 60, True, 1]
    # Second Sunday of March 02:00, first Sunday of November 02:00, every year.
    assert (read(one, 8, CLOCK, 5).octets or b"").hex() == "ffff030807020000008000ff"
    assert (read(one, 8, CLOCK, 6).octets or b"").hex() == "ffff0b0107020000008000ff"
