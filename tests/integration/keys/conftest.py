"""A vault on the real database, and shipments for it."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from openami.app.engines.postgres import SUPERUSER, PostgresEngine
from openami.security.adapters.root_file import FileRootKey
from openami.security.adapters.vault_postgres import PostgresVault
from openami.security.keys.shipment import Shipment, parse_shipment

AT = datetime(2026, 1, 6, tzinfo=UTC)


def shipment(
    name: str = "S-1", *, first: int = 1, count: int = 3, key: str | None = None, masters: bool = False
) -> Shipment:
    meters = [
        {
            "system_title": f"4f414d{n:010x}",
            "serial": str(1000 + n),
            "encryption_key": key or os.urandom(16).hex(),
            "authentication_key": os.urandom(16).hex(),
            **({"master_key": os.urandom(16).hex()} if masters else {}),
        }
        for n in range(first, first + count)
    ]
    head = {"shipment_id": name, "made_at": "2026-01-05T08:00:00Z", "maker": "OAM", "profile": "oam-1"}
    return parse_shipment(json.dumps({**head, "meters": meters}).encode())


def superuser(postgres: PostgresEngine) -> psycopg.Connection:
    return psycopg.connect(f"host={postgres.sockets} user={SUPERUSER} dbname=openami", autocommit=True)


@pytest.fixture
async def engine(postgres: PostgresEngine) -> AsyncIterator[AsyncEngine]:
    made = create_async_engine(postgres.url("openami_security"), hide_parameters=True)
    yield made
    await made.dispose()


@pytest.fixture
def root(tmp_path: Path) -> FileRootKey:
    made = FileRootKey(tmp_path / "root.key")
    made.ensure()
    return made


@pytest.fixture
def vault(engine: AsyncEngine, root: FileRootKey) -> PostgresVault:
    return PostgresVault(engine, root)
