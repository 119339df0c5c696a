"""R4.2: never one counter twice with one key, however the reservation dies. Storage here outlives the process."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.headend.command.counters import BLOCK, SendCounters
from openami.headend.command.ports import CommandUnavailableError

METER, OTHER = UUID(int=1), UUID(int=2)


class Disk:
    """A reserve that dies before or after its write reaches the disk, when it is told to."""

    def __init__(self) -> None:
        self.next: dict[tuple[UUID, int], int] = {}
        self.fail = ""
        self.writes = 0

    async def reserve(self, meter_id: UUID, generation: int, *, count: int) -> int:
        fail, self.fail = self.fail, ""
        await asyncio.sleep(0)
        if fail == "before":
            raise CommandUnavailableError("died before the write")
        first = self.next.get((meter_id, generation), 1)
        self.next[meter_id, generation] = first + count
        self.writes += 1
        await asyncio.sleep(0)
        if fail == "after":
            raise CommandUnavailableError("died after the write")
        return first


steps = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.integers(1, 130)),
        st.tuples(st.sampled_from(["before", "after", "restart", "two", "cancel"]), st.just(0)),
    ),
    max_size=12,
)


@settings(max_examples=80)
@given(steps)
def test_a3_no_counter_is_given_twice_however_often_it_dies(script: list[tuple[str, int]]) -> None:
    asyncio.run(_play(script))


async def _play(script: list[tuple[str, int]]) -> None:
    disk = Disk()
    processes = [SendCounters(disk)]
    given_out: list[int] = []
    for what, amount in script:
        if what == "take":
            for turn in range(amount):
                try:
                    given_out.append(await processes[turn % len(processes)].take(METER, 1))
                except CommandUnavailableError:
                    continue
        elif what == "restart":
            processes = [SendCounters(disk)]
        elif what == "two":
            processes.append(SendCounters(disk))
        elif what == "cancel":
            # One who gives up in the middle of a reservation takes it from nobody and gets nothing.
            asking = [asyncio.create_task(processes[0].take(METER, 1)) for _ in range(3)]
            await asyncio.sleep(0)
            asking[0].cancel()
            found = await asyncio.gather(*asking, return_exceptions=True)
            given_out += [n for n in found if isinstance(n, int)]
        else:
            disk.fail = what
    assert len(set(given_out)) == len(given_out)


async def test_many_who_ask_at_once_share_one_reservation() -> None:
    disk = Disk()
    counters = SendCounters(disk)
    found = await asyncio.gather(*(counters.take(METER, 1) for _ in range(BLOCK)))
    assert sorted(found) == list(range(1, BLOCK + 1))
    assert disk.writes == 1


async def test_meters_and_generations_count_for_themselves() -> None:
    counters = SendCounters(Disk())
    assert [await counters.take(m, g) for m, g in ((METER, 1), (OTHER, 1), (METER, 2), (METER, 1))] == [1, 1, 1, 2]


async def test_blocks_in_hand_are_bounded_and_a_dropped_one_is_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openami.headend.command.counters.MAX_BLOCKS", 2)
    counters = SendCounters(Disk())
    for number in range(4):
        await counters.take(UUID(int=number), 1)
    assert await counters.take(UUID(int=0), 1) == BLOCK + 1
