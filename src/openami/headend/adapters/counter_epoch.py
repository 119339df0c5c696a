"""The token that shows whether the database was set back: in ``<home>/command/counter_epoch`` and in PostgreSQL.

Written first to the home with the old one beside it, then to the database, then to the home alone: whichever step a
kill cuts, the home knows the database's token.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from openami.headend.command.epoch import KeptEpoch, jump_of
from openami.headend.command.ports import CommandUnavailableError
from openami.security.closed_file import write_closed

_LOCK = text("lock table security.counter_witness in share row exclusive mode")
_FOUND = text("select token from security.counter_witness where witness_id = :witness_id")
_ANY = text("select exists (select from security.counter_witness)")
_JUMP = text("""
    insert into security.counter_epoch as e (jump) values (:jump)
    on conflict (is_only) do update set jump = e.jump + :jump
""")
_TELL = text("""
    insert into security.counter_witness (witness_id, token) values (:witness_id, :token)
    on conflict (witness_id) do update set token = :token
""")
_DURABLE = text("set local synchronous_commit = on")
log = structlog.get_logger("openami.command")


class CounterEpoch:
    """The token of one home. One command process a home.

    Args:
        engine: connected as ``openami_security``.
        file: where it is in the home.
        real_now_s: real time, seconds since the epoch.
    """

    def __init__(self, engine: AsyncEngine, file: Path, real_now_s: Callable[[], int]) -> None:
        self._engine = engine
        self._file = file
        self._real_now_s = real_now_s
        self._kept = self._read()
        self._turn = asyncio.Lock()

    @property
    def witness_id(self) -> UUID | None:
        """Whose token it is; None before :meth:`renew`."""
        return self._kept.witness_id if self._kept else None

    @property
    def tokens(self) -> tuple[UUID, ...]:
        """One of these is in a database that was not set back."""
        return self._kept.tokens if self._kept else ()

    async def renew(self) -> int:
        """Compare, let every counter jump where it must, and change the token. Return the jump.

        Raises:
            CommandUnavailableError: database or disk refused; nothing may be sealed before it is called again.
        """
        async with self._turn:
            return await self._renewed()

    async def _renewed(self) -> int:
        old, now_s, token = self._kept, self._real_now_s(), uuid4()
        witness_id = old.witness_id if old else uuid4()
        try:
            if old is not None:
                # Its time stays: whoever is killed here has not compared yet.
                self._write(KeptEpoch(witness_id, (*old.tokens[-1:], token), old.at_s))
            async with self._engine.begin() as connection:
                jump = await self._compared(connection, old, witness_id, now_s)
                await connection.execute(_TELL, {"witness_id": witness_id, "token": token})
            self._write(KeptEpoch(witness_id, (token,), now_s))
        except (DBAPIError, PoolTimeoutError, OSError) as error:
            raise CommandUnavailableError(f"the counters' epoch cannot be kept: {type(error).__name__}") from error
        if jump:
            log.warning("counters_jump", by=jump)
        return jump

    async def _compared(self, connection: AsyncConnection, old: KeptEpoch | None, witness_id: UUID, now_s: int) -> int:
        await connection.execute(_DURABLE)
        await connection.execute(_LOCK)
        found = await connection.scalar(_FOUND, {"witness_id": witness_id})
        has_witnesses = bool(await connection.scalar(_ANY))
        jump = jump_of(old, found=found, has_witnesses=has_witnesses, now_s=now_s)
        if jump:
            await connection.execute(_JUMP, {"jump": jump})
        return jump

    def _write(self, kept: KeptEpoch) -> None:
        row = {"witness_id": str(kept.witness_id), "tokens": [str(t) for t in kept.tokens], "at_s": kept.at_s}
        write_closed(self._file, json.dumps(row).encode())
        self._kept = kept

    def _read(self) -> KeptEpoch | None:
        try:
            row = json.loads(self._file.read_bytes())
            return KeptEpoch(UUID(row["witness_id"]), tuple(UUID(t) for t in row["tokens"]), int(row["at_s"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            # As a home that has lost it: the counters jump.
            log.warning("counter_epoch_unreadable", cause=type(error).__name__)
            return None
