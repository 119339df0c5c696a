"""Meters with genuine keys push any rows, of any time, by collectors of any clock: what is remembered stays sound."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openami.app.bench.pushes import FIRST_END, PushFactory
from openami.contracts.frame import encode_frame_batch
from openami.contracts.stream import PARTITIONS
from openami.headend.keeping.coverage import Coverage
from openami.headend.keeping.keeper import Keeper
from openami.headend.keeping.kept import KeptState, level_rows, register_level_rows
from openami.headend.keeping.memory import GroupMemory
from openami.headend.keeping.memory_page import restore_memory
from openami.headend.keeping.roster import Hung, Roster
from openami.headend.listening.intake import Intake, Outcome, StreamMessage
from openami.headend.listening.window import CounterWindows
from openami.kernel.ids import SystemTitle
from openami.kernel.time import epoch_s, instant_from_epoch_s
from openami.protocol import apdu
from openami.protocol.axdr import Data
from openami.protocol.cosem import date_time_from_utc
from openami.protocol.envelope import wrap
from openami.protocol.push import (
    EventRow,
    LoadProfileRow,
    RegisterRow,
    event_body,
    load_profile_body,
    register_body,
)
from openami.security.keys.table import KeyTable
from openami.security.suites import gcm

FACTORY = PushFactory(meters=2)
NOW_S, DAY_S = epoch_s(FIRST_END), 86_400
REMEMBERED = ("since", "until", "down_s", "newest", "cell", "finished")
# From the year 1 to 9999; quarter-hours of two days; midnights of three months.
instants = st.one_of(
    st.integers(-62_135_000_000, 253_402_000_000),
    st.integers(-200, 10).map(lambda k: NOW_S // 900 * 900 + 900 * k),
    st.integers(-90, 3).map(lambda d: NOW_S // DAY_S * DAY_S + d * DAY_S + 6 * 3_600),
)
times = instants.map(instant_from_epoch_s)
counts = st.integers(0, 2**32 - 1)
bodies = st.one_of(
    st.lists(st.builds(LoadProfileRow, times, st.integers(0, 255), counts, counts, st.integers(0, 65_535)), max_size=5)
    .map(load_profile_body),
    st.lists(st.builds(RegisterRow, times, counts, counts), max_size=4).map(register_body),
    st.lists(st.builds(EventRow, times, st.integers(0, 6), st.integers(0, 255)), max_size=6).map(event_body),
)  # fmt: skip
pushes = st.tuples(st.one_of(st.none(), times), bodies, st.integers(0, 2**64 - 1), st.integers(0, 1))


class Group:
    """A group's intake, keeper and pages."""

    def __init__(self, zone: str, *, is_rostered: bool) -> None:
        self.table = KeyTable()
        self.table.merge(replace(FACTORY.key_columns(), zone=(zone, "")))
        self.intake = Intake(self.table, CounterWindows(), zone="UTC")
        memory = GroupMemory(Coverage(NOW_S - 30 * DAY_S))
        self.keeper = Keeper(memory, self.table, _every, ZoneInfo(zone), lambda _: True)
        self.kept, self.pages = KeptState(), list[bytes]()
        if is_rostered:
            day = datetime.fromtimestamp(NOW_S, UTC).date()
            titles = [(m.meter_id, SystemTitle(m.title)) for m in FACTORY.meters]
            hung = [Hung(i, title, NOW_S - 20 * DAY_S, None, zone, "C1", (day,)) for i, title in titles]
            self.keeper.enroll(Roster(hung), now_s=NOW_S)

    def hear(
        self, seq: int, sent: datetime | None, body: Data, collected_at_ms: int, number: int, now_s: int
    ) -> Outcome:
        meter = FACTORY.meters[number]
        stamp = date_time_from_utc(sent) if sent is not None else None
        plain = apdu.encode(apdu.DataNotification(1, stamp, body))
        sealed = gcm.seal(meter.title, seq, plain, key=meter.key, auth_key=meter.auth_key)
        frame = FACTORY.frame(number, wrap(1, 103, apdu.general_glo(meter.title, sealed)))
        batch = encode_frame_batch(
            gateway_id=1, received_at_ms=now_s * 1000, frames=[replace(frame, collected_at_ms=collected_at_ms)]
        )
        opened = self.intake.open(
            [StreamMessage(seq, batch)], partitions=frozenset(range(PARTITIONS)), now_ms=now_s * 1000
        )
        return self.intake.judge(opened, now_ms=now_s * 1000)

    def take(self, outcome: Outcome, *, now_s: int, real_s: float) -> None:
        """Do with an outcome what the head-end does, and write a page."""
        keeper = self.keeper
        keeper.hear(outcome, now_s=now_s, real_s=real_s)
        keeper.plan(now_s=now_s, real_s=real_s)
        levels = level_rows(keeper, until_s=now_s)
        page = self.kept.page(keeper.memory, levels=levels, registers=register_level_rows(keeper, now_s=now_s))
        if page is not None:
            self.kept.written(page)
            self.pages = [page.page] if page.is_base else [*self.pages, page.page]

    def check_restored(self, *, now_s: int) -> None:
        """What the next owner reads back is what this one knows."""
        live, again = self.keeper.memory, restore_memory(self.pages, began_s=NOW_S)
        again.roll(now_s)
        # A meter of which nothing was ever taken is on no page, and nothing is known of it.
        told = np.flatnonzero((live.coverage.newest >= 0) | live.coverage.is_rostered)
        here = again.coverage.find(live.coverage.title[told])
        assert (here >= 0).all()
        for name in REMEMBERED:
            assert getattr(again.coverage, name)[here].tolist() == getattr(live.coverage, name)[told].tolist(), name


def _every(titles: np.ndarray[tuple[int, ...], np.dtype[np.uint64]]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.ones(titles.shape, np.bool_)


@pytest.mark.attack("A21")
@settings(max_examples=120, deadline=None)
@given(
    some=st.lists(pushes, min_size=1, max_size=5),
    is_rostered=st.booleans(),
    zone=st.sampled_from(["America/Chicago", "Asia/Kathmandu", "UTC", "Pacific/Apia"]),
    step_s=st.sampled_from([60, 3_600, DAY_S, 40 * DAY_S]),
)
def test_whatever_is_pushed_the_group_goes_on_and_remembers(
    some: list[tuple[datetime | None, Data, int, int]], is_rostered: bool, zone: str, step_s: int
) -> None:
    group = Group(zone, is_rostered=is_rostered)
    now_s = NOW_S
    for seq, (sent, body, collected_at_ms, number) in enumerate(some, 1):
        now_s += step_s
        outcome = group.hear(seq, sent, body, collected_at_ms, number, now_s)
        group.take(outcome, now_s=now_s, real_s=float(seq))
        group.check_restored(now_s=now_s)
