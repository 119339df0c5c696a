"""Who is due for new keys, in which order, and at which pace: read off the table and off what meters sent."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest
from tests.contract.headend.fake_rekeys import FakeRekeys
from tests.contract.keys.fake_vault import FakeVault

from openami.contracts.command import Refusal
from openami.headend.command.key_orders import EVERY_METER, NAMED_METERS
from openami.headend.keeping.budget import CellBudget, CellPolicy
from openami.headend.keeping.rekey import Cause, RekeyPolicy, RekeyStep
from openami.headend.listening.intake import Accepted
from openami.headend.ports import DownlinkUnavailableError, SealingRefusedError
from openami.headend.session.rekey_group import COUNTER_LIMIT, GroupRekey, RekeyEngines
from openami.headend.session.rollout import Way
from openami.headend.state_ports import Lease
from openami.kernel.ids import SystemTitle
from openami.kernel.time import Period
from openami.security.access.order import Order, OrderApproval, OrderKind, OrderSubject, digest_of_items
from openami.security.keys.context import KeySet
from openami.security.keys.secret import Secret
from openami.security.keys.table import KeyTable

START = datetime(2026, 7, 1, tzinfo=UTC)
EVERY_PARTITION = frozenset(range(64))
LEASE = Lease(group=0, fence=7, position=0)
ANNA, BEN = UUID(int=11), UUID(int=12)


@dataclass
class Book:
    orders: list[Order] = field(default_factory=list)
    kept: dict[UUID, list[bytes]] = field(default_factory=dict)

    async def standing(self, _kind: OrderKind, **_now: object) -> Sequence[Order]:
        return self.orders

    async def items(self, order_id: UUID) -> Sequence[bytes]:
        return self.kept[order_id]

    def add(self, action: str, items: Sequence[bytes] = (), *, people: Sequence[UUID] = (ANNA, BEN)) -> None:
        window = Period(START - timedelta(hours=1), START + timedelta(days=1))
        order_id = UUID(int=100 + len(self.orders))
        subject = OrderSubject(order_id, OrderKind.KEYS, action, "", digest_of_items(items), window)
        approvals = tuple(
            OrderApproval(UUID(int=n), order_id, subject.digest(), p, p, START) for n, p in enumerate(people)
        )
        self.orders.append(Order(subject, ANNA, START, len(items), approvals))
        self.kept[order_id] = sorted(items)


class Asked:
    """The command process, which notes whom it was asked about and refuses."""

    def __init__(self, refusal: Refusal = Refusal.UNKNOWN_TITLE) -> None:
        self.refusal = refusal
        self.has_no_route = False
        self.titles: list[SystemTitle] = []

    async def begin_keys(self, title: SystemTitle) -> tuple[int, bool]:
        self.titles.append(title)
        if self.has_no_route:
            raise DownlinkUnavailableError("not handed over: no collector hears this meter now")
        raise SealingRefusedError("no master key", self.refusal)


class Rig:
    """A group over a table of some meters."""

    def __init__(self, meters: int, *, policy: RekeyPolicy | None = None, cell: CellPolicy | None = None) -> None:
        self.now = START
        self.vault, self.table, self.store, self.book = FakeVault(), KeyTable(), FakeRekeys({0: 7}), Book()
        for number in range(meters):
            keys = [bytes([number % 251, number // 251, use] + [7] * 13) for use in (1, 2)]
            self.vault.ship(UUID(int=number + 1), title(number), keys, master=None, at=START)
        self.asked = Asked()
        budget = CellBudget(cell or CellPolicy(exchanges_per_s=1e6, burst=1e9))
        way = Way(None, lambda _: 1, lambda _: (budget, 1), lambda: 0.5, lambda: self.now)  # type: ignore[arg-type]
        engines = RekeyEngines(
            self.store, self.asked, self.refresh, self.book, now=lambda: self.now, ages=self,  # type: ignore[arg-type]
            policy=policy or RekeyPolicy(per_hour=1e9, burst=1e9, at_once=10**6),
        )  # fmt: skip
        self.group = GroupRekey(LEASE, EVERY_PARTITION, self.table, engines, way)
        self.old: list[UUID] = []

    async def refresh(self) -> None:
        self.table.merge(await self.vault.load(after_revision=self.table.revision))

    async def older_than(self, instant: datetime) -> Sequence[UUID]:
        assert instant == self.now - timedelta(days=365)
        return self.old

    def hear(self, numbers: Sequence[int], counter: int = 5, generation: int = 1) -> None:
        titles = np.array([int.from_bytes(title(n).octets) for n in numbers], np.uint64)
        rows = self.table.find(titles, np.full(len(numbers), generation, np.uint32))
        stamps = np.zeros(len(rows), np.int64)
        self.group.hear(Accepted(rows, np.full(len(rows), counter, np.int64), stamps, stamps, stamps))

    async def turn(self, *, later_s: float = 10.0) -> None:
        self.now += timedelta(seconds=later_s)
        await self.group.turn()
        for _ in range(3):
            await asyncio.sleep(0)

    def causes(self) -> Counter[Cause]:
        return Counter(job.cause for job in self.store.jobs.values())


def title(number: int) -> SystemTitle:
    return SystemTitle(b"OAM" + number.to_bytes(5))


@pytest.fixture
async def rig() -> Rig:
    made = Rig(6)
    await made.refresh()
    return made


async def test_factory_keys_are_due_at_a_meters_first_word_and_not_before(rig: Rig) -> None:
    await rig.turn()
    assert rig.store.jobs == {}
    rig.hear([1, 3])
    await rig.turn()
    assert {job.title for job in rig.store.jobs.values()} == {title(1), title(3)}
    assert rig.causes() == {Cause.FACTORY: 2}
    # Nobody has ordered anything: nobody was even asked.
    assert rig.asked.titles == []


async def test_a_counter_that_is_half_used_up_comes_before_the_factorys_keys(rig: Rig) -> None:
    rig.hear([1], counter=COUNTER_LIMIT - 1)
    rig.hear([2], counter=COUNTER_LIMIT)
    await rig.turn()
    assert {job.title: job.cause for job in rig.store.jobs.values()} == {
        title(1): Cause.FACTORY,
        title(2): Cause.COUNTER,
    }


async def test_keys_made_here_are_due_by_age_and_not_by_being_heard(rig: Rig) -> None:
    pair = {"encryption_key": Secret(b"e" * 15 + b"1"), "authentication_key": Secret(b"a" * 15 + b"1")}
    await rig.vault.keep_new_pair(UUID(int=1), **pair, at=START)
    await rig.vault.activate(UUID(int=1), KeySet.PAIR, 2, at=START)
    await rig.refresh()
    rig.hear([0], generation=2)
    await rig.turn()
    assert rig.store.jobs == {}
    rig.old = [UUID(int=1)]
    await rig.turn(later_s=3_700.0)
    assert rig.causes() == {Cause.AGE: 1}


async def test_ten_thousand_meters_that_leaked_are_due_at_once_come_first_and_keep_the_pace() -> None:
    rig = Rig(10_300, policy=RekeyPolicy(per_hour=3_600.0, burst=40.0, at_once=16))
    await rig.refresh()
    rig.hear(range(10_000, 10_300))
    await rig.turn()
    for number in range(10_000):
        rig.vault.mark_compromised(UUID(int=number + 1))
    await rig.refresh()
    rig.book.add(EVERY_METER)
    await rig.turn()
    assert rig.causes() == {Cause.COMPROMISED: 10_000, Cause.FACTORY: 300}
    for _ in range(30):
        await rig.turn()
    # Forty at once, then one a second; none of the others before the last of these.
    assert 300 <= len(rig.asked.titles) <= 40 + 310
    assert all(int.from_bytes(t.octets[3:]) < 10_000 for t in rig.asked.titles)


async def test_an_order_that_names_meters_lets_theirs_change_and_no_others(rig: Rig) -> None:
    rig.hear(range(6))
    rig.book.add(NAMED_METERS, [title(2).octets, title(4).octets])
    await rig.turn()
    await rig.turn()
    assert sorted(rig.asked.titles, key=str) == [title(2), title(4)]
    assert Counter(job.step for job in rig.store.jobs.values()) == {RekeyStep.DUE: 4, RekeyStep.FAILED: 2}
    # What failed by this order is not begun again by it.
    for _ in range(3):
        await rig.turn()
    assert len(rig.asked.titles) == 2


@pytest.mark.parametrize("people", [(), (ANNA,), (ANNA, ANNA)], ids=["nobody", "one", "one twice"])
async def test_without_two_people_nothing_begins(rig: Rig, people: Sequence[UUID]) -> None:
    rig.book.add(EVERY_METER, people=people)
    rig.hear(range(6))
    for _ in range(3):
        await rig.turn()
    assert rig.asked.titles == []


async def test_a_group_that_is_refused_for_want_of_approval_rests(rig: Rig) -> None:
    rig.asked.refusal = Refusal.NEEDS_APPROVAL
    rig.book.add(EVERY_METER)
    rig.hear(range(6))
    await rig.turn()
    first = len(rig.asked.titles)
    assert first
    await rig.turn(later_s=30.0)
    assert len(rig.asked.titles) == first
    assert "waits" in rig.group.words
    await rig.turn(later_s=61.0)
    assert len(rig.asked.titles) > first


async def test_a_meter_that_no_collector_hears_waits_ever_longer_and_keeps_its_place(rig: Rig) -> None:
    rig.asked.has_no_route = True
    rig.book.add(EVERY_METER)
    rig.hear([1])
    await rig.turn()
    (job,) = rig.store.jobs.values()
    assert (job.step, job.tries, job.words) == (RekeyStep.DUE, 1, "not handed over: no collector hears this meter now")
    assert job.not_before_s - rig.now.timestamp() == 60.0
    await rig.turn(later_s=59.0)
    assert len(rig.asked.titles) == 1
    await rig.turn(later_s=2.0)
    assert rig.store.jobs[job.meter_id].not_before_s - rig.now.timestamp() == 120.0


async def test_a_cell_without_air_keeps_its_meters_waiting() -> None:
    rig = Rig(6, cell=CellPolicy(exchanges_per_s=0.0, burst=30.0, reserves=(-60.0, 5.0, 10.0)))
    await rig.refresh()
    rig.book.add(EVERY_METER)
    rig.hear(range(6))
    for _ in range(4):
        await rig.turn()
    # Twenty exchanges may go before the reserve: two changes of nine.
    assert len(rig.asked.titles) == 2


async def test_what_has_gone_is_ended_though_its_order_was_withdrawn(rig: Rig) -> None:
    rig.hear([1, 2])
    await rig.turn()
    gone = rig.store.jobs[UUID(int=2)]
    rig.store.jobs[UUID(int=2)] = replace(gone, step=RekeyStep.UNCERTAIN, generation=2)
    await rig.turn()
    assert rig.asked.titles == [title(1)]


async def test_a_job_whose_end_was_not_kept_is_ended_by_what_the_vault_says(rig: Rig) -> None:
    rig.hear([1])
    await rig.turn()
    pair = {"encryption_key": Secret(b"e" * 15 + b"3"), "authentication_key": Secret(b"a" * 15 + b"3")}
    await rig.vault.keep_new_pair(UUID(int=2), **pair, at=START)
    await rig.vault.activate(UUID(int=2), KeySet.PAIR, 2, at=START)
    job = rig.store.jobs[UUID(int=2)]
    rig.store.jobs[UUID(int=2)] = replace(job, step=RekeyStep.UNCERTAIN, generation=2)
    await rig.turn()
    # Not a third pair: the second is in use.
    assert rig.asked.titles == []
    assert rig.store.jobs[UUID(int=2)].step is RekeyStep.DONE


async def test_a_meter_that_speaks_under_keys_that_wait_has_a_job_whatever_became_of_it(rig: Rig) -> None:
    pair = {"encryption_key": Secret(b"e" * 15 + b"4"), "authentication_key": Secret(b"a" * 15 + b"4")}
    await rig.vault.keep_new_pair(UUID(int=2), **pair, at=START)
    await rig.refresh()
    rig.hear([1], generation=2)
    await rig.turn()
    assert rig.asked.titles == [title(1)]


async def test_a_word_under_keys_that_wait_for_their_proof_is_taken_up_at_once(rig: Rig) -> None:
    rig.hear([1])
    await rig.turn()
    (job,) = rig.store.jobs.values()
    pair = {"encryption_key": Secret(b"e" * 15 + b"2"), "authentication_key": Secret(b"a" * 15 + b"2")}
    await rig.vault.keep_new_pair(job.meter_id, **pair, at=START)
    await rig.refresh()
    waits = replace(job, step=RekeyStep.UNCERTAIN, not_before_s=rig.now.timestamp() + 9_999.0)
    rig.store.jobs[job.meter_id] = waits
    await rig.turn()
    assert rig.store.jobs[job.meter_id] == waits
    rig.hear([1], generation=2)
    await rig.turn()
    assert rig.asked.titles == [title(1)]
