"""Feeds that we write, against the schema that others check with."""

from __future__ import annotations

from pathlib import Path

from lxml import etree
from tests.unit.exporting.test_writers import EDITED, ESTIMATED, MADE_AT, MISSING, series_of

from openami.contracts.channel import Channel
from openami.mdm.exporting import as_greenbutton
from openami.mdm.exporting.greenbutton import ESPI


def test_a_green_button_feed_is_valid_by_the_published_schema(shared_data: Path) -> None:
    schema = etree.XMLSchema(etree.parse(str(shared_data / "greenbutton" / "xsd" / "gba-espi-4.0.xsd")))
    series = [series_of([ESTIMATED, EDITED, MISSING]), series_of(channel=Channel.RECEIVED)]
    feed = etree.fromstring(as_greenbutton(series, made_at=MADE_AT).text.encode())
    parts = [e for content in feed.iter("{http://www.w3.org/2005/Atom}content") for e in content]
    assert {str(e.tag) for e in parts} == {
        f"{{{ESPI}}}{n}" for n in ("UsagePoint", "MeterReading", "ReadingType", "IntervalBlock")
    }
    for part in parts:
        schema.assertValid(part)
