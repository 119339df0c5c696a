"""The benchmark of chart data, over two homes: its customers sign in, every look is logged, the document is whole."""

from __future__ import annotations

import asyncio
import json

import pytest
from sqlalchemy import create_engine, text

from openami.app.bench.charts.line import LineError, Lines
from openami.app.bench.charts.measuring import QUARTERS, SCREEN, WARM_UP, measure
from openami.app.engines.postgres import SUPERUSER, PostgresEngine

pytestmark = [pytest.mark.engines, pytest.mark.enable_socket]


async def test_every_question_is_measured_and_every_look_is_in_the_log(postgres: PostgresEngine) -> None:
    document = await measure(homes=2, calls=2, seconds=0.3, connections=3, postgres_url=postgres.url(SUPERUSER))
    assert set(document) == {"durability", "figures", "peers", "ratio"}
    json.dumps(document, allow_nan=False)
    figures = document["figures"]
    names = [q.name for q in (*SCREEN, QUARTERS)]
    assert {f"{n}, {who} alone, p{p}" for n in names for who in ("portal", "store") for p in (50, 99)} <= set(figures)
    assert {f"{n}, portal to store, p50" for n in names} == set(document["ratio"])
    for load in ("day, month, year", QUARTERS.name):
        assert figures[f"{load}, the most"]["value"] > 0
    # 13 months hold 38,016 quarter-hours, of which every start and value is sent.
    assert figures[f"{QUARTERS.name}, answer"]["value"] > 38_016 * 4
    engine = create_engine(postgres.url(SUPERUSER))
    with engine.connect() as connection:
        looks = connection.execute(text("select count(*) from audit.entry")).scalar_one()
    engine.dispose()
    assert looks > len(names) * (2 + WARM_UP)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "answered 503 to /chart$"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "no length that can be believed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "did not answer: IncompleteReadError"),
    ],
    ids=["refusal", "no length", "cut off"],
)
async def test_an_answer_that_is_no_page_is_an_error_and_not_a_fast_answer(answer: bytes, said: str) -> None:
    async def portal(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(portal, "127.0.0.1", 0)
    async with server, Lines(server.sockets[0].getsockname()[1], 1).open() as lines:
        with pytest.raises(LineError, match=said):
            await lines.get("/chart?from=2026-10-14", "session=made-up")


async def test_a_connection_that_the_portal_closed_while_it_rested_is_opened_again_for_a_page_and_for_no_act() -> None:
    asked: list[bytes] = []

    async def portal(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        # As a server does that lets nobody rest: the next request on this connection meets its end.
        writer.close()

    server = await asyncio.start_server(portal, "127.0.0.1", 0)
    async with server, Lines(server.sockets[0].getsockname()[1], 1).open() as lines:
        assert await lines.get("/chart", "session=made-up") == b"ok"
        assert await lines.get("/chart", "session=made-up") == b"ok"
        with pytest.raises(LineError, match="did not answer: ConnectionResetError"):
            await lines.post("/act", b"{}")
    assert len(asked) == 2
