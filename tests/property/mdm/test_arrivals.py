"""Late rows ask for exactly the local days of the places at which their meters hung, whatever their order."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from openami.contracts.reading import ReadingBatch, uuid_column
from openami.kernel.time import instant_from_epoch_s, local_date
from openami.mdm.registry.records import Installation, InstalledMeter, Meter
from openami.mdm.store.announce import announcement
from openami.mdm.validation.arrival import by_meter, days_touched, parse_arrival, runs_of

ZONE = ZoneInfo("America/Chicago")
BEGIN = datetime(2026, 3, 1, 6, tzinfo=UTC)
MOVED = BEGIN + timedelta(days=12, hours=5)
METERS, PLACES = [UUID(int=n) for n in (10, 11)], [UUID(int=n) for n in (1, 2)]
SLOTS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 40 * 96)), min_size=1, max_size=12)


def batch(rows: list[tuple[int, int]]) -> ReadingBatch:
    n = len(rows)
    start = int(BEGIN.timestamp()) + 900 * np.array([at for _, at in rows], np.int64)
    return ReadingBatch(
        uuid_column([METERS[m] for m, _ in rows]), np.ones(n, np.uint8), start, np.full(n, 900, np.uint32),
        np.zeros(n, np.int64), np.zeros(n, np.uint16), np.ones(n, np.uint8), np.arange(n, dtype=np.uint64),
    )  # fmt: skip


def installed() -> list[InstalledMeter]:
    """The first meter moves from the first place to the second, the other one takes its place."""
    meters = [Meter(m, str(m), BEGIN) for m in METERS]
    spans = [(0, 0, BEGIN, MOVED), (0, 1, MOVED, None), (1, 0, MOVED, None)]
    return [
        InstalledMeter(Installation(UUID(int=100 + n), PLACES[p], METERS[m], a, b), meters[m])
        for n, (m, p, a, b) in enumerate(spans)
    ]


def expected(rows: list[tuple[int, int]]) -> set[tuple[UUID, date]]:
    found = set()
    for meter, slot in rows:
        at = BEGIN + timedelta(seconds=900 * slot)
        for instant in (at, at - timedelta(seconds=1)):
            for one in installed():
                i = one.installation
                if i.meter_id == METERS[meter] and i.start <= instant and (i.end is None or instant < i.end):
                    found.add((i.service_point_id, local_date(instant, ZONE)))
    return found


@given(SLOTS, SLOTS)
def test_no_day_too_many_and_none_too_few(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> None:
    arrivals = [parse_arrival(announcement("reading", batch(rows))) for rows in (first, second)]
    spans = by_meter(a for a in arrivals if a is not None)
    touched = days_touched(spans, installed(), dict.fromkeys(PLACES, "America/Chicago"))
    days = {
        (d.service_point_id, d.first + timedelta(days=n)) for d in touched for n in range((d.last - d.first).days + 1)
    }
    wanted = expected(first + second)
    assert wanted <= days
    # Rows less than 22 hours apart are one piece: no day lies between theirs.
    assert days == wanted


@given(st.sets(st.integers(0, 60)))
def test_runs_hold_their_days_and_no_other(numbers: set[int]) -> None:
    days = {date(2026, 1, 1) + timedelta(days=n) for n in numbers}
    runs = runs_of(days)
    assert {a + timedelta(days=n) for a, b in runs for n in range((b - a).days + 1)} == days
    assert all(second[0] - first[1] > timedelta(days=1) for first, second in pairwise(runs))


def test_an_announcement_of_an_earlier_release_is_understood() -> None:
    octets = (
        b'{"kind":"reading","rows":2,"many":false,"meters":["%s"],"first":900,"last":1800}' % METERS[0].hex.encode()
    )
    found = parse_arrival(octets)
    assert found is not None
    assert found.meters == {METERS[0]: ((instant_from_epoch_s(900), instant_from_epoch_s(1800)),)}
