"""Rows of the registry's tables as records and back, the queue of validation, and refusals in words."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import any_, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, Range, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import Uuid

from openami.contracts.channel import Channel
from openami.kernel.time import local_date, require_utc, zone_named
from openami.mdm.adapters.registry_tables import (
    INSTALLATION_READ,
    MULTIPLIER_STEP,
    REGISTRY_CHANGE,
    SERVICE_POINT,
    VEE_REQUEST,
)
from openami.mdm.registry.errors import OverlapError, RegistryError, UnknownRecordError
from openami.mdm.registry.multiplier import Multiplier, MultiplierStep
from openami.mdm.registry.records import Affected, Installation

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """How a change is entered.

    Args:
        at: domain time.
        by: login of the person or name of the file; empty for the program.
        reason: why, in words.
    """

    at: datetime
    by: str = ""
    reason: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", require_utc(self.at))


def among(ids: Collection[UUID]) -> Any:
    """Return the condition's right side: one of these ids."""
    return any_(literal(list(ids), ARRAY(Uuid)))


async def note(connection: AsyncConnection, entry: Entry, kind: str, told: Sequence[tuple[UUID, Row]]) -> None:
    """Write the log of changes: of which service point, and what."""
    rows = [
        {
            "at": entry.at,
            "kind": kind,
            "subject": subject,
            "detail": detail,
            "made_by": entry.by,
            "reason": entry.reason,
        }
        for subject, detail in told
    ]
    if rows:
        await connection.execute(insert(REGISTRY_CHANGE), rows)


async def ask(
    connection: AsyncConnection, ends: Sequence[tuple[UUID, datetime, datetime]], *, reason: str, at: datetime
) -> list[Affected]:
    """Put the local days from start to end of each service point on validation's queue."""
    if not ends:
        return []
    wanted = select(SERVICE_POINT.c.id, SERVICE_POINT.c.zone).where(SERVICE_POINT.c.id == among({e[0] for e in ends}))
    zones = {row.id: zone_named(row.zone) for row in await connection.execute(wanted)}
    affected = [
        Affected(point, local_date(start, zones[point]), local_date(max(start, end), zones[point]))
        for point, start, end in ends
        if point in zones
    ]
    rows = [
        {
            "service_point_id": a.service_point_id,
            "first_day": a.first,
            "last_day": a.last,
            "reason": reason,
            "made_at": at,
        }
        for a in affected
    ]
    if rows:
        await connection.execute(insert(VEE_REQUEST), rows)
    return affected


async def reads_of(connection: AsyncConnection, installations: Collection[UUID]) -> dict[UUID, list[Row]]:
    """Return the reads at the ends of installations."""
    query = select(INSTALLATION_READ).where(INSTALLATION_READ.c.installation_id == among(installations))
    found: dict[UUID, list[Row]] = {}
    for row in (await connection.execute(query)).mappings():
        found.setdefault(row["installation_id"], []).append(dict(row))
    return found


async def steps_of(
    connection: AsyncConnection, installations: Collection[UUID], *, as_known_at: datetime | None = None
) -> dict[UUID, list[Row]]:
    """Return the later multipliers of installations, by start: as believed now, or then."""
    t = MULTIPLIER_STEP
    query = select(t).where(t.c.installation_id == among(installations)).order_by(t.c.start_at)
    if as_known_at is None:
        query = query.where(t.c.superseded_at.is_(None))
    else:
        query = query.where(t.c.entered_at <= as_known_at)
        query = query.where(t.c.superseded_at.is_(None) | (t.c.superseded_at > as_known_at))
    found: dict[UUID, list[Row]] = {}
    for row in (await connection.execute(query)).mappings():
        found.setdefault(row["installation_id"], []).append(dict(row))
    return found


def refusal(error: IntegrityError) -> RegistryError:
    """Return what the database refused, in words."""
    constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", "") or ""
    if constraint == "one_meter_at_a_point":
        return OverlapError("two meters would hang at one service point at one time: end the first one, or mend dates")
    if constraint == "one_point_for_a_meter":
        return OverlapError("a meter would hang at two service points at one time: remove it from the first")
    if "service_point_id_fkey" in constraint:
        return UnknownRecordError("an installation names a service point that is not registered")
    if "meter_id_fkey" in constraint:
        return UnknownRecordError("an installation names a meter that is not registered")
    if constraint == "installation_pkey":
        return RegistryError("this installation was entered already")
    return RegistryError(f"the registry refuses the rows: {constraint or type(error.orig).__name__}")


def installation_row(row: Installation, at: datetime) -> Row:
    """Return the row of an installation."""
    return {
        "id": row.id,
        "service_point_id": row.service_point_id,
        "meter_id": row.meter_id,
        "period": Range(row.start, row.end, bounds="[)"),
        "multiplier": row.multiplier,
        "entered_at": at,
    }


def read_rows(row: Installation) -> list[Row]:
    """Return the rows of an installation's reads."""
    sides = (("in", row.in_reads, row.estimated_in), ("out", row.out_reads, row.estimated_out))
    return [
        {
            "installation_id": row.id,
            "channel": int(channel),
            "kind": kind,
            "value": value,
            "is_estimated": channel in estimated,
            "reason": "",
        }
        for kind, of_kind, estimated in sides
        for channel, value in of_kind.items()
    ]


def installation_of(row: Row, reads: Sequence[Row], steps: Sequence[Row]) -> Installation:
    """Return an installation of its row, the reads at its ends and its later multipliers."""
    of_kind = {k: {Channel(r["channel"]): r["value"] for r in reads if r["kind"] == k} for k in ("in", "out")}
    estimated = {
        k: frozenset(Channel(r["channel"]) for r in reads if r["kind"] == k and r["is_estimated"])
        for k in ("in", "out")
    }
    return Installation(
        id=row["id"],
        service_point_id=row["service_point_id"],
        meter_id=row["meter_id"],
        start=row["period"].lower,
        end=row["period"].upper,
        multiplier=row["multiplier"],
        in_reads=of_kind["in"],
        out_reads=of_kind["out"],
        estimated_in=estimated["in"],
        estimated_out=estimated["out"],
        steps=tuple(
            MultiplierStep(
                s["start_at"],
                Multiplier(s["ct"], s["pt"], s["constant"]),
                {Channel(int(c)): int(v) for c, v in s["reads"].items()},
            )
            for s in steps
        ),
    )
