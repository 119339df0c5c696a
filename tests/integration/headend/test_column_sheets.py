"""What a meter said of its columns is kept as it was said, and the newest is found."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import create_async_engine

from openami.app.engines.postgres import PostgresEngine
from openami.headend.adapters.columns_postgres import PostgresColumnSheets
from openami.headend.listening.columnfeed import ColumnFeed
from openami.headend.ports import StateUnavailableError
from openami.headend.profiles.columns import ColumnSheet, SaidColumn
from openami.headend.profiles.model import Scale
from openami.kernel.obis import Obis
from openami.protocol.cosem.reference import CaptureObject

pytestmark = [pytest.mark.engines, pytest.mark.enable_socket]
PUSH, PROFILE = Obis.from_text("0.8.25.9.0.255"), Obis.from_text("1.0.99.1.0.255")
COLUMNS = (
    SaidColumn(CaptureObject(8, Obis.from_text("0.0.1.0.0.255"), 2)),
    SaidColumn(CaptureObject(3, Obis.from_text("1.0.1.8.0.255"), 2), Scale(-1, 30)),
)
AT = datetime(2026, 7, 1, 8, 30, tzinfo=UTC)


async def test_the_newest_sheet_of_each_subject_is_found_and_none_is_changed(postgres: PostgresEngine) -> None:
    engine = create_async_engine(postgres.url("openami_headend"), hide_parameters=True)
    try:
        sheets = PostgresColumnSheets(engine)
        meter, other = uuid4(), uuid4()
        first = ColumnSheet(meter, PUSH, COLUMNS, AT, uuid4())
        later = ColumnSheet(meter, PUSH, COLUMNS[1:], AT + timedelta(days=1), uuid4())
        profile = ColumnSheet(meter, PROFILE, COLUMNS, AT, uuid4())
        await sheets.keep([])
        await sheets.keep([later, profile])
        await sheets.keep([first, later])
        assert await sheets.sheets_of([meter, other]) == [later, profile]
        assert await sheets.sheets_of([other]) == []
        newest = await sheets.revision()
        everything, last = await sheets.newer(0)
        assert (everything[-3:], last) == ([later, profile, first], newest)
        assert await sheets.newer(last) == ([], last)

        feed = ColumnFeed(sheets)
        await feed.refresh()
        assert len(feed.said) == 1
        await sheets.keep([ColumnSheet(other, PUSH, COLUMNS, AT, uuid4())])
        await feed.refresh()
        await feed.refresh()
        assert len(feed.said) == 2
        with pytest.raises(ProgrammingError):
            async with engine.begin() as connection:
                await connection.execute(text("update headend.column_sheet set columns = '[]'"))
    finally:
        await engine.dispose()


async def test_a_database_that_is_away_is_told_as_that() -> None:
    engine = create_async_engine("postgresql+psycopg://nobody@127.0.0.1:1/none", hide_parameters=True)
    try:
        with pytest.raises(StateUnavailableError):
            await PostgresColumnSheets(engine).sheets_of([uuid4()])
        with pytest.raises(StateUnavailableError):
            await ColumnFeed(PostgresColumnSheets(engine)).refresh()
        with pytest.raises(StateUnavailableError):
            await PostgresColumnSheets(engine).newer(0)
        with pytest.raises(StateUnavailableError):
            await PostgresColumnSheets(engine).keep([ColumnSheet(uuid4(), PUSH, COLUMNS, AT, uuid4())])
    finally:
        await engine.dispose()
