"""CSV files by a mapping: what is not declared is refused by name, and each declaration does what it says."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from openami.contracts.channel import Channel
from openami.contracts.quality import RawQuality
from openami.mdm.importing import FileRefusedError, ImportedFile, parse_file
from openami.mdm.importing.mapping import MappingError, parse_mapping

FULL = """
[meter]
column = "Meter"
[time]
column = "Stamp"
form = "%Y-%m-%d %H:%M"
marks = "beginning"
clock = "local"
zone = "America/Chicago"
repeated_hour = "order"
skipped_hour = "refuse"
[value]
kind = "intervals"
column = "Value"
unit = "kWh"
interval_s = 1800
channel = "delivered"
multiplier_applied = true
"""
CHICAGO = ZoneInfo("America/Chicago")


def mapping(*changes: tuple[str, str]) -> bytes:
    text = FULL
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text.encode()


def read(*lines: str, mapping: bytes = FULL.encode(), header: str = "Meter,Stamp,Value") -> ImportedFile:
    return parse_file("\n".join((header, *lines, "")).encode(), zone=None, mapping=mapping)


def instants(found: ImportedFile) -> list[str]:
    return [datetime.fromtimestamp(s, UTC).strftime("%d %H:%M") for s in found.series[0].start_s.tolist()]


DECLARATIONS = [
    ("[meter]", 'column = "Meter"\n', r"\[meter\] column"),
    ("[time]", 'column = "Stamp"\n', r"\[time\] column"),
    ("[time]", 'form = "%Y-%m-%d %H:%M"\n', r"\[time\] form"),
    ("[time]", 'marks = "beginning"\n', r"\[time\] marks .*beginning or its ending"),
    ("[time]", 'clock = "local"\n', r"\[time\] clock .*UTC or local"),
    ("[time]", 'zone = "America/Chicago"\n', r"\[time\] zone"),
    ("[time]", 'repeated_hour = "order"\n', r"\[time\] repeated_hour .*twice in autumn"),
    ("[time]", 'skipped_hour = "refuse"\n', r"\[time\] skipped_hour .*skips in spring"),
    ("[value]", 'kind = "intervals"\n', r"\[value\] kind"),
    ("[value]", 'column = "Value"\n', r"\[value\] column"),
    ("[value]", 'unit = "kWh"\n', r"\[value\] unit"),
    ("[value]", "interval_s = 1800\n", r"\[value\] interval_s"),
    ("[value]", 'channel = "delivered"\n', r"\[value\] channel"),
    ("[value]", "multiplier_applied = true\n", r"\[value\] multiplier_applied .*in the values already"),
]


@pytest.mark.parametrize(("section", "line", "reason"), DECLARATIONS, ids=[d[1].split(" =")[0] for d in DECLARATIONS])
def test_a_declaration_that_is_missing_is_named_and_never_guessed(section: str, line: str, reason: str) -> None:
    with pytest.raises(MappingError, match=f"{reason}.*not guessed"):
        read("M1,2026-01-05 00:00,1", mapping=mapping((line, "")))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (('marks = "beginning"', 'marks = "middle"'), "not one of beginning, ending"),
        (('unit = "kWh"', 'unit = "BTU"'), "unit 'BTU'"),
        (('channel = "delivered"', 'channel = "voltage"'), "channel 'voltage'"),
        (('zone = "America/Chicago"', 'zone = "Here"'), "IANA"),
        (("interval_s = 1800", "interval_s = 5"), "60 to 86400"),
        (("multiplier_applied = true", 'multiplier_applied = "yes"'), "not true or false"),
        (("[meter]", "[metre]"), r"\[metre\] is not one of"),
        (('column = "Stamp"', 'colum = "Stamp"'), "has no colum"),
        (('clock = "local"', 'clock = "fixed"'), r"utc_offset is not declared"),
        (('repeated_hour = "order"', 'repeated_hour = "column"'), "repeated_column is not declared"),
        (("[meter]", "[[meter]]"), r"\[meter\] is not one of"),
        (("[meter]", "[meter"), "not TOML"),
    ],
)
def test_a_declaration_that_cannot_be_read_is_named(change: tuple[str, str], reason: str) -> None:
    with pytest.raises(MappingError, match=reason):
        parse_mapping(mapping(change))


def test_an_ending_stamp_is_moved_to_the_intervals_start() -> None:
    ending = mapping(('"beginning"', '"ending"'))
    assert instants(read("M1,2026-01-05 00:30,1", "M1,2026-01-05 01:00,1", mapping=ending)) == ["05 06:00", "05 06:30"]
    assert instants(read("M1,2026-01-05 00:30,1", "M1,2026-01-05 01:00,1")) == ["05 06:30", "05 07:00"]


def test_the_autumn_day_has_all_its_intervals_by_order() -> None:
    day = ["00:30", "01:00", "01:30", "01:00", "01:30", "02:00", "02:30"]
    found = read(*(f"M1,2026-11-01 {t},{n}" for n, t in enumerate(day)))
    steps = found.series[0].start_s[1:] - found.series[0].start_s[:-1]
    assert set(steps.tolist()) == {1800}


def test_the_autumn_hour_may_be_told_apart_by_a_column_in_any_order() -> None:
    by_column = mapping(
        ('repeated_hour = "order"', 'repeated_hour = "column"\nrepeated_column = "DST"\nrepeated_first = "D"')
    )
    lines = ["M1,2026-11-01 01:00,1,S", "M1,2026-11-01 01:00,2,D", "M1,2026-11-01 00:30,3,D"]
    found = read(*lines, mapping=by_column, header="Meter,Stamp,Value,DST")
    assert instants(found) == ["01 05:30", "01 06:00", "01 07:00"]
    assert found.series[0].value.tolist() == [3000, 2000, 1000]


def test_a_repeated_hour_that_is_declared_not_to_come_is_refused() -> None:
    with pytest.raises(FileRefusedError, match=r"line 2: .*comes twice"):
        read("M1,2026-11-01 01:00,1", mapping=mapping(('"order"', '"refuse"')))


def test_the_skipped_hour_is_refused_or_dropped_where_it_holds_nothing() -> None:
    with pytest.raises(FileRefusedError, match=r"line 2: .*skips in spring"):
        read("M1,2026-03-08 02:30,0")
    dropping = mapping(('skipped_hour = "refuse"', 'skipped_hour = "drop_zeros"'))
    found = read("M1,2026-03-08 01:30,1", "M1,2026-03-08 02:30,0", "M1,2026-03-08 03:00,1", mapping=dropping)
    assert instants(found) == ["08 07:30", "08 08:00"]
    assert [f.rule for f in found.findings] == ["skipped_hour"]
    with pytest.raises(FileRefusedError, match=r"line 2: .*holds energy"):
        read("M1,2026-03-08 02:30,1", mapping=dropping)


@pytest.mark.parametrize("stamp", ["2026-03-08 02:00", "2026-03-08 03:00"])
def test_the_interval_that_ends_as_the_clock_jumps_is_known_by_both_its_names(stamp: str) -> None:
    ending = mapping(('"beginning"', '"ending"'))
    assert instants(read(f"M1,{stamp},1", mapping=ending)) == ["08 07:30"]


def test_midnight_may_be_written_as_24_00() -> None:
    ending = mapping(('"beginning"', '"ending"'))
    assert instants(read("M1,2026-01-05 24:00,1", mapping=ending)) == ["06 05:30"]


def test_a_day_of_either_clock_change_is_read_whole_whatever_stamps_mark() -> None:
    for day, count in (
        (datetime(2026, 3, 8, tzinfo=CHICAGO), 46),
        (datetime(2026, 11, 1, tzinfo=CHICAGO), 50),
        (datetime(2026, 7, 1, tzinfo=CHICAGO), 48),
    ):
        begin = day.astimezone(UTC)
        instants = [begin + timedelta(minutes=30 * n) for n in range(count + 1)]
        for marks, chosen in (("beginning", instants[:-1]), ("ending", instants[1:])):
            lines = [f"M1,{i.astimezone(CHICAGO):%Y-%m-%d %H:%M},1" for i in chosen]
            (series,) = read(*lines, mapping=mapping(('"beginning"', f'"{marks}"'))).series
            assert series.start_s.tolist() == [int(i.timestamp()) for i in instants[:-1]]


def test_a_date_and_a_time_may_be_two_columns() -> None:
    two = mapping(
        ('column = "Stamp"', 'column = "Day"\nsecond_column = "Time"'), ('"%Y-%m-%d %H:%M"', '"%m/%d/%Y %H:%M"')
    )
    assert instants(read("M1,01/05/2026,00:30,1", mapping=two, header="Meter,Day,Time,Value")) == ["05 06:30"]


def test_words_of_channel_and_quality_are_declared_and_no_others_pass() -> None:
    text = mapping(
        ('channel = "delivered"', 'channel_column = "Ch"\nchannels = { "1" = "delivered", "2" = "received" }')
    )
    text += b'[quality]\ncolumn = "Q"\nwords = { A = "actual", E = "estimated" }\n'
    header = "Meter,Stamp,Value,Ch,Q"
    found = read("M1,2026-01-05 00:00,1,1,A", "M1,2026-01-05 00:00,2,2,E", mapping=text, header=header)
    assert [(s.channel, s.quality.tolist()) for s in found.series] == [
        (Channel.DELIVERED, [0]), (Channel.RECEIVED, [RawQuality.ESTIMATED_AT_SOURCE]),
    ]  # fmt: skip
    with pytest.raises(FileRefusedError, match="line 2: channel '3'"):
        read("M1,2026-01-05 00:00,1,3,A", mapping=text, header=header)
    with pytest.raises(FileRefusedError, match=r"line 2: quality 'X'.*declare"):
        read("M1,2026-01-05 00:00,1,1,X", mapping=text, header=header)


def test_a_multiplier_that_is_not_applied_goes_with_the_series() -> None:
    text = mapping(("multiplier_applied = true", 'multiplier_applied = false\nmultiplier_column = "CT"'))
    found = read("M1,2026-01-05 00:00,1,40", mapping=text, header="Meter,Stamp,Value,CT")
    assert (found.series[0].multiplier, found.series[0].multiplier_applied) == (40, False)
    with pytest.raises(FileRefusedError, match="line 3: the multiplier changes from 40 to 80"):
        read("M1,2026-01-05 00:00,1,40", "M1,2026-01-05 00:30,1,80", mapping=text, header="Meter,Stamp,Value,CT")


def test_register_reads_are_instants_and_need_no_marks() -> None:
    text = mapping(('marks = "beginning"\n', ""), ('"intervals"', '"registers"'), ("interval_s = 1800\n", ""))
    (register,) = read("M1,2026-01-06 00:00,105.75", "M1,2026-01-05 00:00,100", mapping=text).registers
    assert register.value.tolist() == [100_000, 105_750]
    assert register.at_s.tolist() == [1_767_592_800, 1_767_679_200]


@pytest.mark.parametrize(
    ("header", "line", "reason"),
    [
        ("Meter,When,Value", "M1,2026-01-05 00:00,1", "line 1: .*'Stamp'"),
        ("Meter,Stamp,Value,Value", "M1,2026-01-05 00:00,1,1", "line 1: .*2 times"),
        ("Meter,Stamp,Value", "M1,2026-01-05 00:00", "line 2: has 2 cells, the header 3"),
        ("Meter,Stamp,Value", ",2026-01-05 00:00,1", "line 2: names no meter"),
        ("Meter,Stamp,Value", "M1,05.01.2026,1", "line 2: '05.01.2026' is not a time"),
        ("Meter,Stamp,Value", "M1,2026-01-05 00:00,many", "line 2: the value is not a number"),
    ],
)
def test_a_line_that_cannot_be_read_refuses_the_file(header: str, line: str, reason: str) -> None:
    with pytest.raises(FileRefusedError, match=reason):
        read(line, header=header)


def test_rows_of_one_meter_that_contradict_each_other_refuse_that_meter_alone() -> None:
    found = read("M1,2026-01-05 00:00,1", "M1,2026-01-05 00:00,2", "M1,2026-01-05 00:10,2", "M2,2026-01-05 00:00,-4")
    assert [(r.name, r.line) for r in found.refused] == [("M1", 3)]
    assert [(s.name, s.value.tolist()) for s in found.series] == [("M2", [-4000])]


def test_a_csv_of_another_system_without_a_mapping_is_refused() -> None:
    with pytest.raises(FileRefusedError, match="mapping"):
        parse_file(b"Meter,Stamp,Value\n", format_name="mapped", zone=None)


def test_a_mapping_for_a_file_that_needs_none_is_refused() -> None:
    with pytest.raises(FileRefusedError, match="CSV or CMEP"):
        parse_file(b"<feed/>", zone=None, mapping=FULL.encode())


@pytest.mark.parametrize("page", ["docs/standards/mv-90.md", "docs/protocol/interval-files.md"])
def test_a_mapping_on_a_page_can_be_used(page: str) -> None:
    text = (Path(__file__).parents[3] / page).read_text()
    blocks = [b for b in re.findall(r"```toml\n(.*?)```", text, re.DOTALL) if "[meter]" in b]
    assert [parse_mapping(b.encode()).interval_s for b in blocks] == [900]
