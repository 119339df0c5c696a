"""No history of changes loses or makes energy at a crossing, and an estimated read lies where the intervals say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from openami.contracts.channel import Channel
from openami.mdm.registry.between import Known, register_at
from openami.mdm.registry.change import EndRead, EndReads, SwapPlaces
from openami.mdm.registry.crossing import crossed, cuts
from openami.mdm.registry.errors import RegistryError
from openami.mdm.registry.records import Installation, InstalledMeter, Meter

START = datetime(2026, 1, 1, tzinfo=UTC)
CHANNELS = (Channel.DELIVERED,)
PLACES, METERS = (UUID(int=1), UUID(int=2)), (UUID(int=11), UUID(int=12))


def day(number: int) -> datetime:
    return START + timedelta(days=number)


@dataclass(frozen=True)
class Sides:
    first: InstalledMeter
    second: InstalledMeter


@st.composite
def sides(draw: st.DrawFn) -> Sides:
    made = []
    for k in (0, 1):
        start = draw(st.integers(0, 10))
        end = draw(st.none() | st.integers(start + 1, 30))
        rows = Installation(
            UUID(int=20 + k), PLACES[k], METERS[k], day(start), None if end is None else day(end), 1,
            {Channel.DELIVERED: shown(k, day(start))},
            {} if end is None else {Channel.DELIVERED: shown(k, day(end))},
        )  # fmt: skip
        made.append(InstalledMeter(rows, Meter(METERS[k], f"S-{k}", START, channels=CHANNELS)))
    return Sides(*made)


def shown(k: int, at: datetime) -> int:
    """What the register of a meter shows: one goes 7 a day, the other 11."""
    return 1000 * k + (7, 11)[k] * (at - START).days


def advance(rows: Sequence[Installation], meter: UUID, until: datetime) -> int:
    """Return the energy of all pieces of one meter up to an instant."""
    total = 0
    for row in rows:
        if row.meter_id == meter:
            k = METERS.index(meter)
            out = row.out_reads.get(Channel.DELIVERED, shown(k, until))
            total += out - row.in_reads[Channel.DELIVERED]
    return total


@given(sides(), st.none() | st.integers(0, 30), st.none() | st.integers(1, 31))
def test_crossed_meters_keep_their_energy_and_hang_at_one_place_at_a_time(
    found: Sides, since: int | None, until: int | None
) -> None:
    change = SwapPlaces(
        METERS[0], METERS[1], None if since is None else day(since), None if until is None else day(until)
    )
    try:
        needed = cuts(found.first.installation, found.second.installation, change)
    except RegistryError:
        assume(False)
    reads: dict[tuple[UUID, datetime], EndReads] = {
        (m, at): {Channel.DELIVERED: EndRead(shown(METERS.index(m), at))} for m, at in needed
    }
    swap = SwapPlaces(METERS[0], METERS[1], change.since, change.until, reads)
    made = crossed(found.first, found.second, swap)
    before = [found.first.installation, found.second.installation]
    for meter in METERS:
        assert advance(made.pieces, meter, day(60)) == advance(before, meter, day(60))
    for number in range(40):
        here = [p for p in made.pieces if p.start <= day(number) and (p.end is None or day(number) < p.end)]
        then = [p for p in before if p.start <= day(number) and (p.end is None or day(number) < p.end)]
        assert {p.meter_id for p in here} == {p.meter_id for p in then}
        assert len({p.service_point_id for p in here}) == len(here) == len({p.meter_id for p in here})
        if made.since <= day(number) and (made.until is None or day(number) < made.until):
            assert {(p.service_point_id, p.meter_id) for p in here} == {(PLACES[0], METERS[1]), (PLACES[1], METERS[0])}
        else:
            assert {(p.service_point_id, p.meter_id) for p in here} == {(p.service_point_id, p.meter_id) for p in then}


@given(
    st.lists(st.integers(0, 500), min_size=2, max_size=60),
    st.integers(0, 10_000),
    st.integers(0, 59),
    st.data(),
)
def test_a_read_carried_by_complete_intervals_is_the_read_that_was_there(
    counts: list[int], base: int, asked: int, data: st.DataObject
) -> None:
    capacity = 10_007
    value = np.array(counts, dtype=np.int64)
    starts = 900 * np.arange(len(value), dtype=np.int64)
    register = (base + np.concatenate([[0], np.cumsum(value)])) % capacity
    at = min(asked, len(value))
    held = data.draw(st.integers(0, len(value)))
    assume(held != at)
    known = Known(np.array([900 * held]), register[[held]], starts, value, 900, capacity)
    read = register_at(known, 900 * at, because="gone", meter="S-1")
    assert read == EndRead(int(register[at]), "gone")


@given(st.integers(1, 400), st.sets(st.integers(0, 95), max_size=90))
def test_what_no_interval_covers_counts_at_the_mean_of_what_one_does(rate: int, lost: set[int]) -> None:
    kept = np.array(sorted(set(range(96)) - lost), dtype=np.int64)
    known = Known(np.array([0]), np.array([0]), 900 * kept, np.full(len(kept), rate), 900, None)
    assert register_at(known, 96 * 900, because="gone", meter="S-1").value == 96 * rate
