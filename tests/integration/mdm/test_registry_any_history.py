"""Whatever valid changes are entered in whatever order, no place has two meters and no energy is lost or made."""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from operator import attrgetter
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from openami.app.engines.postgres import PostgresEngine
from openami.contracts.channel import Channel
from openami.kernel.time import EVER
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.registry.change import Change, EndRead, EndReads, Exchange, Hang, SwapPlaces, TakeDown
from openami.mdm.registry.crossing import cuts
from openami.mdm.registry.errors import RegistryError
from openami.mdm.registry.records import Installation, Meter, ServicePoint

pytestmark = pytest.mark.engines
START = datetime(2026, 1, 1, tzinfo=UTC)
PLACES, METERS, DAYS = 3, 5, 60
CHANGES = int(os.environ.get("OPENAMI_REGISTRY_CHANGES", "50"))


def day(number: int) -> datetime:
    return START + timedelta(days=number)


class World:
    """Meters that really advance, and a registry that is told of them."""

    def __init__(self, registry: PostgresRegistry, seed: int) -> None:
        self.registry = registry
        self.dice = random.Random(seed)
        self.places = [UUID(int=self.dice.getrandbits(128)) for _ in range(PLACES)]
        self.meters = [UUID(int=self.dice.getrandbits(128)) for _ in range(METERS)]

    async def furnish(self) -> None:
        await self.registry.add_service_points([ServicePoint(p, "UTC", START) for p in self.places])
        rows = [Meter(m, f"S-{m}", START, channels=(Channel.DELIVERED,)) for m in self.meters]
        await self.registry.add_meters(rows)

    def shown(self, meter: UUID, at: datetime) -> int:
        """What the register really shows: each meter goes at its own pace."""
        return 1000 + (7 + self.meters.index(meter)) * (at - START).days

    def read(self, meter: UUID, at: datetime) -> EndReads:
        return {Channel.DELIVERED: EndRead(self.shown(meter, at))}

    async def wish(self) -> Change:
        """Return any change, sensible or not."""
        a, b = self.dice.sample(self.meters, 2)
        place, at = self.dice.choice(self.places), day(self.dice.randrange(DAYS))
        match self.dice.randrange(4):
            case 0:
                return Hang(uuid4(), place, a, at, self.read(a, at))
            case 1:
                return TakeDown(a, at, self.read(a, at))
            case 2:
                open_ones = [
                    i.installation for i in await self.registry.installed(None, EVER) if not i.installation.end
                ]
                if open_ones:
                    x = self.dice.choice(open_ones)
                    b = self.dice.choice([m for m in self.meters if m != x.meter_id])
                    a, place, at = x.meter_id, x.service_point_id, x.start + timedelta(days=self.dice.randrange(1, 9))
                later = at + timedelta(days=self.dice.randrange(4))
                return Exchange(TakeDown(a, at, self.read(a, at)), Hang(uuid4(), place, b, later, self.read(b, later)))
            case _:
                return await self._swap(a, b, at)

    async def _swap(self, a: UUID, b: UUID, at: datetime) -> SwapPlaces:
        held = [i.installation for i in await self.registry.installed(None, EVER)]
        beside = [(x, y) for x in held for y in held if x.service_point_id != y.service_point_id and _meet(x, y)]
        if not beside:
            return SwapPlaces(a, b, at)
        x, y = self.dice.choice(beside)
        since = max(x.start, y.start) + timedelta(days=self.dice.randrange(3))
        ends = [e for e in (x.end, y.end) if e is not None]
        until = None if self.dice.random() < 0.3 else min([*ends, since + timedelta(days=self.dice.randrange(1, 20))])
        change = SwapPlaces(x.meter_id, y.meter_id, since, until)
        try:
            reads = {(m, t): self.read(m, t) for m, t in cuts(x, y, change)}
        except RegistryError:
            return change
        return SwapPlaces(x.meter_id, y.meter_id, since, until, reads)


def _meet(x: Installation, y: Installation) -> bool:
    return (x.end is None or y.start < x.end) and (y.end is None or x.start < y.end)


def hung_by_day(rows: list[Installation]) -> dict[UUID, set[int]]:
    """Return on which days each meter hangs anywhere."""
    days: dict[UUID, set[int]] = {}
    for row in rows:
        last = min(row.end or day(DAYS + 30), day(DAYS + 30))
        days.setdefault(row.meter_id, set()).update(range((row.start - START).days, (last - START).days))
    return days


@pytest.mark.parametrize("seed", [1])
async def test_no_history_gives_two_meters_in_one_place_or_loses_energy(postgres: PostgresEngine, seed: int) -> None:
    engine = create_async_engine(postgres.url("openami_mdm"))
    try:
        await live(World(PostgresRegistry(engine), seed))
    finally:
        await engine.dispose()


async def live(world: World) -> None:
    """Enter changes and look at every law after each."""
    await world.furnish()
    kinds: set[type] = set()
    refused, then = 0, {}
    for number in range(CHANGES):
        before = [i.installation for i in await world.registry.installed(None, EVER)]
        change = await world.wish()
        at = day(DAYS + number)
        try:
            tried = await world.registry.change(change, at=at, is_trial=True)
        except RegistryError as error:
            refused += 1
            with pytest.raises(type(error)):
                await world.registry.change(change, at=at)
            assert [i.installation for i in await world.registry.installed(None, EVER)] == before
            continue
        assert await world.registry.change(change, at=at) == tried
        kinds.add(type(change))
        after = [i.installation for i in await world.registry.installed(None, EVER)]
        for key in ("service_point_id", "meter_id"):
            mine = sorted(after, key=attrgetter(f"{key}.int", "start"))
            for earlier, later in pairwise(mine):
                if getattr(earlier, key) == getattr(later, key):
                    assert earlier.end is not None
                    assert earlier.end <= later.start
        for row in after:
            assert row.in_reads[Channel.DELIVERED] == world.shown(row.meter_id, row.start)
            if row.end is not None:
                assert row.out_reads[Channel.DELIVERED] == world.shown(row.meter_id, row.end)
        if isinstance(change, SwapPlaces):
            assert hung_by_day(after) == hung_by_day(before), "a swap moves meters, it neither hangs nor removes any"
        then[at] = after
    for at, rows in then.items():
        known = [i.installation for i in await world.registry.installed(None, EVER, as_known_at=at)]
        assert sorted(known, key=lambda i: i.id) == sorted(rows, key=lambda i: i.id), "as known then, for ever"
    assert kinds == {Hang, TakeDown, Exchange, SwapPlaces}
    assert 0 < refused < CHANGES
