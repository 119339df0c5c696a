"""Installation keys: each wraps meter keys, and is wrapped under the root key. The newest wraps what comes in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from openami.security.keys.context import KeyContext
from openami.security.keys.envelope import (
    NONCE_OCTETS,
    WRAPPING_KEY_OCTETS,
    KeyBindingError,
    fingerprint_of,
    unwrap_key,
    wrap_key,
)
from openami.security.keys.ports import RootKey
from openami.security.keys.secret import Secret

FINGERPRINT = "fingerprint"
"""Purpose of the key that fingerprints are made under; it outlives every installation key."""
SHIPMENT = "shipment"
"""Purpose of the private key that makers encrypt shipments to."""
_ALL = text(
    "select version, installation, wrapped from security.installation_key where retired_at is null order by version"
)
_OF_PURPOSE = text("select wrapped from security.vault_key where purpose = :purpose")
_EVERY_PURPOSE = text("select purpose, wrapped from security.vault_key order by purpose")
_HAS_KEYS = text("select exists (select from security.meter_key)")
_MOVE_INSTALLATION = text("update security.installation_key set wrapped = :wrapped where version = :version")
_MOVE_PURPOSE = text("update security.vault_key set wrapped = :wrapped where purpose = :purpose")


@dataclass(frozen=True, slots=True)
class InstallationKey:
    """One installation key, open.

    Args:
        installation: id of this installation, the same in every version.
        version: from 1.
        key: 32 octets.
    """

    installation: UUID
    version: int
    key: Secret

    def seal(self, key: Secret, context: KeyContext, *, nonce: bytes) -> bytes:
        """Return a meter's key wrapped and bound to its context."""
        return wrap_key(key, under=self.key, context=context.octets(), nonce=nonce)

    def open(self, wrapped: bytes, context: KeyContext) -> Secret:
        """Return a meter's key.

        Raises:
            KeyBindingError: it does not open; the text names meter, use and generation.
        """
        try:
            return unwrap_key(bytes(wrapped), under=self.key, context=context.octets())
        except KeyBindingError as error:
            raise KeyBindingError(
                f"the {context.use} key of meter {context.meter}, generation {context.generation}, does not open: "
                f"{error}"
            ) from error


@dataclass(frozen=True, slots=True)
class WritingKeys:
    """What new rows are written with.

    Args:
        under: the installation key that wraps them.
        fingerprint_key: what their fingerprints are made under, 32 octets.
        dice: source of random octets.
    """

    under: InstallationKey
    fingerprint_key: Secret
    dice: Callable[[int], bytes]

    def seal(self, key: Secret, context: KeyContext) -> bytes:
        """Return a meter's key wrapped and bound to its context."""
        return self.under.seal(key, context, nonce=self.dice(NONCE_OCTETS))

    def fingerprint(self, key: Secret) -> bytes:
        """Return the 16 octets by which the same key is known again."""
        return fingerprint_of(key, under=self.fingerprint_key)


