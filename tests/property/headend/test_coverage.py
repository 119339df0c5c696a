"""Coverage says the same as sets of quarter-hours kept by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.contracts.errors import ContractError
from openami.contracts.event import DeviceEvent, EventKind
from openami.contracts.reading import uuid_column
from openami.headend.keeping.coverage import DAY_S, DEPTH_DAYS, NEVER_S, SLOT_S, SLOTS, Coverage
from openami.headend.keeping.gaps import find_gaps, standing
from openami.headend.keeping.levels import EXPECTED
from openami.headend.keeping.memory import GroupMemory
from openami.headend.keeping.memory_page import encode_memory, restore_memory
from openami.headend.keeping.supply import note_supply
from openami.kernel.time import epoch_s, instant_from_epoch_s

DAY0 = epoch_s(datetime(2026, 3, 1, tzinfo=UTC)) // DAY_S
BEGAN = DAY0 * SLOTS
METERS = 3

Batch = list[tuple[int, int, bool]]
rows = st.lists(st.tuples(st.integers(0, METERS - 1), st.integers(0, 4 * SLOTS), st.booleans()), max_size=60)


def new_coverage() -> Coverage:
    coverage = Coverage(BEGAN * SLOT_S)
    coverage.enroll(
        np.arange(1, METERS + 1, dtype=np.uint64),
        uuid_column([UUID(int=n + 1) for n in range(METERS)]),
        since_s=np.array([BEGAN * SLOT_S] * METERS),
        until_s=np.array([NEVER_S] * METERS),
        cells=np.array([0, 0, 1]),
        now_s=BEGAN * SLOT_S,
    )
    return coverage


def feed(coverage: Coverage, batch: Batch, now_slot: int) -> None:
    if not batch:
        return
    number, slot, marked = (np.array([r[k] for r in batch]) for k in range(3))
    ids = uuid_column([UUID(int=n + 1) for n in number.tolist()])
    assert (coverage.find_ids(ids) == coverage.find((number + 1).astype(np.uint64))).all()
    coverage.receive(
        coverage.find_ids(ids),
        (BEGAN + slot.astype(np.int64)) * SLOT_S,
        is_marked=marked.astype(np.bool_),
        arrived_s=(BEGAN + slot.astype(np.int64)) * SLOT_S + 1000,
        now_s=now_slot * SLOT_S,
    )


def spread(coverage: Coverage, until_slot: int) -> set[tuple[int, int]]:
    gaps = find_gaps(coverage, until_s=until_slot * SLOT_S)
    return {
        (int(coverage.title[n]) - 1, int(f) + k - BEGAN)
        for n, f, c in zip(gaps.number, gaps.first, gaps.count, strict=True)
        for k in range(c)
    }


@settings(max_examples=60)
@given(st.lists(rows, max_size=4), st.integers(1, 4 * SLOTS))
def test_what_is_missing_is_what_is_expected_and_did_not_come(batches: list[Batch], horizon: int) -> None:
    coverage = new_coverage()
    came: set[tuple[int, int]] = set()
    for batch in batches:
        if batch:
            feed(coverage, [(n, s, False) for n, s, _ in batch], BEGAN + 5 * SLOTS)
            came |= {(n, s) for n, s, _ in batch}
        spread(coverage, BEGAN + horizon // 2)
        page = encode_memory(GroupMemory(coverage), np.arange(len(coverage)), coverage.levels.counts)
        coverage = restore_memory([page], began_s=0).coverage
    assert spread(coverage, BEGAN + horizon) == {(n, s) for n in range(METERS) for s in range(horizon)} - came


@settings(max_examples=40)
@given(st.lists(rows, max_size=3))
def test_counts_hold_each_interval_once(batches: list[Batch]) -> None:
    coverage = new_coverage()
    for batch in [[(n, s, False) for n, s, _ in b] for b in batches if b]:
        feed(coverage, batch, BEGAN + 5 * SLOTS)
        feed(coverage, batch, BEGAN + 5 * SLOTS)
        spread(coverage, BEGAN + 3 * SLOTS)
    counts = standing(coverage, until_s=(BEGAN + 4 * SLOTS) * SLOT_S)
    came = {(n, s) for b in batches for n, s, _ in b}
    assert sum(int(c[:EXPECTED].sum()) for c in counts.values()) == len(came)
    assert sum(int(c[EXPECTED]) for c in counts.values()) == METERS * 4 * SLOTS


def event(kind: EventKind, slot: int, second: int = 0) -> DeviceEvent:
    at = instant_from_epoch_s((BEGAN + slot) * SLOT_S + second)
    return DeviceEvent(uuid4(), UUID(int=1), kind, at, "oam-1", 0, 0)


@pytest.mark.parametrize(
    ("told", "missing"),
    [
        pytest.param([[(EventKind.POWER_DOWN, 10, 300), (EventKind.POWER_UP, 14, 60)]], {10, 14}, id="both at once"),
        pytest.param(
            [[(EventKind.LAST_GASP, 10, 300)], [(EventKind.POWER_UP, 14, 0)]], {10, 14, 15}, id="a gasp first"
        ),
        pytest.param([[(EventKind.POWER_DOWN, 10, 300)]], set(), id="still without supply"),
        pytest.param([[(EventKind.POWER_UP, 14, 60)]], {10, 11, 12, 13, 14}, id="a return alone proves nothing"),
        pytest.param([[(EventKind.COVER_OPENED, 10, 0)]], {10, 11, 12, 13, 14}, id="another event"),
    ],
)
def test_a_confirmed_outage_is_not_missing(told: list[list[tuple[EventKind, int, int]]], missing: set[int]) -> None:
    """The rows of the two intervals that were cut short are owed, those between are not."""
    coverage = new_coverage()
    feed(coverage, [(0, s, False) for s in range(10)], BEGAN + 16)
    for events in told:
        note_supply(coverage, 0, [event(*e) for e in events])
    if EventKind.POWER_UP in [k for events in told for k, _, _ in events] or told[0][0][0] is EventKind.COVER_OPENED:
        feed(coverage, [(0, 15, False)] if 15 not in missing else [], BEGAN + 16)
    assert {s for n, s in spread(coverage, BEGAN + 16) if n == 0} == missing


def test_rows_cut_short_at_both_ends_of_a_gap_confirm_the_outage_between_even_over_midnight() -> None:
    coverage = new_coverage()
    feed(coverage, [(0, s, s == SLOTS - 3) for s in range(SLOTS - 2)], BEGAN + SLOTS + 8)
    feed(coverage, [(0, SLOTS + 3, True), (0, SLOTS + 5, False)], BEGAN + SLOTS + 8)
    assert {s for n, s in spread(coverage, BEGAN + SLOTS + 6) if n == 0} == {SLOTS + 4}


def test_what_a_meter_has_no_row_of_is_not_asked_again_but_stays_expected() -> None:
    coverage = new_coverage()
    feed(coverage, [(0, s, False) for s in range(SLOTS) if s not in (7, 8)], BEGAN + SLOTS)
    assert {s for n, s in spread(coverage, BEGAN + SLOTS) if n == 0} == {7, 8}
    assert coverage.find_absent(0, BEGAN, SLOTS) == 2
    assert not {s for n, s in spread(coverage, BEGAN + SLOTS) if n == 0}
    assert int(standing(coverage, until_s=(BEGAN + SLOTS) * SLOT_S)[DAY0, 0][EXPECTED]) == 2 * SLOTS


def test_a_day_leaves_memory_when_nothing_of_it_is_missing_and_when_no_profile_holds_it() -> None:
    coverage = new_coverage()
    feed(coverage, [(0, s, False) for s in range(SLOTS)], BEGAN + 2 * SLOTS)
    spread(coverage, BEGAN + 2 * SLOTS)
    # Three meters, three begun days, one finished.
    assert len(coverage.key) == 8
    find_gaps(coverage, until_s=(BEGAN + (DEPTH_DAYS + 3) * SLOTS) * SLOT_S)
    assert int((coverage.key & 0xFFFFF).min()) == DAY0 + 4


@settings(max_examples=60)
@given(st.binary(max_size=200), st.integers(0, 60), st.integers(0, 255))
def test_damaged_pages_are_refused_in_one_way(noise: bytes, at: int, octet: int) -> None:
    coverage = new_coverage()
    feed(coverage, [(0, 3, False)], BEGAN + SLOTS)
    page = bytearray(encode_memory(GroupMemory(coverage), np.arange(METERS), coverage.levels.counts))
    page[at % len(page)] = octet
    for octets in (bytes(page), noise, bytes(page)[: at * 2]):
        try:
            restore_memory([octets], began_s=0)
        except ContractError:
            continue


def test_what_came_before_the_registry_knew_the_meter_counts_in_no_service_level() -> None:
    coverage = Coverage(BEGAN * SLOT_S)
    number = coverage.numbers(np.array([9], np.uint64), uuid_column([UUID(int=9)]))
    now_s = (BEGAN + 8) * SLOT_S

    def receive(*slots: int) -> None:
        start_s = (BEGAN + np.array(slots)) * SLOT_S
        unmarked = np.zeros(len(slots), np.bool_)
        coverage.receive(
            np.repeat(number, len(slots)), start_s, is_marked=unmarked, arrived_s=start_s + 1000, now_s=now_s
        )

    receive(0, 1, 3)
    assert not standing(coverage, until_s=now_s)
    coverage.enroll(
        np.array([9], np.uint64), uuid_column([UUID(int=9)]), since_s=np.array([BEGAN * SLOT_S]),
        until_s=np.array([NEVER_S]), cells=np.array([5]), now_s=(BEGAN + 4) * SLOT_S,
    )  # fmt: skip
    receive(4, 5)
    counts = standing(coverage, until_s=(BEGAN + 6) * SLOT_S)
    assert {key: (int(c[:EXPECTED].sum()), int(c[EXPECTED])) for key, c in counts.items()} == {(DAY0, 5): (2, 2)}
    # The gap before is asked for all the same.
    gaps = find_gaps(coverage, until_s=(BEGAN + 6) * SLOT_S)
    assert (gaps.first - BEGAN).tolist() == [2]
