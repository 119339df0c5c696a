"""Keys that may sign order lists, and weather forecasts, in PostgreSQL, schema ``access``: written at the desk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from openami.security.access.list_key import ListKey
from openami.security.access.order import OrderRefusedError, OrdersUnavailableError
from openami.security.access.row import RowSettings, seen_as

_DESK = RowSettings("approval_desk")
_ADD = text("""
    insert into access.list_key (key_id, name, public_key, made_at, made_by)
    values (:key_id, :name, :public_key, :made_at, :made_by)
""")
_END = text("update access.list_key set ended_at = :at where key_id = :key_id and ended_at is null returning key_id")
_KEYS = text(
    "select key_id, name, public_key, made_at, made_by, ended_at from access.list_key order by made_at, key_id"
)
_FORGET = text("delete from access.weather_forecast where issued_at <= :at")
_FORECAST = text("""
    insert into access.weather_forecast (issued_at, at, temperature_f, heat_index_f)
    values (:issued_at, :at, :temperature_f, :heat_index_f)
""")


class PostgresListKeys:
    """Keys of customer information systems.

    Args:
        engine: row-secured as ``openami_access``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def add(self, key: ListKey) -> None:
        """Keep a key.

        Raises:
            OrderRefusedError: it is registered already.
            OrdersUnavailableError: the database does not answer.
        """
        row = {
            "key_id": key.key_id, "name": key.name, "public_key": key.public_key, "made_at": key.made_at,
            "made_by": key.made_by,
        }  # fmt: skip
        try:
            async with _transaction(self._engine) as connection:
                await connection.execute(_ADD, row)
        except IntegrityError as error:
            raise OrderRefusedError("this key is registered already") from error

    async def end(self, key_id: UUID, *, at: datetime) -> None:
        """Let a key sign nothing any more: lists that it has signed are refused from now on, approved or not.

        Raises:
            OrderRefusedError: there is none that signs.
        """
        async with _transaction(self._engine) as connection:
            if (await connection.execute(_END, {"key_id": key_id, "at": at})).first() is None:
                raise OrderRefusedError(f"there is no key {key_id} that could be ended")

    async def keys(self) -> list[ListKey]:
        """Return every key that was ever registered."""
        async with _transaction(self._engine) as connection:
            rows = (await connection.execute(_KEYS)).all()
        return [ListKey(r.key_id, r.name, bytes(r.public_key), r.made_at, r.made_by, r.ended_at) for r in rows]


class PostgresForecasts:
    """The weather forecast of the area.

    Args:
        engine: row-secured as ``openami_access``.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def keep(
        self, issued_at: datetime, hours: Sequence[tuple[datetime, float, float | None]], *, forget_before: datetime
    ) -> None:
        """Keep a forecast and drop old ones.

        Args:
            issued_at: when it was made.
            hours: instant, temperature and heat index [degrees Fahrenheit].
            forget_before: forecasts that were made until then go.

        Raises:
            OrderRefusedError: a forecast of that instant is kept already.
            OrdersUnavailableError: the database does not answer.
        """
        rows = [{"issued_at": issued_at, "at": at, "temperature_f": f, "heat_index_f": h} for at, f, h in hours]
        try:
            async with _transaction(self._engine) as connection:
                await connection.execute(_FORGET, {"at": forget_before})
                await connection.execute(_FORECAST, rows)
        except IntegrityError as error:
            raise OrderRefusedError("a forecast that was made at that instant is kept already") from error


@asynccontextmanager
async def _transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    try:
        with seen_as(_DESK):
            async with engine.begin() as connection:
                yield connection
    except IntegrityError:
        raise
    except (DBAPIError, OSError) as error:
        raise OrdersUnavailableError(f"the tables of orders do not answer: {type(error).__name__}") from error