class InstallationKeys:
    """Opens and makes installation keys.

    Args:
        root: what they are wrapped under.
        dice: source of random octets.
    """

    def __init__(self, root: RootKey, dice: Callable[[int], bytes]) -> None:
        self._root = root
        self._dice = dice

    async def every(self, connection: AsyncConnection) -> dict[int, InstallationKey]:
        """Return every installation key that is not retired, by version.

        Raises:
            KeyBindingError: one does not open: the root key is not this vault's.
            RootKeyError: the root key cannot be had.
        """
        rows = (await connection.execute(_ALL)).all()
        return {row.version: await self._open(row) for row in rows}

    async def newest(self, connection: AsyncConnection, *, at: datetime) -> InstallationKey:
        """Return the newest, made where there is none yet. Raises as :meth:`every`."""
        rows = (await connection.execute(_ALL)).all()
        if rows:
            return await self._open(rows[-1])
        return await self._make(connection, uuid4(), 1, at)

    async def next(self, connection: AsyncConnection, *, at: datetime) -> InstallationKey:
        """Make one version more; from now on it is the newest. Raises as :meth:`every`."""
        newest = await self.newest(connection, at=at)
        return await self._make(connection, newest.installation, newest.version + 1, at)

    async def writing(self, connection: AsyncConnection, *, at: datetime) -> WritingKeys:
        """Return what new rows are written with. Raises as :meth:`every`."""
        newest = await self.newest(connection, at=at)
        return WritingKeys(newest, await self.of_purpose(connection, FINGERPRINT, newest, at=at), self._dice)

    async def of_purpose(
        self, connection: AsyncConnection, purpose: str, newest: InstallationKey, *, at: datetime
    ) -> Secret:
        """Return the vault's own key of that purpose, 32 octets, made at its first use. Raises as :meth:`every`."""
        context = f"{newest.installation}|{purpose}".encode("ascii")
        wrapped = await connection.scalar(_OF_PURPOSE, {"purpose": purpose})
        if wrapped is not None:
            return await self._unwrapped(bytes(wrapped), context, f"the {purpose} key")
        # Vaults of before had their fingerprints made under their first installation key.
        is_old = purpose == FINGERPRINT and newest.version == 1 and await connection.scalar(_HAS_KEYS)
        key = newest.key if is_old else Secret(self._dice(WRAPPING_KEY_OCTETS))
        await connection.execute(
            text("insert into security.vault_key values (:purpose, :wrapped, :at)"),
            {"purpose": purpose, "wrapped": await self._wrapped(key, context), "at": at},
        )
        return key

    async def move(self, connection: AsyncConnection, to: RootKey) -> int:
        """Wrap every key that is under the root key under another root key; return how many.

        Raises:
            KeyBindingError: one does not open.
            RootKeyError: one of the two cannot be had.
        """
        others = InstallationKeys(to, self._dice)
        keys = await self.every(connection)
        for one in keys.values():
            wrapped = await others._wrapped(one.key, _context(one.installation, one.version))
            await connection.execute(_MOVE_INSTALLATION, {"version": one.version, "wrapped": wrapped})
        own = (await connection.execute(_EVERY_PURPOSE)).all()
        for row in own:
            context = f"{keys[max(keys)].installation}|{row.purpose}".encode("ascii")
            key = await self._unwrapped(bytes(row.wrapped), context, f"the {row.purpose} key")
            wrapped = await others._wrapped(key, context)
            await connection.execute(_MOVE_PURPOSE, {"purpose": row.purpose, "wrapped": wrapped})
        return len(keys) + len(own)

    async def _make(
        self, connection: AsyncConnection, installation: UUID, version: int, at: datetime
    ) -> InstallationKey:
        made = InstallationKey(installation, version, Secret(self._dice(WRAPPING_KEY_OCTETS)))
        await connection.execute(
            text(
                "insert into security.installation_key (version, installation, wrapped, made_at) "
                "values (:version, :installation, :wrapped, :at)"
            ),
            {
                "version": version,
                "installation": installation,
                "wrapped": await self._wrapped(made.key, _context(installation, version)),
                "at": at,
            },
        )
        return made

    async def _open(self, row: Row[Any]) -> InstallationKey:
        context = _context(row.installation, row.version)
        key = await self._unwrapped(bytes(row.wrapped), context, f"installation key {row.version}")
        return InstallationKey(row.installation, row.version, key)

    async def _wrapped(self, key: Secret, context: bytes) -> bytes:
        # A root key in hardware takes its time, and the loop has other work.
        return await asyncio.to_thread(self._root.wrap, key, context=context, nonce=self._dice(NONCE_OCTETS))

    async def _unwrapped(self, wrapped: bytes, context: bytes, name: str) -> Secret:
        try:
            return await asyncio.to_thread(self._root.unwrap, wrapped, context=context)
        except KeyBindingError as error:
            raise KeyBindingError(
                f"{name} does not open: the root key is not the one this vault was made with"
            ) from error


def _context(installation: UUID, version: int) -> bytes:
    return f"{installation}|installation_key|{version}".encode("ascii")
