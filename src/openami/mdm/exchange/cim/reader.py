"""CIM messages in: UsagePointConfig, MeterConfig and MasterDataLinkageConfig become master data records.

A linkage has no room for register reads; they come as MeterReadings in the same payload. An exchange is an OperationSet
that closes one meter's linkage and creates another's at the same usage point.

Source: IEC 61968-100 (message envelope), IEC 61968-9 (profiles), element names as implementers use them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from openami.mdm.exchange.cim.objects import meter_cells, multiplier_cells, point_cells, reads_of
from openami.mdm.exchange.cim.tree import children, first, line_of, name_of, own_id, parse_tree, text
from openami.mdm.exchange.errors import MessageRefusedError
from openami.mdm.exchange.message import MAX_RECORDS, Message, digest_of
from openami.mdm.exchange.record import FIELDS, FieldError, MasterRecord, RejectedRecord, identifier, record_of

_MAKING, _CLOSING = {"create", "created"}, {"close", "closed", "delete", "deleted"}
_CHANGING = {"change", "changed"}
_NOUNS = {"UsagePointConfig", "MeterConfig", "MasterDataLinkageConfig"}
Reads = dict[tuple[str, str], dict[str, str]]
"""By (meter, instant as written): counts in Wh by channel name."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One noun of a payload with the verb that is done to it."""

    verb: str
    noun: etree._Element


def parse_cim(octets: bytes, *, zone: str) -> Message:
    """Read a message of master data.

    Args:
        octets: the whole message; a SOAP envelope around it is looked through.
        zone: IANA zone of the service points: the standard's usage point has no place for one.

    Raises:
        MessageRefusedError: no envelope, no payload, a verb or noun that is not taken, or hostile XML.
    """
    root = parse_tree(octets)
    header = _header(root)
    payload = first(header.getparent(), "Payload")
    if payload is None:
        raise MessageRefusedError(line_of(header), "no Payload beside the Header")
    sender, number, made_at = _head(header)
    steps = list(_steps(payload, text(header, "Verb").lower()))
    reads = reads_of(payload)
    records = _Records(number, zone, reads)
    for step in _exchanges_joined(steps, records):
        records.take(step)
    if not records.rows:
        raise MessageRefusedError(0, f"the payload holds none of {', '.join(sorted(_NOUNS))}")
    extra = {"noun": text(header, "Noun"), "correlation": text(header, "CorrelationID") or number}
    return Message(sender, number, made_at, "cim", tuple(records.rows), digest_of(octets), extra)


def head_of_message(root: etree._Element) -> tuple[str, str, datetime]:
    """Return sender, number and time of a message.

    Raises:
        MessageRefusedError: it has no header, or one of them cannot be read.
    """
    return _head(_header(root))


def _header(root: etree._Element) -> etree._Element:
    header = next((e for e in root.iter() if name_of(e) == "Header" and first(e, "Verb") is not None), None)
    if header is None:
        raise MessageRefusedError(0, "no Header with a Verb: this is no message of IEC 61968-100")
    return header


def _head(header: etree._Element) -> tuple[str, str, datetime]:
    try:
        made_at = FIELDS["at"](text(header, "Timestamp"))
        assert isinstance(made_at, datetime)
        return identifier(text(header, "Source")), identifier(text(header, "MessageID")), made_at
    except FieldError as error:
        raise MessageRefusedError(
            line_of(header), f"Header: Source, MessageID and Timestamp are needed: {error}"
        ) from error


def _steps(payload: etree._Element, verb: str) -> Iterator[_Step]:
    for child in payload:
        if name_of(child) == "OperationSet":
            for operation in children(child, "Operation"):
                own = text(operation, "verb").lower()
                yield from (_checked(own, e) for e in operation if name_of(e) in _NOUNS)
        elif name_of(child) in _NOUNS:
            yield _checked(verb, child)


def _checked(verb: str, noun: etree._Element) -> _Step:
    if verb not in _MAKING | _CLOSING | _CHANGING:
        raise MessageRefusedError(line_of(noun), f"verb {verb[:20]!r}: create, change or close are taken")
    if verb in _CLOSING and name_of(noun) != "MasterDataLinkageConfig":
        raise MessageRefusedError(line_of(noun), f"{name_of(noun)} cannot be closed; a linkage can")
    return _Step(verb, noun)


