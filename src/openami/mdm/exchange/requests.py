"""A request for billing reads: which service points, which local days; and another system's answer to what we sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from openami.mdm.exchange.acknowledgement import COLUMNS, HEAD, Answer, Result
from openami.mdm.exchange.errors import MessageRefusedError
from openami.mdm.exchange.flat import check_tail, head_of, lines_of
from openami.mdm.exchange.message import MAX_RECORDS
from openami.mdm.exchange.record import FIRST_YEAR, LAST_YEAR, FieldError, RejectedRecord, identifier

REQUEST = "openami billing request 1"
MAX_DAYS = 400
"""A bill is a month; a year and a month covers every correction that is asked for at once."""


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """One bill asked for: the sender's number, its name of the place, local days with the end exclusive."""

    id: str
    line: int
    service_point: str
    first: date
    end: date


@dataclass(frozen=True, slots=True)
class RequestMessage:
    """A whole request."""

    sender: str
    id: str
    made_at: datetime
    records: tuple[ReadRequest | RejectedRecord, ...]


@dataclass(frozen=True, slots=True)
class TheirAnswers:
    """What another system answered to a message of ours."""

    sender: str
    message: str
    made_at: datetime
    answers: tuple[Answer, ...]


def parse_request(octets: bytes) -> RequestMessage:
    """Read a request: ``bill,id,service_point,first,end`` records.

    Raises:
        MessageRefusedError: the file as a whole cannot be taken.
    """
    lines = lines_of(octets)
    sender, number, made_at = head_of(lines, REQUEST)
    line, header = next(lines, (0, []))
    if header != ["record", "id", "service_point", "first", "end"]:
        raise MessageRefusedError(line, "the second line is not record,id,service_point,first,end")
    records: list[ReadRequest | RejectedRecord] = []
    for at, row in lines:
        if row[0] == "end":
            check_tail(at, row, len(records), lines)
            return RequestMessage(sender, number, made_at, tuple(records))
        if len(records) >= MAX_RECORDS:
            raise MessageRefusedError(at, f"over {MAX_RECORDS} records: send them in several messages")
        records.append(_request(at, row))
    raise MessageRefusedError(0, "the file has no end line: it was cut short; send it again")


def parse_answers(octets: bytes) -> TheirAnswers:
    """Read another system's acknowledgement of what we sent; it has the form of ours.

    Raises:
        MessageRefusedError: it cannot be read whole.
    """
    lines = lines_of(octets)
    sender, number, made_at = head_of(lines, HEAD)
    line, header = next(lines, (0, []))
    if tuple(header[:6]) != COLUMNS[:6]:
        raise MessageRefusedError(line, f"the second line does not begin with {','.join(COLUMNS[:6])}")
    answers: list[Answer] = []
    for at, row in lines:
        if row[0] == "end":
            check_tail(at, row, len(answers), lines)
            return TheirAnswers(sender, number, made_at, tuple(answers))
        if len(answers) >= MAX_RECORDS:
            raise MessageRefusedError(at, f"over {MAX_RECORDS} records")
        answers.append(_answer(at, row))
    raise MessageRefusedError(0, "the file has no end line: it was cut short; send it again")


def _request(line: int, row: Sequence[str]) -> ReadRequest | RejectedRecord:
    number = row[1][:64] if len(row) > 1 else ""
    if len(row) != 5 or row[0] != "bill":
        reason = "a request is bill,id,service_point,first,end"
        return RejectedRecord(row[0][:20], number, line, "cells", reason)
    try:
        first, end = _days(row[3], row[4])
        return ReadRequest(identifier(row[1]), line, identifier(row[2]), first, end)
    except FieldError as error:
        return RejectedRecord(row[0][:20], number, line, "field", str(error))


def _answer(line: int, row: Sequence[str]) -> Answer:
    try:
        result = Result(row[3])
        return Answer(row[0][:20], identifier(row[1]), line, result, row[4][:40], row[5])
    except (ValueError, IndexError) as error:
        raise MessageRefusedError(line, "an answer is record,id,line,result,code,reason") from error


def _days(first_text: str, end_text: str) -> tuple[date, date]:
    first, end = _day(first_text), _day(end_text)
    if not 0 < (end - first).days <= MAX_DAYS:
        raise FieldError(f"end {end} is not 1 to {MAX_DAYS} days after first {first}")
    return first, end


def _day(text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        raise FieldError(f"{text[:20]!r} is not a day: YYYY-MM-DD") from error
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise FieldError(f"the year {found.year} is not {FIRST_YEAR} to {LAST_YEAR}")
    return found
