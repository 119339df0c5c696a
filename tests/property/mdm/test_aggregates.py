"""Sums over hours, days, months and groups lose no energy, whatever the clock does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.contracts.channel import Channel
from openami.contracts.quality import Method, QualityState
from openami.kernel.time import Period, instant_from_epoch_s
from openami.mdm.api import UsageMatrix
from openami.mdm.usage.aggregate import Grain
from openami.mdm.usage.groups import GroupUsage, Member, Span, group_usage
from openami.mdm.usage.series import IntervalSeries
from openami.mdm.usage.virtual import Term, VirtualChannel, VirtualChannelError, computed, net
from openami.mdm.vee.grid import grid_of
from openami.security.access.scope import Purpose, Scope, system_scope

SYSTEM = system_scope(process="test", purpose=Purpose.OPERATIONS)
ZONES = ("America/Chicago", "Australia/Lord_Howe", "UTC")
ALWAYS = Period(datetime(2000, 1, 1, tzinfo=UTC), datetime(2090, 1, 1, tzinfo=UTC))


class Recorded:
    """A face of the room over matrices that are made once."""

    def __init__(self, zone: str, points: list[UUID], interval_s: int, seed: int) -> None:
        self.zone, self.points, self.interval_s = ZoneInfo(zone), points, interval_s
        grid = grid_of(self.zone, date(2026, 1, 1), date(2026, 12, 31), interval_s)
        dice = np.random.default_rng(seed)
        self.grid = grid
        self.values = dice.integers(0, 900, (len(points), grid.columns))
        states = [QualityState.ACTUAL] * 8 + [QualityState.ESTIMATED, QualityState.MISSING]
        self.quality = dice.choice(np.array(states, np.uint8), self.values.shape)
        self.values[self.quality == QualityState.MISSING] = 0

    async def matrix(
        self,
        scope: Scope,
        service_points: Sequence[UUID],
        channel: Channel,
        first: date,
        last: date,
        *,
        as_known_at: datetime | None = None,
    ) -> list[UsageMatrix]:
        rows = [self.points.index(p) for p in service_points]
        a, b = self.grid.index_of(first), self.grid.index_of(last) + 1
        lo, hi = int(self.grid.day_at[a]), int(self.grid.day_at[b])
        return [
            UsageMatrix(
                tuple(service_points), self.zone, self.interval_s, self.grid.start_s[lo:hi],
                self.grid.day_at[a : b + 1] - lo, self.values[rows, lo:hi], self.quality[rows, lo:hi],
                np.ones((len(rows), b - a), np.uint64),
            )
        ]  # fmt: skip


@given(
    zone=st.sampled_from(ZONES), interval_s=st.sampled_from([900, 1800, 3600]), seed=st.integers(0, 999),
    start=st.integers(0, 300), days=st.integers(1, 64), turn=st.integers(0, 1536),
    grain=st.sampled_from(list(Grain)),
)  # fmt: skip
@settings(max_examples=40)
async def test_every_grain_and_grouping_adds_up_to_the_same_energy(
    zone: str, interval_s: int, seed: int, start: int, days: int, turn: int, grain: Grain
) -> None:
    points = [UUID(int=n + 1) for n in range(5)]
    data = Recorded(zone, points, interval_s, seed)
    first = date(2026, 1, 1) + timedelta(days=start)
    last = min(first + timedelta(days=days - 1), date(2026, 12, 31))
    whole = (await data.matrix(SYSTEM, points, Channel.DELIVERED, first, last))[0]
    # The second place changes its transformer somewhere in between, at any whole interval.
    change = instant_from_epoch_s(int(whole.start_s[turn % len(whole.start_s)]))
    members = [Member(p, "T1", ALWAYS) for p in (points[0], points[2])]
    members += [Member(p, "T2", ALWAYS) for p in points[3:]]
    members += [
        Member(points[1], "T1", Period(ALWAYS.start, change)),
        Member(points[1], "T2", Period(change, ALWAYS.end)),
    ]
    end = instant_from_epoch_s(int(whole.start_s[-1]) + interval_s)
    middle = instant_from_epoch_s(int(whole.start_s[len(whole.start_s) // 2]))
    edges = [instant_from_epoch_s(int(whole.start_s[0])), middle, end]
    periods = tuple(Period(a, b) for a, b in pairwise(edges) if a < b)
    found = await group_usage(data, SYSTEM, members, Span(Channel.DELIVERED, first, last, grain, periods))
    assert sum(u.total for u in found) == int(whole.values.sum())
    assert sum(u.intervals for u in found) == whole.values.size
    assert sum(u.missing for u in found) == int((whole.quality == QualityState.MISSING).sum())
    estimated = whole.quality == QualityState.ESTIMATED
    assert sum(u.estimated for u in found) == int(whole.values[estimated].sum())
    assert all(0 <= u.estimated_share <= 1 and u.start < u.end for u in found)
    by_group: dict[str, list[GroupUsage]] = {}
    for usage in found:
        by_group.setdefault(usage.group, []).append(usage)
    for spans in by_group.values():
        assert all(a.end <= b.start for a, b in pairwise(spans))


async def test_a_day_of_23_hours_has_23_and_one_of_25_has_25() -> None:
    points = [UUID(int=1)]
    data = Recorded("America/Chicago", points, 900, 1)
    for day, hours in ((date(2026, 3, 8), 23), (date(2026, 11, 1), 25), (date(2026, 7, 1), 24)):
        span = Span(Channel.DELIVERED, day, day, Grain.HOUR)
        assert len(await group_usage(data, SYSTEM, [Member(points[0], "a", ALWAYS)], span)) == hours


async def test_a_virtual_group_subtracts_members_of_negative_sign() -> None:
    points = [UUID(int=1), UUID(int=2)]
    data = Recorded("UTC", points, 900, 1)
    span = Span(Channel.DELIVERED, date(2026, 5, 1), date(2026, 5, 1), Grain.DAY)
    plus, minus = [(await group_usage(data, SYSTEM, [Member(p, "a", ALWAYS)], span))[0] for p in points]
    (both,) = await group_usage(
        data, SYSTEM, [Member(points[0], "a", ALWAYS), Member(points[1], "a", ALWAYS, -1)], span
    )
    assert both.total == plus.total - minus.total
    assert both.size == plus.size + minus.size


def series(
    values: list[int], states: list[int], *, point: int = 1, first_s: int = 0, spread: int = 0
) -> IntervalSeries:
    value = np.array(values, np.int64)
    return IntervalSeries(
        UUID(int=point), Channel.DELIVERED, 900, first_s + 900 * np.arange(len(value)), value,
        np.array(states, np.uint8), np.zeros(len(value), np.uint8), value - spread, value + spread,
        np.zeros(len(value), bool),
    )  # fmt: skip


_STATES = st.sampled_from([0, 0, 0, 1, 2, 5, 7])


@given(st.lists(st.tuples(st.integers(0, 999), _STATES, st.integers(0, 999), _STATES), min_size=1, max_size=40))
def test_a_net_series_is_the_difference_where_both_are_there_and_says_what_is_not_sound(
    rows: list[tuple[int, int, int, int]],
) -> None:
    delivered = series([a if s != 2 else 0 for a, s, _, _ in rows], [s for _, s, _, _ in rows], spread=5)
    received = series([b if s != 2 else 0 for _, _, b, s in rows], [s for _, _, _, s in rows], spread=2)
    found = computed(net(UUID(int=1)), [delivered, received], as_channel=Channel.NET)
    for at, (a, state_a, b, state_b) in enumerate(rows):
        if 2 in {state_a, state_b}:
            assert (found.value[at], found.quality[at], found.method[at]) == (0, QualityState.MISSING, Method.NONE)
            continue
        assert found.value[at] == a - b
        assert (found.low[at], found.high[at]) == (a - b - 7, a - b + 7)
        assert found.method[at] == Method.CALCULATED
        sound = {state_a, state_b} == {QualityState.ACTUAL}
        assert (found.quality[at] == QualityState.DERIVED) == sound
        if 1 in {state_a, state_b} and 5 not in {state_a, state_b}:
            assert found.quality[at] == QualityState.ESTIMATED


def test_an_interval_that_one_part_lacks_is_missing() -> None:
    found = computed(net(UUID(int=1)), [series([5, 6], [0, 0]), series([1], [0])], as_channel=Channel.NET)
    assert found.value.tolist() == [4, 0]
    assert found.quality.tolist() == [QualityState.DERIVED, QualityState.MISSING]


def test_series_that_do_not_fall_together_are_refused() -> None:
    with pytest.raises(VirtualChannelError, match="begin at different instants"):
        computed(net(UUID(int=1)), [series([5], [0]), series([5], [0], first_s=300)], as_channel=Channel.NET)


@pytest.mark.parametrize(
    ("terms", "word"),
    [
        pytest.param((), "0 terms", id="nothing"),
        pytest.param((Term(1, UUID(int=1), Channel.DELIVERED),) * 2, "count twice", id="twice"),
        pytest.param((Term(1, UUID(int=1), Channel.VOLTAGE),), "energies", id="volts"),
        pytest.param(
            (Term(1, UUID(int=1), Channel.DELIVERED), Term(1, UUID(int=1), Channel.REACTIVE_DELIVERED)), "one unit",
            id="Wh and varh",
        ),
    ],
)  # fmt: skip
def test_a_virtual_channel_that_makes_no_sense_is_refused_in_words(terms: tuple[Term, ...], word: str) -> None:
    with pytest.raises(VirtualChannelError, match=word):
        VirtualChannel("campus", terms)
