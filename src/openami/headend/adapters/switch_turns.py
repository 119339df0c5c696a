"""Where each meter of a switching order stands, in PostgreSQL, table ``headend.switch_turn``; fenced by the lease."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from openami.contracts.stream import partition_of
from openami.headend.adapters.requests_postgres import transaction
from openami.headend.ports import LostLeaseError
from openami.headend.state_ports import Lease
from openami.headend.switching.life import ItemCode, ItemState, SwitchTurn
from openami.kernel.ids import SystemTitle

MAX_STRAYS = 1_000
_FIELDS = """
    select order_id, system_title, service_point_id, state, due_s, tries, was_sent, asked_at_s, ended_at_s, code, words
    from headend.switch_turn
"""
_ADOPTED = text("""
    select distinct order_id from headend.switch_turn where order_id = any(:orders) and partition = any(:partitions)
""")
_ADOPT = text("""
    insert into headend.switch_turn (order_id, system_title, service_point_id, partition, state, due_s, tries,
        was_sent, asked_at_s, ended_at_s, code, words)
    values (:order_id, :title, :place, :partition, :state, :due_s, :tries, :was_sent, :asked_at_s, :ended_at_s, :code,
        :words)
    on conflict (order_id, system_title) do nothing
""")
_OPEN = " where partition = any(:partitions) and state in ('waiting', 'running')"
_DUE = text(_FIELDS + _OPEN + " and due_s <= :now order by due_s, order_id, system_title limit :limit")
_STRAYS = text(_FIELDS + _OPEN + " and order_id <> all(:orders) order by order_id, system_title limit :limit")
_OF_ORDER = text(_FIELDS + " where order_id = :order_id order by system_title")
_COUNTS = text("""
    select order_id, state, coalesce(code, '') as code, count(*) as meters, max(ended_at_s - asked_at_s) as longest_s
    from headend.switch_turn where order_id = any(:orders) group by order_id, state, coalesce(code, '')
""")
_HOLD = text("select from headend.partition_group where group_no = :group and fence = :fence for share")
_KEEP = text("""
    update headend.switch_turn set state = :state, due_s = :due_s, tries = :tries, was_sent = :was_sent,
        ended_at_s = :ended_at_s, code = :code, words = :words
    where order_id = :order_id and system_title = :title and state in ('waiting', 'running')
""")


class PostgresSwitchTurns:
    """A :class:`~openami.headend.session.switch_ports.SwitchStore`, and what people see of it.

    Args:
        engine: connected as ``openami_headend``; as ``openami_portal`` to read.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def adopted(self, orders: Collection[UUID], partitions: frozenset[int]) -> set[UUID]:
        """Return those of the orders that have meters of these partitions in the tables."""
        values = {"orders": list(orders), "partitions": sorted(partitions)}
        async with transaction(self._engine) as connection:
            return {row.order_id for row in (await connection.execute(_ADOPTED, values)).all()}

    async def adopt(self, lease: Lease, turns: Sequence[SwitchTurn]) -> None:
        """Keep new meters of orders."""
        async with transaction(self._engine) as connection:
            await _hold(connection, lease)
            await connection.execute(_ADOPT, [_row_of(turn) for turn in turns])

    async def due(self, partitions: frozenset[int], *, now_s: float, limit: int) -> list[SwitchTurn]:
        """Return meters that have not ended and whose turn it is."""
        return await self._turns(_DUE, {"partitions": sorted(partitions), "now": now_s, "limit": limit})

    async def strays(self, partitions: frozenset[int], standing: Collection[UUID]) -> list[SwitchTurn]:
        """Return meters that have not ended, of orders that are none of these; some at a time."""
        values = {"partitions": sorted(partitions), "orders": list(standing), "limit": MAX_STRAYS}
        return await self._turns(_STRAYS, values)

    async def keep(self, lease: Lease, turn: SwitchTurn) -> None:
        """Keep where a meter stands."""
        async with transaction(self._engine) as connection:
            await _hold(connection, lease)
            await connection.execute(_KEEP, _row_of(turn))

    async def of_order(self, order_id: UUID) -> list[SwitchTurn]:
        """Return every meter of an order that was taken up."""
        return await self._turns(_OF_ORDER, {"order_id": order_id})

    async def counts(self, orders: Collection[UUID]) -> dict[UUID, list[tuple[str, str, int, float | None]]]:
        """Return of each order how many meters stand where: state, code, meters, longest time from approval [s]."""
        found: dict[UUID, list[tuple[str, str, int, float | None]]] = {}
        async with transaction(self._engine) as connection:
            for row in (await connection.execute(_COUNTS, {"orders": list(orders)})).all():
                found.setdefault(row.order_id, []).append((row.state, row.code, row.meters, row.longest_s))
        return found

    async def _turns(self, query: Any, values: dict[str, Any]) -> list[SwitchTurn]:
        async with transaction(self._engine) as connection:
            return [_turn_of(row) for row in (await connection.execute(query, values)).all()]


async def _hold(connection: AsyncConnection, lease: Lease) -> None:
    if (await connection.execute(_HOLD, {"group": lease.group, "fence": lease.fence})).first() is None:
        raise LostLeaseError(f"group {lease.group}: fence {lease.fence} has passed")


def _row_of(turn: SwitchTurn) -> dict[str, Any]:
    return {
        "order_id": turn.order_id,
        "title": turn.title.octets,
        "place": turn.service_point_id,
        "partition": partition_of(turn.title),
        "state": turn.state.value,
        "due_s": turn.due_s,
        "tries": turn.tries,
        "was_sent": turn.was_sent,
        "asked_at_s": turn.asked_at_s,
        "ended_at_s": turn.ended_at_s,
        "code": turn.code.value if turn.code is not None else None,
        "words": turn.words,
    }


def _turn_of(row: Row[Any]) -> SwitchTurn:
    return SwitchTurn(
        row.order_id,
        SystemTitle(bytes(row.system_title)),
        row.service_point_id,
        ItemState(row.state),
        row.due_s,
        row.tries,
        row.was_sent,
        row.asked_at_s,
        row.ended_at_s,
        ItemCode(row.code) if row.code is not None else None,
        row.words,
    )
