"""No key, password, session, reading or name of a person is in a log, a file name or a bus subject.

It runs after the tests that push, forge, replay, sign in, stop and start, so the logs have seen it all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import httpx
import psycopg
import pytest
from tests.e2e.conftest import Demo
from tests.e2e.own_meter import signed_in

from openami.app.engines.address import nats_url, postgres_engine
from openami.app.engines.nats import connect
from openami.app.engines.postgres import DATABASE, SUPERUSER
from openami.app.settings import Settings
from openami.contracts.stream import CORE_CHANGED, CORE_DEADLETTER, CORE_EVENT, CORE_READING, DMZ_FRAME

pytestmark = [pytest.mark.e2e, pytest.mark.enable_socket, pytest.mark.timeout(120)]
ENGINES_OWN = ("postgres", "nats", "store")
"""Folders of engines: their files are named by the engine, and two of them hold what rooms keep on purpose."""
READING_WORDS = re.compile(rb'"(?:value|values|delivered|received|reading|register)\w*": ?-?\d')


def text_of(folder: Path) -> dict[str, bytes]:
    """Return every log by its name."""
    return {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def hits(logs: dict[str, bytes], words: Iterable[str]) -> dict[str, int]:
    """Return how many of the words occur in each log; the words themselves stay out of the answer."""
    wanted = [w.lower().encode() for w in words]
    found = {name: sum(w in text.lower() for w in wanted) for name, text in logs.items()}
    return {name: count for name, count in found.items() if count}


def keys_of(home: Path) -> list[str]:
    """Return all meter keys that were shipped to this home: of its own meters, and by the factory's own book."""
    return [
        meter[use]
        for shipment in (*(home / "shipments").glob("*.json"), home / "territory" / "meters.json")
        for meter in json.loads(shipment.read_text())["meters"]
        for use in ("encryption_key", "authentication_key", "master_key")
        if use in meter
    ]


def identities(settings: Settings) -> list[str]:
    """Return names, e-mail addresses and street addresses of all customers."""
    engine = postgres_engine(settings)
    with psycopg.connect(f"host={engine.sockets} user={SUPERUSER} dbname={DATABASE}") as connection:
        columns = connection.execute(
            "select table_name, column_name from information_schema.columns where table_schema = 'customer' "
            "and column_name in ('name', 'email', 'address', 'street')"
        ).fetchall()
        found = [
            str(value)
            for table, column in columns
            for (value,) in connection.execute(f'select "{column}" from customer."{table}"').fetchall()  # noqa: S608 - names from the catalog
        ]
    return [word for word in found if len(word) > 5]


@pytest.mark.attack("A34")
async def test_no_secret_no_reading_and_no_name_is_in_a_log(demo: Demo) -> None:
    settings = Settings.load(demo.home)
    async with signed_in(demo, demo.people["staff"]) as staff, signed_in(demo, demo.people["customer"]) as customer:
        sessions = [c.value for client in (staff, customer) for c in client.cookies.jar if c.value]
        tokens = [client.headers["X-CSRF-Token"] for client in (staff, customer)]
        place = (await customer.get("/me/service-points")).json()["service_points"][0]["service_point_id"]
        view = (await customer.get(f"/service-points/{place}/home")).json()
    readings = [str(v) for v in view["today"]["value_wh"] if v is not None and v >= 100]
    keys, people = keys_of(demo.home), identities(settings)
    passwords = [p["password"] for p in demo.people.values()]
    assert (len(keys) >= 48, len(people) >= 48, len(sessions) == 2, len(readings) > 0) == (True,) * 4
    logs = text_of(demo.home / "log")
    assert {f"{p}.log" for p in ("gateway", "headend", "command", "store", "worker", "web", "history")} <= set(logs)
    assert sum(len(t) for t in logs.values()) > 1000

    assert hits(logs, keys) == {}
    assert hits(logs, [*passwords, *sessions, *tokens]) == {}
    assert hits(logs, [*people, *(p["login"] for p in demo.people.values())]) == {}
    assert hits(logs, [f'"{place}": {r}' for r in readings] + [f"value={r}" for r in readings]) == {}
    assert {n: m for n, t in logs.items() if (m := READING_WORDS.findall(t))} == {}
    counted = (
        f"{len(keys)} keys, {len(passwords)} passwords, {len(sessions)} sessions, {len(people)} names and addresses"
    )
    print(f"\n0 hits of {counted} in {len(logs)} logs ({sum(map(len, logs.values()))} octets)")  # noqa: T201 - shown to people


@pytest.mark.attack("A34")
def test_no_file_is_named_after_a_person_or_a_key(demo: Demo) -> None:
    words = [w.lower() for w in (*identities(Settings.load(demo.home)), *keys_of(demo.home))]
    names = [
        str(p.relative_to(demo.home)).lower()
        for p in demo.home.rglob("*")
        if p.relative_to(demo.home).parts[0] not in ENGINES_OWN
    ]
    assert len(names) > 50
    assert [n for n in names if any(w in n for w in words)] == []


async def test_no_bus_subject_names_a_person_a_place_or_a_meter(demo: Demo) -> None:
    settings = Settings.load(demo.home)
    subjects: set[str] = set()
    for user, streams in (
        ("dmz_admin", [DMZ_FRAME]),
        ("core_admin", [CORE_READING, CORE_EVENT, CORE_CHANGED, CORE_DEADLETTER]),
    ):
        client = await connect(nats_url(settings, user), name="e2e")
        try:
            for stream in streams:
                info = await client.jetstream().stream_info(stream.name, subjects_filter=">")
                subjects |= set(info.state.subjects or {})
        finally:
            await client.close()
    assert subjects
    assert [s for s in subjects if not re.fullmatch(r"(dmz|core)\.[a-z]+\.v1(\.[a-z]+)?(\.-?\d+)?", s)] == []


async def test_an_address_of_the_portal_names_no_person(demo: Demo) -> None:
    async with httpx.AsyncClient() as client:
        paths = (await client.get(f"{demo.portal}/api/v1/openapi.json")).json()["paths"]
    parameters = {word for path in paths for word in re.findall(r"{(\w+)}", path)}
    # Random ids, numbers of devices, and places in a stream.
    of_people = {"service_point_id", "bill_id", "meter_id"}
    assert parameters <= of_people | {"alert_id", "case_id", "collector_id", "decision_id", "letter_id", "order_id"}
