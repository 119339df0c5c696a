"""Flat files of master data: one bad record is rejected alone, a file that is not whole is refused whole."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from openami.contracts.channel import Channel
from openami.mdm.exchange.acknowledgement import Acknowledgement, Answer, Result, flat_acknowledgement
from openami.mdm.exchange.errors import MessageRefusedError
from openami.mdm.exchange.flat import parse_flat
from openami.mdm.exchange.message import Message
from openami.mdm.exchange.record import ESTIMATE_REASONS, FIELDS, KINDS, MasterRecord, RecordKind, RejectedRecord

HEAD = "openami exchange 1,CIS,M-1,2026-11-30T04:00:00Z"
PAGE = Path(__file__).parents[3] / "docs" / "protocol" / "exchange-files.md"


def read(header: str, *rows: str, head: str = HEAD, end: str | None = None) -> Message:
    tail = f"end,{len(rows)}" if end is None else end
    return parse_flat("\n".join((head, header, *rows, tail, "")).encode())


def rejected(message: Message) -> RejectedRecord:
    (record,) = message.records
    assert isinstance(record, RejectedRecord)
    return record


def test_a_record_is_read_field_by_field() -> None:
    message = read(
        "record,id,meter,interval_s,channels,max_power_w,resolution_wh",
        "meter,1,SN-1,900,delivered+received,48000,1000",
    )
    (record,) = message.records
    assert isinstance(record, MasterRecord)
    assert (message.sender, message.id, message.made_at) == ("CIS", "M-1", datetime(2026, 11, 30, 4, tzinfo=UTC))
    assert (record.kind, record.id, record.line) == (RecordKind.METER, "1", 3)
    assert record.channels() == (Channel.DELIVERED, Channel.RECEIVED)
    assert (record.whole("interval_s"), record.whole("resolution_wh"), record.whole("capacity_wh", 7)) == (900, 1000, 7)


def test_a_stamp_is_an_instant_with_its_offset() -> None:
    (record,) = read("record,id,service_point,state,at", "state,1,SP-1,active,2026-11-30T00:00:00-06:00").records
    assert isinstance(record, MasterRecord)
    assert record.instant("at") == datetime(2026, 11, 30, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "code", "reason"),
    [
        ("start,1,SP-1,,2026-11-30T00:00:00Z", "field", "needs account"),
        ("stop,1,SP-1,A-1,2026-11-30T00:00:00Z", "field", "has no account"),
        ("start,1,SP-1,A-1,2026-11-30T00:00:00", "field", "at: .*no offset"),
        ("start,1,SP-1,A-1,yesterday", "field", "at: .*ISO 8601"),
        ("start,1,SP-1,A-1,0026-11-30T00:00:00Z", "field", "at: .*year 26"),
        ("start,1,12 Main Street,A-1,2026-11-30T00:00:00Z", "field", "service_point: .*not an id"),
        ("start,1,SP-1,SMITH; JANE,2026-11-30T00:00:00Z", "field", "account: .*not an id"),
        ("start,,SP-1,A-1,2026-11-30T00:00:00Z", "field", "not an id"),
        ("customer,1,SP-1,A-1,2026-11-30T00:00:00Z", "kind", "not one of premise"),
        ("start,1,SP-1", "cells", "3 cells, the header 5"),
    ],
)
def test_a_record_that_cannot_be_read_is_rejected_alone_with_a_code_and_a_reason(
    row: str, code: str, reason: str
) -> None:
    header, good = "record,id,service_point,account,at", "start,2,SP-2,A-2,2026-11-30T00:00:00Z"
    message = read(header, row, good)
    bad, fine = message.records
    assert isinstance(fine, MasterRecord)
    assert isinstance(bad, RejectedRecord)
    assert (bad.code, bad.line) == (code, 3)
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(bad.reason)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "first line"),
        ("openami exchange 2,CIS,M-1,2026-11-30T04:00:00Z\n", "first line"),
        ("openami exchange 1,CIS,M-1,today\n", "line 1: .*ISO 8601"),
        (f"{HEAD}\nid,record\nend,0\n", "line 2: .*record,id"),
        (f"{HEAD}\nrecord,id,name\nend,0\n", "line 2: .*no field 'name'"),
        (f"{HEAD}\nrecord,id,meter,meter\nend,0\n", "line 2: .*twice"),
        (f"{HEAD}\nrecord,id,premise\npremise,1,P\n", "no end line: it was cut short"),
        (f"{HEAD}\nrecord,id,premise\npremise,1,P\nend,2\n", "line 4: .*counts"),
        (f"{HEAD}\nrecord,id,premise\nend,0\npremise,1,P\n", "line 4: a line after the end"),
        (f"{HEAD}\nrecord,id,premise\npremise,1,{'P' * 201}\nend,1\n", "line 3: a cell of over 200"),
        (f'{HEAD}\nrecord,id,premise\npremise,1,"P\n', "not CSV"),
    ],
)
def test_a_file_that_is_not_whole_is_refused_whole(text: str, reason: str) -> None:
    with pytest.raises(MessageRefusedError, match=reason):
        parse_flat(text.encode())


def test_text_that_is_not_utf_8_is_refused_by_line() -> None:
    with pytest.raises(MessageRefusedError, match="line 2: not UTF-8"):
        parse_flat(f"{HEAD}\n".encode() + b"\xff\n")


def test_no_field_of_any_record_takes_a_name_or_an_address() -> None:
    for name in ("Jane Smith", "12 Main St", "jane@example.org", "+1 555 0100"):
        for field, read_field in FIELDS.items():
            with pytest.raises(ValueError, match=r"is not|are not"):
                assert field == read_field(name)


def test_an_acknowledgement_answers_each_record_and_counts_them() -> None:
    answers = (
        Answer("start", "1", 3, Result.ACCEPTED, days=2),
        Answer("exchange", "2", 4, Result.REJECTED, "missing_read", "meter M: no in-read, give it"),
    )
    found = Acknowledgement("CIS", "M-1", datetime(2026, 11, 30, 5, tzinfo=UTC), answers)
    assert flat_acknowledgement(found).splitlines() == [
        "openami acknowledgement 1,openami,M-1,2026-11-30T05:00:00+00:00",
        "record,id,line,result,code,reason,days,bills",
        "start,1,3,accepted,,,2,0",
        'exchange,2,4,rejected,missing_read,"meter M: no in-read, give it",0,0',
        "end,2",
    ]
    assert found.counts == {"accepted": 1, "unchanged": 0, "held": 0, "rejected": 1}


def test_the_page_lists_every_kind_of_record_with_its_fields() -> None:
    rows = [[c.strip() for c in line.strip("|").split("|")] for line in PAGE.read_text().splitlines()]
    told = {
        r[0]: (r[2].split(), [f for f in r[3].split() if f != "-"])
        for r in rows
        if len(r) == 4 and r[0] in set(RecordKind)
    }
    assert told == {k.value: (list(required), list(optional)) for k, (required, optional) in KINDS.items()}
    text = PAGE.read_text()
    assert all(f"`{field}`" in text for field in FIELDS)
    assert all(f"`{word}`" in text for word in ESTIMATE_REASONS)
