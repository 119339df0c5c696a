"""Profiles read whole, by range and by entry; the rows are those that were pushed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from tests.unit.meter.made import CLOCK, NOON, VOLTS, ZONE, at, between, meter, plain, pushed, read, rows, run

from openami.kernel.obis import Obis
from openami.kernel.time import epoch_s, local_day
from openami.meter.meter import VirtualMeter
from openami.protocol.association.ports import AccessRefusedError
from openami.protocol.axdr import Data, Tag, null, octet_string, u8, u32
from openami.protocol.cosem.reference import (
    CaptureObject,
    DataAccessResult,
    EntrySelection,
    OtherSelection,
    RangeSelection,
    Selection,
)

LOAD_PROFILE = "1.0.99.1.0.255"
QUARTER = timedelta(minutes=15)
DELIVERED = CaptureObject(3, Obis.from_text("1.0.1.29.0.255"), 2)
VOLTAGE = CaptureObject(3, Obis.from_text("1.0.12.24.0.255"), 2)


def test_a_profile_read_back_is_what_was_pushed() -> None:
    one = meter()
    frames = run(one, hours=3)
    sent = [row for setup, table in pushed(frames) if setup == "0.1.25.9.0.255" for row in table]
    assert len(sent) == 12
    assert rows(read(one, 7, LOAD_PROFILE)) == sent
    assert sent[0] == [epoch_s(NOON + QUARTER), 0, 250, 0, VOLTS]


def test_the_capture_objects_are_the_columns_of_the_push_layout() -> None:
    captured = read(meter(), 7, LOAD_PROFILE, 3)
    names = [Obis(c.elements[1].octets or b"") for c in captured.elements]
    # docs/protocol/push-layouts.md, load profile
    columns = ["0.0.1.0.0.255", "0.0.96.10.1.255", "1.0.1.29.0.255", "1.0.2.29.0.255", "1.0.12.24.0.255"]
    assert [str(n) for n in names] == columns
    (row,) = read(_ran(), 7, LOAD_PROFILE, selection=EntrySelection(1, 1)).elements
    types = [v.tag for v in row.elements]
    assert types == [
        Tag.OCTET_STRING, Tag.UNSIGNED, Tag.DOUBLE_LONG_UNSIGNED, Tag.DOUBLE_LONG_UNSIGNED, Tag.LONG_UNSIGNED,
    ]  # fmt: skip


def _ran() -> VirtualMeter:
    one = meter()
    run(one, hours=2)
    return one


@pytest.mark.parametrize(
    ("start", "end", "wanted"),
    [
        (QUARTER, 3 * QUARTER, [1, 2, 3]),
        (QUARTER + timedelta(seconds=1), 3 * QUARTER - timedelta(seconds=1), [2]),
        (timedelta(0), timedelta(0), []),
        (-timedelta(days=9), timedelta(days=9), list(range(1, 9))),
        (3 * QUARTER, QUARTER, []),
        (8 * QUARTER, timedelta(days=9), [8]),
    ],
    ids=["both ends", "inside", "before", "all", "ends swapped", "last"],
)
def test_a_range_holds_both_its_ends(start: timedelta, end: timedelta, wanted: list[int]) -> None:
    one = meter()
    run(one, hours=2)
    got = rows(read(one, 7, LOAD_PROFILE, selection=between(NOON + start, NOON + end)))
    assert [r[0] for r in got] == [epoch_s(NOON + k * QUARTER) for k in wanted]


def test_a_range_in_local_time_with_its_deviation_or_with_none_is_the_same_range() -> None:
    one = meter()
    run(one, hours=2)
    local = (NOON + QUARTER).astimezone(ZONE)
    bare = bytes.fromhex("07ea0701ff0c0f00ff8000ff")
    for start in (at(NOON + QUARTER, deviation_minutes=300), octet_string(bare), Data(Tag.DATE_TIME, bare)):
        assert local.hour == 12
        selection = RangeSelection(CLOCK, start, at(NOON + 2 * QUARTER))
        assert len(rows(read(one, 7, LOAD_PROFILE, selection=selection))) == 2


@pytest.mark.parametrize(
    ("day", "intervals"), [(date(2026, 3, 8), 92), (date(2026, 3, 9), 96), (date(2026, 11, 1), 100)],
    ids=["clocks go forward", "ordinary", "clocks go back"],
)  # fmt: skip
def test_a_local_day_has_as_many_rows_as_it_has_quarter_hours(day: date, intervals: int) -> None:
    period = local_day(day, ZONE)
    one = meter(period.start - timedelta(hours=1))
    run(one, hours=28)
    got = rows(read(one, 7, LOAD_PROFILE, selection=between(period.start + QUARTER, period.end)))
    assert [r[0] for r in got] == [period.start_s + 900 * k for k in range(1, intervals + 1)]
    daily = rows(read(one, 7, "1.0.99.2.0.255", selection=between(period.start, period.end)))
    assert [r[0] for r in daily] == [period.start_s, period.end_s]
    assert daily[1][1] - daily[0][1] == sum(r[2] for r in got)


def test_columns_are_chosen_by_name_and_come_in_the_order_asked_for() -> None:
    one = meter()
    run(one, hours=1)
    selection = between(NOON, NOON + QUARTER, VOLTAGE, DELIVERED)
    assert rows(read(one, 7, LOAD_PROFILE, selection=selection)) == [[VOLTS, 250]]


@pytest.mark.parametrize(
    ("selection", "wanted"),
    [
        (EntrySelection(), [1, 2, 3, 4]),
        (EntrySelection(2, 3), [2, 3]),
        (EntrySelection(4, 0), [4]),
        (EntrySelection(3, 0xFFFF_FFFF), [3, 4]),
        (EntrySelection(9, 12), []),
        (EntrySelection(3, 2), []),
    ],
    ids=["all", "middle", "to the last", "beyond", "none there", "ends swapped"],
)
def test_entries_are_numbered_from_the_oldest(selection: Selection, wanted: list[int]) -> None:
    one = meter()
    run(one, hours=1)
    got = read(one, 7, LOAD_PROFILE, selection=selection).elements
    assert [plain(r.elements[0]) for r in got] == [epoch_s(NOON + k * QUARTER) for k in wanted]


def test_columns_are_chosen_by_number() -> None:
    one = meter()
    run(one, hours=1)
    got = rows(read(one, 7, LOAD_PROFILE, selection=EntrySelection(1, 1, 3, 4)))
    assert got == [[250, 0]]
    assert rows(read(one, 7, LOAD_PROFILE, selection=EntrySelection(1, 1, 5, 0))) == [[VOLTS]]


@pytest.mark.parametrize(
    "selection",
    [
        RangeSelection(DELIVERED, u32(0), u32(9)),
        RangeSelection(DELIVERED, at(NOON), at(NOON)),
        RangeSelection(replace(CLOCK, index=1), at(NOON), at(NOON)),
        RangeSelection(CLOCK, u32(0), u32(9)),
        RangeSelection(CLOCK, octet_string(b"\x00" * 12), at(NOON)),
        RangeSelection(CLOCK, octet_string(b"\xff" * 12), at(NOON)),
        RangeSelection(CLOCK, at(NOON), null()),
        RangeSelection(CLOCK, at(NOON), at(NOON), (CaptureObject(3, Obis.from_text("1.0.1.8.0.255"), 2),)),
        RangeSelection(CLOCK, at(NOON), at(NOON), (CLOCK,) * 6),
        EntrySelection(0, 4),
        EntrySelection(-1, 4),
        EntrySelection(1, 4, 0, 2),
        EntrySelection(1, 4, 6, 6),
        EntrySelection(1, 4, 3, 2),
        EntrySelection(1, 4, 1, 6),
        OtherSelection(3, u8(1)),
    ],
    ids=str,
)  # fmt: skip
def test_a_selection_that_means_nothing_is_refused(selection: Selection) -> None:
    one = meter()
    run(one, hours=1)
    with pytest.raises(AccessRefusedError) as refused:
        read(one, 7, LOAD_PROFILE, selection=selection)
    assert refused.value.result in {DataAccessResult.TYPE_UNMATCHED, DataAccessResult.SCOPE_OF_ACCESS_VIOLATED}


def test_what_is_no_profile_has_no_selections() -> None:
    with pytest.raises(AccessRefusedError):
        read(meter(), 3, "1.0.1.8.0.255", selection=EntrySelection())


def test_a_profile_stays_through_a_loss_of_power() -> None:
    one = meter()
    run(one, hours=1)
    before = rows(read(one, 7, LOAD_PROFILE))
    run(one, hours=2, power_mw=0, voltage_dv=None)
    run(one, hours=0.5)
    after = rows(read(one, 7, LOAD_PROFILE))
    assert after[:4] == before
    assert [r[1] for r in after[4:]] == [0x80, 0]
    assert read(one, 7, LOAD_PROFILE, 7).integer == len(after)


def test_the_billing_profile_takes_the_first_midnight_of_each_month() -> None:
    start = datetime(2026, 7, 31, 17, tzinfo=NOON.tzinfo)
    one = meter(start)
    run(one, hours=24 * 33)
    months = [epoch_s(local_day(date(2026, month, 1), ZONE).start) for month in (8, 9)]
    got = rows(read(one, 7, "0.0.98.1.0.255"))
    assert [r[0] for r in got] == months
    assert got[1][1] - got[0][1] == 31 * 24_000


def test_the_ring_forgets_the_oldest_rows_after_sixty_days() -> None:
    one = meter()
    run(one, hours=24 * 61)
    assert read(one, 7, LOAD_PROFILE, 7).integer == read(one, 7, LOAD_PROFILE, 8).integer == 5_760
    (first,) = rows(read(one, 7, LOAD_PROFILE, selection=EntrySelection(1, 1)))
    assert first[0] == epoch_s(NOON + timedelta(days=1) + QUARTER)
