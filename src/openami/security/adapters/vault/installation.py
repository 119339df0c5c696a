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
from openami.security.keys.envelope import NONCE_OCTETS, WRAPPING_KEY_OCTETS, KeyBindingError, unwrap_key, wrap_key
from openami.security.keys.ports import RootKey
from openami.security.keys.secret import Secret

_ALL = text("select version, installation, wrapped from security.installation_key order by version")


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
        """Return every installation key by version.

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

    async def _make(
        self, connection: AsyncConnection, installation: UUID, version: int, at: datetime
    ) -> InstallationKey:
        made = InstallationKey(installation, version, Secret(self._dice(WRAPPING_KEY_OCTETS)))
        wrapped = await asyncio.to_thread(
            self._root.wrap, made.key, context=_context(installation, version), nonce=self._dice(NONCE_OCTETS)
        )
        await connection.execute(
            text("insert into security.installation_key values (:version, :installation, :wrapped, :at)"),
            {"version": version, "installation": installation, "wrapped": wrapped, "at": at},
        )
        return made

    async def _open(self, row: Row[Any]) -> InstallationKey:
        context = _context(row.installation, row.version)
        try:
            # A root key in hardware takes its time, and the loop has other work.
            key = await asyncio.to_thread(self._root.unwrap, bytes(row.wrapped), context=context)
        except KeyBindingError as error:
            raise KeyBindingError(
                f"installation key {row.version} does not open: the root key is not the one this vault was made with"
            ) from error
        return InstallationKey(row.installation, row.version, key)


def _context(installation: UUID, version: int) -> bytes:
    return f"{installation}|installation_key|{version}".encode("ascii")
