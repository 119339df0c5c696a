"""Our invocation counters in PostgreSQL: one statement reserves a block, and it is durable when that returns."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from openami.contracts.command import Refusal
from openami.headend.adapters.counter_epoch import CounterEpoch
from openami.headend.command.ports import CommandRefusedError, CommandUnavailableError
from openami.security.suites.gcm import MAX_COUNTER

# A transaction of another process waits for the row and then adds to what this one wrote: blocks never overlap.
# A database that was set back does not know our token: then nothing is reserved.
_RESERVE = text("""
    insert into security.send_counter as c (meter_id, generation, next)
    select :meter_id, :generation, 1 + :count where exists (
        select from security.counter_witness where witness_id = :witness_id and token = any(:tokens))
    on conflict (meter_id, generation) do update set next = c.next + :count
    where c.next + :count + coalesce((select jump from security.counter_epoch), 0) <= :limit
    returning next + coalesce((select jump from security.counter_epoch), 0)
""")
_KNOWN = text("""
    select exists (select from security.counter_witness where witness_id = :witness_id and token = any(:tokens))
""")
_DURABLE = text("set local synchronous_commit = on")


class PostgresCounterReserve:
    """:class:`openami.headend.command.ports.CounterReserve` for role ``openami_security``.

    Args:
        engine: connected as that.
        epoch: shows whether the database was set back.
    """

    def __init__(self, engine: AsyncEngine, epoch: CounterEpoch) -> None:
        self._engine = engine
        self._epoch = epoch

    async def reserve(self, meter_id: UUID, generation: int, *, count: int) -> int:
        """Return the first of ``count`` counters that nobody else gets."""
        following = await self._reserved(meter_id, generation, count)
        if following is None and not await self._is_known():
            # Set back while we run, or ours is another: first every counter jumps.
            await self._epoch.renew()
            following = await self._reserved(meter_id, generation, count)
        if following is None:
            raise CommandRefusedError(
                Refusal.UNKNOWN_TITLE, "every invocation counter of the key pair is used: rotate it"
            )
        return following - count

    async def _reserved(self, meter_id: UUID, generation: int, count: int) -> int | None:
        values = {"meter_id": meter_id, "generation": generation, "count": count, "limit": MAX_COUNTER + 1}
        try:
            async with self._engine.begin() as connection:
                await connection.execute(_DURABLE)
                following = await connection.scalar(_RESERVE, values | self._witness())
        except IntegrityError as error:
            raise CommandRefusedError(Refusal.UNKNOWN_TITLE, "the meter's keys are not in the vault") from error
        except (OperationalError, OSError) as error:
            raise CommandUnavailableError(f"the counters cannot be reserved: {type(error).__name__}") from error
        return None if following is None else int(following)

    async def _is_known(self) -> bool:
        try:
            async with self._engine.begin() as connection:
                return bool(await connection.scalar(_KNOWN, self._witness()))
        except (OperationalError, OSError) as error:
            raise CommandUnavailableError(f"the counters cannot be reserved: {type(error).__name__}") from error

    def _witness(self) -> dict[str, Any]:
        return {"witness_id": self._epoch.witness_id, "tokens": list(self._epoch.tokens)}
