"""Chart data and the home page: gaps are gaps, days are as long as they are, and a scope's time is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from openami.contracts.quality import QualityState
from openami.kernel.time import Period
from openami.portal.views.usage import HomeView, IntervalsView
from openami.security.access.role import Grant, Role

MINE = UUID(int=1)
NOW = datetime(2026, 11, 23, 18, 7, tzinfo=UTC)
QUARTER = int(NOW.timestamp()) // 900 * 900


async def chart(portal: Any, first: str, last: str, **more: str) -> dict[str, Any]:
    async with portal.client(Role.CUSTOMER) as client:
        answer = await client.get(
            f"/api/v1/service-points/{MINE}/intervals", params={"from": first, "to": last, **more}
        )
    assert answer.status_code == 200, answer.text
    IntervalsView.model_validate(answer.json())
    return dict(answer.json())


@pytest.mark.parametrize(
    ("day", "hours", "intervals"), [("2026-03-08", 23, 92), ("2026-11-01", 25, 100), ("2026-11-02", 24, 96)]
)
async def test_a_day_has_as_many_quarter_hours_as_it_has(portal: Any, day: str, hours: int, intervals: int) -> None:
    view = await chart(portal, day, day)
    assert (len(view["start"]), view["day_lengths"]) == (intervals, [hours])
    assert view["end"] - view["start"][0] == hours * 3600
    by_hour = await chart(portal, day, day, resolution="hour")
    assert (len(by_hour["start"]), set(by_hour["value"])) == (hours, {400})


@pytest.mark.parametrize("resolution", ["quarter", "hour", "day", "month"])
async def test_energy_is_the_same_at_every_resolution(portal: Any, resolution: str) -> None:
    portal.usage.value = lambda start: start // 900 % 97
    view = await chart(portal, "2026-02-10", "2026-11-20", resolution=resolution)
    start = np.arange(view["start"][0], view["end"], 900)
    assert sum(view["value"]) == int((start // 900 % 97).sum())
    assert sum(n for _, n in view["quality"]) == len(view["start"]) == len(view["value"])
    assert view["price"]["cost"] is not None
    assert sum(view["price"]["cost"]) == pytest.approx(sum(view["value"]) * 0.0001, abs=1e-3)


async def test_voltage_is_averaged_and_has_no_price(portal: Any) -> None:
    portal.usage.value = lambda start: 2400 + start // 900 % 3
    view = await chart(portal, "2026-11-20", "2026-11-20", resolution="day", channel="voltage")
    assert (view["value"], view["unit"], view["power_of_ten"], view["price"]) == ([2401], "V", -1, None)


async def test_a_missing_interval_is_a_gap_and_an_estimated_one_carries_its_band(portal: Any) -> None:
    day = await chart(portal, "2026-11-20", "2026-11-20")
    portal.usage.quality = {day["start"][10]: QualityState.MISSING, day["start"][20]: QualityState.ESTIMATED}
    view = await chart(portal, "2026-11-20", "2026-11-20")
    assert view["value"][10] is None
    assert (view["low"][20], view["value"][20], view["high"][20]) == (90, 100, 110)
    assert view["quality"] == [
        ["actual", 10], ["missing", 1], ["actual", 9], ["estimated", 1], ["actual", 75]
    ]  # fmt: skip
    assert view["estimated_share"] == pytest.approx(1 / 95)


async def test_what_is_on_its_way_is_not_missing_and_what_stopped_is(portal: Any) -> None:
    today = await chart(portal, "2026-11-23", "2026-11-23")
    assert {q for q, _ in today["quality"]} == {"actual"}
    portal.usage.until = NOW - timedelta(hours=5)
    stopped = await chart(portal, "2026-11-23", "2026-11-23")
    assert stopped["quality"][-1][0] == "missing"
    assert stopped["value"][-1] is None
    assert stopped["end"] <= int(NOW.timestamp())


async def test_nothing_before_the_agreement_is_asked_of_the_store_or_shown(portal: Any) -> None:
    moved_in = datetime(2026, 11, 20, 15, 7, tzinfo=UTC)
    session = portal.sessions.sessions["customer"]
    grants = (Grant(MINE, Period(moved_in, datetime(2026, 11, 22, 3, 22, tzinfo=UTC))),)
    principal = type(session.principal)(session.principal.user_id, session.principal.roles, grants)
    portal.sessions.sessions["customer"] = type(session)(
        session.secret, session.csrf_token, principal, session.expires_at, session.idle_limit_s
    )
    for resolution in ("quarter", "hour", "day", "month"):
        view = await chart(portal, "2026-11-18", "2026-11-23", resolution=resolution)
        # 15:07 lies inside an interval, which belongs to nobody, as does the one that holds 03:22.
        whole = Period(datetime(2026, 11, 20, 15, 15, tzinfo=UTC), datetime(2026, 11, 22, 3, 15, tzinfo=UTC))
        assert sum(v or 0 for v in view["value"]) == whole.duration_s // 900 * 100, resolution
    assert all(p.start >= moved_in and p.end <= grants[0].period.end for p in portal.usage.asked)


async def test_home_compares_with_the_same_weekday_by_the_same_time(portal: Any) -> None:
    async with portal.client(Role.CUSTOMER) as client:
        answer = await client.get(f"/api/v1/service-points/{MINE}/home")
    home = HomeView.model_validate(answer.json())
    assert len(home.today.start) == 96
    assert home.today.used_wh == home.today.usual_by_now_wh == 100 * home.today.intervals_so_far
    assert home.today.intervals_so_far == (QUARTER - home.today.start[0]) // 900
    assert set(home.today.usual_wh) == {100.0}
    assert home.yesterday_wh == 9600
    assert home.is_live
    assert home.notice is None


async def test_home_says_when_readings_have_stopped(portal: Any) -> None:
    portal.usage.until = datetime(2026, 11, 23, 9, 15, tzinfo=UTC)
    async with portal.client(Role.CUSTOMER) as client:
        home = HomeView.model_validate((await client.get(f"/api/v1/service-points/{MINE}/home")).json())
    assert not home.is_live
    assert home.notice
    assert "Mon 23 Nov, 03:15" in home.notice.text


async def test_the_download_has_instants_with_offset_and_no_name(portal: Any) -> None:
    async with portal.client(Role.CUSTOMER) as client:
        answer = await client.get(
            f"/api/v1/service-points/{MINE}/download.csv", params={"from": "2026-11-01", "to": "2026-11-01"}
        )
    lines = answer.text.splitlines()
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="usage_2026-11-01_2026-11-01.csv"'
    assert len(lines) == 101
    assert lines[1] == "2026-11-01T05:00:00Z,2026-11-01T00:00:00-05:00,100,Wh,actual,100,100,measured,3.0.1,17,A"
    assert lines[-1].startswith("2026-11-02T05:45:00Z,2026-11-01T23:45:00-06:00,")


async def test_live_events_reach_their_owner_alone_and_a_slow_browser_loses_the_oldest(portal: Any) -> None:
    other = UUID(int=2)
    async with portal.hub.subscribe(frozenset({MINE})) as mine, portal.hub.subscribe(None) as staff:
        portal.hub.readings_arrived(service_points=frozenset({other}), meters=1, newest_end_s=900)
        assert mine.queue.empty()
        assert staff.queue.get_nowait().name == "staff"
        for n in range(150):
            portal.hub.readings_arrived(service_points=frozenset({MINE}), meters=1, newest_end_s=n)
        assert mine.lagged
        assert mine.queue.get_nowait().data["newest_end"] == 50
        portal.hub.readings_arrived(service_points=None, meters=5000, newest_end_s=1)
        assert mine.queue.qsize() == 100
    assert not portal.hub.subscriptions


async def test_staff_now_names_the_part_that_does_not_answer(portal: Any) -> None:
    async def fails(*_: object) -> None:
        raise TimeoutError

    portal.operations.frames = fails
    async with portal.client(Role.VIEWER) as client:
        now = (await client.get("/api/v1/staff/now")).json()
    assert now["unavailable"] == ["frames"]
    assert now["dead_letters_total"] == 2


async def test_attaching_a_meter_needs_a_reason_and_leaves_it_in_the_log(portal: Any) -> None:
    body = {"meter_id": str(UUID(int=3)), "service_point_id": str(MINE), "installed_at": 1_790_000_000}
    async with portal.client(Role.OPERATOR) as client:
        address = "/api/v1/staff/installations"
        assert (await client.post(address, json={**body, "reason": ""})).status_code == 400
        assert (await client.post(address, json={**body, "reason": "was never entered"})).status_code == 201
        elsewhere = await client.post(address, json={**body, "meter_id": str(MINE), "reason": "was never entered"})
        future = {**body, "installed_at": int(NOW.timestamp()) + 60, "reason": "was never entered"}
        assert (await client.post(address, json=future)).status_code == 400
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (409, "refused")
    assert "was never entered" in portal.log.entries[0].note
