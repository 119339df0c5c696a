"""CIM messages give the records that flat files give, and the standard's reply answers each."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from lxml import etree

from openami.contracts.channel import Channel
from openami.mdm.exchange.acknowledgement import Acknowledgement, Answer, Result
from openami.mdm.exchange.cim import parse_cim, reply_text
from openami.mdm.exchange.errors import MessageRefusedError
from openami.mdm.exchange.message import Message
from openami.mdm.exchange.record import MasterRecord, RecordKind, RejectedRecord

ZONE = "America/Chicago"
IEC = "http://iec.ch/TC57/2011"
DELIVERED = "0.0.0.1.1.1.12.0.0.0.0.0.0.0.0.3.72.0"
QUARTER = "0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.0.72.0"


def envelope(
    payload: str, *, verb: str = "create", noun: str = "MasterDataLinkageConfig", message: str = "M-1"
) -> bytes:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<RequestMessage xmlns="{IEC}/schema/message">
 <Header><Verb>{verb}</Verb><Noun>{noun}</Noun><Timestamp>2026-11-30T04:00:00Z</Timestamp><Source>CIS</Source>
  <MessageID>{message}</MessageID><CorrelationID>C-1</CorrelationID></Header>
 <Payload>{payload}</Payload>
</RequestMessage>""".encode()


def linkage(*objects: str, at: str = "2026-06-01T15:00:00Z") -> str:
    event = f"<ConfigurationEvent><effectiveDateTime>{at}</effectiveDateTime></ConfigurationEvent>"
    noun = "MasterDataLinkageConfig"
    return f'<{noun} xmlns="{IEC}/{noun}#">{event}{"".join(objects)}</{noun}>'


def thing(name: str, mrid: str, inside: str = "") -> str:
    return f"<{name}><mRID>{mrid}</mRID>{inside}</{name}>"


def readings(
    meter: str, value: str, *, at: str = "2026-06-01T15:00:00Z", quality: str = "", kind: str = DELIVERED
) -> str:
    coded = f'<ReadingQualities><ReadingQualityType ref="{quality}"/></ReadingQualities>' if quality else ""
    return (
        f'<MeterReadings xmlns="{IEC}/MeterReadings#"><MeterReading>{thing("Meter", meter)}<Readings>{coded}'
        f'<timeStamp>{at}</timeStamp><value>{value}</value><ReadingType ref="{kind}"/></Readings></MeterReading>'
        f"</MeterReadings>"
    )


def read(payload: str, **head: str) -> Message:
    return parse_cim(envelope(payload, **head), zone=ZONE)


def only(message: Message) -> MasterRecord:
    (record,) = message.records
    assert isinstance(record, MasterRecord), record
    return record


def test_a_usage_point_becomes_a_service_point_in_the_utilitys_zone() -> None:
    payload = f"""<UsagePointConfig xmlns="{IEC}/UsagePointConfig#"><UsagePoint>
      <mRID>SP-1</mRID><connectionState>connected</connectionState><phaseCode>AC</phaseCode><readCycle>7</readCycle>
      <Names><name>Jane Smith</name></Names>
      <ConfigurationEvents><effectiveDateTime>2026-01-01T06:00:00Z</effectiveDateTime></ConfigurationEvents>
      <Equipments><mRID>TX-9</mRID></Equipments>
      <ServiceLocation><mRID>PR-1</mRID><mainAddress><streetDetail><name>Main St</name></streetDetail></mainAddress>
      </ServiceLocation></UsagePoint></UsagePointConfig>"""
    message = read(payload, noun="UsagePointConfig")
    place, state = message.records
    assert isinstance(place, MasterRecord)
    assert isinstance(state, MasterRecord)
    assert place.kind is RecordKind.SERVICE_POINT
    assert {n: v for n, v in place.values.items() if n != "at"} == {
        "service_point": "SP-1", "premise": "PR-1", "zone": ZONE, "bill_group": 7, "phase": "CA", "transformer": "TX-9",
    }  # fmt: skip
    assert (state.kind, state.text("state")) == (RecordKind.STATE, "active")
    assert "Smith" not in str(message)
    assert "Main St" not in str(message)
    assert (message.sender, message.id, place.id, state.id) == ("CIS", "M-1", "M-1/1", "M-1/2")


