"""Files out: what is written is what was there, read back by our own readers, each value with its codes."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import numpy as np
import pytest
from lxml import etree

from openami.contracts.channel import Channel
from openami.contracts.quality import Method, QualityState, RawQuality
from openami.mdm.exporting import ExportError, as_cim, as_csv, as_file, as_greenbutton, as_nem12
from openami.mdm.exporting.cim import READINGS
from openami.mdm.importing import parse_file
from openami.mdm.usage.series import IntervalSeries

MADE_AT = datetime(2026, 3, 10, tzinfo=UTC)
PLACE = UUID(int=7)
MARKET_MIDNIGHT_S = 1_772_978_400  # 2026-03-09T00:00 at UTC+10
NMI = "ABCD123456"


def series_of(
    states: list[tuple[QualityState, Method]] | None = None,
    *,
    count: int = 96,
    channel: Channel = Channel.DELIVERED,
    interval_s: int = 900,
    start_s: int = MARKET_MIDNIGHT_S,
    preliminary: bool = False,
) -> IntervalSeries:
    rows = (states or []) + [(QualityState.ACTUAL, Method.MEASURED)] * (count - len(states or []))
    quality = np.array([int(s) for s, _ in rows], np.uint8)
    value = np.where(quality == QualityState.MISSING, 0, 100 + np.arange(count, dtype=np.int64))
    return IntervalSeries(
        PLACE, channel, interval_s, start_s + interval_s * np.arange(count, dtype=np.int64), value, quality,
        np.array([int(m) for _, m in rows], np.uint8), value, value, np.full(count, preliminary),
    )  # fmt: skip


ESTIMATED = (QualityState.ESTIMATED, Method.WEIGHTED_SCALED)
MISSING = (QualityState.MISSING, Method.NONE)
WAITING = (QualityState.QUESTIONABLE, Method.MEASURED)
EDITED = (QualityState.EDITED, Method.MANUAL)


def test_a_table_is_read_back_value_by_value_with_its_codes() -> None:
    text = as_csv(series_of([ESTIMATED, EDITED, MISSING]))
    lines = text.splitlines()
    assert lines[1].split(",")[1:9] == [
        "100",
        "delivered",
        "estimated",
        "weighted_scaled",
        "0",
        "3.8.0 3.11.0",
        "8",
        "S24",
    ]
    assert lines[2].split(",")[3:9] == ["edited", "manual", "0", "3.7.0", "7", "S18"]
    (read,) = parse_file(text.encode(), zone=None).series
    assert len(read.start_s) == 95
    assert read.value.tolist() == [100, 101, *range(103, 196)]


@pytest.mark.parametrize("state", [s for s in QualityState if s is not QualityState.MISSING])
def test_every_state_that_a_table_writes_can_be_imported(state: QualityState) -> None:
    text = as_csv(series_of([(state, Method.MEASURED)]))
    assert len(parse_file(text.encode(), zone=None).series[0].start_s) == 96


def test_a_nem12_file_is_read_back_with_its_qualities() -> None:
    outage = (QualityState.OUTAGE_ZERO, Method.POWER_FAIL_ZERO)
    found = as_nem12([series_of([ESTIMATED, ESTIMATED, EDITED, MISSING, outage])], nmi=NMI, made_at=MADE_AT)
    assert (found.intervals, found.held_back) == (95, ())
    rows = [line.split(",") for line in found.text.splitlines()]
    assert [r[:4] for r in rows if r[0] == "400"] == [
        ["400", "1", "2", "S24"], ["400", "3", "3", "S18"], ["400", "4", "4", "N"], ["400", "5", "96", "A"],
    ]  # fmt: skip
    (read,) = parse_file(found.text.encode(), zone=None).series
    assert read.value.tolist() == [100, 101, 102, 0, *range(104, 196)]
    assert read.start_s[0] == MARKET_MIDNIGHT_S
    assert [int(q) for q in read.quality[:5]] == [
        RawQuality.ESTIMATED_AT_SOURCE, RawQuality.ESTIMATED_AT_SOURCE, RawQuality.ESTIMATED_AT_SOURCE,
        RawQuality.DATA_NOT_VALID, RawQuality.GOOD,
    ]  # fmt: skip


@pytest.mark.parametrize(("states", "raw"), [([WAITING], False), ([], True)], ids=["waits for a person", "raw"])
def test_nem12_holds_a_day_back_that_it_has_no_flag_for(states: list[tuple[QualityState, Method]], raw: bool) -> None:
    found = as_nem12([series_of(states, preliminary=raw)], nmi=NMI, made_at=MADE_AT)
    assert found.intervals == 0
    assert found.held_back == ("delivered 2026-03-09: holds a value that waits for validation",)


def test_a_nem12_day_that_is_not_whole_says_null_for_the_rest() -> None:
    found = as_nem12([series_of(count=4)], nmi=NMI, made_at=MADE_AT)
    rows = [line.split(",") for line in found.text.splitlines()]
    assert [r[:4] for r in rows if r[0] == "400"] == [["400", "1", "4", "A"], ["400", "5", "96", "N"]]


@pytest.mark.parametrize(
    ("series", "nmi", "reason"),
    [
        (series_of(interval_s=3600, count=24), NMI, "3600 s"),
        (series_of(channel=Channel.VOLTAGE), NMI, "voltage"),
        (series_of(), "short", "nmi"),
        (series_of(start_s=MARKET_MIDNIGHT_S + 60), NMI, "grid"),
    ],
    ids=["hours", "voltage", "name", "off the grid"],
)
def test_what_nem12_has_no_room_for_is_refused_in_words(series: IntervalSeries, nmi: str, reason: str) -> None:
    with pytest.raises(ExportError, match=reason):
        as_nem12([series], nmi=nmi, made_at=MADE_AT)


def test_a_green_button_feed_is_read_back_and_leaves_missing_readings_out() -> None:
    both = [series_of([ESTIMATED, MISSING]), series_of(channel=Channel.RECEIVED)]
    found = as_greenbutton(both, made_at=MADE_AT)
    assert found.held_back == ("delivered: 1 missing intervals have no reading",)
    read = parse_file(found.text.encode(), zone=None).series
    assert [(s.channel, len(s.start_s), int(s.value.sum())) for s in read] == [
        (Channel.DELIVERED, 95, int(both[0].value.sum())), (Channel.RECEIVED, 96, int(both[1].value.sum())),
    ]  # fmt: skip
    assert int(read[0].quality[0]) == RawQuality.ESTIMATED_AT_SOURCE


def test_a_cim_document_names_both_ends_and_every_code() -> None:
    found = as_cim([series_of([ESTIMATED, MISSING])], usage_point="SP-1")
    tree = etree.fromstring(found.text.encode())
    space = {"m": READINGS}
    first, second = tree.findall(".//m:IntervalReadings", space)[:2]
    codes = [e.get("ref") for e in first.findall("m:ReadingQualities/m:ReadingQualityType", space)]
    assert codes == ["3.8.0", "3.11.0"]
    assert first.findtext("m:value", namespaces=space) == "100"
    assert first.findtext("m:timePeriod/m:start", namespaces=space) == "2026-03-08T14:00:00Z"
    assert first.findtext("m:timeStamp", namespaces=space) == first.findtext("m:timePeriod/m:end", namespaces=space)
    assert second.find("m:value", space) is None
    assert second.find("m:ReadingQualities/m:ReadingQualityType", space) is not None


def test_one_table_holds_one_channel() -> None:
    with pytest.raises(ExportError, match="one channel"):
        as_file([series_of(), series_of(channel=Channel.RECEIVED)], "csv", made_at=MADE_AT, place="x")
