"""IEC 61968-9 MeterReadings out: intervals of one place with reading type and quality codes.

Both ends of an interval are written (``timePeriod``) beside ``timeStamp``, which is the interval's end in the standard,
so no reader has to guess.

Source: IEC 61968-9, MeterReadings profile; namespace as implementers use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from lxml import etree

from openami.contracts.quality import QualityState
from openami.mdm.exporting.coded import CodedValue, coded_values
from openami.mdm.exporting.file import ExportError, ExportFile
from openami.mdm.exporting.markup import document, root_in
from openami.mdm.exporting.reading_type import reading_type
from openami.mdm.usage.series import IntervalSeries

READINGS = "http://iec.ch/TC57/2011/MeterReadings#"


def as_cim(series: Sequence[IntervalSeries], *, usage_point: str, is_released: bool = False) -> ExportFile:
    """Return the channels of one place as a MeterReadings document.

    Args:
        series: channels of energy of one place.
        usage_point: what the receiver calls the place.
        is_released: a bill stands on these values.

    Raises:
        ExportError: a channel or interval length without a reading type.
    """
    root = root_in(READINGS, "MeterReadings")
    written = add_intervals(root, series, usage_point=usage_point, is_released=is_released)
    return ExportFile(document(root), written, ())


def add_intervals(
    root: etree._Element, series: Sequence[IntervalSeries], *, usage_point: str, is_released: bool = False
) -> int:
    """Add one MeterReading of a place to a MeterReadings element; return how many intervals it holds.

    Raises:
        ExportError: a channel or interval length without a reading type.
    """
    reading = child(root, "MeterReading")
    written = 0
    for one in series:
        kind = reading_type(one.channel, one.interval_s)
        if kind is None:
            raise ExportError(f"no reading type for {one.channel.name.lower()} in intervals of {one.interval_s} s")
        block = child(reading, "IntervalBlocks")
        for value in coded_values(one, is_released=is_released):
            _interval(block, value, one.interval_s)
            written += 1
        child(block, "ReadingType").set("ref", kind)
    child(child(reading, "UsagePoint"), "mRID", usage_point)
    return written


def child(parent: etree._Element, name: str, text: str | None = None) -> etree._Element:
    """Add and return an element of the MeterReadings namespace."""
    found = etree.SubElement(parent, f"{{{READINGS}}}{name}")
    found.text = text
    return found


def stamp(instant: datetime) -> str:
    """Return an instant as the messages write it."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _interval(block: etree._Element, value: CodedValue, interval_s: int) -> None:
    reading = child(block, "IntervalReadings")
    end = value.start + timedelta(seconds=interval_s)
    for code in value.codes.iec:
        child(child(reading, "ReadingQualities"), "ReadingQualityType").set("ref", code)
    child(reading, "timeStamp", stamp(end))
    if value.state is not QualityState.MISSING:
        child(reading, "value", str(value.value))
    span = child(reading, "timePeriod")
    child(span, "end", stamp(end))
    child(span, "start", stamp(value.start))
