"""Why a place is held stays in the customer room; what leaves it is that it is stopped, and for which reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from openami.customer.supply import Hold, HoldKind, StopCode, SupplyBook, SupplyStop
from openami.headend.switching.blocks import BlockCode
from openami.headend.switching.order import SwitchReason
from openami.headend.switching.rules_file import rules_of
from openami.kernel.errors import MisuseError

NOW = datetime(2026, 4, 14, 15, tzinfo=UTC)
PLACE, ANNA = UUID(int=5), UUID(int=1)
RULES = rules_of()


@dataclass
class Store:
    holds: dict[UUID, Hold] = field(default_factory=dict)
    stops: list[SupplyStop] = field(default_factory=list)

    async def hold(self, hold: Hold, stop: SupplyStop) -> None:
        self.holds[hold.hold_id] = hold
        self.stops.append(stop)

    async def end_hold(self, hold_id: UUID, *, at: datetime) -> bool:
        found = self.holds.get(hold_id)
        if found is None or found.to_at is not None:
            return False
        self.holds[hold_id] = replace(found, to_at=at)
        return True

    async def stop(self, stops: Sequence[SupplyStop]) -> None:
        self.stops += stops

    async def holds_of(self, service_point_id: UUID) -> Sequence[Hold]:
        return [h for h in self.holds.values() if h.service_point_id == service_point_id]


def book(store: Store) -> SupplyBook:
    def stopped_by(kind: str, day: date) -> frozenset[str]:
        return frozenset(reason.value for reason in RULES.stopped_by(kind, day))

    return SupplyBook(store, stopped_by, ZoneInfo("America/Chicago"))


@pytest.mark.parametrize("kind", list(HoldKind))
async def test_of_a_hold_leaves_that_it_stops_and_nothing_of_its_kind(kind: HoldKind) -> None:
    store = Store()
    hold = await book(store).hold(PLACE, kind, now=NOW, to_at=None, by=ANNA)
    (stop,) = store.stops
    assert (stop.code, stop.service_point_id, stop.stop_id) == (StopCode.HOLD, PLACE, hold.hold_id)
    assert stop.reasons == RULES.stopped_by(kind.value, NOW.date())
    assert kind.value not in repr(stop)
    assert kind.value not in repr(hold)


async def test_a_payment_stops_what_was_ordered_before_it_for_non_payment_alone() -> None:
    store = Store()
    await book(store).paid([PLACE, PLACE, UUID(int=6)], now=NOW)
    assert [(s.service_point_id, s.code, s.reasons, s.orders_before) for s in store.stops] == [
        (place, StopCode.PAID, frozenset({"non_payment"}), NOW) for place in (PLACE, UUID(int=6))
    ]


async def test_a_hold_that_makes_no_sense_is_refused() -> None:
    supply = book(Store())
    with pytest.raises(MisuseError, match="ends after"):
        await supply.hold(PLACE, HoldKind.MEDICAL, now=NOW, to_at=NOW, by=ANNA)
    with pytest.raises(MisuseError, match="no rule in force"):
        await supply.hold(PLACE, HoldKind.MEDICAL, now=NOW - timedelta(days=40_000), to_at=None, by=ANNA)
    hold = await supply.hold(PLACE, HoldKind.MEDICAL, now=NOW, to_at=None, by=ANNA)
    await supply.end_hold(hold.hold_id, now=NOW + timedelta(hours=1))
    with pytest.raises(MisuseError, match="no hold"):
        await supply.end_hold(hold.hold_id, now=NOW + timedelta(hours=2))
    assert [h.to_at for h in await supply.holds_of(PLACE)] == [NOW + timedelta(hours=1)]


def test_the_rooms_speak_the_same_words() -> None:
    assert {code.value for code in StopCode} <= {code.value for code in BlockCode}
    for kind in HoldKind:
        assert RULES.stopped_by(kind.value, NOW.date()) <= set(SwitchReason)
