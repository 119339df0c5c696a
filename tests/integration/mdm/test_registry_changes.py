"""Changes are entered late, back-dated, tried first, and never lose what was believed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from openami.app.engines.postgres import PostgresEngine
from openami.contracts.channel import Channel
from openami.kernel.time import Period
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.registry_validation import PostgresBook
from openami.mdm.registry.change import (
    ChangeMultiplier,
    CorrectDates,
    EndRead,
    EndReads,
    EnterFacts,
    Exchange,
    Hang,
    SwapPlaces,
    TakeDown,
    Withdraw,
)
from openami.mdm.registry.errors import MissingReadError, OverlapError, RegistryError, UnknownRecordError
from openami.mdm.registry.facts import FactEntry, FactKind
from openami.mdm.registry.multiplier import Multiplier
from openami.mdm.registry.records import Meter, ServicePoint

pytestmark = pytest.mark.engines
NOW = datetime(2026, 6, 20, 12, tzinfo=UTC)
START = datetime(2026, 6, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)
YEAR = Period(START - 365 * DAY, START + 365 * DAY)


def reads(delivered: int, received: int = 0, because: str = "") -> EndReads:
    return {Channel.DELIVERED: EndRead(delivered, because), Channel.RECEIVED: EndRead(received, because)}


@dataclass
class Village:
    registry: PostgresRegistry
    points: list[UUID]
    meters: list[UUID]
    installations: list[UUID]

    async def hang(self, place: int, meter: int, *, at: datetime = NOW, start: datetime = START) -> UUID:
        hang = Hang(uuid4(), self.points[place], self.meters[meter], start, reads(10 * meter, 0))
        await self.registry.change(hang, at=at)
        return hang.installation_id

    async def told(self, *, as_known_at: datetime | None = None) -> list[tuple[int, int, datetime, datetime | None]]:
        """Return (place, meter, start, end) of every installation, by start."""
        found = [i.installation for i in await self.registry.installed(None, YEAR, as_known_at=as_known_at)]
        rows = [(self.points.index(i.service_point_id), self.meters.index(i.meter_id), i.start, i.end) for i in found]
        return sorted(rows, key=lambda r: (r[2], r[0], r[1]))


@pytest.fixture
async def village(postgres: PostgresEngine) -> AsyncIterator[Village]:
    """Three places and four meters; the first two hang at the first two places since June."""
    engine = create_async_engine(postgres.url("openami_mdm"))
    registry = PostgresRegistry(engine)
    found = Village(registry, [uuid4() for _ in range(3)], [uuid4() for _ in range(4)], [])
    await registry.add_service_points([ServicePoint(p, "America/Chicago", NOW) for p in found.points])
    await registry.add_meters([Meter(m, f"S-{n}", NOW, capacity_wh=1_000_000) for n, m in enumerate(found.meters)])
    found.installations = [await found.hang(0, 0), await found.hang(1, 1)]
    await PostgresBook(engine).settle([r.id for r in await PostgresBook(engine).requests(limit=99)])
    yield found
    await engine.dispose()


async def test_a_trial_answers_what_is_affected_and_changes_nothing(village: Village) -> None:
    before = await village.told()
    gone = TakeDown(village.meters[0], START + 9 * DAY, reads(500))
    change = Exchange(gone, Hang(uuid4(), village.points[0], village.meters[2], START + 9 * DAY, reads(0)))
    tried = await village.registry.change(change, at=NOW, is_trial=True)
    assert await village.told() == before
    assert await PostgresBook(village.registry._engine).requests(limit=9) == []
    assert await village.registry.change(change, at=NOW) == tried
    assert [(a.service_point_id, a.first, a.last) for a in tried] == [
        (village.points[0], date(2026, 6, 10), date(2026, 6, 20))
    ]


@pytest.mark.parametrize("is_trial", [True, False])
async def test_what_cannot_be_is_refused_in_a_trial_with_the_same_words(village: Village, is_trial: bool) -> None:
    registry, (a, b, *_), meters = village.registry, village.points, village.meters
    late = START + 9 * DAY
    for change, error, words in (
        (Hang(uuid4(), a, meters[2], late, reads(0)), OverlapError, "two meters"),
        (Hang(uuid4(), village.points[2], meters[0], late, reads(0)), OverlapError, "two service points"),
        (TakeDown(meters[0], late, {}), MissingReadError, "no out-read of delivered, received"),
        (TakeDown(meters[0], late, reads(1_000_000)), MissingReadError, "above what its register can show"),
        (Hang(uuid4(), village.points[2], meters[2], late, {}), MissingReadError, "no in-read"),
        (TakeDown(meters[2], late, reads(5)), UnknownRecordError, "installed nowhere"),
        (TakeDown(uuid4(), late, reads(5)), UnknownRecordError, "no meter"),
        (
            Exchange(TakeDown(meters[0], late, reads(5)), Hang(uuid4(), b, meters[2], late, reads(0))),
            UnknownRecordError,
            "does not hang at",
        ),
        (CorrectDates(village.installations[0], end=START), RegistryError, "end at or before"),
        (CorrectDates(uuid4(), end=late), UnknownRecordError, "no installation"),
        (SwapPlaces(meters[0], meters[2]), UnknownRecordError, "installed nowhere"),
        (SwapPlaces(meters[0], meters[1], START - DAY), UnknownRecordError, "installed nowhere"),
        (SwapPlaces(meters[0], meters[1], late), MissingReadError, "no register read of delivered"),
    ):
        with pytest.raises(error, match=words):
            await registry.change(change, at=NOW, is_trial=is_trial)


async def test_a_read_that_could_not_be_taken_is_kept_as_an_estimate(village: Village) -> None:
    gone = TakeDown(village.meters[0], START + 9 * DAY, reads(500, 0, "display dark"))
    await village.registry.change(gone, at=NOW)
    (one,) = await village.registry.installed([village.points[0]], YEAR)
    assert one.installation.estimated_out == {Channel.DELIVERED, Channel.RECEIVED}
    assert one.installation.estimated_in == frozenset()


async def test_crossed_meters_change_places_from_the_day_both_hung(village: Village) -> None:
    later = NOW + DAY
    await village.registry.change(SwapPlaces(village.meters[0], village.meters[1]), at=later, by="ada")
    assert await village.told() == [(0, 1, START, None), (1, 0, START, None)]
    assert await village.told(as_known_at=NOW) == [(0, 0, START, None), (1, 1, START, None)]
    one = await village.registry.installed([village.points[0]], YEAR)
    assert one[0].installation.in_reads[Channel.DELIVERED] == 10, "the second meter's in-read came with it"
    await village.registry.change(SwapPlaces(village.meters[0], village.meters[1]), at=later + DAY)
    assert await village.told() == [(0, 0, START, None), (1, 1, START, None)]


async def test_meters_crossed_for_a_while_are_cut_with_one_read_for_both_pieces(village: Village) -> None:
    since, until = START + 3 * DAY, START + 5 * DAY
    at_cuts = {
        (village.meters[m], when): reads(100 * m + value) for m in (0, 1) for when, value in ((since, 30), (until, 50))
    }
    change = SwapPlaces(village.meters[0], village.meters[1], since, until, at_cuts)
    affected = await village.registry.change(change, at=NOW)
    assert {(a.first, a.last) for a in affected} == {(date(2026, 6, 4), date(2026, 6, 6))}
    assert await village.told() == [
        (0, 0, START, since), (1, 1, START, since),
        (0, 1, since, until), (1, 0, since, until),
        (0, 0, until, None), (1, 1, until, None),
    ]  # fmt: skip
    for meter in (0, 1):
        mine = await village.registry.installed(None, YEAR, meters=[village.meters[meter]])
        pieces = sorted((i.installation for i in mine), key=lambda i: i.start)
        for a, b in pairwise(pieces):
            assert a.out_reads == b.in_reads != {}


async def test_corrected_dates_ask_for_the_days_between_old_and_new(village: Village) -> None:
    change = CorrectDates(village.installations[0], start=START + 2 * DAY, in_reads=reads(77))
    (affected,) = await village.registry.change(change, at=NOW)
    assert (affected.first, affected.last) == (date(2026, 6, 1), date(2026, 6, 3))
    (one,) = await village.registry.installed([village.points[0]], YEAR)
    assert one.installation.in_reads[Channel.DELIVERED] == 77


async def test_an_installation_entered_by_mistake_is_gone_but_not_forgotten(village: Village) -> None:
    await village.registry.change(Withdraw(village.installations[0]), at=NOW + DAY)
    assert await village.told() == [(1, 1, START, None)]
    assert await village.told(as_known_at=NOW) == [(0, 0, START, None), (1, 1, START, None)]


async def test_a_multiplier_found_wrong_is_corrected_from_the_start_of_the_installation(village: Village) -> None:
    meter, registry = village.meters[0], village.registry
    (affected,) = await registry.change(ChangeMultiplier(meter, START, Multiplier(ct=40)), at=NOW)
    assert (affected.first, affected.last) == (date(2026, 6, 1), date(2026, 6, 20))
    await registry.change(ChangeMultiplier(meter, START + 9 * DAY, Multiplier(ct=80)), at=NOW)
    (affected,) = await registry.change(ChangeMultiplier(meter, START, Multiplier(ct=20)), at=NOW + DAY)
    assert (affected.first, affected.last) == (date(2026, 6, 1), date(2026, 6, 10))
    (one,) = await registry.installed([village.points[0]], YEAR)
    assert [(s.start, s.factors.ct) for s in one.installation.steps] == [(START, 20), (START + 9 * DAY, 80)]
    (one,) = await registry.installed([village.points[0]], YEAR, as_known_at=NOW)
    assert [s.factors.ct for s in one.installation.steps] == [40, 80]


async def test_facts_are_tried_like_any_change(village: Village) -> None:
    change = EnterFacts((FactEntry(village.points[0], FactKind.SERVICE, "inactive", START),))
    tried = await village.registry.change(change, at=NOW, is_trial=True)
    assert await village.registry.facts.of(None) == []
    assert await village.registry.change(change, at=NOW) == tried != []
