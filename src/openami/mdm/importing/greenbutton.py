"""Green Button (ESPI) usage feeds: read leniently, whole file or nothing.

Both layouts are read: one entry for each interval block, and one entry with many blocks. Times are seconds since the
epoch, so no zone is needed and no autumn hour is lost. Names, addresses and account numbers in a feed are not kept.

Source: NAESB REQ.21 (ESPI) as published in ``espi.xsd``; code lists of ``ReadingType``.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from lxml import etree

from openami.contracts.channel import Channel
from openami.contracts.quality import RawQuality
from openami.kernel.finding import Finding, Severity
from openami.mdm.importing.errors import FileRefusedError
from openami.mdm.importing.file import MAX_ROWS, ImportedFile, ImportedSeries, SkippedSeries, in_order, whole_wh
from openami.mdm.importing.table import energy

MAX_ENTRIES = 200_000
DAY_S = 86_400
WATT_HOUR = 72
_ELECTRICITY = {1, 2}
_KINDS = {"UsagePoint", "MeterReading", "ReadingType", "IntervalBlock"}
_CHANNELS = {1: Channel.DELIVERED, 19: Channel.RECEIVED, 4: Channel.NET}
_BULK = {1: "a register, not intervals", 3: "a register, not intervals", 9: "a register, not intervals"}
_QUALITY = {
    7: RawQuality.EDITED_AT_SOURCE,
    8: RawQuality.ESTIMATED_AT_SOURCE,
    9: RawQuality.ESTIMATED_AT_SOURCE,
    10: RawQuality.DATA_NOT_VALID,
    12: RawQuality.ESTIMATED_AT_SOURCE,
    13: RawQuality.ESTIMATED_AT_SOURCE,
    15: RawQuality.EDITED_AT_SOURCE,
}


@dataclass(slots=True)
class _Reading:
    """One IntervalReading as written; start or duration may be left to its block or its reading type."""

    start: int | None
    duration: int | None
    value: str
    quality: int
    line: int


@dataclass(slots=True)
class _Entry:
    """What we keep of an Atom entry."""

    kind: str = ""
    links: dict[str, list[str]] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    readings: list[_Reading] = field(default_factory=list)
    line: int = 0

    def link(self, rel: str) -> str:
        """Return the first link of a relation, or nothing."""
        return next(iter(self.links.get(rel, [])), "").rstrip("/")


def parse_greenbutton(octets: bytes) -> ImportedFile:
    """Read a Green Button XML feed.

    Raises:
        FileRefusedError: not well-formed XML, over a limit, or a reading that cannot be read.
    """
    entries = _entries(octets)
    by_kind: dict[str, list[_Entry]] = {k: [e for e in entries if e.kind == k] for k in _KINDS}
    findings: list[Finding] = []
    series: list[ImportedSeries] = []
    skipped: list[SkippedSeries] = []
    for number, group in enumerate(_grouped(by_kind)):
        _convert(f"reading {number + 1}", group, series, skipped, findings)
    if not series and not skipped:
        findings.append(Finding("no_readings", Severity.WARN, "file", None, {"entries_count": len(entries)}))
    return ImportedFile("greenbutton", tuple(series), tuple(skipped), tuple(findings))


def _entries(octets: bytes) -> list[_Entry]:
    reader = _FeedReader()
    try:
        events = etree.iterparse(
            io.BytesIO(octets), events=("end",), resolve_entities=False, no_network=True, huge_tree=False,
            load_dtd=False, remove_comments=True, remove_pis=True,
        )  # fmt: skip
        for _, element in events:
            reader.take(element)
        doctype = events.root.getroottree().docinfo.doctype if events.root is not None else ""
    except etree.XMLSyntaxError as error:
        raise FileRefusedError(int(error.lineno or 0), f"not well-formed XML: {str(error.msg)[:100]}") from error
    if doctype:
        raise FileRefusedError(1, "a document type is declared: Green Button feeds have none, and it may hide data")
    return reader.entries


class _FeedReader:
    """Takes each element as it ends and keeps what we need of it; the tree is freed as it goes."""

    def __init__(self) -> None:
        self.entries: list[_Entry] = []
        self._current = _Entry()
        self._readings = 0

    def take(self, element: etree._Element) -> None:
        """Take one element that has just ended."""
        name = _name(element)
        if name == "entry":
            self._current.line = _line(element)
            self.entries.append(self._current)
            self._current = _Entry()
            element.clear()
            _drop_before(element)
        elif name == "link":
            self._current.links.setdefault(element.get("rel", ""), []).append((element.get("href") or "")[:2000])
        elif name == "IntervalReading":
            self._current.readings.append(_reading(element))
            self._readings += 1
            element.clear()
        elif name == "interval":
            self._current.codes.setdefault("block_start", _text(element, "start"))
        elif name in _KINDS:
            self._current.kind = name
            if name != "IntervalBlock":
                self._current.codes |= {_name(c): (c.text or "").strip()[:40] for c in element.iter() if len(c) == 0}
        if self._readings > MAX_ROWS or len(self.entries) > MAX_ENTRIES:
            raise FileRefusedError(_line(element), f"over {MAX_ROWS} readings or {MAX_ENTRIES} entries")


def _drop_before(element: etree._Element) -> None:
    """Free the entries already read: a feed of a year would otherwise stay in memory as a tree."""
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def _name(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _line(element: etree._Element) -> int:
    line: Any = element.sourceline
    return int(line or 0)


def _text(element: etree._Element, *path: str) -> str:
    """Return the text of a descendant by local names, whatever the namespace."""
    found: etree._Element | None = element
    for name in path:
        found = next((c for c in found if _name(c) == name), None) if found is not None else None
    return (found.text or "").strip()[:60] if found is not None else ""


def _reading(element: etree._Element) -> _Reading:
    line = _line(element)
    quality = 0
    for child in element:
        if _name(child) == "ReadingQuality":
            code = _text(child, "quality") or (child.text or "").strip()
            quality |= int(_QUALITY.get(_code(code), RawQuality.GOOD))
    start = _seconds(_text(element, "timePeriod", "start"), line)
    return _Reading(
        start, _seconds(_text(element, "timePeriod", "duration"), line), _text(element, "value"), quality, line
    )


def _seconds(text: str, line: int) -> int | None:
    """Whole seconds; some exports write a fraction."""
    if not text:
        return None
    try:
        seconds = Decimal(text)
        is_near = 0 <= seconds < 2**33
    except (ArithmeticError, ValueError) as error:
        raise FileRefusedError(line, f"{text[:30]!r} is not a time in seconds") from error
    if not is_near:
        raise FileRefusedError(line, f"{text[:30]!r} is not a time of this age")
    # Only now: a few letters of exponent make an integer of a million digits, and half a minute's work.
    return int(seconds)


def _code(text: str) -> int:
    """Return a code; -1 where it is empty or not a number."""
    return int(text) if text.removeprefix("-").isdecimal() and len(text) < 6 else -1


@dataclass(slots=True)
class _Group:
    """One MeterReading: its blocks, its reading type, and the service it belongs to."""

    blocks: list[_Entry]
    codes: Mapping[str, str]
    service: int


def _grouped(by_kind: dict[str, list[_Entry]]) -> list[_Group]:
    """Follow the links; where they lead nowhere and there is only one of a kind, take that one."""
    meter_readings = by_kind["MeterReading"] or [_Entry(kind="MeterReading")]
    groups = [
        _Group([], _type_of(m, by_kind["ReadingType"]), _service_of(m, by_kind["UsagePoint"])) for m in meter_readings
    ]
    for block in by_kind["IntervalBlock"]:
        groups[_owner(block, meter_readings)].blocks.append(block)
    return [g for g in groups if g.blocks]


def _owner(block: _Entry, meter_readings: list[_Entry]) -> int:
    if len(meter_readings) == 1:
        return 0
    ups, own = [u.rstrip("/") for u in block.links.get("up", [])], block.link("self")
    for index, meter_reading in enumerate(meter_readings):
        base = meter_reading.link("self")
        lists = {r.rstrip("/") for r in meter_reading.links.get("related", [])}
        if any(u in lists or (base and u.startswith(f"{base}/")) for u in ups) or own in lists:
            return index
        if base and own.startswith(f"{base}/"):
            return index
    raise FileRefusedError(block.line, "an interval block that belongs to none of the feed's meter readings")


def _type_of(meter_reading: _Entry, types: list[_Entry]) -> Mapping[str, str]:
    related = {r.rstrip("/") for r in meter_reading.links.get("related", [])}
    for found in types:
        if found.link("self") in related:
            return found.codes
    return types[0].codes if len(types) == 1 else {}


def _service_of(meter_reading: _Entry, points: list[_Entry]) -> int:
    for point in points:
        lists = {r.rstrip("/") for r in point.links.get("related", [])}
        base = point.link("self")
        mine = {meter_reading.link("self"), meter_reading.link("up")} - {""}
        if mine & lists or (base and any(m.startswith(f"{base}/") for m in mine)):
            return _code(point.codes.get("kind", ""))
    return _code(points[0].codes.get("kind", "")) if len(points) == 1 else -1


def _refusal(group: _Group) -> str:
    """Why a group is not imported; empty where it is."""
    uom, commodity = _code(group.codes.get("uom", "")), _code(group.codes.get("commodity", ""))
    if (commodity > 0 and commodity not in _ELECTRICITY) or (commodity <= 0 and group.service > 0):
        return "not electricity"
    if uom != WATT_HOUR:
        return f"unit code {uom} is not Wh (72)"
    behavior = _code(group.codes.get("accumulationBehaviour", ""))
    if behavior in _BULK:
        return _BULK[behavior]
    if _code(group.codes.get("flowDirection", "")) not in {-1, 0, *_CHANNELS}:
        return "the flow direction is neither delivered, received nor net"
    return ""


def _convert(
    name: str, group: _Group, series: list[ImportedSeries], skipped: list[SkippedSeries], findings: list[Finding]
) -> None:
    readings = [r for b in group.blocks for r in _placed(b, group.codes)]
    reason, line = _refusal(group), group.blocks[0].line
    if reason:
        skipped.append(SkippedSeries(name, len(readings), reason, line))
        return
    flow = _code(group.codes.get("flowDirection", ""))
    if flow not in _CHANNELS:
        findings.append(Finding("no_flow_direction", Severity.WARN, name, None, {"taken_as": "delivered"}))
    channel = _CHANNELS.get(flow, Channel.DELIVERED)
    power = _code(group.codes.get("powerOfTenMultiplier", "") or "0")
    if not -12 <= power <= 12:
        raise FileRefusedError(line, f"power of ten {power} is not -12 to 12")
    by_length: dict[int, list[tuple[int, Decimal, int, int]]] = {}
    for reading in readings:
        if not reading.value:
            findings.append(Finding("no_value", Severity.WARN, f"line {reading.line}"))
            continue
        value = energy(reading.value, reading.line, 1).scaleb(power)
        row = (reading.start or 0, value, reading.quality, reading.line)
        by_length.setdefault(reading.duration or 0, []).append(row)
    for length, rows in sorted(by_length.items()):
        if not 60 <= length <= DAY_S + 3600:
            skipped.append(SkippedSeries(name, len(rows), f"periods of {length} s are totals, not intervals", line))
            continue
        rows.sort(key=lambda r: r[0])
        wh = whole_wh([r[1] for r in rows])
        table = [(r[0], int(v), r[2], r[3]) for r, v in zip(rows, wh, strict=True)]
        series.append(in_order(name, channel, table, interval_s=length, findings=findings))
    _say_mixed(name, by_length, findings)


def _say_mixed(
    name: str, by_length: Mapping[int, list[tuple[int, Decimal, int, int]]], findings: list[Finding]
) -> None:
    if len(by_length) > 1:
        counted = Counter({k: len(v) for k, v in by_length.items()})
        evidence = {f"intervals_{k}_s_count": n for k, n in sorted(counted.items())}
        findings.append(Finding("mixed_interval_length", Severity.WARN, name, None, evidence))


def _placed(block: _Entry, codes: Mapping[str, str]) -> list[_Reading]:
    """Give each reading a start and a duration: its own, or after the one before it, or the block's."""
    length = _code(codes.get("intervalLength", ""))
    expected = _seconds(block.codes.get("block_start", ""), block.line)
    for reading in block.readings:
        reading.duration = reading.duration or (max(0, length))
        if reading.start is None:
            if expected is None:
                raise FileRefusedError(reading.line, "a reading without a start in a block without one")
            reading.start = expected
        expected = reading.start + reading.duration
    return block.readings
