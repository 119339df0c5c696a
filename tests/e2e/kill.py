"""Meters that push without pause while processes die, and the account of what must be stored.

The account is written by the collector's own promise: a frame counts once ``offer`` has returned, which is after its
spool's fsync. Nothing else in the platform is asked what it thinks it stored until the end.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy.ext.asyncio import create_async_engine

from openami.app.engines.address import postgres_url
from openami.app.settings import Settings, real_now
from openami.app.supervisor.platform import Platform
from openami.contracts.channel import Channel
from openami.contracts.frame import FrameClass
from openami.contracts.reading import uuids_of
from openami.kernel.ids import SystemTitle
from openami.kernel.time import Period
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.ports import MeterSpan
from openami.meter.sealing import MeterIdentity, sealed_push
from openami.network.collector import Collector
from openami.protocol.envelope.ports import PushPort
from openami.protocol.push import LoadProfileRow, load_profile_body
from openami.security.access.scope import Purpose, system_scope
from openami.security.adapters.root_file import FileRootKey
from openami.security.adapters.shipment_file import read_shipment
from openami.security.adapters.vault_postgres import PostgresVault
from openami.security.pki import Role, client_context, ensure_identity

ROWS = 4
FIRST_END = datetime(2026, 6, 1, 0, 15, tzinfo=UTC)
PUSHED_SPAN = timedelta(minutes=15 * ROWS)
Stored = set[tuple[str, int, int, int]]
"""(meter id, message id, start, value): message id is generation and counter."""


@dataclass(frozen=True, slots=True)
class Account:
    """Rows that were promised and found, in a few octets: to be found again at the end of a long run."""

    span: Period
    rows: int
    digest: int


@dataclass(slots=True)
class PushingMeters:
    """Meters with keys in the vault, pushing four rows at a time through one collector.

    Args:
        settings: of the platform.
        dice: of the run; prints with a failure.
        collector: carries the frames.
        identities: the meters.
        ids: their ids in the vault, same order.
        expected: everything the collector has promised to deliver since the last account was closed.
        accounts: those closed before.
    """

    settings: Settings
    dice: random.Random
    collector: Collector
    identities: list[MeterIdentity]
    ids: list[str]
    expected: Stored = field(default_factory=set)
    accounts: list[Account] = field(default_factory=list)
    _counter: int = 0
    _opened: datetime = FIRST_END - timedelta(minutes=15)

    @classmethod
    async def made(cls, settings: Settings, folder: Path, dice: random.Random, *, meters: int) -> PushingMeters:
        """Make meters and their keys, import the shipment and set up a collector."""
        identities = [
            MeterIdentity(SystemTitle(b"OAM" + n.to_bytes(5)), dice.randbytes(16), dice.randbytes(16))
            for n in range(1, meters + 1)
        ]
        shipment = folder / "shipment.json"
        rows = [
            {
                "system_title": str(i.title),
                "serial": str(i.title),
                "encryption_key": i.encryption_key.hex(),
                "authentication_key": i.authentication_key.hex(),
            }
            for i in identities
        ]
        made = {"shipment_id": "kill", "made_at": "2026-06-01T00:00:00Z", "maker": "OAM", "profile": "oam-1"}
        shipment.touch(mode=0o600)
        shipment.write_text(json.dumps({**made, "meters": rows}))
        root = FileRootKey(settings.home.folder("keys") / "root.key")
        root.ensure()
        engine = create_async_engine(postgres_url(settings, "openami_security"))
        report = await PostgresVault(engine, root).import_shipment(read_shipment(shipment), at=real_now())
        await engine.dispose()
        identity = ensure_identity(settings.home.folder("pki"), role=Role.COLLECTOR, number=1, now=real_now())
        context = client_context(certificate=identity.certificate, key=identity.key, authority=identity.authority)
        collector = Collector(
            1,
            spool_folder=folder / "spool",
            host=settings.gateway_address,
            port=settings.gateway_port,
            ssl_context=context,
            dice=dice.random,
        )
        return cls(settings, dice, collector, identities, [str(m.meter_id) for m in report.meters])

    async def push_once(self) -> None:
        """Let each meter push one frame; count them when the collector has them on disk."""
        self._counter += 1
        frames, rows = [], []
        for meter_id, identity in zip(self.ids, self.identities, strict=True):
            first = FIRST_END + PUSHED_SPAN * (self._counter - 1)
            profile = [
                LoadProfileRow(first + timedelta(minutes=15 * k), 0, self.dice.randrange(1, 4000), 0, 2400)
                for k in range(ROWS)
            ]
            at = profile[-1].end
            body = load_profile_body(profile)
            octets = sealed_push(identity, counter=self._counter, at=at, body=body, port=PushPort.LOAD_PROFILE)
            frames.append((FrameClass.PROFILE, identity.title, int(at.timestamp() * 1000), octets))
            message_id = 1 << 32 | self._counter
            rows += [
                (meter_id, message_id, int((r.end - timedelta(minutes=15)).timestamp()), r.delivered_wh)
                for r in profile
            ]
        await self.collector.offer(frames)
        self.expected.update(rows)

    @property
    def span(self) -> Period:
        """The intervals of the open account."""
        return Period(self._opened, self._next_start)

    @property
    def _next_start(self) -> datetime:
        return FIRST_END + PUSHED_SPAN * self._counter - timedelta(minutes=15)

    def close_account(self) -> Account:
        """Begin a new account; what was promised until now is kept as a count and a digest."""
        account = Account(self.span, len(self.expected), _digest(self.expected))
        self.accounts.append(account)
        self.expected = set()
        self._opened = self._next_start
        return account

    async def is_still_stored(self, account: Account) -> bool:
        """Tell whether the rows of a closed account, and no others, are in the store."""
        found = await self.stored(account.span)
        return len(found) == account.rows and _digest(found) == account.digest

    async def stored(self, span: Period) -> Stored:
        """Return what the store holds of these meters and this span."""
        store = SocketStore(self.settings.home.store_socket)
        try:
            spans = [MeterSpan(UUID(m), UUID(m), span) for m in self.ids]
            scope = system_scope(process="kill-test", purpose=Purpose.MAINTENANCE)
            batch = await store.readings(scope, spans, Channel.DELIVERED, span)
        finally:
            await store.close()
        columns = zip(
            uuids_of(batch.meter_id), batch.message_id.tolist(), batch.start.tolist(), batch.value.tolist(), strict=True
        )
        return {(str(m), int(i), int(s), int(v)) for m, i, s, v in columns}

    async def settled(self, *, timeout_s: float) -> Stored:
        """Wait until the store holds as much as was promised, or time is over; return what it holds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        found: Stored = set()
        while loop.time() < deadline:
            try:
                found = await self.stored(self.span)
            except Exception:  # noqa: BLE001 - the store may be starting again; the deadline bounds this
                found = set()
            if len(found) >= len(self.expected):
                break
            await asyncio.sleep(0.3)
        return found


def _digest(rows: Stored) -> int:
    # Order-free, so that no sorting of a million rows is needed; equal sets give equal sums within one process.
    return sum(map(hash, rows)) & 0xFFFF_FFFF_FFFF_FFFF


async def kill_and_wait(platform: Platform, names: list[str], *, timeout_s: float = 60) -> None:
    """Kill -9 these children at once and wait until each lives and serves again."""
    children = [c for c in platform.children if c.name in names]
    dead = {c.name: c.pid for c in children}
    for pid in dead.values():
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
    deadline = asyncio.get_running_loop().time() + timeout_s
    for child in children:
        while child.pid in {None, dead[child.name]} or not await asyncio.to_thread(child.serves):
            assert asyncio.get_running_loop().time() < deadline, f"{child.name} did not come back: {child.last_words()}"
            await asyncio.sleep(0.02)
