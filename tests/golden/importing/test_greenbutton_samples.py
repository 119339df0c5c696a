"""Files of other makers: what we import, counted and added up by another road (XPath over the whole tree)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lxml import etree

from openami.contracts.channel import Channel
from openami.contracts.quality import RawQuality
from openami.mdm.importing import parse_file

READING = "//*[local-name()='IntervalReading']"
SAMPLES = {
    "gbo-electric_containerized.xml": (8, 3600),
    "sdk-15minLP_15Days.xml": (1340, 900),
    "sdk-1hrLP_32Days.xml": (768, 3600),
    "sdk-hourlyForMonthMar.xml": (743, 3600),
}
WITHOUT_READINGS = (
    "gba-ApplicationInformation-Entry-Anonymized.xml",
    "gba-Authorization-Entry-Anonymized.xml",
    "gba-Customer-Subscription-Feed-Anonymized.xml",
    "gba-Usage-Subscription-Feed-Anonymized.xml",
)


def _numbers(octets: bytes, path: str) -> list[int]:
    found: Any = etree.fromstring(octets).xpath(f"{READING}/{path}/text()")
    return [int(text) for text in found]


@pytest.mark.parametrize("name", SAMPLES)
def test_every_reading_of_a_sample_is_imported_with_its_time_and_energy(shared_data: Path, name: str) -> None:
    octets = (shared_data / "greenbutton" / "samples" / name).read_bytes()
    count, interval_s = SAMPLES[name]
    found = parse_file(octets, zone=None)
    (series,) = found.series
    values = _numbers(octets, "*[local-name()='value']")
    starts = _numbers(octets, "*[local-name()='timePeriod']/*[local-name()='start']")
    assert (len(series.start_s), series.interval_s, series.channel) == (count, interval_s, Channel.DELIVERED)
    assert len(values) == count
    order = np.argsort(starts)
    assert series.start_s.tolist() == np.array(starts)[order].tolist()
    assert series.value.tolist() == np.array(values)[order].tolist()
    assert not found.findings


def test_a_day_of_23_hours_among_daily_readings_keeps_its_own_length(shared_data: Path) -> None:
    octets = (shared_data / "greenbutton" / "samples" / "sdk-1dayLP_45Days.xml").read_bytes()
    found = parse_file(octets, zone=None)
    assert {s.interval_s: len(s.start_s) for s in found.series} == {82_800: 1, 86_400: 44}
    assert sum(int(s.value.sum()) for s in found.series) == sum(_numbers(octets, "*[local-name()='value']"))
    assert "mixed_interval_length" in {f.rule for f in found.findings}


def test_gas_is_left_aside_with_the_reason(shared_data: Path) -> None:
    found = parse_file((shared_data / "greenbutton" / "samples" / "gbo-gas_direct.xml").read_bytes(), zone=None)
    assert not found.series
    assert [(s.readings, s.reason) for s in found.skipped] == [(5, "not electricity")]


def test_monthly_totals_are_not_taken_for_intervals(shared_data: Path) -> None:
    found = parse_file((shared_data / "greenbutton" / "samples" / "sdk-Electric.xml").read_bytes(), zone=None)
    assert not found.series
    assert sum(s.readings for s in found.skipped) == 2


@pytest.mark.parametrize("name", WITHOUT_READINGS)
def test_a_feed_without_readings_says_so(shared_data: Path, name: str) -> None:
    found = parse_file((shared_data / "greenbutton" / "samples" / name).read_bytes(), zone=None)
    assert not found.series
    assert [f.rule for f in found.findings] == ["no_readings"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Example_NEM12_actual_interval.csv", [(Channel.DELIVERED, 1800, 48, 53_328)]),
        ("Example_NEM12_multiple_quality.csv", [(Channel.DELIVERED, 1800, 48, 896_990)]),
        (
            "Example_NEM12_month_solar.csv",
            [(Channel.RECEIVED, 300, 31 * 288, None), (Channel.DELIVERED, 300, 31 * 288, None)],
        ),
    ],
)
def test_a_nem12_file_is_read_by_register(
    shared_data: Path, name: str, expected: list[tuple[Channel, int, int, int | None]]
) -> None:
    octets = (shared_data / "nem12" / name).read_bytes()
    found = parse_file(octets, zone=None)
    assert [(s.channel, s.interval_s, len(s.start_s)) for s in found.series] == [e[:3] for e in expected]
    rows = [r.split(",") for r in octets.decode().splitlines() if r.startswith(("200", "300"))]
    sums: dict[str, float] = {}
    suffix = ""
    for row in rows:
        if row[0] == "200":
            suffix, count = row[4], 1440 // int(row[8])
        else:
            sums[suffix] = sums.get(suffix, 0) + sum(float(v) for v in row[2 : 2 + count])
    for series in found.series:
        assert int(series.value.sum()) == pytest.approx(sums[series.name.split()[1]] * 1000, abs=1)


def test_nem12_quality_records_mark_their_intervals(shared_data: Path) -> None:
    octets = (shared_data / "nem12" / "Example_NEM12_multiple_quality.csv").read_bytes()
    (series,) = parse_file(octets, zone=None).series
    marks = [RawQuality(int(q)) for q in series.quality]
    assert marks == [RawQuality.EDITED_AT_SOURCE] * 20 + [RawQuality.GOOD] * 4 + [RawQuality.ESTIMATED_AT_SOURCE] * 24
