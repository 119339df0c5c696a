"""Our invocation counters in PostgreSQL: one statement reserves a block, and it is durable when that returns."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from openami.contracts.command import Refusal
from openami.headend.command.ports import CommandRefusedError, CommandUnavailableError
from openami.security.suites.gcm import MAX_COUNTER

# A transaction of another process waits for the row and then adds to what this one wrote: blocks never overlap.
_RESERVE = text("""
    insert into security.send_counter as c (meter_id, generation, next) values (:meter_id, :generation, 1 + :count)
    on conflict (meter_id, generation) do update set next = c.next + :count where c.next + :count <= :limit
    returning next
""")
_DURABLE = text("set local synchronous_commit = on")


class PostgresCounterReserve:
    """:class:`openami.headend.command.ports.CounterReserve` for role ``openami_security``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def reserve(self, meter_id: UUID, generation: int, *, count: int) -> int:
        """Return the first of ``count`` counters that nobody else gets."""
        values = {"meter_id": meter_id, "generation": generation, "count": count, "limit": MAX_COUNTER + 1}
        try:
            async with self._engine.begin() as connection:
                await connection.execute(_DURABLE)
                following = await connection.scalar(_RESERVE, values)
        except IntegrityError as error:
            raise CommandRefusedError(Refusal.UNKNOWN_TITLE, "the meter's keys are not in the vault") from error
        except (OperationalError, OSError) as error:
            raise CommandUnavailableError(f"the counters cannot be reserved: {type(error).__name__}") from error
        if following is None:
            raise CommandRefusedError(
                Refusal.UNKNOWN_TITLE, "every invocation counter of the key pair is used: rotate it"
            )
        return int(following) - count
