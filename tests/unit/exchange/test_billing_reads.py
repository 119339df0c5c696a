"""Billing reads: their three states, one piece for each meter, and files that hold what they say."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from lxml import etree

from openami.contracts.channel import Channel
from openami.mdm.exchange.acknowledgement import Result
from openami.mdm.exchange.billing_reads import BillingRead, Determinant, ReadState, flat_reads, record_id
from openami.mdm.exchange.errors import MessageRefusedError
from openami.mdm.exchange.record import RejectedRecord
from openami.mdm.exchange.requests import ReadRequest, parse_answers, parse_request
from openami.mdm.exporting.cim import READINGS
from openami.mdm.exporting.cim_reads import cim_reads
from openami.mdm.usage.end_reads import EndOfRead, ReadKind, ReadPiece

AT = datetime(2026, 12, 1, 7, tzinfo=UTC)
BEGIN, END = datetime(2026, 11, 1, 5, tzinfo=UTC), datetime(2026, 12, 1, 6, tzinfo=UTC)


def piece(
    begin: int | None = 1000, end: int | None = 5000, *, kind: ReadKind = ReadKind.SCHEDULED, multiplier: int = 1,
    capacity: int | None = None,
) -> ReadPiece:  # fmt: skip
    first, last = EndOfRead(BEGIN, begin, ReadKind.SCHEDULED), EndOfRead(END, end, kind)
    return ReadPiece(UUID(int=1), "SN-1", Channel.DELIVERED, first, last, multiplier, capacity)


def bill(*pieces: ReadPiece, estimated: int = 0, reason: str = "") -> BillingRead:
    determinants = () if reason else (
        Determinant("delivered", "", 4000, "Wh"), Determinant("delivered", "On-peak", 1000, "Wh"),
        Determinant("demand", "", 9_600, "W", datetime(2026, 11, 7, 23, tzinfo=UTC)),
    )  # fmt: skip
    return BillingRead(
        UUID(int=1), "SP-1", date(2026, 11, 1), date(2026, 12, 1), "R-1", reason, 50 if estimated else 0, 2884,
        estimated, (1, 3), pieces or (piece(),), determinants,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("read", "state"),
    [
        (bill(), ReadState.ACTUAL),
        (bill(piece(kind=ReadKind.NEAREST)), ReadState.ACTUAL),
        (bill(piece(kind=ReadKind.INSTALLER)), ReadState.ACTUAL),
        (bill(estimated=4), ReadState.ESTIMATED_INTERVALS),
        (bill(piece(kind=ReadKind.ESTIMATED)), ReadState.ESTIMATED),
        (bill(piece(kind=ReadKind.ESTIMATED), estimated=4), ReadState.ESTIMATED),
        (bill(piece(end=None, kind=ReadKind.MISSING)), ReadState.ESTIMATED),
        (bill(reason="3 of 30 days have no validated readings"), ReadState.HELD),
    ],
)
def test_only_an_estimated_boundary_read_makes_an_estimated_bill(read: BillingRead, state: ReadState) -> None:
    assert read.state is state


@pytest.mark.parametrize(
    ("one", "usage"),
    [
        (piece(), 4000),
        (piece(multiplier=40), 160_000),
        (piece(99_999_000, 1000, capacity=100_000_000), 2000),
        (piece(5000, 1000), None),
        (piece(end=None), None),
    ],
    ids=["plain", "multiplier", "roll-over", "went back", "missing"],
)
def test_usage_by_registers_is_the_difference_times_the_multiplier(one: ReadPiece, usage: int | None) -> None:
    assert one.usage_wh == usage


def test_a_flat_file_holds_the_bill_its_reads_and_its_determinants_under_one_id() -> None:
    text = flat_reads([bill()], message="BR-1", at=AT)
    lines = text.splitlines()
    assert lines[0] == "openami billing reads 1,openami,BR-1,2026-12-01T07:00:00+00:00"
    rows = list(csv.DictReader(lines[1:-1]))
    assert [r["record"] for r in rows] == ["bill", "read", "determinant", "determinant", "determinant"]
    assert {r["id"] for r in rows} == {"SP-1/20261101-20261201"} == {record_id(bill())}
    assert (rows[0]["state"], rows[0]["first"], rows[0]["highest_version"]) == ("actual", "2026-11-01", "3")
    assert (rows[1]["begin_wh"], rows[1]["end_kind"], rows[1]["usage_wh"]) == ("1000", "scheduled", "4000")
    assert [(r["name"], r["period"], r["quantity"], r["unit"]) for r in rows[2:]] == [
        ("delivered", "", "4000", "Wh"), ("delivered", "On-peak", "1000", "Wh"), ("demand", "", "9600", "W"),
    ]  # fmt: skip
    assert lines[-1] == "end,5"


def test_a_held_bill_goes_out_with_its_reason_and_no_figures() -> None:
    rows = list(csv.DictReader(flat_reads([bill(reason="none")], message="BR-1", at=AT).splitlines()[1:-1]))
    assert [(r["record"], r["state"], r["reason"]) for r in rows] == [("bill", "held", "none"), ("read", "", "")]


def test_a_cim_document_holds_registers_with_their_qualities_and_the_totals() -> None:
    root = etree.fromstring(cim_reads([bill(piece(kind=ReadKind.ESTIMATED))]).encode())
    space = {"m": READINGS}
    reads = root.findall("m:MeterReading/m:Readings", space)
    told = [
        (r.findtext("m:value", namespaces=space), [q.get("ref") for q in r.iterfind(".//m:ReadingQualityType", space)])
        for r in reads
    ]
    assert told == [("1000", ["3.0.1"]), ("5000", ["3.8.0"]), ("4000", ["3.8.0"]), ("9600", ["3.0.1"])]


REQUEST = "openami billing request 1,CIS,Q-1,2026-12-01T07:00:00Z\nrecord,id,service_point,first,end\n"


def test_a_request_is_read_and_a_bad_line_is_rejected_alone() -> None:
    rows = "bill,1,SP-1,2026-11-01,2026-12-01\nbill,2,SP-1,2026-12-01,2026-11-01\nbill,3,SP-1,soon,later\nend,3\n"
    found = parse_request((REQUEST + rows).encode())
    good, *bad = found.records
    assert good == ReadRequest("1", 3, "SP-1", date(2026, 11, 1), date(2026, 12, 1))
    assert [isinstance(b, RejectedRecord) for b in bad] == [True, True]


@pytest.mark.parametrize(
    "text", ["", REQUEST, REQUEST + "end,1\n", REQUEST.replace("first,end", "from,to") + "end,0\n"]
)
def test_a_request_that_is_not_whole_is_refused(text: str) -> None:
    with pytest.raises(MessageRefusedError):
        parse_request(text.encode())


def test_the_other_systems_answer_is_read_in_the_form_of_ours() -> None:
    head = "openami acknowledgement 1,CIS,BR-1,2026-12-01T08:00:00Z\nrecord,id,line,result,code,reason,days,bills\n"
    found = parse_answers((head + "bill,SP-1/x,3,rejected,high,twice last month,0,0\nend,1\n").encode())
    assert (found.sender, found.message) == ("CIS", "BR-1")
    assert [(a.id, a.result, a.code) for a in found.answers] == [("SP-1/x", Result.REJECTED, "high")]
    with pytest.raises(MessageRefusedError, match="line 3"):
        parse_answers((head + "bill,SP-1/x,3,perhaps,,\nend,1\n").encode())
