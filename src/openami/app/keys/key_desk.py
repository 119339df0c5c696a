"""What people do with keys at the command line: each change under a person's own sign-in and in the audit log.

What is read here shows where keys stand and never a key. Rotation has a desk of its own.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid4

from openami.app.devices.shipment import root_key, take_shipment
from openami.app.engines.rooms import room_database
from openami.app.keys.root_key import file_root, token_root
from openami.app.people.desk import Act, Actor, acting
from openami.app.settings import Settings, real_now
from openami.kernel.errors import MisuseError
from openami.kernel.ids import SystemTitle
from openami.security.access.policy import Kind
from openami.security.adapters.shipment_file import read_shipment_octets
from openami.security.adapters.vault_postgres import PostgresVault
from openami.security.keys.alert import KeyAlert
from openami.security.keys.groups import KeyGroup
from openami.security.keys.level import SecurityLevel
from openami.security.keys.makers import MakerKey
from openami.security.keys.marks import Incident, IncidentProgress, Residual
from openami.security.keys.ports import RootKey, ShipmentReport
from openami.security.keys.rewrap import Place
from openami.security.keys.roots import RootKeys
from openami.security.keys.status import MeterKeys, VaultStatus

STEP_KEYS = 1_000
"""Keys in one step of a re-wrap: others who write keys wait for less than half a second."""


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """What a re-wrap did.

    Args:
        version: the installation key that everything is under now.
        keys: how many were wrapped anew by this run.
        retired: installation keys that are gone.
        spoiled: what is wrong with keys that do not open.
    """

    version: int
    keys: int
    retired: tuple[int, ...]
    spoiled: tuple[str, ...]


class KeyDesk:
    """Acts of people on the keys of one installation.

    Every act raises ``SignInRefusedError``, ``AccessDeniedError``, ``AuditUnavailableError`` as
    :func:`openami.app.people.desk.acting` does, and ``VaultUnavailableError`` where the database does not answer.

    Args:
        settings: of the home.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def status(self) -> tuple[VaultStatus, str]:
        """Return the figures of the vault, and where its root key is."""
        async with self._vault() as vault:
            return await vault.status(), str(root_key(self._settings))

    async def meters(self, *, level: SecurityLevel | None, limit: int) -> list[MeterKeys]:
        """Return where the keys of meters stand, those that need somebody first."""
        async with self._vault() as vault:
            return await vault.meter_keys(level=level, limit=limit)

    async def leaked(self, *, limit: int) -> tuple[list[IncidentProgress], list[Residual]]:
        """Return every incident with its progress, and meters that still use keys that leaked."""
        async with self._vault() as vault:
            return await vault.incidents(), await vault.residual(limit=limit)

    async def alerts(self, *, limit: int) -> list[KeyAlert]:
        """Return alerts of keys that do not open, those that stand first."""
        async with self._vault() as vault:
            return await vault.alerts(limit=limit)

    async def makers(self) -> Sequence[MakerKey]:
        """Return every key of a maker that was ever registered."""
        async with self._vault() as vault:
            return await vault.makers()

    async def take_shipment(self, person: Actor, path: Path, *, plain: bool) -> ShipmentReport:
        """Take a shipment as :func:`openami.app.devices.shipment.take_shipment` does, in a person's name.

        Raises:
            ShipmentError: see there; nothing was taken.
        """
        digest = sha256(await asyncio.to_thread(read_shipment_octets, path)).hexdigest()
        note = f"file sha256 {digest}{', though no maker sealed it' if plain else ''}"
        async with acting(self._settings, person, Act(Kind.KEYS, "keys.import", note)):
            return await take_shipment(self._settings, path, plain=plain)

    async def compromise(
        self, person: Actor, titles: Sequence[SystemTitle], *, reason: str, masters: bool
    ) -> tuple[UUID, int]:
        """Mark the keys of meters as leaked; return the incident and how many meters that are.

        Raises:
            KeyStateError: a title has no keys here; nothing was marked.
        """
        what = "with their master keys" if masters else "without their master keys"
        note = f"{len(titles)} meters {what}, titles sha256 {_digest(titles)}: {reason}"
        async with acting(self._settings, person, Act(Kind.KEYS, "keys.compromise", note)) as principal:
            incident = Incident(uuid4(), reason, principal.actor, real_now())
            async with self._vault() as vault:
                return incident.incident_id, await vault.mark_compromised(incident, titles, masters=masters)

    async def rewrap(self, person: Actor, *, go_on: bool, told: Callable[[int], None]) -> Rewrapped:
        """Make a new installation key and wrap everything under it, or go on with a re-wrap that was stopped.

        Args:
            person: who does it.
            go_on: make no new installation key.
            told: told after each step how many keys this run has wrapped.

        Raises:
            KeyStateError: an earlier re-wrap has not ended: go on with that one.
        """
        note = "goes on" if go_on else "new installation key"
        async with acting(self._settings, person, Act(Kind.KEYS, "keys.rewrap", note)), self._vault() as vault:
            now = self._settings.clock().now
            if not go_on:
                await vault.new_installation_key(at=now())
            keys, spoiled = 0, list[str]()
            place: Place | None = None
            while True:
                step = await vault.rewrap_some(after=place, limit=STEP_KEYS, at=now())
                keys, place = keys + step.rewrapped, step.reached
                spoiled += step.spoiled
                told(keys)
                if place is None:
                    return Rewrapped(step.version, keys, step.retired, tuple(spoiled))

    async def move_root(self, person: Actor, *, to_token: bool) -> tuple[str, int]:
        """Wrap what is under the root key under the one in the token, or back under the file's.

        Returns:
            Where the root key is now, and how many keys are under it.

        Raises:
            MisuseError: the environment names no token.
            RootKeyError: a root key cannot be had.
            KeyBindingError: a key does not open under the root key of now.
        """
        file, token = file_root(self._settings.home), token_root(os.environ)
        if token is None:
            raise MisuseError("no token is named: set OPENAMI_PKCS11_MODULE, _TOKEN and _PIN_FILE")
        if to_token:
            token.ensure()
        else:
            file.ensure()
        to: RootKey = token if to_token else file
        act = Act(Kind.KEYS, "keys.move_root", f"to {to}")
        every = (token, file) if file.path.exists() else (token,)
        async with acting(self._settings, person, act), self._vault(RootKeys(every)) as vault:
            return str(to), await vault.move_root(to)

    async def register_maker(self, person: Actor, maker: str, public_key: bytes) -> None:
        """Believe a maker's signature on shipments from now on.

        Raises:
            ShipmentError: the key is none, another maker's, or was withdrawn.
        """
        act = Act(Kind.KEYS, "keys.maker", f"{maker}, public key {public_key.hex()}")
        async with acting(self._settings, person, act) as principal, self._vault() as vault:
            await vault.register_maker(MakerKey(maker, public_key, principal.actor, real_now()))

    async def withdraw_maker(self, person: Actor, maker: str) -> int:
        """Believe no signature of this maker any more; return how many keys that were."""
        act = Act(Kind.KEYS, "keys.maker_withdrawn", maker)
        async with acting(self._settings, person, act), self._vault() as vault:
            return await vault.withdraw_maker(maker, at=real_now())

    async def make_group(self, person: Actor, name: str, collectors: Collection[int]) -> UUID:
        """Make a group of meters with a broadcast key; return its id.

        Raises:
            KeyStateError: there is one of this name, or the name is too long.
        """
        act = Act(Kind.KEYS, "keys.group_made", f"{name}, collectors {sorted(set(collectors))}")
        async with acting(self._settings, person, act), self._vault() as vault:
            return await vault.make_group(name, collectors, at=self._settings.clock().now())

    async def join_group(self, person: Actor, name: str, titles: Sequence[SystemTitle]) -> int:
        """Put meters into a group; return how many.

        Raises:
            KeyStateError: no such group, or a title has no keys here.
        """
        act = Act(Kind.KEYS, "keys.group_joined", f"{name}, {len(titles)} meters, titles sha256 {_digest(titles)}")
        async with acting(self._settings, person, act), self._vault() as vault:
            return await vault.join_group(name, titles)

    async def renew_groups(self, person: Actor, names: Collection[str], *, collector_id: int | None) -> list[str]:
        """Give groups new broadcast keys; return their names.

        Raises:
            KeyStateError: no group of such a name.
        """
        which = "" if collector_id is None else f" and those of collector {collector_id}"
        act = Act(Kind.KEYS, "keys.group_renewed", f"{', '.join(sorted(names))}{which}")
        async with acting(self._settings, person, act), self._vault() as vault:
            now = self._settings.clock().now()
            return await vault.renew_groups(names=names, collector_id=collector_id, at=now)

    async def groups(self) -> tuple[list[KeyGroup], list[SystemTitle]]:
        """Return every group, and meters that do not have their group's key yet."""
        async with self._vault() as vault:
            return await vault.groups(), await vault.behind()

    @asynccontextmanager
    async def _vault(self, root: RootKey | None = None) -> AsyncIterator[PostgresVault]:
        async with room_database(self._settings, "openami_security") as engine:
            yield PostgresVault(engine, root or root_key(self._settings))


def _digest(titles: Sequence[SystemTitle]) -> str:
    return sha256(b"".join(sorted(t.octets for t in titles))).hexdigest()
