"""Billing reads as IEC 61968-9 MeterReadings: registers at both ends, energy and demand of the billing period.

A read has the quality of where it comes from; a quantity of the billing period has macroPeriod 8 and carries both ends.
A demand is power (kind 37, W) and its stamp is when it began.
"""

from __future__ import annotations

from collections.abc import Sequence

from lxml import etree

from openami.mdm.exchange.billing_reads import BillingRead, ReadState, record_id
from openami.mdm.exporting.cim import READINGS, child, stamp
from openami.mdm.exporting.markup import document, root_in
from openami.mdm.exporting.reading_type import reading_type
from openami.mdm.quality_codes import READ_CODES
from openami.mdm.usage.end_reads import EndOfRead, ReadPiece

_PERIOD_TYPES = {
    "delivered": "8.0.0.4.1.1.12.0.0.0.0.0.0.0.0.0.72.0",
    "received": "8.0.0.4.19.1.12.0.0.0.0.0.0.0.0.0.72.0",
    "demand": "8.8.0.6.1.1.37.0.0.0.0.0.0.0.0.0.38.0",
}


def cim_reads(reads: Sequence[BillingRead]) -> str:
    """Return billing reads as one MeterReadings document.

    Quantities of price periods have no number of their own in the standard's list without an agreed TOU number; they
    are in the flat file.
    """
    return document(reads_element(reads))


def reads_element(reads: Sequence[BillingRead]) -> etree._Element:
    """Return billing reads as a MeterReadings element."""
    root = root_in(READINGS, "MeterReadings")
    for read in reads:
        meters: dict[str, etree._Element] = {}
        for piece in read.pieces:
            if piece.meter not in meters:
                meters[piece.meter] = child(root, "MeterReading")
            _registers(meters[piece.meter], piece)
        for serial, element in meters.items():
            child(child(element, "Meter"), "mRID", serial)
            child(child(element, "UsagePoint"), "mRID", read.name)
        _totals(child(root, "MeterReading"), read)
    return root


def _registers(element: etree._Element, piece: ReadPiece) -> None:
    for end in (piece.begin, piece.end):
        _one(element, end, reading_type(piece.channel, None) or "")


def _one(element: etree._Element, end: EndOfRead, kind: str) -> None:
    reading = child(element, "Readings")
    child(child(reading, "ReadingQualities"), "ReadingQualityType").set("ref", READ_CODES[end.kind.value])
    child(reading, "timeStamp", stamp(end.at))
    if end.value is not None:
        child(reading, "value", str(end.value))
    child(reading, "ReadingType").set("ref", kind)


def _totals(element: etree._Element, read: BillingRead) -> None:
    names = child(element, "Names")
    child(names, "name", record_id(read))
    child(child(names, "NameType"), "name", "billing" if not read.reason else "held")
    for one in read.determinants:
        if one.period or one.name not in _PERIOD_TYPES:
            continue
        reading = child(element, "Readings")
        quality = "3.8.0" if read.state is not ReadState.ACTUAL and one.name != "demand" else "3.0.1"
        child(child(reading, "ReadingQualities"), "ReadingQualityType").set("ref", quality)
        if one.at is not None:
            child(reading, "timeStamp", stamp(one.at))
        child(reading, "value", str(one.quantity))
        child(reading, "ReadingType").set("ref", _PERIOD_TYPES[one.name])
    child(child(element, "UsagePoint"), "mRID", read.name)
