"""Interval tables: stamps around daylight saving, units, repeats, and refusals that name the line."""

from __future__ import annotations

import io
import itertools
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from openami.contracts.channel import Channel
from openami.mdm.importing import FileRefusedError, parse_file
from openami.mdm.importing.file import whole_wh

CHICAGO = ZoneInfo("America/Chicago")


def _csv(*lines: str, header: str = "start,value") -> bytes:
    return "\n".join((header, *lines, "")).encode()


def test_the_autumn_hour_is_told_apart_by_order() -> None:
    stamps = ["00:30", "01:00", "01:30", "01:00", "01:30", "02:00"]
    octets = _csv(*(f"2026-11-01T{s},{n + 1}" for n, s in enumerate(stamps)))
    (series,) = parse_file(octets, zone=CHICAGO).series
    assert series.interval_s == 1800
    assert (series.start_s[1:] - series.start_s[:-1]).tolist() == [1800] * 5
    assert series.value.tolist() == [1, 2, 3, 4, 5, 6]


def test_a_stamp_in_the_spring_gap_is_refused_by_line() -> None:
    with pytest.raises(FileRefusedError, match=r"line 3: 2026-03-08T02:30:00 does not exist"):
        parse_file(_csv("2026-03-08T01:30,1", "2026-03-08T02:30,1"), zone=CHICAGO)


def test_a_naive_stamp_without_a_zone_is_refused() -> None:
    with pytest.raises(FileRefusedError, match=r"line 2: .*--tz"):
        parse_file(_csv("2026-03-08T01:30,1"), zone=None)


def test_fractions_of_a_watt_hour_are_carried_not_dropped() -> None:
    octets = _csv(*(f"2026-01-01T{h:02}:00Z,0.0004" for h in range(24)))
    (series,) = parse_file(octets, zone=None, unit="kWh").series
    assert int(series.value.sum()) == 10
    assert set(series.value.tolist()) == {0, 1}


def test_an_equal_repeat_is_dropped_with_a_finding_and_a_conflict_refuses_the_file() -> None:
    rows = ["2026-01-01T00:00Z,5", "2026-01-01T00:15Z,6", "2026-01-01T00:00Z,5"]
    found = parse_file(_csv(*rows), zone=None)
    assert found.series[0].value.tolist() == [5, 6]
    assert [f.rule for f in found.findings] == ["duplicate"]
    with pytest.raises(FileRefusedError, match=r"line 4: has the start of line 2"):
        parse_file(_csv(*rows[:2], "2026-01-01T00:00Z,7"), zone=None)


def test_channels_and_meters_are_series_of_their_own() -> None:
    octets = _csv(
        "2026-01-01T00:00Z,5,delivered,,A", "2026-01-01T00:00Z,2,received,estimated,A", "2026-01-01T00:00Z,9,,,B",
        header="start,value,channel,quality,meter",
    )  # fmt: skip
    found = parse_file(octets, zone=None)
    assert [(s.name, s.channel) for s in found.series] == [
        ("A", Channel.DELIVERED), ("A", Channel.RECEIVED), ("B", Channel.DELIVERED),
    ]  # fmt: skip


def test_parquet_reads_as_csv_does() -> None:
    table = pa.table({"start": ["2026-01-01T00:00:00Z", "2026-01-01T00:15:00Z"], "value": [5, 6]})
    sink = io.BytesIO()
    pq.write_table(table, sink)
    (series,) = parse_file(sink.getvalue(), zone=None).series
    assert (series.interval_s, series.value.tolist()) == (900, [5, 6])


def test_a_parquet_stamp_of_no_year_that_readings_have_is_refused() -> None:
    far = pa.array([datetime(2500, 1, 1, tzinfo=UTC)], pa.timestamp("s", "UTC"))
    sink = io.BytesIO()
    pq.write_table(pa.table({"start": far, "value": [5]}), sink)
    with pytest.raises(FileRefusedError, match="line 2: the year 2500 is not 1971 to 2199"):
        parse_file(sink.getvalue(), zone=None)


UTILITY = b"""Name,SOMEBODY
Address,"1 MAIN ST"
Account Number,123
Service,Service 1

TYPE,DATE,START TIME,END TIME,USAGE,UNITS,COST,NOTES
Electric usage,2026-03-08,00:00,00:59,0.50,kWh,$0.05,
Electric usage,2026-03-08,01:00,01:59,0.25,kWh,$0.05,Estimated
Electric usage,2026-03-08,02:00,02:59,0.00,kWh,$0.00,
Electric usage,2026-03-08,03:00,03:59,1.25,kWh,$0.05,
Natural gas usage,2026-03-08,00:00,23:59,1.0,therms,$1,
"""


def test_a_utility_csv_is_read_in_its_zone_and_the_skipped_hour_is_dropped() -> None:
    found = parse_file(UTILITY, zone=CHICAGO)
    (series,) = found.series
    assert (found.format, series.interval_s, series.value.tolist()) == ("greenbutton-csv", 3600, [500, 250, 1250])
    assert (series.start_s[1:] - series.start_s[:-1]).tolist() == [3600, 3600]
    assert [f.rule for f in found.findings] == ["skipped_hour"]
    assert found.skipped[0].readings == 1
    with pytest.raises(FileRefusedError, match="--tz"):
        parse_file(UTILITY, zone=None)


def test_energy_in_the_skipped_hour_refuses_the_file() -> None:
    with pytest.raises(FileRefusedError, match="line 9"):
        parse_file(UTILITY.replace(b"0.00,kWh,$0.00", b"0.10,kWh,$0.00"), zone=CHICAGO)


def test_nothing_of_the_person_in_the_preamble_is_kept() -> None:
    assert "SOMEBODY" not in str(parse_file(UTILITY, zone=CHICAGO))


@pytest.mark.parametrize("places", [0, 3, 12, 30])
def test_the_remainder_is_carried_alike_in_small_columns_and_in_those_that_overflow_an_integer(places: int) -> None:
    values = [Decimal(f"{n * 7919 % 1000}").scaleb(-places) * 1000 for n in range(1, 400)]
    exact = [0]
    total = Decimal(0)
    for value in values:
        total += value
        exact.append(int((total * 2 + 1) // 2))
    assert whole_wh(values).tolist() == [b - a for a, b in itertools.pairwise(exact)]
