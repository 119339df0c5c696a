"""GetMeterReadings in: which usage points' bills are asked for, over which local days; and the reply with the readings.

The interval begins and ends at local midnights of the installation's zone; an interval that does not is rejected, for
a bill has whole days. Source: IEC 61968-9, GetMeterReadings; IEC 61968-100, RequestMessage and ResponseMessage.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from lxml import etree

from openami.kernel.time import local_date, local_midnight
from openami.mdm.exchange.acknowledgement import Acknowledgement, Answer, Result
from openami.mdm.exchange.billing_reads import BillingRead, record_id
from openami.mdm.exchange.cim.reader import head_of_message
from openami.mdm.exchange.cim.reply import reply_root
from openami.mdm.exchange.cim.tree import children, first, line_of, name_of, own_id, parse_tree, text
from openami.mdm.exchange.errors import MessageRefusedError
from openami.mdm.exchange.message import MAX_RECORDS
from openami.mdm.exchange.record import FIELDS, FieldError, RejectedRecord, identifier
from openami.mdm.exchange.requests import MAX_DAYS, ReadRequest, RequestMessage
from openami.mdm.exporting.cim_reads import reads_element
from openami.mdm.exporting.markup import document

NOUN = "GetMeterReadings"


def parse_asking(octets: bytes, *, zone: ZoneInfo) -> RequestMessage:
    """Read a request for billing reads.

    Args:
        octets: the whole message.
        zone: of the local days that are asked for.

    Raises:
        MessageRefusedError: no envelope, no GetMeterReadings with a time and usage points, or hostile XML.
    """
    root = parse_tree(octets)
    sender, number, made_at = head_of_message(root)
    asked = next((e for e in root.iter() if name_of(e) == NOUN), None)
    if asked is None:
        raise MessageRefusedError(0, f"no {NOUN} in the message")
    spans = [_span(s, zone) for s in children(asked, "TimeSchedule")]
    points = list(children(asked, "UsagePoint"))
    if not spans or not points:
        raise MessageRefusedError(line_of(asked), f"{NOUN} needs a TimeSchedule and a UsagePoint")
    if len(spans) * len(points) > MAX_RECORDS:
        raise MessageRefusedError(line_of(asked), f"over {MAX_RECORDS} bills: ask in several messages")
    records = [
        _one(f"{number[:52]}/{at * len(spans) + n + 1}", point, span)
        for at, point in enumerate(points)
        for n, span in enumerate(spans)
    ]
    return RequestMessage(sender, number, made_at, tuple(records))


def asked_text(
    reads: Sequence[BillingRead], rejected: Sequence[Answer], *, sender: str, message: str, at: datetime
) -> str:
    """Return the reply: what was answered to each bill asked for, and the readings of those that could be."""
    taken = [Answer("bill", record_id(r), 0, Result.ACCEPTED) for r in reads]
    found = Acknowledgement(sender, message, at, (*taken, *rejected))
    root, payload = reply_root(found, noun="MeterReadings", correlation=message)
    payload.append(reads_element(reads))
    return document(root)


def _span(schedule: etree._Element, zone: ZoneInfo) -> tuple[date, date] | str:
    """Return local days, the end exclusive, or why they cannot be."""
    try:
        start = FIELDS["at"](text(schedule, "scheduleInterval", "start"))
        end = FIELDS["at"](text(schedule, "scheduleInterval", "end"))
    except FieldError as error:
        return str(error)
    assert isinstance(start, datetime)
    assert isinstance(end, datetime)
    days = local_date(start, zone), local_date(end, zone)
    if (local_midnight(days[0], zone), local_midnight(days[1], zone)) != (start, end):
        return f"a bill has whole days: its interval begins and ends at midnight in {zone.key}"
    if not 0 < (days[1] - days[0]).days <= MAX_DAYS:
        return f"the end is not 1 to {MAX_DAYS} days after the start"
    return days


def _one(number: str, point: etree._Element, span: tuple[date, date] | str) -> ReadRequest | RejectedRecord:
    line = line_of(point)
    if isinstance(span, str):
        return RejectedRecord("bill", number, line, "field", span)
    try:
        name = identifier(own_id(first(point)))
    except FieldError as error:
        return RejectedRecord("bill", number, line, "field", str(error))
    return ReadRequest(number, line, name, *span)
