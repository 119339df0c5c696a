"""What every store of key changes must do, asked of the real one and of the one in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from tests.contract.headend.fake_rekeys import FakeRekeys

from openami.app.engines.postgres import PostgresEngine
from openami.contracts.stream import partition_of
from openami.headend.adapters.rekeys_postgres import PostgresRekeys
from openami.headend.keeping.rekey import Cause, Rekey, RekeyStep
from openami.headend.ports import LostLeaseError
from openami.headend.session.rekey_ports import RekeyStore
from openami.headend.state_ports import Lease
from openami.kernel.ids import SystemTitle

pytestmark = pytest.mark.engines
TITLES = [SystemTitle(b"OAM" + number.to_bytes(5)) for number in range(1, 6)]
OURS = frozenset(partition_of(title) for title in TITLES)
ORDER = UUID(int=99)


@dataclass(slots=True)
class Rig:
    store: RekeyStore
    lease: Lease
    lost: Lease

    async def due(self, **how: object) -> list[Rekey]:
        return await self.store.due(OURS, **{"now_s": 1_000.0, "limit": 100, **how})  # type: ignore[arg-type]


def job(number: int, cause: Cause = Cause.FACTORY, **how: object) -> Rekey:
    made = Rekey(UUID(int=number), TITLES[number], cause, RekeyStep.DUE, 100.0 + number)
    return replace(made, **how)  # type: ignore[arg-type]  # fields of a job


@pytest.fixture(params=["memory", "postgres"])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    lease, lost = _leases()
    if request.param == "memory":
        yield Rig(FakeRekeys({lease.group: lease.fence}), lease, lost)
        return
    postgres: PostgresEngine = request.getfixturevalue("postgres")
    engine = create_async_engine(postgres.url("openami_headend"), hide_parameters=True)
    async with engine.begin() as connection:
        await connection.execute(
            text("insert into headend.partition_group (group_no, group_count, fence) values (0, 1, 7)")
        )
    yield Rig(PostgresRekeys(engine), lease, lost)
    await engine.dispose()


def _leases() -> tuple[Lease, Lease]:
    return Lease(group=0, fence=7, position=0), Lease(group=0, fence=6, position=0)


async def test_the_gravest_cause_comes_first_and_then_what_waits_longest(rig: Rig) -> None:
    causes = [Cause.AGE, Cause.FACTORY, Cause.COMPROMISED, Cause.FACTORY, Cause.COUNTER]
    assert await rig.store.add(rig.lease, [job(n, cause) for n, cause in enumerate(causes)]) == 5
    assert [one.meter_id.int for one in await rig.due()] == [2, 4, 1, 3, 0]
    assert [one.meter_id.int for one in await rig.due(limit=2)] == [2, 4]
    assert [one.meter_id.int for one in await rig.due(titles={TITLES[3].octets, TITLES[0].octets})] == [3, 0]
    assert await rig.due(titles=set()) == []
    # What has gone to a meter is to be ended, whoever has ordered what since.
    await rig.store.keep(rig.lease, job(1, step=RekeyStep.UNCERTAIN))
    assert [one.meter_id.int for one in await rig.due(titles=set())] == [1]
    assert await rig.store.due(frozenset({63}) - OURS, now_s=1_000.0, limit=9) == []


async def test_a_job_comes_back_as_it_was_kept(rig: Rig) -> None:
    await rig.store.add(rig.lease, [job(1, Cause.ORDERED, order_id=ORDER)])
    (found,) = await rig.due()
    assert found == job(1, Cause.ORDERED, order_id=ORDER)
    kept = replace(found, step=RekeyStep.UNCERTAIN, generation=2, tries=3, not_before_s=900.0, changed_at_s=850.5)
    await rig.store.keep(rig.lease, replace(kept, words="was sent"))
    assert await rig.due() == [replace(kept, words="was sent")]
    assert await rig.due(now_s=899.0) == []
    await rig.store.keep(rig.lease, replace(kept, step=RekeyStep.DONE))
    assert await rig.due() == []


async def test_one_more_reason_changes_a_job_only_where_it_is_graver_or_the_job_has_ended(rig: Rig) -> None:
    assert await rig.store.add(rig.lease, [job(1, Cause.FACTORY)]) == 1
    assert await rig.store.add(rig.lease, [job(1, Cause.AGE), job(1, Cause.FACTORY)]) == 0
    assert await rig.store.add(rig.lease, [job(1, Cause.COMPROMISED, not_before_s=5.0)]) == 1
    (found,) = await rig.due()
    assert (found.cause, found.since_s, found.not_before_s) == (Cause.COMPROMISED, 101.0, 5.0)
    await rig.store.keep(rig.lease, replace(found, step=RekeyStep.DONE))
    assert await rig.store.add(rig.lease, [job(1, Cause.AGE, since_s=500.0)]) == 1
    (found,) = await rig.due()
    assert (found.cause, found.step, found.since_s) == (Cause.AGE, RekeyStep.DUE, 500.0)


async def test_what_failed_stays_so_for_a_rule_and_begins_anew_for_a_leak_or_an_order_once(rig: Rig) -> None:
    await rig.store.add(rig.lease, [job(1)])
    (found,) = await rig.due()
    await rig.store.keep(rig.lease, replace(found, step=RekeyStep.FAILED, words="no master key"))
    assert await rig.store.add(rig.lease, [job(1)]) == 0
    assert await rig.store.add(rig.lease, [job(1, Cause.ORDERED, order_id=ORDER)]) == 1
    (found,) = await rig.due()
    await rig.store.keep(rig.lease, replace(found, step=RekeyStep.FAILED))
    assert await rig.store.add(rig.lease, [job(1, Cause.ORDERED, order_id=ORDER)]) == 0
    assert await rig.store.add(rig.lease, [job(1, Cause.COMPROMISED)]) == 1


async def test_a_meters_word_makes_its_open_job_due_and_no_other(rig: Rig) -> None:
    await rig.store.add(rig.lease, [job(n, not_before_s=5_000.0) for n in (1, 2, 3)])
    assert await rig.due() == []
    await rig.store.wake(rig.lease, {UUID(int=1), UUID(int=77)}, now_s=1_000.0)
    assert [one.meter_id.int for one in await rig.due()] == [1]


async def test_an_owner_that_lost_its_group_writes_nothing(rig: Rig) -> None:
    await rig.store.add(rig.lease, [job(1)])
    for late in (
        rig.store.add(rig.lost, [job(2)]),
        rig.store.keep(rig.lost, job(1, step=RekeyStep.DONE)),
        rig.store.wake(rig.lost, {UUID(int=1)}, now_s=1.0),
    ):
        with pytest.raises(LostLeaseError):
            await late
    assert [one.meter_id.int for one in await rig.due()] == [1]
