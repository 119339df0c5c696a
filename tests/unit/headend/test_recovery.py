"""Which meter is asked for which span; midnights, clocks, and the words for a missing read."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from openami.contracts.deadletter import RefusalReason
from openami.headend.keeping.clock_watch import UNKNOWN_S, ClockErrors, ClockPolicy, ClockReading, should_set
from openami.headend.keeping.gaps import Gaps
from openami.headend.keeping.midnights import Midnights, office_opens_s
from openami.headend.keeping.missing import Circumstances, IntervalState, Link, Refused, why_missing
from openami.headend.keeping.recovery import MAX_ROWS, Recovery, plan_recovery
from openami.headend.keeping.request import Lane, Request, RequestKind, RequestState, derived_id
from openami.kernel.ids import SystemTitle
from openami.kernel.time import epoch_s, local_midnight

CHICAGO = ZoneInfo("America/Chicago")


def name(number: int) -> tuple[UUID, SystemTitle]:
    return UUID(int=number + 1), SystemTitle(b"OAM" + number.to_bytes(5, "big"))


def gaps(*rows: tuple[int, int, int]) -> Gaps:
    number, first, count = (np.array([r[k] for r in rows], np.int64) for k in range(3))
    return Gaps(number, first, count)


def planned(found: Gaps, *, skip: frozenset[int] = frozenset(), room: int = 100) -> list[tuple[int, int, int]]:
    requests = plan_recovery(found, Recovery(name, skip, room, 0))
    return [(r.meter_id.int - 1, r.from_s // 900, r.to_s // 900) for r in requests]


def test_the_newest_gap_of_each_meter_is_asked_for_newest_first() -> None:
    found = gaps((0, 100, 2), (0, 400, 1), (1, 500, 3), (2, 90, 1))
    assert planned(found) == [(1, 500, 503), (0, 400, 401), (2, 90, 91)]
    assert planned(found, skip=frozenset({1})) == [(0, 400, 401), (2, 90, 91)]
    assert planned(found, room=1) == [(1, 500, 503)]


def test_near_gaps_are_read_in_one_and_a_long_one_in_parts() -> None:
    assert planned(gaps((0, 100, 2), (0, 108, 1), (0, 110, 1))) == [(0, 100, 111)]
    assert planned(gaps((0, 0, 1000))) == [(0, 1000 - MAX_ROWS, 1000)]


def test_planning_the_same_again_is_the_same_request() -> None:
    first, second = (plan_recovery(gaps((0, 5, 2)), Recovery(name, frozenset(), 9, n)) for n in (0, 60))
    assert first[0].request_id == second[0].request_id


@pytest.mark.parametrize("day", [date(2026, 3, 8), date(2026, 11, 1), date(2026, 6, 3)], ids=["23 h", "25 h", "24 h"])
def test_a_midnight_read_is_found_missing_after_its_grace_whatever_the_day_is_long(day: date) -> None:
    midnight_s, before_s = epoch_s(local_midnight(day, CHICAGO)), epoch_s(local_midnight(day - timedelta(1), CHICAGO))
    book = Midnights()
    book.grow(3)
    numbers = np.arange(3)
    since = np.array([before_s, before_s, midnight_s + 1])
    until = np.full(3, 2**60)
    book.receive(
        np.array([0]), np.array([midnight_s]), np.array([midnight_s + 60]), zone=CHICAGO, now_s=midnight_s + 60
    )

    def lost(now_s: int) -> list[tuple[date, list[int]]]:
        found = book.missing(numbers, since, until, zone=CHICAGO, now_s=now_s, grace_s=1800, days=2)
        return [(d, n.tolist()) for d, n in found]

    assert lost(midnight_s + 1799) == [(day - timedelta(1), [0, 1])]
    assert lost(midnight_s + 1800) == [(day, [1]), (day - timedelta(1), [0, 1])]
    book.find_absent(1, day, day)
    assert lost(midnight_s + 1800) == [(day - timedelta(1), [0, 1])]


def test_a_read_after_seven_came_but_not_in_time() -> None:
    day = date(2026, 3, 8)
    at_s, opens_s = epoch_s(local_midnight(day, CHICAGO)), office_opens_s(day, CHICAGO)
    book = Midnights()
    book.grow(2)
    now_s = opens_s + 60
    book.receive(np.array([0, 1]), np.full(2, at_s), np.array([opens_s, opens_s + 1]), zone=CHICAGO, now_s=now_s)
    assert (book.came != 0).tolist() == [True, True]
    assert (book.in_time != 0).tolist() == [True, False]


def test_a_clock_is_set_only_when_it_is_surely_off_and_by_five_minutes_at_most() -> None:
    policy = ClockPolicy()
    assert should_set(ClockReading(shown_s=1100, asked_at_s=995, answered_at_s=1005), policy)
    assert not should_set(ClockReading(shown_s=1070, asked_at_s=900, answered_at_s=1100), policy)
    assert not should_set(ClockReading(shown_s=1900, asked_at_s=999, answered_at_s=1001), policy)


def test_of_many_frames_the_least_delayed_tells_and_a_slow_clock_needs_a_whole_day() -> None:
    clocks = ClockErrors()
    clocks.grow(3)
    clocks.note(np.array([0, 0, 0, 1]), np.array([-150, 40, -3, -140]), today=5)
    assert clocks.estimate_s().tolist() == [40, UNKNOWN_S, UNKNOWN_S]
    clocks.note(np.array([1]), np.array([-130]), today=6)
    assert clocks.estimate_s().tolist() == [40, -130, UNKNOWN_S]
    clocks.settle(0, 1.4, today=6)
    assert clocks.estimate_s()[0] == 1


NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
END = datetime(2026, 3, 10, 6, tzinfo=UTC)
HEARD = NOW - timedelta(minutes=10)
LONG_AGO = NOW - timedelta(hours=9)
WELL = {
    "installed_at": datetime(2026, 1, 1, tzinfo=UTC),
    "removed_at": None,
    "has_keys": True,
    "state": IntervalState.MISSING,
    "last_frame_at": HEARD,
    "cell": "C1",
    "cell_last_frame_at": HEARD,
}


def asked(state: RequestState, words: str = "no answer", tries: int = 2) -> Request:
    meter_id, title = name(1)
    return Request(
        derived_id(meter_id, RequestKind.INTERVALS, 0, 1), meter_id, title, RequestKind.INTERVALS, Lane.BACKGROUND,
        0, 1, epoch_s(END), state, tries, epoch_s(NOW) + 300.0, None, None, words,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "link", "says"),
    [
        pytest.param({"state": IntervalState.RECEIVED}, Link.NONE, "here", id="it is here"),
        pytest.param({"installed_at": None}, Link.NOT_INSTALLED, "no service point", id="never installed"),
        pytest.param({"installed_at": NOW}, Link.NOT_INSTALLED, "later", id="installed later"),
        pytest.param({"removed_at": END - timedelta(1)}, Link.NOT_INSTALLED, "removed", id="removed before"),
        pytest.param({"has_keys": False}, Link.NO_KEYS, "no keys", id="no keys"),
        pytest.param({"state": IntervalState.DARK}, Link.NO_SUPPLY, "no supply", id="was dark"),
        pytest.param({"no_supply_since": LONG_AGO}, Link.NO_SUPPLY, "not come back", id="is dark"),
        pytest.param({"state": IntervalState.ABSENT}, Link.ABSENT, "has no row", id="the meter has none"),
        pytest.param({"last_frame_at": None}, Link.NEVER_HEARD, "ever", id="never heard"),
        pytest.param({"last_frame_at": LONG_AGO}, Link.SILENT, "its cell is heard", id="silent"),
        pytest.param(
            {"last_frame_at": LONG_AGO, "cell_last_frame_at": LONG_AGO}, Link.CELL_SILENT, "cell C1", id="cell silent"
        ),
        pytest.param({"refused": Refused(RefusalReason.BAD_TAG, NOW)}, Link.REFUSED, "refused: bad tag", id="refused"),
        pytest.param(
            {"refused": Refused(RefusalReason.REPLAY, LONG_AGO)}, Link.PUSH_LOST, "next round", id="refused long ago"
        ),
        pytest.param({"request": asked(RequestState.QUEUED)}, Link.ASKED, "turn", id="queued"),
        pytest.param({"request": asked(RequestState.RUNNING)}, Link.ASKED, "now", id="running"),
        pytest.param({"request": asked(RequestState.WAITING)}, Link.ASKED, "2 times (no answer).", id="waiting"),
        pytest.param({"request": asked(RequestState.GIVEN_UP, "no one")}, Link.GIVEN_UP, "no one", id="given up"),
        pytest.param({}, Link.PUSH_LOST, "next round", id="lost"),
    ],
)
def test_the_first_broken_link_is_named(change: dict[str, object], link: Link, says: str) -> None:
    answer = why_missing(Circumstances(**{**WELL, **change}), end=END, now=NOW)  # type: ignore[arg-type]
    assert (answer.link, says in answer.words) == (link, True)


def test_what_no_profile_holds_any_more_is_said_so() -> None:
    known = Circumstances(**{**WELL, "installed_at": datetime(2025, 1, 1, tzinfo=UTC)})  # type: ignore[arg-type]
    assert why_missing(known, end=NOW - timedelta(days=61), now=NOW).link is Link.BEYOND_PROFILE
    assert why_missing(known, end=NOW - timedelta(minutes=10), now=NOW).link is Link.NOT_DUE