def test_a_meter_has_its_channels_and_interval_by_reading_types() -> None:
    def register(kind: str, digits: str = "") -> str:
        return f'<Registers>{digits}<Channels><ReadingType ref="{kind}"/></Channels></Registers>'

    digits = "<leftDigitCount>5</leftDigitCount><rightDigitCount>0</rightDigitCount>"
    received = QUARTER.replace(".4.1.1.", ".4.19.1.")
    payload = (
        f'<MeterConfig xmlns="{IEC}/MeterConfig#">'
        + thing(
            "Meter",
            "SN-1",
            "<EndDeviceInfo><ratedVoltage>240</ratedVoltage><ratedCurrent>200</ratedCurrent></EndDeviceInfo>"
            f"<SimpleEndDeviceFunction>{register(DELIVERED, digits)}{register(QUARTER)}{register(received)}"
            "</SimpleEndDeviceFunction>",
        )
        + "</MeterConfig>"
    )
    record = only(read(payload, noun="MeterConfig"))
    assert record.channels() == (Channel.DELIVERED, Channel.RECEIVED)
    assert {n: v for n, v in record.values.items() if n != "channels"} == {
        "meter": "SN-1", "interval_s": 900, "max_power_w": 48_000, "capacity_wh": 100_000_000, "resolution_wh": 1000,
    }  # fmt: skip


def test_a_linkage_of_a_meter_takes_its_read_from_the_same_payload() -> None:
    multipliers = (
        "<MeterMultipliers><kind>ctRatio</kind><value>40</value></MeterMultipliers>"
        "<MeterMultipliers><kind>ptRatio</kind><value>2</value></MeterMultipliers>"
    )
    link = linkage(thing("UsagePoint", "SP-1"), thing("Meter", "SN-1", multipliers))
    record = only(read(link + readings("SN-1", "12.5")))
    assert record.kind is RecordKind.INSTALL
    assert {n: v for n, v in record.values.items() if n != "at"} == {
        "service_point": "SP-1", "meter": "SN-1", "in_delivered_wh": 12_500, "ct": 40, "pt": 2,
    }  # fmt: skip


def test_a_closed_linkage_takes_the_meter_down_with_its_out_read() -> None:
    link = linkage(thing("UsagePoint", "SP-1"), thing("Meter", "SN-1"))
    record = only(read(link + readings("SN-1", "50"), verb="close"))
    assert (record.kind, record.whole("out_delivered_wh")) == (RecordKind.REMOVE, 50_000)
    guessed = only(read(link + readings("SN-1", "50", quality="2.8.0"), verb="close"))
    assert (guessed.text("out_estimated"), "out_delivered_wh" in guessed.values) == ("other", False)


def test_an_account_starts_and_stops_service() -> None:
    objects = thing("UsagePoint", "SP-1"), thing("CustomerAccount", "A-1"), thing("PricingStructure", "R-1")
    start = only(read(linkage(*objects)))
    assert (start.kind, start.text("account"), start.text("rate")) == (RecordKind.START, "A-1", "R-1")
    assert only(read(linkage(*objects), verb="close")).kind is RecordKind.STOP
    rate = only(read(linkage(objects[0], objects[2])))
    assert (rate.kind, rate.text("rate")) == (RecordKind.RATE, "R-1")


