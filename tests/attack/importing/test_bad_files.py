"""Any bytes give a file or one declared refusal: never a traceback, a hang, or memory without end."""

from __future__ import annotations

import contextlib
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.mdm.importing import FileRefusedError, parse_file
from openami.mdm.importing.detect import FORMATS
from openami.mdm.importing.mapping import MappingError

ZONE = ZoneInfo("America/Chicago")
HEAD = b"start,value,channel,quality,meter\n"
FEED = (
    b'<feed xmlns="http://www.w3.org/2005/Atom"><entry><content><ReadingType xmlns="http://naesb.org/espi">'
    b"<uom>72</uom><powerOfTenMultiplier>%s</powerOfTenMultiplier></ReadingType></content></entry><entry><content>"
    b'<IntervalBlock xmlns="http://naesb.org/espi"><IntervalReading><timePeriod><duration>%s</duration>'
    b"<start>%s</start></timePeriod><value>%s</value></IntervalReading></IntervalBlock></content></entry></feed>"
)


MAPPING = b"""
[meter]
column = "meter"
[time]
column = "start"
form = "iso"
marks = "ending"
clock = "local"
zone = "America/Chicago"
repeated_hour = "order"
skipped_hour = "drop_zeros"
[value]
kind = "intervals"
column = "value"
unit = "kWh"
interval_s = 900
channel = "delivered"
multiplier_applied = true
[quality]
column = "quality"
words = { "" = "actual" }
"""
CMEP = b"MEPMD01,20080501,S,S,R,R,202606031515,M1,OK,E,KWH,1,00000015,"


def _survives(octets: bytes, format_name: str = "auto", mapping: bytes | None = None) -> None:
    with contextlib.suppress(FileRefusedError):
        found = parse_file(octets, format_name=format_name, zone=ZONE, mapping=mapping)
        assert isinstance(found.report, list)


@pytest.mark.attack("A21")
@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=8))
def test_any_lines_under_a_mapped_header_are_read_or_refused(lines: list[str]) -> None:
    _survives(HEAD + "\n".join(lines).encode("utf-8", "replace"), "mapped", MAPPING)


@pytest.mark.attack("A21")
@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=14), st.text(max_size=3), st.text(max_size=9)), max_size=4), st.text())
def test_any_triplets_of_a_cmep_record_are_read_or_refused(triplets: list[tuple[str, str, str]], tail: str) -> None:
    cells = ",".join(",".join(t) for t in triplets)
    _survives(CMEP + f"{len(triplets)},{cells}\n{tail}".encode("utf-8", "replace"), "cmep")


@pytest.mark.attack("A21")
@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda t: t.encode("utf-8", "replace"))))
def test_any_mapping_is_read_or_refused(octets: bytes) -> None:
    for text in (octets, MAPPING + octets, MAPPING.replace(b'"iso"', octets)):
        with contextlib.suppress(FileRefusedError, MappingError):
            parse_file(HEAD + b"2026-01-01T00:00Z,1\n", format_name="mapped", zone=None, mapping=text)


@pytest.mark.attack("A21")
@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(FORMATS))
def test_any_bytes_are_read_or_refused(octets: bytes, format_name: str) -> None:
    _survives(octets, format_name)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=8))
def test_any_lines_under_a_good_header_are_read_or_refused(lines: list[str]) -> None:
    _survives(HEAD + "\n".join(lines).encode("utf-8", "replace"))


@settings(max_examples=150, deadline=None)
@given(*[st.one_of(st.integers().map(str), st.text(alphabet="0123456789eE.+-nNaAiIfF_ ", max_size=12))] * 4)
def test_any_numbers_in_a_feed_are_read_or_refused(power: str, duration: str, start: str, value: str) -> None:
    _survives(FEED % (power.encode(), duration.encode(), start.encode(), value.encode()))


@pytest.mark.parametrize(
    "stamp", ["0001-01-01T00:00Z", "9999-12-31T23:59-12:00", "2026-01-01T00:00+23:59", "2026-02-30T00:00Z", "NaT", ""]
)
def test_a_stamp_at_the_edge_of_time_is_read_or_refused(stamp: str) -> None:
    _survives(HEAD + f"{stamp},1\n".encode())


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "1e400", "1e-400", "0x10", "1_000", "9" * 5000, ""])
def test_a_value_that_is_no_energy_is_refused(value: str) -> None:
    octets = HEAD + f"2026-01-01T00:00Z,{value}\n".encode()
    if value == "1_000":
        _survives(octets)
    else:
        with pytest.raises(FileRefusedError, match="line 2"):
            parse_file(octets, zone=None)


def test_a_feed_cut_at_any_octet_is_refused_whole(shared_data: Path) -> None:
    octets = (shared_data / "greenbutton" / "samples" / "gbo-electric_containerized.xml").read_bytes()
    for end in range(0, octets.rindex(b"</feed>") + 6, 7):
        with pytest.raises(FileRefusedError):
            parse_file(octets[:end], format_name="greenbutton", zone=None)


@pytest.mark.attack("A21")
@pytest.mark.parametrize(
    "declaration",
    [
        b'<!DOCTYPE f [<!ENTITY a "b"><!ENTITY c "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        b'<!DOCTYPE f [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        b'<!DOCTYPE f SYSTEM "http://127.0.0.1:1/x.dtd">',
    ],
    ids=["expansion", "local file", "remote"],
)
def test_a_feed_with_a_document_type_is_refused(declaration: bytes) -> None:
    body = b"<feed xmlns='http://www.w3.org/2005/Atom'><entry><title>x</title></entry></feed>"
    with pytest.raises(FileRefusedError, match="document type"):
        parse_file(declaration + body, format_name="greenbutton", zone=None)


@pytest.mark.attack("A21")
def test_a_deep_feed_is_refused() -> None:
    with pytest.raises(FileRefusedError):
        parse_file(b"<feed>" + b"<a>" * 100_000, format_name="greenbutton", zone=None)


def test_overlapping_intervals_refuse_the_file() -> None:
    second = (
        b"</IntervalReading><IntervalReading><timePeriod><duration>900</duration><start>500</start></timePeriod>"
        b"<value>1</value></IntervalReading>"
    )
    octets = FEED.replace(b"</IntervalReading>", second) % (b"0", b"900", b"0", b"1")
    with pytest.raises(FileRefusedError, match="line"):
        parse_file(octets, zone=None)


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    ("power", "start"), [(b"0", b"1e999999"), (b"0", b"111e999600"), (b"--1", b"0"), (b"0", b"NaN")]
)
def test_a_feed_whose_numbers_are_far_larger_than_their_text_is_read_or_refused_at_once(
    power: bytes, start: bytes
) -> None:
    _survives(FEED % (power, b"900", start, b"1"))
