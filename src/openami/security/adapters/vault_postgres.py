"""The key vault in PostgreSQL, schema ``security``.

Role ``openami_security`` writes and reads all of it; role ``openami_keyreader``, the head-end's, can :meth:`load` and
sees no row of a master key.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from openami.kernel.ids import SystemTitle
from openami.security.adapters.vault import alerts, changes, groups, makers, marks, rewrap, status
from openami.security.adapters.vault.installation import SHIPMENT, InstallationKeys
from openami.security.adapters.vault.loading import load_pairs
from openami.security.adapters.vault.rows import LOCK, METERS, vault_meter
from openami.security.adapters.vault.shipments import ShipmentIntake
from openami.security.keys.alert import KeyAlert, SpoiledKey
from openami.security.keys.context import KeySet, KeyState, KeyUse
from openami.security.keys.envelope import KeyBindingError as KeyBindingError  # noqa: PLC0414 - callers catch it here
from openami.security.keys.groups import GroupKey, KeyGroup
from openami.security.keys.level import SecurityLevel
from openami.security.keys.makers import MakerKey
from openami.security.keys.marks import Incident, IncidentProgress, Residual
from openami.security.keys.ports import (
    KeyStateError,
    MasterKey,
    RootKey,
    ShipmentReport,
    VaultMeter,
    VaultUnavailableError,
)
from openami.security.keys.rewrap import Place, RewrapStep
from openami.security.keys.sealed_shipment import scalar_of
from openami.security.keys.secret import Secret
from openami.security.keys.shipment import Shipment, ShipmentError
from openami.security.keys.status import MeterKeys, VaultStatus
from openami.security.keys.table import KeyColumns

_SNAPSHOT = text("set transaction isolation level repeatable read, read only")


class PostgresVault:
    """A ``KeyVault`` and ``KeyChanges`` of :mod:`openami.security.keys.ports`, and its marks of what leaked.

    Args:
        engine: connected as ``openami_security``, or as ``openami_keyreader`` for :meth:`load` alone.
        root: where the root key is.
        dice: source of random octets.
    """

    def __init__(self, engine: AsyncEngine, root: RootKey, dice: Callable[[int], bytes] = os.urandom) -> None:
        self._engine = engine
        self._keys = InstallationKeys(root, dice)

    async def import_shipment(self, shipment: Shipment, *, at: datetime, is_signed: bool = False) -> ShipmentReport:
        """Keep every key of the shipment, or none."""
        try:
            async with self._writing() as connection:
                writing = await self._keys.writing(connection, at=at)
                return await ShipmentIntake(connection, writing, at=at).take(shipment, is_signed=is_signed)
        except IntegrityError as error:
            raise ShipmentError(
                f"shipment {shipment.shipment_id}: a title, id or key is in the vault already"
            ) from error

    async def revision(self) -> int:
        """Return the newest revision."""
        async with self._reading() as connection:
            return int(await connection.scalar(text("select max(revision) from security.meter_key")) or 0)

    async def load(self, *, after_revision: int = 0) -> KeyColumns:
        """Return key pairs that changed after that revision, and which of them are spoiled."""
        async with self._reading() as connection:
            return await load_pairs(connection, self._keys, after_revision=after_revision)

    async def meters(self) -> list[VaultMeter]:
        """Return every meter that has keys."""
        async with self._reading() as connection:
            rows = (await connection.execute(text(f"{METERS} order by system_title"))).all()
        return [vault_meter(r) for r in rows]

    async def keep_new_pair(
        self, meter_id: UUID, *, encryption_key: Secret, authentication_key: Secret, at: datetime
    ) -> int:
        """Keep a new key pair of a meter; return its generation."""
        keys = ((KeyUse.ENCRYPTION, encryption_key), (KeyUse.AUTHENTICATION, authentication_key))
        return await self._keep_new(meter_id, keys, at)

    async def keep_new_master(self, meter_id: UUID, *, key: Secret, at: datetime) -> int:
        """Keep a new master key of a meter; return its generation."""
        return await self._keep_new(meter_id, ((KeyUse.MASTER, key),), at)

    async def activate(self, meter_id: UUID, what: KeySet, generation: int, *, at: datetime) -> None:
        """Put proved keys into use."""
        async with self._writing() as connection:
            await changes.activate(connection, meter_id, what, generation, at=at)

    async def withdraw(self, meter_id: UUID, what: KeySet, generation: int, *, at: datetime) -> None:
        """Give up keys that are not in use."""
        async with self._writing() as connection:
            await changes.withdraw(connection, meter_id, what, generation, at=at)

    async def withdraw_expired(self, *, before: datetime, at: datetime) -> int:
        """Withdraw what expired before an instant."""
        async with self._writing() as connection:
            return await changes.withdraw_expired(connection, before=before, at=at)

    async def master_key(self, meter_id: UUID, *, state: KeyState = KeyState.ACTIVE) -> MasterKey | None:
        """Return a meter's master key."""
        async with self._reading() as connection:
            return await changes.master_of(connection, await self._keys.every(connection), meter_id, state)

    async def mark_compromised(self, incident: Incident, titles: Sequence[SystemTitle], *, masters: bool) -> int:
        """Mark every key that these meters have now as leaked."""
        async with self._writing() as connection:
            return await marks.mark(connection, incident, titles, masters=masters)

    async def incidents(self) -> list[IncidentProgress]:
        """Return what was said to have leaked, with its progress."""
        async with self._reading() as connection:
            return await marks.incidents(connection)

    async def residual(self, *, limit: int = 1_000) -> list[Residual]:
        """Return meters that still use keys that leaked."""
        async with self._reading() as connection:
            return await marks.residual(connection, limit=limit)

    async def new_installation_key(self, *, at: datetime) -> int:
        """Make an installation key that wraps what comes in from now on; return its version."""
        async with self._writing() as connection:
            return await rewrap.begin(connection, self._keys, at=at)

    async def rewrap_some(self, *, after: Place | None = None, limit: int = 1_000, at: datetime) -> RewrapStep:
        """Wrap the next keys under the newest installation key."""
        async with self._writing() as connection:
            return await rewrap.step(connection, self._keys, after=after, limit=limit, at=at)

    async def move_root(self, to: RootKey) -> int:
        """Wrap what is under the root key under another one, all of it or nothing; return how many keys."""
        async with self._writing() as connection:
            return await self._keys.move(connection, to)

    async def shipment_key(self, *, at: datetime) -> Secret:
        """Return the private key that makers encrypt shipments to."""
        async with self._writing() as connection:
            newest = await self._keys.newest(connection, at=at)
            return Secret(scalar_of((await self._keys.of_purpose(connection, SHIPMENT, newest, at=at)).reveal()))

    async def keys_of_maker(self, maker: str) -> list[bytes]:
        """Return the public keys of a maker that are good now."""
        async with self._reading() as connection:
            return await makers.good_keys(connection, maker)

    async def makers(self) -> list[MakerKey]:
        """Return every key that was ever registered."""
        async with self._reading() as connection:
            return await makers.every_key(connection)

    async def register_maker(self, key: MakerKey) -> None:
        """Believe a maker's signature from now on."""
        async with self._writing() as connection:
            await makers.register(connection, key)

    async def withdraw_maker(self, maker: str, *, at: datetime) -> int:
        """Believe no signature of this maker any more."""
        async with self._writing() as connection:
            return await makers.withdraw(connection, maker, at=at)

    async def status(self) -> VaultStatus:
        """Return the figures of the vault."""
        async with self._reading() as connection:
            return await status.read_status(connection)

    async def meter_keys(self, *, level: SecurityLevel | None = None, limit: int = 1_000) -> list[MeterKeys]:
        """Return where the keys of meters stand, those that need somebody first."""
        async with self._reading() as connection:
            return await status.read_meters(connection, level=level, limit=limit)

    async def raise_alerts(self, spoiled: Sequence[SpoiledKey], *, seen_by: str, at: datetime) -> int:
        """Keep alerts that do not stand already; return how many those were."""
        async with self._writing() as connection:
            return await alerts.raise_alerts(connection, spoiled, seen_by=seen_by, at=at)

    async def standing(self) -> set[tuple[UUID, int]]:
        """Return (meter, generation) of the alerts that stand."""
        async with self._reading() as connection:
            return await alerts.standing(connection)

    async def end_alerts(self, sound: Collection[tuple[UUID, int]], *, at: datetime) -> None:
        """End the alerts of keys that open."""
        async with self._writing() as connection:
            await alerts.end_alerts(connection, sound, at=at)

    async def alerts(self, *, limit: int = 1_000) -> list[KeyAlert]:
        """Return alerts, those that stand first."""
        async with self._reading() as connection:
            return await alerts.read_alerts(connection, limit=limit)

    async def make_group(self, name: str, collectors: Collection[int], *, at: datetime) -> UUID:
        """Make a group with a broadcast key."""
        async with self._writing() as connection:
            writing = await self._keys.writing(connection, at=at)
            return await groups.make(connection, name, collectors, writing=writing, at=at)

    async def join_group(self, name: str, titles: Sequence[SystemTitle]) -> int:
        """Put meters into a group."""
        async with self._writing() as connection:
            return await groups.join(connection, name, titles)

    async def renew_groups(
        self, *, names: Collection[str] = (), collector_id: int | None = None, because: UUID | None = None, at: datetime
    ) -> list[str]:
        """Give groups new broadcast keys."""
        renewal = groups.Renewal(names, collector_id, because, at)
        async with self._writing() as connection:
            return await groups.renew(connection, renewal, lambda: self._keys.writing(connection, at=at))

    async def groups(self) -> list[KeyGroup]:
        """Return every group, by name."""
        async with self._reading() as connection:
            return await groups.every(connection)

    async def behind(self, *, limit: int = 1_000) -> list[SystemTitle]:
        """Return meters that do not have their group's key yet."""
        async with self._reading() as connection:
            return await groups.behind(connection, limit=limit)

    async def send_group_key_with(self, meter_id: UUID, pair_generation: int) -> None:
        """Fix that the group's key of now goes to a meter with a new pair."""
        async with self._writing() as connection:
            await groups.fix(connection, meter_id, pair_generation)

    async def group_key_to_send(self, meter_id: UUID, pair_generation: int) -> GroupKey | None:
        """Return the group's key that goes to a meter with a pair."""
        async with self._reading() as connection:
            return await groups.to_send(connection, await self._keys.every(connection), meter_id, pair_generation)

    async def group_key_held(self, meter_id: UUID, pair_generation: int) -> None:
        """Note that a meter has proved a pair, and so holds the group's key that went with it."""
        async with self._writing() as connection:
            await groups.held(connection, meter_id, pair_generation)

    async def _keep_new(self, meter_id: UUID, keys: tuple[tuple[KeyUse, Secret], ...], at: datetime) -> int:
        try:
            async with self._writing() as connection:
                writing = await self._keys.writing(connection, at=at)
                return await changes.keep_new(connection, meter_id, keys, writing=writing, at=at)
        except IntegrityError as error:
            raise KeyStateError(f"a new key of meter {meter_id} is in the vault already") from error

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        """Hold a transaction and the vault's lock; what it wrote is on disk when the block has ended."""
        try:
            async with self._engine.begin() as connection:
                await connection.execute(text("set local synchronous_commit = on"))
                await connection.execute(LOCK)
                yield connection
        except OperationalError as error:
            raise VaultUnavailableError(f"the vault does not answer: {type(error.orig).__name__}") from error

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        """Hold one snapshot: a row and the installation key that it names are of one moment, whatever is re-wrapped."""
        try:
            async with self._engine.begin() as connection:
                # Not as an option of the engine: that waits while it connects, and whoever is cancelled there keeps
                # the connection for good.
                await connection.execute(_SNAPSHOT)
                yield connection
        except OperationalError as error:
            raise VaultUnavailableError(f"the vault does not answer: {type(error.orig).__name__}") from error
