"""Desks of bills: a reason that is none is refused in words, and the log names the places that a look tells of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
from tests.unit.billing.statement.made import made_facts

from openami.app.billing import cycle_desk, hold_desk, ledger_desk
from openami.app.billing.cycle_desk import CycleDesk
from openami.app.billing.hold_desk import HoldDesk
from openami.app.billing.ledger_desk import LedgerDesk
from openami.app.people.desk import Act, Person
from openami.app.settings import Settings
from openami.billing.api import BillState
from openami.billing.bill.hold import Hold, HoldCode
from openami.billing.ledger.conservation import EnergyBalance
from openami.kernel.clock import FixedClock
from openami.kernel.errors import OpenAmiError

NOW = datetime(2026, 11, 10, 18, tzinfo=UTC)
ANNA = Person("anna", "x")
SETTINGS = cast("Settings", SimpleNamespace(clock=lambda: FixedClock(NOW), zone="America/Chicago"))
BILL = replace(made_facts().bill, state=BillState.HELD, hold=Hold(HoldCode.ASKED_FOR, "three times last year", NOW))


@pytest.fixture
def acts(monkeypatch: pytest.MonkeyPatch) -> list[Act]:
    """What the log is told."""
    told: list[Act] = []

    @asynccontextmanager
    async def acting(_: Settings, person: Person, act: Act) -> AsyncIterator[object]:
        told.append(act)
        yield SimpleNamespace(user_id=UUID(int=5))

    for module in (cycle_desk, hold_desk, ledger_desk):
        monkeypatch.setattr(module, "acting", acting)
    return told


def room_of(**billing: Any) -> Callable[[Settings], Any]:
    """Return a room with these rooms inside."""

    @asynccontextmanager
    async def room(_: Settings) -> AsyncIterator[object]:
        yield SimpleNamespace(**billing)

    return room


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, "why\x1b[31m"])
async def test_a_release_without_a_reason_is_refused_in_words(
    acts: list[Act], monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    async def bill(*_: object) -> object:
        return BILL

    monkeypatch.setattr(hold_desk, "bill_room", room_of(bill=bill))
    with pytest.raises(OpenAmiError, match="reason of 1 to 500"):
        await HoldDesk(SETTINGS).release(ANNA, BILL.bill_id, reason)
    with pytest.raises(OpenAmiError, match="reason of 1 to 500"):
        await CycleDesk(SETTINGS).hold(ANNA, BILL.service_point_id, reason)
    assert not acts


async def test_a_list_of_what_is_due_names_the_places_that_it_prints(
    acts: list[Act], monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = SimpleNamespace(service_point_id=UUID(int=3), bill_group=9, since=date(2026, 9, 1))

    async def due_bills(*_: object) -> object:
        return SimpleNamespace(planned=(), unplanned=(lost,), held={})

    run = SimpleNamespace(meters=None, book=None, setting=SimpleNamespace(calendar=None, rules=None))
    monkeypatch.setattr(cycle_desk, "bill_room", room_of(run=run))
    monkeypatch.setattr(cycle_desk, "due_bills", due_bills)
    await CycleDesk(SETTINGS).due(ANNA)
    (act,) = acts
    assert act.service_points == {UUID(int=3)}


async def test_the_energy_of_a_group_so_small_that_it_is_a_homes_is_a_look_at_those_homes(
    acts: list[Act], monkeypatch: pytest.MonkeyPatch
) -> None:
    few = [SimpleNamespace(id=UUID(int=n), bill_group=1) for n in range(1, 4)]
    many = [SimpleNamespace(id=UUID(int=100 + n), bill_group=2) for n in range(ledger_desk.SMALL_GROUP)]

    async def service_points(*_: object, **__: object) -> list[Any]:
        return [*few, *many]

    async def balance(*_: object) -> EnergyBalance:
        return EnergyBalance()

    meters = SimpleNamespace(registry=SimpleNamespace(service_points=service_points))
    energy = SimpleNamespace(balance=balance)
    desk = LedgerDesk(SETTINGS)
    monkeypatch.setattr(
        desk, "_desk", SimpleNamespace(room=lambda: room_of(meters=meters, energy=energy)(SETTINGS), now=lambda: NOW)
    )
    monkeypatch.setattr(desk, "span", lambda *_: (date(2026, 10, 1), date(2026, 11, 1)))
    monkeypatch.setattr(desk, "_loose", _nothing)
    found = await desk.balance(ANNA, date(2026, 10, 1))
    assert [f.places for f in found] == [3, ledger_desk.SMALL_GROUP, 0]
    (act,) = acts
    assert act.service_points == {p.id for p in few}


async def _nothing(*_: object) -> tuple[int, int]:
    return 0, 0
