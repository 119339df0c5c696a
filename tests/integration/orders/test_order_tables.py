"""Orders on a real PostgreSQL: who may write what, whose voice counts, and that an item serves once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from argon2 import PasswordHasher
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from openami.app.engines.postgres import PostgresEngine
from openami.kernel.clock import FixedClock
from openami.kernel.time import Period
from openami.security.access.account import NewUser
from openami.security.access.order import (
    Order,
    OrderKind,
    OrderRefusedError,
    OrderSubject,
    digest_of_items,
    good_approvals,
)
from openami.security.access.password import PasswordBook
from openami.security.access.role import Role
from openami.security.access.row import RowSettings, seen_as
from openami.security.adapters.access_postgres import PostgresAccounts
from openami.security.adapters.order_postgres import PostgresOrders
from openami.security.adapters.row_security import row_secured_engine

pytestmark = pytest.mark.engines
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ITEMS = [b"meter one", b"meter two"]


@dataclass(frozen=True)
class Desk:
    """The tables as each role sees them, and four accounts; the last is Anna's second one."""

    access: AsyncEngine
    command: AsyncEngine
    headend: AsyncEngine
    anna: UUID
    ben: UUID
    closed: UUID
    anna_again: UUID

    @property
    def orders(self) -> PostgresOrders:
        return PostgresOrders(self.access)

    async def made(self) -> Order:
        subject = OrderSubject(
            uuid4(), OrderKind.SWITCH, "disconnect", "test", digest_of_items(ITEMS), Period(NOW - HOUR, NOW + HOUR)
        )
        order = Order(subject, self.anna, NOW, len(ITEMS), document=b"as it came")
        await self.orders.make(order, ITEMS, approval_id=uuid4())
        return order

    async def approve(self, order: Order, user: UUID) -> None:
        await self.orders.approve(order.subject, approval_id=uuid4(), user_id=user, at=NOW)


@pytest.fixture
async def desk(postgres: PostgresEngine) -> AsyncIterator[Desk]:
    async with AsyncExitStack() as stack:
        access = row_secured_engine(postgres.url("openami_access"))
        command = create_async_engine(postgres.url("openami_security"))
        headend = create_async_engine(postgres.url("openami_headend"))
        for engine in (access, command, headend):
            stack.push_async_callback(engine.dispose)
        accounts = PostgresAccounts(access, FixedClock(NOW), b"k" * 32, PasswordBook(PasswordHasher(1, 8, 1)))
        staff = frozenset({Role.OPERATOR})
        anna, ben, closed = await accounts.register_users([NewUser(name, staff) for name in ("anna", "ben", "carl")])
        (again,) = await accounts.register_users([NewUser("anna2", staff, human_id=anna)])
        await accounts.disable(closed)
        yield Desk(access, command, headend, anna, ben, closed, again)


async def test_an_order_is_read_as_it_was_made_by_whoever_must_know_it(desk: Desk) -> None:
    order = await desk.made()
    await desk.approve(order, desk.ben)
    for engine in (desk.command, desk.headend):
        (found,) = await PostgresOrders(engine).standing(OrderKind.SWITCH, now=NOW)
        assert replace(found, approvals=()) == order
        assert {a.user_id for a in found.approvals} == {desk.anna, desk.ben}
        assert len(good_approvals(found, now=NOW)) == 2
        assert await PostgresOrders(engine).items(order.subject.order_id) == ITEMS
    assert await desk.orders.standing(OrderKind.SWITCH, now=NOW + HOUR) == []
    assert await desk.orders.standing(OrderKind.KEYS, now=NOW) == []
    assert [o.subject for o in await desk.orders.newest(OrderKind.SWITCH)] == [order.subject]


@pytest.mark.attack("A16")
async def test_one_human_has_one_voice_by_whichever_account(desk: Desk) -> None:
    order = await desk.made()
    for user in (desk.anna, desk.anna_again):
        with pytest.raises(OrderRefusedError, match="another must"):
            await desk.approve(order, user)
    with pytest.raises(OrderRefusedError, match="closed"):
        await desk.approve(order, desk.closed)
    assert good_approvals(await desk.orders.order(order.subject.order_id), now=NOW) == ()


