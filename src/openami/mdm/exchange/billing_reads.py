"""Billing reads and determinants out: what a bill of another system stands on, as values and as a flat file.

Three states are never mixed: both reads actual and the intervals whole; reads actual and intervals partly estimated;
a read estimated. A span that cannot be billed is in the file with its reason and no figures.

Source: research on utility practice, "Billing period, reads, cycle".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from openami.contracts.channel import CHANNELS
from openami.mdm.exchange.flat import flat_text
from openami.mdm.usage.end_reads import ReadKind, ReadPiece

HEAD = "openami billing reads 1"
COLUMNS = (
    "record", "id", "service_point", "first", "end", "state", "reason", "rate", "estimated_wh", "intervals",
    "estimated", "lowest_version", "highest_version", "meter", "channel", "begin_at", "begin_wh", "begin_kind",
    "end_at", "end_wh", "end_kind", "multiplier", "usage_wh", "name", "period", "quantity", "unit", "at",
)  # fmt: skip


class ReadState(StrEnum):
    """What a bill may call its reads."""

    ACTUAL = "actual"
    ESTIMATED_INTERVALS = "estimated_intervals"
    ESTIMATED = "estimated"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Determinant:
    """One quantity: its name, price or demand period, whole number, unit, and for a demand when it began."""

    name: str
    period: str
    quantity: int
    unit: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class BillingRead:
    """All that goes out of one service point for one bill.

    Args:
        service_point_id: where; the receiver's name of it stands in the file.
        name: what the receiver calls it.
        first, end: local days, the end exclusive.
        rate: whose periods the determinants use; empty for totals alone.
        reason: why it cannot be billed; empty where it can.
        estimated_wh: energy that was estimated.
        intervals, estimated: how many, and how many of them are estimates.
        versions: lowest and highest day version it stands on.
        pieces: reads, one for each meter and channel.
        determinants: quantities; none where it is held.
    """

    service_point_id: UUID
    name: str
    first: date
    end: date
    rate: str
    reason: str
    estimated_wh: int
    intervals: int
    estimated: int
    versions: tuple[int, int]
    pieces: tuple[ReadPiece, ...]
    determinants: tuple[Determinant, ...]

    @property
    def state(self) -> ReadState:
        """Held, estimated, actual with estimated intervals, or actual."""
        if self.reason:
            return ReadState.HELD
        ends = [e.kind for p in self.pieces for e in (p.begin, p.end)]
        if not ends or any(k in {ReadKind.ESTIMATED, ReadKind.MISSING} for k in ends):
            return ReadState.ESTIMATED
        return ReadState.ESTIMATED_INTERVALS if self.estimated else ReadState.ACTUAL


def flat_reads(reads: Sequence[BillingRead], *, message: str, at: datetime) -> str:
    """Return billing reads as a flat file.

    A service point is one ``bill`` record and its ``read`` and ``determinant`` records, all of one id; the receiver
    acknowledges that id.
    """
    head = (HEAD, "openami", message, at.isoformat())
    return flat_text(head, COLUMNS, (tuple(row.get(c, "") for c in COLUMNS) for row in _rows(reads)))


def record_id(read: BillingRead) -> str:
    """Return the id by which a service point's bill is acknowledged: the same for the same place and days."""
    return f"{read.name}/{read.first:%Y%m%d}-{read.end:%Y%m%d}"[:64]


def _rows(reads: Sequence[BillingRead]) -> Iterator[dict[str, object]]:
    for read in reads:
        number = record_id(read)
        yield {
            "record": "bill", "id": number, "service_point": read.name, "first": read.first, "end": read.end,
            "state": read.state.value, "reason": read.reason, "rate": read.rate, "estimated_wh": read.estimated_wh,
            "intervals": read.intervals, "estimated": read.estimated, "lowest_version": read.versions[0],
            "highest_version": read.versions[1],
        }  # fmt: skip
        for piece in read.pieces:
            yield {"record": "read", "id": number, "service_point": read.name, **_piece(piece)}
        for one in read.determinants:
            yield {
                "record": "determinant", "id": number, "service_point": read.name, "name": one.name,
                "period": one.period, "quantity": one.quantity, "unit": one.unit,
                "at": one.at.isoformat() if one.at else "",
            }  # fmt: skip


def _piece(piece: ReadPiece) -> dict[str, object]:
    return {
        "meter": piece.meter, "channel": CHANNELS[piece.channel].name, "begin_at": piece.begin.at.isoformat(),
        "begin_wh": _shown(piece.begin.value), "begin_kind": piece.begin.kind.value,
        "end_at": piece.end.at.isoformat(), "end_wh": _shown(piece.end.value), "end_kind": piece.end.kind.value,
        "multiplier": piece.multiplier, "usage_wh": _shown(piece.usage_wh),
    }  # fmt: skip


def _shown(value: int | None) -> object:
    return "" if value is None else value