def _exchanges_joined(steps: list[_Step], records: _Records) -> Iterator[_Step]:
    """Take a closed meter's linkage and a created one's at the same point as one exchange; yield the other steps."""
    closed = {_place(s): s for s in steps if s.verb in _CLOSING and _links_meter(s)}
    made = {_place(s): s for s in steps if s.verb in _MAKING and _links_meter(s)}
    for step in steps:
        place = _place(step) if _links_meter(step) else ""
        if place and place in closed and place in made:
            if step is made[place]:
                records.exchange(closed[place].noun, step.noun)
            continue
        yield step


def _links_meter(step: _Step) -> bool:
    return name_of(step.noun) == "MasterDataLinkageConfig" and first(step.noun, "Meter") is not None


def _place(step: _Step) -> str:
    return own_id(first(step.noun, "UsagePoint"))


class _Records:
    """Makes records as nouns are read."""

    def __init__(self, message: str, zone: str, reads: Reads) -> None:
        self.rows: list[MasterRecord | RejectedRecord] = []
        self._message, self._zone, self._reads = message[:52], zone, reads

    def take(self, step: _Step) -> None:
        """Take one noun."""
        kind = name_of(step.noun)
        if kind == "UsagePointConfig":
            for point in children(step.noun, "UsagePoint"):
                self._point(point)
        elif kind == "MeterConfig":
            for meter in children(step.noun, "Meter"):
                self._add("meter", meter, meter_cells(meter))
        else:
            self._linkage(step)

    def exchange(self, gone: etree._Element, new: etree._Element) -> None:
        """Take an exchange of meters."""
        removed_at, at = _effective(gone), _effective(new)
        old, meter = first(gone, "Meter"), first(new, "Meter")
        cells = {
            "service_point": own_id(first(new, "UsagePoint")), "old_meter": own_id(old), "meter": own_id(meter),
            "removed_at": removed_at, "at": at, **multiplier_cells(meter),
            **self._ends("out", own_id(old), removed_at), **self._ends("in", own_id(meter), at),
        }  # fmt: skip
        self._add("exchange", new, cells)

    def _point(self, point: etree._Element) -> None:
        cells, state = point_cells(point)
        self._add("service_point", point, {**cells, "zone": self._zone})
        if state:
            wanted = {"service_point": cells["service_point"], "state": state, "at": cells["at"]}
            self._add("state", point, wanted)

    def _linkage(self, step: _Step) -> None:
        noun, at = step.noun, _effective(step.noun)
        place = own_id(first(noun, "UsagePoint"))
        meter, account = first(noun, "Meter"), first(noun, "CustomerAccount")
        rate = own_id(first(noun, "PricingStructure"))
        is_closing = step.verb in _CLOSING
        if meter is not None and is_closing:
            self._add("remove", noun, {"meter": own_id(meter), "at": at, **self._ends("out", own_id(meter), at)})
        elif meter is not None:
            reads = self._ends("in", own_id(meter), at)
            own = {"service_point": place, "meter": own_id(meter), "at": at}
            self._add("install", noun, {**own, **multiplier_cells(meter), **reads})
        if account is not None:
            own = {"service_point": place, "at": at}
            more = {} if is_closing else {"account": own_id(account), "rate": rate}
            self._add("stop" if is_closing else "start", noun, {**own, **more})
        elif rate and not is_closing:
            self._add("rate", noun, {"service_point": place, "rate": rate, "at": at})
        if meter is None and account is None and not rate:
            self._add("linkage", noun, {})

    def _ends(self, side: str, meter: str, at: str) -> dict[str, str]:
        reads = self._reads.get((meter, at), {})
        cells = {f"{side}_{channel}_wh": value for channel, value in reads.items() if channel != "estimated"}
        if "estimated" in reads:
            cells[f"{side}_estimated"] = reads["estimated"]
        return cells

    def _add(self, kind: str, element: etree._Element, cells: dict[str, str]) -> None:
        if len(self.rows) >= MAX_RECORDS:
            raise MessageRefusedError(line_of(element), f"over {MAX_RECORDS} records: send them in several messages")
        number = f"{self._message}/{len(self.rows) + 1}"
        self.rows.append(record_of(kind, number, line_of(element), cells))


def _effective(noun: etree._Element) -> str:
    """Return from when a linkage holds or no longer does."""
    return text(noun, "ConfigurationEvent", "effectiveDateTime")
