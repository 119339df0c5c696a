"""Makers' public keys in the vault's tables."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from openami.security.keys.makers import MakerKey
from openami.security.keys.shipment import ShipmentError
from openami.security.suites.curve import check_public_key
from openami.security.suites.errors import SuiteError

_GOOD = text(
    "select public_key from security.maker where maker = :maker and withdrawn_at is null order by registered_at"
)
_ALL = text(
    "select maker, public_key, registered_by, registered_at, withdrawn_at from security.maker "
    "order by maker, registered_at, public_key"
)
_HELD = text("select maker, withdrawn_at from security.maker where public_key = :key")
_ADD = text(
    "insert into security.maker (maker, public_key, registered_by, registered_at) values (:maker, :key, :by, :at)"
)
_WITHDRAW = text("update security.maker set withdrawn_at = :at where maker = :maker and withdrawn_at is null")


async def good_keys(connection: AsyncConnection, maker: str) -> list[bytes]:
    """Return the public keys of a maker that are good now."""
    return [bytes(key) for key in (await connection.execute(_GOOD, {"maker": maker})).scalars()]


async def every_key(connection: AsyncConnection) -> list[MakerKey]:
    """Return every key that was ever registered."""
    rows = (await connection.execute(_ALL)).all()
    return [MakerKey(r.maker, bytes(r.public_key), r.registered_by, r.registered_at, r.withdrawn_at) for r in rows]


async def register(connection: AsyncConnection, key: MakerKey) -> None:
    """Believe a maker's signature from now on.

    Raises:
        ShipmentError: the key is no point of P-256, another maker has it, or it was withdrawn.
    """
    try:
        check_public_key(key.public_key)
    except SuiteError as error:
        raise ShipmentError(f"the key of maker {key.maker} is none: {error}") from error
    for row in (await connection.execute(_HELD, {"key": key.public_key})).all():
        if row.maker != key.maker:
            raise ShipmentError(f"this key is registered for maker {row.maker}: one key is one maker's")
        if row.withdrawn_at is not None:
            raise ShipmentError(f"this key of maker {key.maker} was withdrawn: register another one")
        return
    await connection.execute(
        _ADD,
        {"maker": key.maker, "key": key.public_key, "by": key.registered_by, "at": key.registered_at},
    )


async def withdraw(connection: AsyncConnection, maker: str, *, at: datetime) -> int:
    """Believe no signature of this maker any more; return how many keys that were."""
    return (await connection.execute(_WITHDRAW, {"maker": maker, "at": at})).rowcount
