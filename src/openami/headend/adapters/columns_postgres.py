"""What meters said of their own columns, in table ``headend.column_sheet``, role ``openami_headend``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from openami.headend.ports import StateUnavailableError
from openami.headend.profiles.columns import ColumnSheet, SaidColumn
from openami.headend.profiles.model import Scale
from openami.kernel.obis import Obis
from openami.protocol.cosem.reference import CaptureObject

MAX_SHEETS = 5_000
"""Read at once: some 10 MB."""


class PostgresColumnSheets:
    """A :class:`~openami.headend.state_ports.ColumnSheets`.

    Args:
        engine: connected as ``openami_headend``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def keep(self, sheets: Sequence[ColumnSheet]) -> None:
        """Keep sheets."""
        if not sheets:
            return
        try:
            async with self._engine.begin() as connection:
                await connection.execute(_KEEP, [_row(sheet) for sheet in sheets])
        except (OperationalError, InterfaceError) as error:
            raise _unavailable(error) from error

    async def revision(self) -> int:
        """Return the number of the last sheet."""
        try:
            async with self._engine.begin() as connection:
                return int(await connection.scalar(text("select max(revision) from headend.column_sheet")) or 0)
        except (OperationalError, InterfaceError) as error:
            raise _unavailable(error) from error

    async def newer(self, after: int) -> tuple[list[ColumnSheet], int]:
        """Return sheets after a number."""
        try:
            async with self._engine.begin() as connection:
                rows = (await connection.execute(_NEWER, {"after": after, "limit": MAX_SHEETS})).all()
        except (OperationalError, InterfaceError) as error:
            raise _unavailable(error) from error
        return [_sheet(r) for r in rows], int(rows[-1][5]) if rows else after

    async def sheets_of(self, meter_ids: Sequence[UUID]) -> list[ColumnSheet]:
        """Return the newest sheet of each subject."""
        try:
            async with self._engine.begin() as connection:
                rows = (await connection.execute(_NEWEST, {"meters": list(meter_ids)})).all()
        except (OperationalError, InterfaceError) as error:
            raise _unavailable(error) from error
        return [_sheet(r) for r in rows]


_KEEP = text("""
    insert into headend.column_sheet (meter_id, subject, columns, read_at, request_id)
    values (:meter_id, :subject, cast(:columns as jsonb), :read_at, :request_id)
    on conflict (meter_id, subject, read_at, request_id) do nothing
""")
_NEWEST = text("""
    select distinct on (meter_id, subject) meter_id, subject, columns, read_at, request_id
    from headend.column_sheet where meter_id = any(cast(:meters as uuid[]))
    order by meter_id, subject, read_at desc, request_id desc
""")


_NEWER = text("""
    select meter_id, subject, columns, read_at, request_id, revision from headend.column_sheet
    where revision > :after order by revision limit :limit
""")


def _sheet(row: Any) -> ColumnSheet:
    return ColumnSheet(row[0], Obis.from_text(row[1]), _columns(row[2]), row[3], row[4])


def _unavailable(error: OperationalError | InterfaceError) -> StateUnavailableError:
    return StateUnavailableError(f"the head-end's database does not answer: {type(error.orig).__name__}")


def _row(sheet: ColumnSheet) -> dict[str, Any]:
    columns = [
        [c.captured.class_id, str(c.captured.instance), c.captured.attribute, c.captured.index]
        + ([c.scale.scaler, c.scale.unit] if c.scale else [])
        for c in sheet.columns
    ]
    return {
        "meter_id": sheet.meter_id,
        "subject": str(sheet.subject),
        "columns": json.dumps(columns),
        "read_at": sheet.read_at,
        "request_id": sheet.request_id,
    }


def _columns(rows: list[list[Any]]) -> tuple[SaidColumn, ...]:
    return tuple(
        SaidColumn(CaptureObject(r[0], Obis.from_text(r[1]), r[2], r[3]), Scale(r[4], r[5]) if r[4:] else None)
        for r in rows
    )
