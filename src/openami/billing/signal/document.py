"""Files of statements, TOML or JSON, and rows of the book. Whatever a file holds, a refusal names its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

from openami.billing.signal.statement import SYSTEM, SignalKind, Statement
from openami.billing.tariff.clause import Clause
from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.load import MAX_OCTETS, parse_document
from openami.kernel.errors import OpenAmiError
from openami.kernel.time import Period

FORMAT = "openami-signals/1"
YEARS = range(1971, 2200)


def parse_statements(octets: bytes, *, at: datetime, by: str, new_id: Callable[[], UUID]) -> list[Statement]:
    """Return the statements of a file.

    Args:
        octets: the file.
        at: domain time of the entry.
        by: id of the person.
        new_id: where ids come from.

    Raises:
        TariffError: a clause is missing or malformed; it is named by its path.
    """
    if len(octets) > MAX_OCTETS:
        raise TariffError("file", f"{len(octets)} octets, the limit is {MAX_OCTETS}")
    root = Clause("", parse_document(octets))
    if root.at("format").text() != FORMAT:
        raise TariffError("format", f"{FORMAT} is needed here")
    source = root.at("source").text()
    found: list[tuple[Statement, Clause]] = []
    for kind in SignalKind:
        for row in root.each(kind.value):
            found.append((_statement(kind, row, source, at, by, new_id()), row))
            row.close()
    root.close()
    if not found:
        raise TariffError("file", "it states nothing: events, prices or peaks are needed")
    _check_apart(found)
    return [one for one, _ in found]


def _statement(kind: SignalKind, row: Clause, source: str, at: datetime, by: str, new: UUID) -> Statement:
    signal = row.get("signal", Clause.text, SYSTEM) if kind is SignalKind.PEAKS else row.at("signal").text()
    start = instant(row.at("first"))
    try:
        if kind is SignalKind.PRICES:
            length = row.at("interval_s").whole()
            prices = tuple(p.number() for p in row.at("prices").items())
            end = start + timedelta(seconds=length * len(prices))
            return Statement(
                new, kind, signal, Period(start, end), source, at, by, interval_s=length, prices=prices
            )  # fmt: skip
        period = Period(start, instant(row.at("end")))
        if kind is SignalKind.EVENTS:
            events = tuple(Period(instant(e.at("start")), instant(e.at("end"))) for e in row.each("events"))
            return Statement(new, kind, signal, period, source, at, by, events)
        return Statement(new, kind, signal, period, source, at, by, instants=_instants(row))
    except TariffError:
        raise
    except (OpenAmiError, ValueError, OverflowError) as error:
        raise row.refuse(str(error)[:200]) from error


def _check_apart(found: Sequence[tuple[Statement, Clause]]) -> None:
    """Pass if no two statements speak of the same signal and time: neither would be the later one.

    Raises:
        TariffError: two do; the one that begins later is named.
    """
    ordered = sorted(found, key=lambda f: (f[0].kind, f[0].signal, f[0].period.start))
    for (one, _), (other, row) in pairwise(ordered):
        if (one.kind, one.signal) == (other.kind, other.signal) and other.period.start < one.period.end:
            raise row.refuse("another statement of this file speaks of the same signal and time")


def _instants(row: Clause) -> tuple[datetime, ...]:
    return tuple(instant(i) for i in row.at("at").items())


def instant(clause: Clause) -> datetime:
    """Return an instant with its offset, of TOML or as text.

    Raises:
        TariffError: it is none, has no offset, or a year that no bill has.
    """
    try:
        found = clause.value if isinstance(clause.value, datetime) else datetime.fromisoformat(clause.text())
    except ValueError as error:
        raise clause.refuse(f"{str(clause.value)[:30]!r} is no instant; 2026-06-17T16:00:00-05:00 is") from error
    if found.tzinfo is None or found.year not in YEARS:
        raise clause.refuse(f"{str(clause.value)[:30]!r} needs an offset, as -05:00, and a year of our time")
    return found


def content_of(one: Statement) -> dict[str, Any]:
    """Return what a statement says as JSON values."""
    return {
        "events": [[e.start.isoformat(), e.end.isoformat()] for e in one.events],
        "instants": [i.isoformat() for i in one.instants],
        "interval_s": one.interval_s,
        "prices": [format(p, "f") for p in one.prices],
    }


def with_content(row: dict[str, Any]) -> Statement:
    """Return a statement of a row of the book."""
    told = row["content"]
    return Statement(
        row["statement_id"], SignalKind(row["kind"]), row["signal"], Period(row["first_at"], row["end_at"]),
        row["source"], row["entered_at"], row["entered_by"],
        tuple(Period(datetime.fromisoformat(a), datetime.fromisoformat(b)) for a, b in told["events"]),
        tuple(datetime.fromisoformat(i) for i in told["instants"]),
        told["interval_s"],
        tuple(Decimal(p) for p in told["prices"]),
    )  # fmt: skip