def test_an_operation_set_that_closes_one_meter_and_creates_another_is_an_exchange() -> None:
    def operation(verb: str, meter: str, at: str) -> str:
        link = linkage(thing("UsagePoint", "SP-1"), thing("Meter", meter), at=at)
        return f"<Operation><noun>MasterDataLinkageConfig</noun><verb>{verb}</verb>{link}</Operation>"

    gone, new = "2026-06-01T15:00:00Z", "2026-06-01T15:20:00Z"
    operations = operation("close", "OLD", gone) + operation("create", "NEW", new)
    payload = (
        f"<OperationSet>{operations}</OperationSet>" + readings("OLD", "50", at=gone) + readings("NEW", "1", at=new)
    )
    record = only(read(payload, verb="execute", noun="OperationSet"))
    assert record.kind is RecordKind.EXCHANGE
    assert [record.text(n) for n in ("service_point", "old_meter", "meter")] == ["SP-1", "OLD", "NEW"]
    assert (record.whole("out_delivered_wh"), record.whole("in_delivered_wh")) == (50_000, 1000)
    assert record.instant("removed_at") == datetime(2026, 6, 1, 15, tzinfo=UTC)


def test_a_soap_envelope_is_looked_through() -> None:
    soap = b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    message = envelope(linkage(thing("UsagePoint", "SP-1"), thing("Meter", "SN-1"))).partition(b"?>")[2]
    assert only(parse_cim(soap + message + b"</s:Body></s:Envelope>", zone=ZONE)).kind is RecordKind.INSTALL


def test_a_linkage_that_links_nothing_is_rejected_alone() -> None:
    good = linkage(thing("UsagePoint", "SP-1"), thing("Meter", "SN-1"))
    bad, fine = read(linkage(thing("UsagePoint", "SP-1")) + good).records
    assert isinstance(bad, RejectedRecord)
    assert isinstance(fine, MasterRecord)


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"<a/>", "no Header"),
        (envelope(""), "holds none of"),
        (envelope(linkage(), verb="get"), "verb 'get'"),
        (envelope(f'<MeterConfig xmlns="{IEC}/MeterConfig#"/>', verb="close"), "cannot be closed"),
        (envelope(linkage(), message="two words"), "Header: .*not an id"),
        (envelope(linkage() + readings("M", "many")), "no number"),
        (envelope(linkage() + readings("M", "-5")), "no register shows"),
        (envelope(linkage() + readings("M", "5", kind=QUARTER)), "no register of delivered"),
        (b"<a><b></a>", "not well-formed"),
    ],
)
def test_a_message_that_cannot_be_taken_as_a_whole_is_refused(octets: bytes, reason: str) -> None:
    with pytest.raises(MessageRefusedError, match=reason):
        parse_cim(octets, zone=ZONE)


def test_the_reply_names_what_was_taken_and_why_the_rest_was_not() -> None:
    answers = (
        Answer("start", "M-1/1", 3, Result.ACCEPTED),
        Answer("install", "M-1/2", 4, Result.REJECTED, "overlap", "service point SP-1 has a meter then"),
        Answer("rate", "M-1/3", 5, Result.HELD, "billed", "alters days of 2 issued bills"),
    )
    found = Acknowledgement("CIS", "M-1", datetime(2026, 11, 30, 5, tzinfo=UTC), answers)
    tree = etree.fromstring(reply_text(found, noun="MasterDataLinkageConfig", correlation="C-1").encode())
    space = {"m": f"{IEC}/schema/message"}
    assert tree.findtext("m:Header/m:CorrelationID", namespaces=space) == "C-1"
    assert tree.findtext("m:Reply/m:Result", namespaces=space) == "PARTIAL"
    names = ("m:code", "m:level", "m:Object/m:mRID")
    errors = [tuple(e.findtext(n, namespaces=space) for n in names) for e in tree.findall("m:Reply/m:Error", space)]
    assert errors == [("overlap", "FATAL", "M-1/2"), ("billed", "WARNING", "M-1/3")]
    assert [e.text for e in tree.findall("m:Reply/m:ID", space)] == ["M-1/1"]
