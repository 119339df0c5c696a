"""A connection whose server went away while it rested is replaced before anybody notices."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from openami.app.engines.postgres import PostgresEngine
from openami.security.adapters.rested_connection import ask_the_rested

pytestmark = pytest.mark.engines


@pytest.fixture
async def engine_of(postgres: PostgresEngine) -> AsyncIterator[Callable[[float], AsyncEngine]]:
    made: list[AsyncEngine] = []

    def make(rested_s: float) -> AsyncEngine:
        made.append(create_async_engine(postgres.url("openami_access"), pool_size=1))
        ask_the_rested(made[-1], rested_s=rested_s)
        return made[-1]

    yield make
    for engine in made:
        await engine.dispose()


async def _server(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return int((await connection.execute(text("select pg_backend_pid()"))).scalar_one())


def _end(postgres: PostgresEngine, server: int) -> None:
    with psycopg.connect(f"host={postgres.sockets} user=postgres dbname=openami", autocommit=True) as c:
        c.execute("select pg_terminate_backend(%s, 5000)", (server,))


async def test_one_that_has_rested_is_replaced_unnoticed(
    engine_of: Callable[[float], AsyncEngine], postgres: PostgresEngine
) -> None:
    engine = engine_of(0.0)
    first = await _server(engine)
    assert await _server(engine) == first
    _end(postgres, first)
    assert await _server(engine) != first


async def test_one_that_was_used_a_moment_ago_fails_once_and_the_next_question_has_a_new_one(
    engine_of: Callable[[float], AsyncEngine], postgres: PostgresEngine
) -> None:
    engine = engine_of(3600.0)
    first = await _server(engine)
    _end(postgres, first)
    with pytest.raises(DBAPIError):
        await _server(engine)
    assert await _server(engine) != first
