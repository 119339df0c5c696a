"""Bills as rows and back. Money and carried state stay exact: numeric columns, and decimals as text in documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import orjson

from openami.billing.bill.hold import Hold, HoldCode
from openami.billing.bill.record import Bill, BillKind, BillState, KeptLine, ReadingState
from openami.billing.bill.terms_document import parse_terms, terms_document
from openami.billing.calendar.cycle import Cycle
from openami.billing.rating.carried import Carried
from openami.billing.rating.carried_document import carried_document, parse_carried
from openami.billing.rating.usage import BillSpan
from openami.contracts.channel import Channel
from openami.mdm.api import EndOfRead, ReadKind, ReadPiece

LINE = (
    "kind", "name", "period", "tier", "quantity", "unit", "price", "exact_amount", "amount", "evidence"
)  # fmt: skip
_PLAIN = (
    "bill_id", "service_point_id", "zone", "rate_code", "rate_name", "currency", "version", "supersedes",
    "begin_register_wh", "end_register_wh", "usage_wh", "received_wh", "estimated_wh", "exact_total", "total",
    "made_at", "issued_at", "account_id", "estimates_in_a_row", "due_on", "released",
)  # fmt: skip
_NOTHING = Carried()


def bill_row(bill: Bill) -> dict[str, Any]:
    """Return a bill without its lines as a row of ``billing.bill``."""
    hold, cycle = bill.hold, bill.cycle
    return {name: getattr(bill, name) for name in _PLAIN} | {
        "first_day": bill.span.first,
        "end_day": bill.span.end,
        "state": bill.state.value,
        "day_versions": list(bill.day_versions),
        "kind": bill.kind.value,
        "reading_state": bill.reading_state,
        "stamps": list(bill.stamps),
        "replaces": list(bill.replaces),
        "reads": [_read_row(p) for p in bill.reads],
        "terms": terms_document(bill.terms),
        "carried_in": _carried_row(bill.carried_in),
        "carried_out": _carried_row(bill.carried_out),
        "hold_reason": None if hold is None else hold.reason,
        "hold_code": None if hold is None else hold.code.value,
        "hold_owner": None if hold is None else hold.owner,
        "held_since": None if hold is None else hold.since,
        "bill_group": None if cycle is None else cycle.bill_group,
        "revenue_month": None if cycle is None else cycle.revenue_month,
        "read_on": None if cycle is None else cycle.read_on,
    }


def line_row(bill: Bill, number: int, line: KeptLine) -> dict[str, Any]:
    """Return a line as a row of ``billing.bill_line``; numbers begin at 1."""
    row: dict[str, Any] = {name: getattr(line, name) for name in LINE}
    row["evidence"] = dict(line.evidence)
    return row | {"bill_id": bill.bill_id, "number": number, "service_point_id": bill.service_point_id}


def rows_text(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return rows as one JSON document that the database reads; money and quantities as text, so they stay exact."""
    return orjson.dumps(list(rows), default=_exact).decode()


def _exact(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"a bill holds no {type(value).__name__}")


def line_of(row: Mapping[Any, Any]) -> KeptLine:
    """Return the line of a row."""
    return KeptLine(**{k: row[k] for k in LINE})


def bill_of(row: Mapping[Any, Any], lines: Sequence[KeptLine] = ()) -> Bill:
    """Return the bill of a row."""
    return Bill(
        span=BillSpan(row["first_day"], row["end_day"]),
        state=BillState(row["state"]),
        day_versions=tuple(row["day_versions"]),
        lines=tuple(lines),
        kind=BillKind(row["kind"]),
        reading_state=None if row["reading_state"] is None else ReadingState(row["reading_state"]),
        stamps=tuple(row["stamps"]),
        replaces=tuple(row["replaces"]),
        reads=tuple(_read_of(row["service_point_id"], r) for r in row["reads"]),
        terms=parse_terms(row["terms"]),
        carried_in=_carried_of(row["carried_in"]),
        carried_out=_carried_of(row["carried_out"]),
        hold=_hold_of(row),
        cycle=None if row["read_on"] is None else Cycle(row["bill_group"], row["revenue_month"], row["read_on"]),
        **{name: row[name] for name in _PLAIN},
    )


def _hold_of(row: Mapping[Any, Any]) -> Hold | None:
    if row["hold_reason"] is None:
        return None
    return Hold(HoldCode(row["hold_code"]), row["hold_reason"], row["held_since"], row["hold_owner"])


def _carried_row(carried: Carried) -> dict[str, Any]:
    return {} if carried == _NOTHING else carried_document(carried)


def _carried_of(document: Mapping[str, Any]) -> Carried:
    return parse_carried(document) if document else _NOTHING


def _read_row(piece: ReadPiece) -> dict[str, Any]:
    return {
        "meter": piece.meter, "channel": int(piece.channel), "multiplier": piece.multiplier,
        "capacity": piece.capacity, "has_register": piece.has_register, "begin": _end_row(piece.begin),
        "end": _end_row(piece.end),
    }  # fmt: skip


def _end_row(end: EndOfRead) -> dict[str, Any]:
    return {"at": end.at.isoformat(), "value": end.value, "kind": end.kind.value}


def _read_of(point: UUID, row: Mapping[str, Any]) -> ReadPiece:
    begin, end = (_end_of(cast("Mapping[str, Any]", row[name])) for name in ("begin", "end"))
    return ReadPiece(
        point, row["meter"], Channel(row["channel"]), begin, end, row["multiplier"], row["capacity"],
        row["has_register"],
    )  # fmt: skip


def _end_of(row: Mapping[str, Any]) -> EndOfRead:
    return EndOfRead(datetime.fromisoformat(row["at"]), row["value"], ReadKind(row["kind"]))