async def test_a_withdrawn_order_stands_no_more(desk: Desk) -> None:
    order = await desk.made()
    await desk.orders.withdraw(order.subject.order_id, at=NOW)
    assert await desk.orders.standing(OrderKind.SWITCH, now=NOW) == []
    with pytest.raises(OrderRefusedError):
        await desk.orders.withdraw(order.subject.order_id, at=NOW)


async def test_an_order_whose_items_are_not_its_own_is_not_kept(desk: Desk) -> None:
    order = await desk.made()
    with pytest.raises(OrderRefusedError, match="already"):
        await desk.orders.make(order, ITEMS, approval_id=uuid4())
    other = replace(order, subject=replace(order.subject, order_id=uuid4()))
    with pytest.raises(OrderRefusedError, match="digest"):
        await desk.orders.make(other, [*ITEMS, b"meter three"], approval_id=uuid4())
    with pytest.raises(OrderRefusedError, match="no order"):
        await desk.orders.order(other.subject.order_id)


@pytest.mark.attack("A16")
async def test_an_item_serves_as_often_as_it_may_and_never_after_it_has_served(desk: Desk) -> None:
    order = await desk.made()
    book, name = PostgresOrders(desk.command), order.subject.order_id
    asked = [book.used(name, ITEMS[0], at=NOW, most=2) for _ in range(5)]
    assert sorted(await asyncio.gather(*asked)) == [False, False, False, True, True]
    assert not await book.is_free(name, ITEMS[0], most=2)
    assert await book.used(name, ITEMS[1], at=NOW, most=2)
    assert await book.is_free(name, ITEMS[1], most=2)
    await book.given_back(name, ITEMS[0])
    assert await book.is_free(name, ITEMS[0], most=2)
    await book.used_up(name, ITEMS[1], at=NOW)
    assert not await book.is_free(name, ITEMS[1], most=2)
    assert not await book.used(name, ITEMS[1], at=NOW, most=2)


STATEMENTS = [
    "update access.work_order set action = 'reconnect'",
    "update access.work_order set withdrawn_at = null",
    "update access.order_item set item = 'another'",
    "delete from access.order_item",
    "insert into access.order_item select order_id, 'meter three' from access.work_order",
    "update access.order_approval set human_id = gen_random_uuid()",
    (
        "insert into access.order_approval select gen_random_uuid(), order_id, subject_digest, user_id, "
        "gen_random_uuid(), made_at from access.order_approval"
    ),
]


@pytest.mark.attack("A16")
async def test_neither_headend_nor_command_process_can_write_what_people_say(desk: Desk) -> None:
    await desk.made()
    for engine in (desk.headend, desk.command):
        for statement in STATEMENTS:
            with pytest.raises(ProgrammingError, match="permission denied"):
                async with engine.begin() as connection:
                    await connection.execute(text(statement))


@pytest.mark.attack("A16")
async def test_the_desk_itself_cannot_change_what_was_approved(desk: Desk) -> None:
    await desk.made()
    for statement in (STATEMENTS[0], *STATEMENTS[2:4], STATEMENTS[5]):
        with pytest.raises(ProgrammingError, match="permission denied"), seen_as(RowSettings("approval_desk")):
            async with desk.access.begin() as connection:
                await connection.execute(text(statement))


@pytest.mark.attack("A16")
async def test_the_headend_cannot_say_that_an_item_is_free_again(desk: Desk) -> None:
    order = await desk.made()
    await PostgresOrders(desk.command).used(order.subject.order_id, ITEMS[0], at=NOW, most=1)
    for statement in ("delete from access.order_use", "update access.order_use set uses = 0"):
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with desk.headend.begin() as connection:
                await connection.execute(text(statement))


async def test_the_headend_learns_no_hold_and_allows_itself_nothing(desk: Desk) -> None:
    for statement in (
        "select * from customer.supply_hold",
        "select * from customer.switch_stop",
        "insert into access.list_key values (gen_random_uuid(), 'x', sha256('x'), now(), gen_random_uuid())",
        "insert into access.weather_forecast values (now(), now(), 70, null)",
        "update security.alert set seen_at = now()",
    ):
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with desk.headend.begin() as connection:
                await connection.execute(text(statement))


async def test_the_command_process_learns_that_a_place_is_stopped_and_not_why(desk: Desk) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with desk.command.begin() as connection:
            await connection.execute(text("select kind from customer.supply_hold"))
    async with desk.command.begin() as connection:
        assert (await connection.execute(text("select code, reasons from customer.switch_stop"))).all() == []
