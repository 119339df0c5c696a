"""Master data as a flat file: a head, a header line, one record a line, and a tail that counts them.

The tail is how a file cut short in transfer is noticed. ``docs/protocol/exchange-files.md`` has the whole page.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from openami.mdm.exchange.errors import MessageRefusedError
from openami.mdm.exchange.message import MAX_MESSAGE_OCTETS, MAX_RECORDS, Message, digest_of
from openami.mdm.exchange.record import FIELDS, FieldError, MasterRecord, RejectedRecord, identifier, record_of

HEAD = "openami exchange 1"
MAX_CELL = 200
_FORMULA = re.compile(r"[=@\t\r]|[+-](?!\d+(\.\d+)?\Z)")
_Line = tuple[int, list[str]]


def parse_flat(octets: bytes) -> Message:
    """Read a flat file of master data.

    Raises:
        MessageRefusedError: the file as a whole cannot be taken: its head, header or tail, or it is too large. A
            record that cannot be read is rejected alone, in the message.
    """
    lines = lines_of(octets)
    sender, number, made_at = head_of(lines, HEAD)
    line, header = next(lines, (0, []))
    _check_header(line, header)
    records: list[MasterRecord | RejectedRecord] = []
    for at, row in lines:
        if row[0] == "end":
            check_tail(at, row, len(records), lines)
            return Message(sender, number, made_at, "flat", tuple(records), digest_of(octets))
        if len(records) >= MAX_RECORDS:
            raise MessageRefusedError(at, f"over {MAX_RECORDS} records: send them in several messages")
        records.append(_record(at, row, header))
    raise MessageRefusedError(0, "the file has no end line: it was cut short; send it again")


def lines_of(octets: bytes) -> Iterator[_Line]:
    """Yield the lines that are not blank, cells stripped.

    Raises:
        MessageRefusedError: too large, not UTF-8, not CSV, or a cell of over 200 characters.
    """
    if len(octets) > MAX_MESSAGE_OCTETS:
        raise MessageRefusedError(0, f"over {MAX_MESSAGE_OCTETS} octets: send it in several messages")
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MessageRefusedError(octets[: error.start].count(b"\n") + 1, "not UTF-8 text") from error
    if "\0" in text:
        # No table keeps it, and no text has it.
        raise MessageRefusedError(text[: text.index("\0")].count("\n") + 1, "a character of value zero: not text")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            cells = [c.strip() for c in row]
            if any(len(c) > MAX_CELL for c in cells):
                raise MessageRefusedError(reader.line_num, f"a cell of over {MAX_CELL} characters")
            if any(cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise MessageRefusedError(reader.line_num, f"not CSV: {str(error)[:80]}") from error


def head_of(lines: Iterator[_Line], form: str) -> tuple[str, str, datetime]:
    """Return sender, message number and time of a file's first line.

    Raises:
        MessageRefusedError: it is another kind of file, or one of them cannot be read.
    """
    line, row = next(lines, (0, []))
    if not row or row[0] != form or len(row) != 4:
        raise MessageRefusedError(line, f"the first line is not '{form},sender,message,time'")
    try:
        sender, number = identifier(row[1]), identifier(row[2])
        made_at = FIELDS["at"](row[3])
    except FieldError as error:
        raise MessageRefusedError(line, str(error)) from error
    assert isinstance(made_at, datetime)
    return sender, number, made_at


def check_tail(line: int, row: Sequence[str], count: int, rest: Iterator[_Line]) -> None:
    """Pass if a file's last line counts its records and nothing follows.

    Raises:
        MessageRefusedError: it does not.
    """
    if len(row) < 2 or row[1] != str(count):
        raise MessageRefusedError(line, f"the end line counts {row[1:2]}, the file has {count} records: send it again")
    after = next(rest, None)
    if after is not None:
        raise MessageRefusedError(after[0], "a line after the end line")


def flat_text(head: Sequence[str], header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a file of the same form: head, header, rows, and the tail that counts them."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(head)
    writer.writerow(header)
    count = 0
    for row in rows:
        writer.writerow([harmless(cell) for cell in row])
        count += 1
    writer.writerow(("end", count))
    return sink.getvalue()


def harmless(cell: object) -> object:
    """Return a cell that a spreadsheet shows and does not carry out: a text that begins as a formula gets a quote.

    No id, code or word of ours begins so; what does is another system's text that was rejected. Numbers stay.

    >>> harmless("=1+1"), harmless(-5), harmless("-5.2"), harmless("SP-1")
    ("'=1+1", -5, '-5.2', 'SP-1')
    """
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def _check_header(line: int, header: Sequence[str]) -> None:
    if header[:2] != ["record", "id"]:
        raise MessageRefusedError(line, "the second line does not begin with record,id")
    unknown = [n for n in header[2:] if n not in FIELDS]
    if unknown:
        raise MessageRefusedError(line, f"there is no field {unknown[0][:30]!r}; the page of files lists them")
    twice = [n for n in header if header.count(n) > 1]
    if twice:
        raise MessageRefusedError(line, f"the field {twice[0]} is there twice")


def _record(line: int, row: Sequence[str], header: Sequence[str]) -> MasterRecord | RejectedRecord:
    if len(row) != len(header):
        number = row[1][:64] if len(row) > 1 else ""
        reason = f"the line has {len(row)} cells, the header {len(header)}"
        return RejectedRecord(row[0][:20], number, line, "cells", reason)
    return record_of(row[0], row[1], line, dict(zip(header[2:], row[2:], strict=True)))
