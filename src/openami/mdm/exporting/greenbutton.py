"""Green Button (ESPI) feeds out: one usage point, one meter reading a channel, one interval block a UTC day.

The whole Green Button (authorization, batches, bills, local time parameters) is the customer room's; this is the file
of one series with its quality.

Source: NAESB REQ.21 (ESPI), ``espi.xsd`` 4.0.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid5

from lxml import etree

from openami.contracts.channel import Channel
from openami.kernel.time import epoch_s
from openami.mdm.exporting.coded import CodedValue, coded_values
from openami.mdm.exporting.file import ExportError, ExportFile
from openami.mdm.exporting.markup import document, root_in
from openami.mdm.usage.series import IntervalSeries

ATOM, ESPI = "http://www.w3.org/2005/Atom", "http://naesb.org/espi"
_FLOWS = {Channel.DELIVERED: 1, Channel.RECEIVED: 19, Channel.NET: 4}
_NAMES = UUID("8a7e6f1a-6f2c-4f49-9a53-2b3f0f2d9a10")


def as_greenbutton(series: Sequence[IntervalSeries], *, made_at: datetime) -> ExportFile:
    """Return the channels of one place as an Atom feed.

    Args:
        series: delivered, received or net energy of one place, in Wh.
        made_at: the feed's time.

    Raises:
        ExportError: no series, or a channel that the feed has no word for.
    """
    if not series:
        raise ExportError("nothing to write: no channel has intervals in this time")
    place = f"UsagePoint/{series[0].service_point_id}"
    feed = _Feed(made_at)
    readings = [f"{place}/MeterReading/{s.channel.name.lower()}" for s in series]
    point = feed.entry(place, "UsagePoint", [f"{place}/MeterReading", *readings], "UsagePoint")
    etree.SubElement(etree.SubElement(point, _espi("ServiceCategory")), _espi("kind")).text = "0"
    written, held = 0, []
    for one, own in zip(series, readings, strict=True):
        kind = f"ReadingType/{one.channel.name.lower()}-{one.interval_s}"
        feed.entry(own, f"{place}/MeterReading", [f"{own}/IntervalBlock", kind], "MeterReading")
        _codes(feed.entry(kind, "ReadingType", [], "ReadingType"), one)
        values = [v for v in coded_values(one) if v.codes.espi is not None]
        held += [f"{one.channel.name.lower()}: {len(one) - len(values)} missing intervals have no reading"]
        for day, group in itertools.groupby(values, lambda v: epoch_s(v.start) // 86_400):
            block = feed.entry(f"{own}/IntervalBlock/{day}", f"{own}/IntervalBlock", [], "IntervalBlock")
            written += _block(block, list(group), one.interval_s)
    return ExportFile(feed.text(), written, tuple(h for h in held if ": 0 " not in h))


def _espi(name: str) -> str:
    return f"{{{ESPI}}}{name}"


class _Feed:
    """An Atom feed as it grows."""

    def __init__(self, made_at: datetime) -> None:
        self._made = made_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._root = root_in(ATOM, "feed")
        self._head("id", f"urn:uuid:{uuid5(_NAMES, self._made)}", self._root)
        self._head("title", "Intervals", self._root)
        self._head("updated", self._made, self._root)

    def entry(self, own: str, up: str, related: Sequence[str], kind: str) -> etree._Element:
        """Add an entry and return the ESPI element in it."""
        entry = etree.SubElement(self._root, f"{{{ATOM}}}entry")
        self._head("id", f"urn:uuid:{uuid5(_NAMES, own)}", entry)
        for rel, href in (("self", own), ("up", up), *(("related", r) for r in related)):
            etree.SubElement(entry, f"{{{ATOM}}}link", rel=rel, href=href)
        self._head("title", kind, entry)
        content = etree.SubElement(entry, f"{{{ATOM}}}content")
        found = etree.SubElement(content, _espi(kind))
        self._head("published", self._made, entry)
        self._head("updated", self._made, entry)
        return found

    def text(self) -> str:
        """Return the feed."""
        return document(self._root)

    @staticmethod
    def _head(name: str, text: str, parent: etree._Element) -> None:
        etree.SubElement(parent, f"{{{ATOM}}}{name}").text = text


def _codes(kind: etree._Element, series: IntervalSeries) -> None:
    flow = _FLOWS.get(series.channel)
    if flow is None:
        raise ExportError(f"Green Button files hold energy; {series.channel.name.lower()} has no flow direction")
    codes = (
        ("accumulationBehaviour", 4), ("commodity", 1), ("dataQualifier", 12), ("flowDirection", flow),
        ("intervalLength", series.interval_s), ("kind", 12), ("powerOfTenMultiplier", 0), ("uom", 72),
    )  # fmt: skip
    for name, code in codes:
        etree.SubElement(kind, _espi(name)).text = str(code)


def _block(block: etree._Element, values: list[CodedValue], interval_s: int) -> int:
    first, last = epoch_s(values[0].start), epoch_s(values[-1].start) + interval_s
    _span(etree.SubElement(block, _espi("interval")), first, last - first)
    for value in values:
        reading = etree.SubElement(block, _espi("IntervalReading"))
        quality = etree.SubElement(reading, _espi("ReadingQuality"))
        etree.SubElement(quality, _espi("quality")).text = str(value.codes.espi)
        _span(etree.SubElement(reading, _espi("timePeriod")), epoch_s(value.start), interval_s)
        etree.SubElement(reading, _espi("value")).text = str(value.value)
    return len(values)


def _span(element: etree._Element, start_s: int, duration_s: int) -> None:
    etree.SubElement(element, _espi("duration")).text = str(duration_s)
    etree.SubElement(element, _espi("start")).text = str(start_s)
