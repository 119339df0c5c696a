"""Holds and stops in PostgreSQL, schema ``customer``: role ``openami_customer``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from openami.customer.ports import CustomerStoreError
from openami.customer.supply import Hold, HoldKind, SupplyStop

_HOLD = text("""
    insert into customer.supply_hold (hold_id, service_point_id, kind, from_at, to_at, made_at, made_by)
    values (:id, :place, :kind, :from_at, :to_at, :made_at, :by)
""")
_STOP = text("""
    insert into customer.switch_stop (stop_id, service_point_id, code, reasons, from_at, to_at, orders_before, made_at)
    values (:id, :place, :code, :reasons, :from_at, :to_at, :orders_before, :made_at)
""")
_END_HOLD = text("""
    update customer.supply_hold set to_at = :at where hold_id = :id and from_at < :at and (to_at is null or :at < to_at)
    returning hold_id
""")
_END_STOP = text("update customer.switch_stop set to_at = :at where stop_id = :id")
_HOLDS = text("""
    select hold_id, service_point_id, kind, from_at, to_at, made_at, made_by from customer.supply_hold
    where service_point_id = :place order by made_at desc, hold_id
""")


@dataclass(frozen=True, slots=True)
class PostgresSupply:
    """A :class:`~openami.customer.supply.SupplyStore`.

    Args:
        engine: row-secured as ``openami_customer``.
    """

    engine: AsyncEngine

    async def hold(self, hold: Hold, stop: SupplyStop) -> None:
        """Keep a hold and its stop in one transaction."""
        row = {
            "id": hold.hold_id, "place": hold.service_point_id, "kind": hold.kind.value, "from_at": hold.from_at,
            "to_at": hold.to_at, "made_at": hold.made_at, "by": hold.made_by,
        }  # fmt: skip
        async with self._begin() as connection:
            await connection.execute(_HOLD, row)
            await connection.execute(_STOP, _row_of(stop))

    async def end_hold(self, hold_id: UUID, *, at: datetime) -> bool:
        """End a hold and its stop."""
        async with self._begin() as connection:
            if (await connection.execute(_END_HOLD, {"id": hold_id, "at": at})).first() is None:
                return False
            await connection.execute(_END_STOP, {"id": hold_id, "at": at})
        return True

    async def stop(self, stops: Sequence[SupplyStop]) -> None:
        """Keep stops."""
        if stops:
            async with self._begin() as connection:
                await connection.execute(_STOP, [_row_of(stop) for stop in stops])

    async def holds_of(self, service_point_id: UUID) -> Sequence[Hold]:
        """Return the holds of a place."""
        async with self._begin() as connection:
            rows = (await connection.execute(_HOLDS, {"place": service_point_id})).all()
        return [
            Hold(r.hold_id, r.service_point_id, HoldKind(r.kind), r.from_at, r.to_at, r.made_at, r.made_by)
            for r in rows
        ]

    @asynccontextmanager
    async def _begin(self) -> AsyncIterator[AsyncConnection]:
        # The cause is not passed on: the database's own text may quote a row.
        try:
            async with self.engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            raise CustomerStoreError(f"the customer database does not answer: {type(error).__name__}") from None


def _row_of(stop: SupplyStop) -> dict[str, object]:
    return {
        "id": stop.stop_id,
        "place": stop.service_point_id,
        "code": stop.code.value,
        "reasons": sorted(stop.reasons),
        "from_at": stop.from_at,
        "to_at": stop.to_at,
        "orders_before": stop.orders_before,
        "made_at": stop.made_at,
    }
