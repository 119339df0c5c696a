"""The demonstration's meters die and all their files go: every page works on what was received.

The last tests of the folder: nothing after them has live meters.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from datetime import date
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect, sync_playwright
from tests.e2e.conftest import CHROMIUM, CHROMIUM_FLAGS, Demo, restart_demo, stop
from tests.e2e.own_meter import signed_in

pytestmark = [pytest.mark.e2e, pytest.mark.enable_socket, pytest.mark.timeout(300)]
CUSTOMER_PAGES = ("/", "/usage?level=year", "/usage?level=day&day=2026-11-01", "/bills", "/my-data")
STANDS_FOR = 10
"""Looks, a second apart, at which nothing changed."""
STAFF_PAGES = ("/", "/dead-letters", "/unassigned")


@pytest.fixture(scope="module")
def orphan(demo: Demo) -> Demo:
    """The demonstration after its territory was killed and its folder deleted."""
    names = [p["name"] for p in demo.status()["processes"]]
    if "territory" in names:
        # The supervisor starts it again in vain: without its folder it cannot come up. It is moved away in one step,
        # because a folder in which the territory still writes cannot be deleted.
        gone = (demo.home / "territory").rename(demo.home / "territory.gone")
        os.kill(demo.pid_of("territory"), signal.SIGKILL)
        shutil.rmtree(gone, ignore_errors=True)
    deadline = time.monotonic() + 30
    while any(p["serves"] for p in demo.status()["processes"] if p["name"] == "territory"):
        assert time.monotonic() < deadline, "the territory lives on"
        time.sleep(0.1)
    assert not (demo.home / "territory" / "plan.json").exists()
    return demo


async def answered(client: httpx.AsyncClient, path: str) -> dict[str, Any]:
    answer = await client.get(path)
    assert answer.status_code == 200, f"{path}: {answer.text[:200]}"
    found: dict[str, Any] = answer.json()
    return found


async def test_every_endpoint_of_a_customer_answers(orphan: Demo) -> None:
    async with signed_in(orphan, orphan.people["customer"]) as client:
        (place,) = (await answered(client, "/me/service-points"))["service_points"]
        base = f"/service-points/{place['service_point_id']}"
        home = await answered(client, f"{base}/home")
        assert home["last_reading_at"] is not None
        assert home["yesterday_wh"] > 0
        for span in ("from=2025-11-01&to=2026-10-31&resolution=month", "from=2026-11-01&to=2026-11-01"):
            view = await answered(client, f"{base}/intervals?{span}")
            assert sum(v or 0 for v in view["value"]) > 0
        bills = (await answered(client, f"{base}/bills"))["bills"]
        for bill in bills:
            assert (await answered(client, f"{base}/bills/{bill['bill_id']}"))["lines"] or bill["state"] == "held"
        assert (await answered(client, f"{base}/who-looked"))["entries"]
        download = await client.get(f"{base}/download.csv?first=2026-10-01&from=2026-10-01&to=2026-10-31")
        assert (download.status_code, download.text.count("\n")) == (200, 31 * 96 + 1)


async def test_every_endpoint_of_staff_answers(orphan: Demo) -> None:
    async with signed_in(orphan, orphan.people["staff"]) as client:
        now = await answered(client, "/staff/now")
        assert (now["frames_total"] > 0, now["unavailable"]) == (True, [])
        assert len(now["last_frames"]) > 0
        # Whoever was heard last may have answered a question and have no reading of its own: one of them has.
        meters = [await answered(client, f"/staff/meters/{f['meter_id']}") for f in now["last_frames"]]
        assert any(m["last_reading_at"] is not None for m in meters)
        for meter in meters[:3]:
            await answered(client, f"/staff/meters/{meter['meter_id']}/missing")
            await answered(client, f"/staff/meters/{meter['meter_id']}/reads")
        await answered(client, "/staff/service-levels")
        await answered(client, "/staff/dead-letters")
        await answered(client, "/staff/unassigned")
        assert (await answered(client, "/staff/service-points?q=C1"))["hits"]


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium")
@pytest.mark.parametrize(("who", "pages"), [("customer", CUSTOMER_PAGES), ("staff", STAFF_PAGES)])
def test_every_page_shows_its_heading_and_no_error(orphan: Demo, who: str, pages: tuple[str, ...]) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        page = browser.new_page()
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(orphan.portal)
        page.get_by_label("E-mail address").fill(orphan.people[who]["login"])
        page.get_by_label("Password").fill(orphan.people[who]["password"])
        page.keyboard.press("Enter")
        expect(page.get_by_role("navigation", name="Pages")).to_be_visible(timeout=20_000)
        for address in pages:
            page.goto(f"{orphan.portal}{address}")
            expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=20_000)
            expect(page.get_by_role("alert")).to_have_count(0)
        browser.close()
    assert problems == []


async def test_it_starts_again_with_up_and_shows_the_same_year(orphan: Demo) -> None:
    path = f"from=2025-11-01&to={date(2026, 10, 31)}&resolution=month"

    async def year() -> list[float | None]:
        async with signed_in(orphan, orphan.people["customer"]) as client:
            (place,) = (await answered(client, "/me/service-points"))["service_points"]
            found: list[float | None] = (
                await answered(client, f"/service-points/{place['service_point_id']}/intervals?{path}")
            )["value"]
            return found

    before = await year()
    # Alone, this test begins while the history is still being validated: what it compares must stand first.
    deadline, seen = time.monotonic() + 120, 0
    while seen < STANDS_FOR:
        await asyncio.sleep(1)
        now = await year()
        before, seen = now, seen + 1 if now == before else 0
        assert time.monotonic() < deadline, "the year goes on changing"
    stop(orphan.process)
    restart_demo(orphan, verb="up")
    assert await year() == before
    assert "territory" not in [p["name"] for p in orphan.status()["processes"]]
