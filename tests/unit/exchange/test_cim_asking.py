"""GetMeterReadings: bills asked for by usage point and whole local days, and the reply that answers each."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from lxml import etree
from tests.unit.exchange.test_billing_reads import bill
from tests.unit.exchange.test_cim import IEC, envelope, thing

from openami.mdm.exchange.acknowledgement import Answer, Result
from openami.mdm.exchange.cim import asked_text, parse_asking
from openami.mdm.exchange.errors import MessageRefusedError
from openami.mdm.exchange.record import RejectedRecord
from openami.mdm.exchange.requests import ReadRequest
from openami.mdm.exporting.cim import READINGS

ZONE = ZoneInfo("America/Chicago")
NOVEMBER = ("2026-11-01T05:00:00Z", "2026-12-01T00:00:00-06:00")


def asking(*spans: tuple[str, str], points: tuple[str, ...] = ("SP-1",)) -> bytes:
    schedules = "".join(
        f"<TimeSchedule><scheduleInterval><end>{e}</end><start>{s}</start></scheduleInterval></TimeSchedule>"
        for s, e in spans
    )
    inside = schedules + "".join(thing("UsagePoint", p) for p in points)
    noun = f'<GetMeterReadings xmlns="{IEC}/GetMeterReadings#">{inside}</GetMeterReadings>'
    return envelope(noun, verb="get", noun="MeterReadings", message="Q-1").replace(b"Payload", b"Request")


def test_usage_points_and_local_days_are_read() -> None:
    found = parse_asking(asking(NOVEMBER, points=("SP-1", "SP-2")), zone=ZONE)
    assert (found.sender, found.id) == ("CIS", "Q-1")
    days = date(2026, 11, 1), date(2026, 12, 1)
    assert [(r.id, r.service_point, r.first, r.end) for r in found.records if isinstance(r, ReadRequest)] == [
        ("Q-1/1", "SP-1", *days),
        ("Q-1/2", "SP-2", *days),
    ]


@pytest.mark.parametrize(
    ("span", "reason"),
    [
        (("2026-11-01T00:00:00Z", "2026-12-01T06:00:00Z"), "whole days"),
        (("2026-12-01T06:00:00Z", "2026-11-01T05:00:00Z"), "days after"),
        (("2026-11-01T05:00:00", "2026-12-01T06:00:00Z"), "no offset"),
        (("soon", "2026-12-01T06:00:00Z"), "ISO 8601"),
    ],
)
def test_an_interval_that_no_bill_has_is_rejected_alone(span: tuple[str, str], reason: str) -> None:
    bad, fine = parse_asking(asking(span, NOVEMBER), zone=ZONE).records
    assert isinstance(bad, RejectedRecord)
    assert reason in bad.reason
    assert isinstance(fine, ReadRequest)


@pytest.mark.parametrize(
    "octets",
    [asking(), asking(NOVEMBER, points=()), envelope("", verb="get", noun="MeterReadings"), b"<a/>"],
    ids=["no time", "no place", "no noun", "no header"],
)
def test_a_request_that_asks_for_nothing_is_refused(octets: bytes) -> None:
    with pytest.raises(MessageRefusedError):
        parse_asking(octets, zone=ZONE)


def test_the_reply_holds_the_readings_and_names_what_could_not_be_answered() -> None:
    rejected = [Answer("bill", "Q-1/2", 5, Result.REJECTED, "unknown", "service point SP-2 is not known")]
    text = asked_text([bill()], rejected, sender="CIS", message="Q-1", at=datetime(2026, 12, 1, tzinfo=UTC))
    root = etree.fromstring(text.encode())
    space = {"m": f"{IEC}/schema/message", "r": READINGS}
    assert root.findtext("m:Reply/m:Result", namespaces=space) == "PARTIAL"
    assert root.findtext("m:Reply/m:Error/m:Object/m:mRID", namespaces=space) == "Q-1/2"
    values = [e.text for e in root.findall("m:Payload/r:MeterReadings/r:MeterReading/r:Readings/r:value", space)]
    assert values == ["1000", "5000", "4000", "9600"]
