"""The web process over real engines: PostgreSQL, NATS and the store process, asked as a browser asks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import numpy as np
import pytest
from typer.testing import CliRunner

from openami.app.commands import audit as audit_command
from openami.app.engines.address import nats_url, postgres_url
from openami.app.engines.nats import NatsEngine, connect
from openami.app.engines.postgres import SUPERUSER, PostgresEngine
from openami.app.people.accounts import RealClock, accounts_of
from openami.app.process import web
from openami.app.settings import Home, Settings
from openami.billing.adapters.book_postgres import PostgresBillBook
from openami.billing.bill.record import Assignment
from openami.contracts.channel import Channel
from openami.contracts.deadletter import RefusalReason
from openami.contracts.quality import Source
from openami.contracts.reading import ReadingBatch, uuid_column
from openami.contracts.stream import reading_subject
from openami.customer.adapters.customer_postgres import PostgresCustomers
from openami.customer.api import CustomerBook, NewCustomer
from openami.kernel.time import epoch_s
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.api import Installation, Meter, ServicePoint, StoreUnavailableError
from openami.network.gateway.batch import RefusedFrame
from openami.network.gateway.quarantine import QUARANTINE, Quarantine
from openami.security.access.account import NewUser
from openami.security.access.role import Role
from openami.security.adapters.audit_postgres import AuditSequencer
from openami.security.adapters.row_security import row_secured_engine

pytestmark = [pytest.mark.engines, pytest.mark.enable_socket]
WORD = "a long enough password"
CHICAGO = "America/Chicago"


@dataclass(frozen=True)
class World:
    base: str
    settings: Settings
    mine: UUID
    my_meter: UUID
    other: UUID
    other_meter: UUID
    moved_in: datetime
    now: datetime


def readings(meter: UUID, first: datetime, count: int, value: int = 250) -> ReadingBatch:
    start = epoch_s(first) + 900 * np.arange(count, dtype=np.int64)
    return ReadingBatch(
        meter_id=uuid_column([meter] * count),
        channel=np.full(count, Channel.DELIVERED, np.uint8),
        start=start,
        interval_s=np.full(count, 900, np.uint32),
        value=np.full(count, value, np.int64),
        quality=np.zeros(count, np.uint16),
        source=np.full(count, Source.PUSH, np.uint8),
        message_id=np.arange(1, count + 1, dtype=np.uint64) + np.uint64(epoch_s(first)),
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
async def world(postgres: PostgresEngine, nats_server: NatsEngine, short_tmp: Path) -> AsyncIterator[World]:
    now = datetime.now(UTC).replace(microsecond=0)
    settings = Settings(
        Home(short_tmp),
        zone=CHICAGO,
        web_port=free_port(),
        nats_port=nats_server.port,
        postgres_url=postgres.url(SUPERUSER),
        real_origin=now,
    )
    settings.save()
    command = [sys.executable, "-m", "openami.app.process", "store", "--home", str(short_tmp)]
    with (short_tmp / "store.log").open("wb") as log:
        store_process = subprocess.Popen(command, stdout=log, stderr=log)
    store = SocketStore(settings.home.store_socket)
    registry_engine = row_secured_engine(postgres.url("openami_mdm"))
    access_engine = row_secured_engine(postgres.url("openami_access"))
    customer_engine = row_secured_engine(postgres.url("openami_customer"))
    stop = asyncio.Event()
    serving = asyncio.create_task(web.run(settings, stop))
    try:
        mine, other, my_meter, other_meter = (uuid4() for _ in range(4))
        quarter = now - timedelta(seconds=epoch_s(now) % 900)
        moved_in = quarter - timedelta(days=3)
        registry = PostgresRegistry(registry_engine)
        await registry.add_service_points([ServicePoint(p, CHICAGO, now, cell="A") for p in (mine, other)])
        await registry.add_meters([Meter(m, f"S{i}", now) for i, m in enumerate((my_meter, other_meter))])
        began = quarter - timedelta(days=30)
        await registry.install(
            [Installation(uuid4(), p, m, began) for p, m in ((mine, my_meter), (other, other_meter))], at=now
        )
        accounts = accounts_of(settings, access_engine, RealClock())
        book = CustomerBook(PostgresCustomers(customer_engine), accounts, settings.clock())
        await book.create(
            [
                NewCustomer("Ada Alder", "ada@example.org", mine, "1 Elm Street", moved_in, password=WORD),
                NewCustomer("Bo Birch", "bo@example.org", other, "2 Elm Street", began, password=WORD),
            ]
        )
        staff = [Role.OPERATOR, Role.VIEWER, Role.SECAUD]
        await accounts.register_users(
            [NewUser(r.value, frozenset({r}), WORD, display_name=r.value.title()) for r in staff]
        )
        billing_engine = row_secured_engine(postgres.url("openami_billing"))
        await PostgresBillBook(billing_engine).assign(
            [Assignment(p, "ameren-mo-anytime", began.date() - timedelta(days=40)) for p in (mine, other)], at=now
        )
        await billing_engine.dispose()
        deadline = time.monotonic() + 60
        while True:
            try:
                await store.write_readings(readings(my_meter, began, 30 * 96), token="mine")
                break
            except StoreUnavailableError:
                assert time.monotonic() < deadline, (short_tmp / "store.log").read_text()[-2000:]
                await asyncio.sleep(0.2)
        await store.write_readings(readings(other_meter, began, 30 * 96), token="other")
        base = f"http://127.0.0.1:{settings.web_port}"
        while True:
            with contextlib.suppress(httpx.HTTPError):
                async with httpx.AsyncClient(base_url=base) as client:
                    await client.get("/api/v1/session")
                    break
            assert time.monotonic() < deadline
            assert not serving.done(), serving.exception()
            await asyncio.sleep(0.1)
        yield World(base, settings, mine, my_meter, other, other_meter, moved_in, quarter)
    finally:
        stop.set()
        await asyncio.wait_for(serving, 20)
        store_process.terminate()
        store_process.wait(20)
        await store.close()
        for engine in (registry_engine, access_engine, customer_engine):
            await engine.dispose()


@contextlib.asynccontextmanager
async def signed_in(world: World, login: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=world.base + "/api/v1", timeout=20) as client:
        answer = await client.post("/session", json={"login": login, "password": WORD})
        assert answer.status_code == 200, answer.text
        client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
        yield client


async def test_a_customer_sees_today_the_chart_and_who_looked_and_nothing_of_a_neighbor(world: World) -> None:
    async with signed_in(world, "ada@example.org") as ada:
        me = (await ada.get("/session")).json()
        assert (me["name"], me["roles"], me["is_staff"]) == ("Ada Alder", ["customer"], False)
        places = (await ada.get("/me/service-points")).json()["service_points"]
        assert [(p["service_point_id"], p["address"]) for p in places] == [(str(world.mine), "1 Elm Street")]
        home = await ada.get(f"/service-points/{world.mine}/home")
        assert home.status_code == 200, home.text
        assert home.json()["today"]["used_wh"] == 250 * home.json()["today"]["intervals_so_far"]
        assert home.json()["is_live"]
        day = (world.now - timedelta(days=1)).date()
        chart = (
            await ada.get(f"/service-points/{world.mine}/intervals", params={"from": str(day), "to": str(day)})
        ).json()
        assert set(chart["value"]) == {250}
        assert chart["preliminary_from"] == chart["start"][0]
        assert chart["price"]["currency"] == "USD"
        assert places[0]["rate_name"]
        assert home.json()["bill"]["rate_name"] == places[0]["rate_name"]
        for part in ("home", "bills", "who-looked", f"intervals?from={day}&to={day}", f"bills/{uuid4()}"):
            assert (await ada.get(f"/service-points/{world.other}/{part}")).status_code == 404, part
            assert (await ada.get(f"/service-points/{uuid4()}/{part}")).status_code == 404, part
        assert (await ada.get("/staff/now")).status_code == 404
    async with signed_in(world, "OPERATOR") as operator:
        day_params = {"from": str(day), "to": str(day), "purpose": "customer_service"}
        assert (await operator.get(f"/service-points/{world.mine}/intervals", params=day_params)).status_code == 200
    async with signed_in(world, "ada@example.org") as ada:
        log = (await ada.get(f"/service-points/{world.mine}/who-looked")).json()["entries"]
        assert {(e["who"], e["purpose"]) for e in log} == {("You", "own_data"), ("OPERATOR", "customer_service")}
    async with signed_in(world, "bo@example.org") as bo:
        log = (await bo.get(f"/service-points/{world.other}/who-looked")).json()["entries"]
        assert False in {e["allowed"] for e in log}, "the neighbor's attempt is in the owner's log"


async def test_energy_sent_back_is_offered_where_some_was_in_the_readers_own_time(world: World) -> None:
    store = SocketStore(world.settings.home.store_socket)
    quarters = 8 * 96
    for meter, sent_back in ((world.my_meter, 0), (world.other_meter, 40)):
        batch = readings(meter, world.now - timedelta(minutes=15 * quarters), quarters, sent_back)
        # Whoever lived at my place before me had a roof; what was sent back then is not mine to know.
        value = np.where(batch.start < epoch_s(world.moved_in), 40, batch.value)
        batch = replace(batch, channel=np.full(quarters, Channel.RECEIVED, np.uint8), value=value)
        await store.write_readings(batch, token=f"received-{sent_back}")
    await store.close()
    for login, expected in (("ada@example.org", False), ("bo@example.org", True)):
        async with signed_in(world, login) as client:
            (place,) = (await client.get("/me/service-points")).json()["service_points"]
        assert place["has_received"] is expected, login


async def test_a_new_occupant_reads_from_the_exact_interval_of_move_in_on(world: World) -> None:
    first, last = (world.moved_in - timedelta(days=2)).date(), world.now.date()
    async with signed_in(world, "ada@example.org") as ada:
        for resolution in ("quarter", "hour", "day", "month"):
            params = {"from": str(first), "to": str(last), "resolution": resolution}
            chart = (await ada.get(f"/service-points/{world.mine}/intervals", params=params)).json()
            expected = (epoch_s(world.now) - epoch_s(world.moved_in)) // 900
            assert sum(v for v in chart["value"] if v) == 250 * expected, resolution
            if resolution == "quarter":
                assert chart["start"][0] == epoch_s(world.moved_in)
        text = (await ada.get(f"/service-points/{world.mine}/download.csv", params=params)).text
        assert text.splitlines()[1].startswith(f"{world.moved_in:%Y-%m-%dT%H:%M:%SZ}")


async def test_the_log_of_looks_is_checked_and_one_entry_is_proved_from_the_command_line(world: World) -> None:
    async with signed_in(world, "ada@example.org") as ada:
        await ada.get("/me/service-points")
        entry = (await ada.get(f"/service-points/{world.mine}/who-looked")).json()["entries"][0]["entry_id"]
    accounts_engine = row_secured_engine(postgres_url(world.settings, "openami_audit"))
    await AuditSequencer(accounts_engine, RealClock(), web.audit_key_of(world.settings)).seal()
    await accounts_engine.dispose()
    home = ["--home", str(world.settings.home.path)]
    file = world.settings.home.path / "log.jsonl"
    runner = CliRunner()
    answers = []
    for command in (["verify", "--json"], ["prove", entry, "--json"], ["export", str(file)]):
        result = await asyncio.to_thread(runner.invoke, audit_command.app, [*command, *home])
        assert result.exit_code == 0, result.output
        answers.append(result.output)
    assert json.loads(answers[0])["whole"] is True
    assert json.loads(answers[1])["proved"] is True
    file.write_text(file.read_text().replace("customer", "OPERATOR", 1))
    result = await asyncio.to_thread(runner.invoke, audit_command.app, ["verify", str(file), "--json", *home])
    assert result.exit_code == 1
    assert json.loads(result.output)["findings"][0]["rule"] == "altered"


async def test_staff_see_counts_by_cell_and_no_single_home_without_the_desk(world: World) -> None:
    async with signed_in(world, "VIEWER") as viewer:
        now = await viewer.get("/staff/now")
        assert now.status_code == 200, now.text
        assert now.json()["unavailable"] == []
        assert now.json()["completeness"]["cell"] == ["A"]
        assert sum(now.json()["completeness"]["received"][0]) > 90 * 2
        assert now.json()["meters_installed"] == 2
        assert (await viewer.get(f"/service-points/{world.mine}/home")).status_code == 403
        assert (await viewer.get("/staff/unassigned")).status_code == 403


async def test_what_the_gateway_refused_is_counted_and_listed_for_staff(world: World) -> None:
    folder = world.settings.home.folder("gateway")
    frame = RefusedFrame(7, 1, RefusalReason.DOWNGRADE, b"OAM00001", 5, bytes(30))
    Quarantine(folder / QUARANTINE).append([frame], refused_at_ms=1000 * epoch_s(world.now))
    (folder / "status.json").write_text(json.dumps({"counts": {"refused_downgrade": 1}}))
    async with signed_in(world, "OPERATOR") as operator:
        now = (await operator.get("/staff/now")).json()
        assert {r["reason"]: r["count"] for r in now["dead_letters"]} == {"downgrade": 1}
        (letter,) = (await operator.get("/staff/dead-letters")).json()["letters"]
        assert (letter["reason"], letter["octets"], letter["refused_at"]) == ("downgrade", 30, epoch_s(world.now))
        assert (await operator.get("/staff/dead-letters", params={"before": "x"})).status_code == 400


async def test_a_stored_reading_reaches_its_owners_screen_within_two_seconds(world: World) -> None:
    bus = await connect(nats_url(world.settings, "core"), name="test")
    async with signed_in(world, "ada@example.org") as ada, signed_in(world, "bo@example.org") as bo:
        heard: dict[str, list[tuple[str, dict[str, object], float]]] = {"ada": [], "bo": []}
        tasks = [asyncio.create_task(_listen(ada, heard["ada"])), asyncio.create_task(_listen(bo, heard["bo"]))]
        deadline = time.monotonic() + 10
        while not (heard["ada"] and heard["bo"]):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        sent = time.monotonic()
        batch = readings(world.my_meter, world.now, 1, 777)
        await bus.jetstream().publish(reading_subject(0), batch.encode(), headers={"Openami-Kind": "reading"})
        while not [e for e in heard["ada"] if e[0] == "reading"]:
            assert time.monotonic() < sent + 10, heard
            await asyncio.sleep(0.02)
        _, data, at = next(e for e in heard["ada"] if e[0] == "reading")
        assert at - sent < 2
        assert data == {"service_point_id": str(world.mine), "newest_end": epoch_s(world.now) + 900}
        home = (await ada.get(f"/service-points/{world.mine}/home")).json()
        assert home["today"]["value_wh"][home["today"]["start"].index(epoch_s(world.now))] == 777
        assert not [e for e in heard["bo"] if e[0] == "reading"]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await bus.close()


async def _listen(client: httpx.AsyncClient, heard: list[tuple[str, dict[str, object], float]]) -> None:
    async with client.stream("GET", "/events", timeout=30) as stream:
        assert stream.status_code == 200
        name = ""
        async for line in stream.aiter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                heard.append((name, json.loads(line.removeprefix("data: ")), time.monotonic()))
