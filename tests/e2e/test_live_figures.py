"""Each live figure on a page is changed by sending one sealed frame, and by nothing else that the test does."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, async_playwright, expect
from tests.e2e.conftest import CHROMIUM, CHROMIUM_FLAGS, Demo
from tests.e2e.own_meter import (
    QUARTER,
    OwnMeter,
    Place,
    installed,
    last_quarters,
    moved_in,
    own_collector,
    place_made,
    row,
    shipped,
    signed_in,
    stored,
    until,
    zone_in_daytime,
)

from openami.app.settings import Settings
from openami.kernel.time import epoch_s, local_date, zone_named
from openami.network.collector import Collector, OfferedFrame

pytestmark = [pytest.mark.e2e, pytest.mark.enable_socket, pytest.mark.timeout(300)]
VISIBLE_WITHIN_S = 2.0
"""A push shows in the portal within this time; the machine may be busy, so the best of some pushes counts."""
PUSHES = 4


@pytest.fixture
def settings(demo: Demo) -> Settings:
    return Settings.load(demo.home)


@pytest.fixture
async def collector(settings: Settings, tmp_path: Path) -> AsyncIterator[Collector]:
    async with own_collector(settings, tmp_path) as running:
        yield running


@pytest.fixture
async def staff(demo: Demo) -> AsyncIterator[httpx.AsyncClient]:
    async with signed_in(demo, demo.people["staff"]) as client:
        yield client


async def hung_meter(settings: Settings) -> tuple[OwnMeter, Place]:
    """Return a meter that hangs at a place of its own since yesterday, in a cell of its own."""
    meter = await shipped(settings)
    place = await place_made(settings, zone=zone_in_daytime(), cell=f"own-{meter.identity.title}"[:14])
    await installed(settings, meter, place, since=last_quarters(1)[0] - timedelta(days=1))
    return meter, place


async def now_of(staff: httpx.AsyncClient) -> dict[str, Any]:
    answer = await staff.get("/staff/now")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def received_in(view: dict[str, Any], cell: str) -> int:
    strip = view["completeness"]
    return sum(strip["received"][strip["cell"].index(cell)]) if cell in strip["cell"] else 0


def forged(frame: OfferedFrame) -> OfferedFrame:
    """Flip one bit of the ciphertext."""
    octets = bytearray(frame[3])
    octets[-20] ^= 0x04
    return frame[0], frame[1], frame[2], bytes(octets)


async def test_a_push_shows_on_the_customers_page(demo: Demo, settings: Settings, collector: Collector) -> None:
    meter, place = await hung_meter(settings)
    await moved_in(settings, place, since=last_quarters(1)[0] - timedelta(days=1))
    ends = last_quarters(3)
    path = f"/service-points/{place.service_point_id}/home"
    async with signed_in(demo, place.person) as customer:
        before = (await customer.get(path)).json()
        assert (before["today"]["used_wh"], before["last_reading_at"]) == (0, None)
        used = 0
        for k, end in enumerate(ends):
            await collector.offer([meter.push([row(end, 1_100 + k)])])
            used += 1_100 + k

            async def shows(wanted: int = used) -> dict[str, Any] | None:
                view: dict[str, Any] = (await customer.get(path)).json()
                return view if view["today"]["used_wh"] == wanted else None

            view = await until(shows, what="the home page counts the push")
            assert view["last_reading_at"] == epoch_s(end)
            assert view["today"]["intervals_so_far"] == k + 1
        assert view["bill"]["usage_wh"] == used


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium")
async def test_a_push_is_visible_text_in_the_browser_within_two_seconds(
    demo: Demo, settings: Settings, collector: Collector
) -> None:
    meter, place = await hung_meter(settings)
    await moved_in(settings, place, since=last_quarters(1)[0] - timedelta(days=1))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        page = await browser.new_page()
        await _sign_in(page, demo, place.person)
        await expect(page.get_by_role("heading", level=1)).to_contain_text("has not come yet", timeout=20_000)
        took_s, used_wh = [], 0
        for end in last_quarters(PUSHES):
            used_wh += 1_000
            await collector.offer([meter.push([row(end, 1_000)])])
            began = time.monotonic()
            await expect(page.get_by_test_id("used-today")).to_have_text(
                re.compile(rf"^{used_wh / 1000:.1f}"), timeout=20_000
            )
            took_s.append(time.monotonic() - began)
        await browser.close()
    words = ", ".join(f"{t:.2f} s" for t in took_s)
    print(  # noqa: T201 - shown to people
        f"\na push is visible text after {words}; median {statistics.median(took_s):.2f} s, limit {VISIBLE_WITHIN_S} s"
    )
    assert min(took_s) <= VISIBLE_WITHIN_S


async def test_each_figure_of_the_console_moves_by_one_frame(
    settings: Settings, collector: Collector, staff: httpx.AsyncClient
) -> None:
    meter, place = await hung_meter(settings)
    first, second = (meter.push([row(end, 500)]) for end in last_quarters(2))
    before = await now_of(staff)
    await collector.offer([first])

    async def counted(wanted: int) -> dict[str, Any] | None:
        view = await now_of(staff)
        return view if received_in(view, place.cell) == wanted else None

    async def heard(frames: int) -> dict[str, Any] | None:
        view = await now_of(staff)
        mine = [f for f in view["last_frames"] if f["meter_id"] == str(meter.meter_id)]
        return view if [(f["frames"], f["invocation_counter"]) for f in mine] == [(frames, frames)] else None

    assert received_in(before, place.cell) == 0
    await until(lambda: counted(1), what="completeness counts the interval")
    after = await until(lambda: heard(1), what="the meter is among those heard last")
    assert after["frames_total"] > before["frames_total"]
    await collector.offer([second])
    await until(lambda: counted(2), what="completeness counts the second interval")
    again = await until(lambda: heard(2), what="its frames are counted")
    assert again["frames_total"] > after["frames_total"]


@pytest.mark.attack("A1", "A6")
async def test_a_forged_and_a_replayed_frame_are_counted_and_disturb_nothing(
    settings: Settings, collector: Collector, staff: httpx.AsyncClient
) -> None:
    meter, place = await hung_meter(settings)
    good, next_one = (meter.push([row(end, 700)]) for end in last_quarters(2))
    await collector.offer([good])

    async def rows(wanted: int) -> Any:
        batch = await stored(settings, meter)
        return batch if len(batch) == wanted else None

    kept = await until(lambda: rows(1), what="the good frame is stored")
    before = await now_of(staff)
    await collector.offer([forged(next_one), good])

    async def letters() -> list[dict[str, Any]]:
        found = (await staff.get("/staff/dead-letters?limit=500")).json()["letters"]
        mine = [x for x in found if x["system_title"] == str(meter.identity.title)]
        # The first frame of a meter shipped a moment ago may have waited at the gateway until its title was known.
        refused = [x for x in mine if x["reason"] != "unknown_title"]
        return refused if len(refused) == 2 else []

    found = await until(letters, what="both are dead letters")
    assert {x["reason"] for x in found} == {"bad_tag", "replay"}

    async def totals() -> dict[str, Any] | None:
        view = await now_of(staff)
        return view if view["dead_letters_total"] == before["dead_letters_total"] + 2 else None

    after = await until(totals, what="the console counts both")
    assert received_in(after, place.cell) == received_in(before, place.cell) == 1
    still = await stored(settings, meter)
    assert (still.value.tolist(), still.message_id.tolist()) == (kept.value.tolist(), kept.message_id.tolist())
    # The frame that was forged on its way is not spoiled: the true one is taken afterwards.
    await collector.offer([next_one])
    await until(lambda: rows(2), what="the true frame is stored")


async def test_a_meter_without_installation_waits_and_is_attached_back_to_its_install_time(
    settings: Settings, collector: Collector, staff: httpx.AsyncClient
) -> None:
    before = await now_of(staff)
    meter = await shipped(settings)
    place = await place_made(settings, zone=zone_in_daytime(), cell=f"late-{meter.identity.title}"[:14])
    ends = last_quarters(4)
    await collector.offer([meter.push([row(end, 250 + k) for k, end in enumerate(ends)])])

    async def waits() -> list[dict[str, Any]]:
        meters = (await staff.get("/staff/unassigned")).json()["meters"]
        return [m for m in meters if m["meter_id"] == str(meter.meter_id) and m["last_seen"]]

    (waiting,) = await until(waits, what="the meter is on the unassigned list")
    assert (waiting["system_title"], waiting["last_seen"]) == (str(meter.identity.title), epoch_s(ends[-1] - QUARTER))
    assert (await now_of(staff))["unassigned"] == before["unassigned"] + 1

    body = {
        "meter_id": str(meter.meter_id), "service_point_id": str(place.service_point_id),
        "installed_at": epoch_s(ends[0] - QUARTER), "reason": "the installer's sheet came late",
    }  # fmt: skip
    answer = await staff.post("/staff/installations", json=body)
    assert answer.status_code == 201, answer.text
    assert not await waits()
    assert (await now_of(staff))["unassigned"] == before["unassigned"]
    shown = await staff.get(f"/staff/meters/{meter.meter_id}")
    assert [i["start"] for i in shown.json()["installations"]] == [epoch_s(ends[0] - QUARTER)]

    async def readings() -> list[float]:
        days = {local_date(end - QUARTER, zone_named(place.zone)).isoformat() for end in ends}
        span = f"from={min(days)}&to={max(days)}"
        answer = await staff.get(f"/service-points/{place.service_point_id}/intervals?{span}")
        assert answer.status_code == 200, answer.text
        found = [v for v in answer.json()["value"] if v is not None]
        return found if len(found) == len(ends) else []

    assert await until(readings, what="its readings show at the service point") == [250, 251, 252, 253]


async def _sign_in(page: Page, demo: Demo, person: dict[str, str]) -> None:
    await page.goto(demo.portal)
    await page.get_by_label("E-mail address").fill(person["login"])
    await page.get_by_label("Password").fill(person["password"])
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("navigation", name="Pages")).to_be_visible(timeout=20_000)
