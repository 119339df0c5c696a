"""CIM objects as the fields of records: usage points, meters, their multipliers, and register reads.

What has no field of ours (names, addresses, positions, remarks) is not read. Source: IEC 61968-9, IEC 61968-11.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from lxml import etree

from openami.contracts.channel import CHANNELS, Channel
from openami.mdm.exchange.cim.tree import children, first, line_of, own_id, text
from openami.mdm.exchange.errors import MessageRefusedError
from openami.mdm.exporting.reading_type import intervals_of_type, register_channel

_STATES = {
    "connected": "active",
    "logicallyDisconnected": "disconnected",
    "physicallyDisconnected": "disconnected",
}
_MULTIPLIERS = {"ctRatio": "ct", "ptRatio": "pt", "kH": "", "kR": "constant", "kE": ""}
_PHASES = {"A": "A", "B": "B", "C": "C", "AB": "AB", "BC": "BC", "AC": "CA", "ABC": "ABC", "ABCN": "ABC", "AN": "A",
           "BN": "B", "CN": "C", "s12N": ""}  # fmt: skip
_ESTIMATED = "3.8.0", "2.8.0", "5.8.0", "1.8.0"


def point_cells(point: etree._Element) -> tuple[dict[str, str], str]:
    """Return the fields of a usage point, and its service state where it says one."""
    phase = text(point, "phaseCode")
    cells = {
        "service_point": own_id(point),
        "premise": own_id(first(point, "ServiceLocation")) or own_id(first(point, "UsagePointLocation")),
        "bill_group": text(point, "readCycle"),
        "phase": _PHASES.get(phase, phase),
        "transformer": own_id(first(point, "Equipments")),
        "at": text(point, "ConfigurationEvents", "effectiveDateTime"),
    }
    state = text(point, "connectionState")
    return cells, _STATES.get(state, state)


def meter_cells(meter: etree._Element) -> dict[str, str]:
    """Return the fields of a meter: channels and interval by its reading types, power by its rating."""
    kinds = [t.get("ref") or own_id(t) for t in _reading_types(meter)]
    channels, intervals = [], set()
    for kind in kinds:
        register, interval = register_channel(kind), intervals_of_type(kind)
        if interval is not None:
            channels.append(interval[0])
            intervals.add(interval[1])
        elif register is not None:
            channels.append(register[0])
    names = "+".join(dict.fromkeys(CHANNELS[c].name for c in channels))
    return {
        "meter": text(meter, "serialNumber") or own_id(meter),
        "channels": names,
        "interval_s": str(intervals.pop()) if len(intervals) == 1 else "",
        "max_power_w": _power(meter),
        **_register_cells(meter),
    }


def multiplier_cells(meter: etree._Element | None) -> dict[str, str]:
    """Return CT, PT and constant of a meter; 1 has not to be said."""
    cells: dict[str, str] = {}
    for one in children(meter, "MeterMultipliers") if meter is not None else ():
        field = _MULTIPLIERS.get(text(one, "kind"), "unknown")
        if field == "unknown":
            raise MessageRefusedError(line_of(one), f"multiplier {text(one, 'kind')[:20]!r} is none of ours")
        if field:
            cells[field] = text(one, "value").removesuffix(".0")
    return cells


def reads_of(payload: etree._Element) -> dict[tuple[str, str], dict[str, str]]:
    """Return the register reads of a payload by (meter, instant as written): Wh by channel name.

    A read whose quality says estimated is not taken as a read: it leaves ``estimated`` behind, and we estimate.

    Raises:
        MessageRefusedError: a value or a reading type cannot be read.
    """
    found: dict[tuple[str, str], dict[str, str]] = {}
    for reading in (r for m in children(payload, "MeterReadings") for r in children(m, "MeterReading")):
        meter_of = first(reading, "Meter")
        meter = text(meter_of, "serialNumber") or own_id(meter_of)
        for one in children(reading, "Readings"):
            reads = found.setdefault((meter, text(one, "timeStamp")), {})
            qualities = [q.get("ref") or "" for q in _quality_types(one)]
            if any(q in _ESTIMATED for q in qualities):
                reads["estimated"] = "other"
                continue
            channel, value = _read(one)
            reads[CHANNELS[channel].name] = value
    return found


def _read(one: etree._Element) -> tuple[Channel, str]:
    kind = first(one, "ReadingType")
    known = register_channel((kind.get("ref") or own_id(kind)) if kind is not None else "")
    if known is None or known[0] not in {Channel.DELIVERED, Channel.RECEIVED}:
        raise MessageRefusedError(line_of(one), "a reading that is no register of delivered or received energy")
    try:
        value = Decimal(text(one, "value")[:40]).scaleb(known[1])
        is_fine = value.is_finite() and 0 <= value < 10**15
    except InvalidOperation as error:
        raise MessageRefusedError(line_of(one), "a value that is no number") from error
    if not is_fine:
        raise MessageRefusedError(line_of(one), "a value that no register shows")
    return known[0], str(int(value))


def _reading_types(meter: etree._Element) -> Iterator[etree._Element]:
    for function in children(meter, "SimpleEndDeviceFunction"):
        for register in children(function, "Registers"):
            yield from (t for c in children(register, "Channels") for t in children(c, "ReadingType"))


def _quality_types(one: etree._Element) -> Iterator[etree._Element]:
    return (t for q in children(one, "ReadingQualities") for t in children(q, "ReadingQualityType"))


def _power(meter: etree._Element) -> str:
    info = first(meter, "EndDeviceInfo")
    volts, amperes = text(info, "ratedVoltage"), text(info, "ratedCurrent")
    if not (volts.isdecimal() and amperes.isdecimal() and len(volts) < 8 and len(amperes) < 8):
        return ""
    return str(int(volts) * int(amperes))


def _register_cells(meter: etree._Element) -> dict[str, str]:
    """Return capacity and resolution of the registers where they say their digits and their unit."""
    for function in children(meter, "SimpleEndDeviceFunction"):
        for register in children(function, "Registers"):
            left, right = text(register, "leftDigitCount"), text(register, "rightDigitCount") or "0"
            kinds = [t.get("ref") or "" for c in children(register, "Channels") for t in children(c, "ReadingType")]
            powers = {k[1] for k in map(register_channel, kinds) if k is not None}
            if len(powers) != 1 or not (left.isdecimal() and right.isdecimal() and len(left) < 3 and len(right) < 3):
                continue
            power = powers.pop()
            if int(left) + power > 15 or power < int(right):
                continue
            return {"capacity_wh": str(10 ** (int(left) + power)), "resolution_wh": str(10 ** (power - int(right)))}
    return {}
