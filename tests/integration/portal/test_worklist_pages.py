"""The worklist's pages in a real browser over the real desk: by keyboard, previewed, undone, and clean for axe."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from playwright.async_api import Page, Route, async_playwright, expect
from tests.conftest import ROOT
from tests.e2e.conftest import CHROMIUM, CHROMIUM_FLAGS
from tests.integration.mdm.office import LATER, Office, office_over
from tests.integration.mdm.test_decisions import DAY
from tests.integration.mdm.test_validation import FIRST, LAST, ZONE
from tests.unit.portal.conftest import Portal
from tests.unit.portal.conftest import portal as portal_fixture

from openami.app.engines.postgres import PostgresEngine
from openami.app.people.case_desk import CaseDesk
from openami.app.process.web import STATIC
from openami.app.readings.editing_desk import EditingDesk
from openami.app.settings import Settings
from openami.app.web.readings import ReadingPages
from openami.app.web.readings_why import WhyDesk
from openami.kernel.clock import FixedClock
from openami.mdm.adapters.case_postgres import PostgresCases
from openami.mdm.editing.case import CaseDraft, CaseEvidence, Cause
from openami.mdm.vee.grid import grid_of
from openami.portal.application import create_app
from openami.portal.config import PortalConfig
from openami.security.access.role import Role

portal = portal_fixture
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
pytestmark = [
    pytest.mark.engines,
    pytest.mark.browser,
    pytest.mark.enable_socket,
    pytest.mark.timeout(240),
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium"),
    pytest.mark.skipif(not (STATIC / "index.html").is_file(), reason="the web application is not built: make web"),
    pytest.mark.skipif(not AXE.is_file(), reason="axe is not installed: npm ci in web/"),
]


@pytest.fixture
async def office(
    postgres: PostgresEngine, fake_store: Any, short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Office]:
    # To the day before the office's own: a page tells of a meter that has been silent since.
    grid = grid_of(ZONE, FIRST, LAST, 900)
    async with office_over(postgres, fake_store, short_tmp, monkeypatch, grid=grid) as made:
        await made.sent(3)
        lost = np.arange(int(made.grid.day_at[DAY]) + 10, int(made.grid.day_at[DAY]) + 60)
        gone, meters = set(made.grid.start_s[lost].tolist()), set(made.meters[1:])
        made.store.intervals = {
            k: v for k, v in made.store.intervals.items() if v.meter_id not in meters or v.start not in gone
        }
        await made.run()
        yield made


@pytest.fixture
def app(office: Office, portal: Portal) -> Any:
    settings = Settings.load(office.home)
    clock = FixedClock(LATER)
    readings = ReadingPages(EditingDesk(settings), CaseDesk(settings), WhyDesk(clock), clock)
    ports = replace(portal.app.state.ports, readings=readings, domain=clock, real=clock)
    return create_app(PortalConfig(zone="America/Chicago", static=STATIC), ports)


Opener = Callable[..., Awaitable[Page]]


@pytest.fixture
async def opened(app: Any) -> AsyncIterator[Opener]:
    """Open pages whose requests go to the application in this process; what is under way at the end is waited for."""
    transport = httpx.ASGITransport(app)

    async def answer(route: Route) -> None:
        request = route.request
        if request.url.endswith("/api/v1/events"):
            await route.abort()
            return
        headers = {k: v for k, v in (await request.all_headers()).items() if not k.startswith((":", "content-length"))}
        async with httpx.AsyncClient(transport=transport, base_url="http://portal") as client:
            found = await client.request(request.method, request.url, headers=headers, content=request.post_data_buffer)
        kept = {k: v for k, v in found.headers.items() if k not in {"content-encoding", "content-length"}}
        await route.fulfill(status=found.status_code, headers=kept, body=found.content)

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)

        async def page_at(address: str, *, phone: bool = False, dark: bool = False) -> Page:
            context = await browser.new_context(
                viewport={"width": 390, "height": 844} if phone else {"width": 1360, "height": 900},
                color_scheme="dark" if dark else "light", reduced_motion="reduce", bypass_csp=True,
            )  # fmt: skip
            cookie = {"name": "openami_session", "value": Role.ENGINEER.value, "url": "http://portal"}
            await context.add_cookies([cookie])  # type: ignore[list-item] # a plain dict is what it wants
            await context.route("**/*", answer)
            page = await context.new_page()
            page.set_default_timeout(20_000)
            await page.goto(f"http://portal{address}")
            return page

        yield page_at
        for context in browser.contexts:
            await context.unroute_all(behavior="wait")
        await browser.close()


async def violations(page: Page) -> list[str]:
    await page.evaluate(AXE.read_text())
    found = await page.evaluate("async () => (await axe.run(document, {resultTypes: ['violations']})).violations")
    return [f"{v['id']}: {[n['html'][:160] for n in v['nodes'][:3]]}" for v in found]


async def test_a_person_accepts_by_keyboard_what_was_previewed_and_undoes_it(opened: Opener, office: Office) -> None:
    page = await opened("/worklist")
    await expect(page.get_by_test_id("worklist-answer")).to_have_text("Nothing waits for a person.")
    await page.get_by_label("Show").select_option("warn")
    await expect(page.get_by_test_id("worklist-answer")).to_have_text(
        "2 readings with a note, which nobody must look at."
    )
    await page.get_by_role("group", name="Worklist").get_by_role("checkbox").first.focus()
    await page.keyboard.press("x")
    await page.keyboard.press("j")
    await page.keyboard.press("Space")
    await expect(page.get_by_text("2 chosen")).to_be_visible()
    await page.reload()
    await expect(page.get_by_text("2 chosen")).to_be_visible()
    await page.get_by_role("group", name="Worklist").get_by_role("checkbox").first.focus()
    await page.keyboard.press("a")
    await expect(page.get_by_role("heading", name="Accept 2 items")).to_be_focused()
    await page.get_by_label("Reason, kept for ever").fill("the cell was dark")
    await page.get_by_role("button", name="See what it would do").click()
    await expect(page.get_by_test_id("preview-sentence")).to_contain_text("2 findings close, 0 open.")
    assert await violations(page) == []
    await page.get_by_role("button", name="Accept them").click()
    await expect(page.get_by_role("status").first).to_contain_text("It is in force")
    await office.run(known_at=LATER)
    await page.goto("http://portal/worklist?severity=warn")
    await expect(page.get_by_test_id("worklist-answer")).to_have_text("Nothing has a note.")
    await page.goto("http://portal/decisions")
    await page.get_by_role("button", name="Undo").click()
    await page.get_by_label("Reason, kept for ever").fill("it was not dark")
    await page.get_by_role("button", name="See what it would do").click()
    await expect(page.get_by_test_id("preview-sentence")).to_contain_text("0 findings close, 2 open.")
    await page.get_by_role("button", name="Undo it").click()
    await expect(page.get_by_text("It is undone")).to_be_visible()
    await office.run(known_at=LATER + timedelta(minutes=1))
    await page.goto("http://portal/worklist?severity=any")
    await expect(page.get_by_test_id("worklist-answer")).to_have_text("2 readings with a note or waiting for a person.")


async def test_filters_stand_in_the_address_and_survive_a_reload(opened: Opener) -> None:
    page = await opened("/worklist")
    await page.get_by_label("Show").select_option("warn")
    await expect(page).to_have_url(re.compile("severity=warn"))
    await page.get_by_label("At least").fill("1000")
    await page.keyboard.press("Tab")
    await expect(page).to_have_url(re.compile("severity=warn&min_kwh=1000"))
    await expect(page.get_by_test_id("worklist-answer")).to_have_text("Nothing has a note.")
    await page.reload()
    await expect(page.get_by_label("Show")).to_have_value("warn")


async def test_a_value_is_entered_where_the_page_says_why_it_is_estimated(opened: Opener, office: Office) -> None:
    page = await opened(f"/why/{office.points[1]}?day={office.grid.day(DAY)}")
    await expect(page.get_by_test_id("why-answer")).to_contain_text("50 of 96 intervals are estimated")
    await expect(page.get_by_role("region", name="Intervals").get_by_role("row")).to_have_count(51)
    await expect(page.get_by_role("application", name=re.compile("50 of 96 values estimated"))).to_be_visible()
    await page.get_by_role("button", name="Decide about this day").click()
    await page.get_by_role("combobox", name="What").select_option("replace")
    await page.get_by_role("combobox", name="From").select_option("12")
    await page.get_by_role("combobox", name="Through").select_option("13")
    await page.get_by_label("New values in Wh").fill("200")
    await expect(page.get_by_text("1 of 2 whole numbers")).to_be_visible()
    await page.get_by_label("New values in Wh").fill("200, 210")
    await page.get_by_label("Reason, kept for ever").fill("read off the display")
    await page.get_by_role("button", name="See what it would do").click()
    await expect(page.get_by_test_id("preview")).to_contain_text("replace 2 intervals at 1 place")
    await page.get_by_role("button", name="Enter values").click()
    await expect(page.get_by_text("It is in force; its days run again within minutes.")).to_be_visible()
    await office.run(known_at=LATER)
    row = await office.one_day(1, DAY)
    assert row.values[12:14].tolist() == [200, 210]


async def test_a_case_says_why_and_is_fixed_in_one_previewed_act(opened: Opener, office: Office) -> None:
    cases, day = PostgresCases(office.decisions._engine), office.grid.day(DAY)
    items = await cases.open_items(min_places=1)
    evidence = CaseEvidence(2, 2, 0, 1, 2, sum(i.stake_wh for i in items), day, day, 1.9)
    draft = CaseDraft(Cause.CELL, "C-7", "missing", "", evidence, tuple(items))
    assert await cases.keep([draft], at=LATER) == 1
    page = await opened("/cases")
    await expect(page.get_by_test_id("cases-answer")).to_have_text("1 cause holds 2 readings.")
    await page.get_by_role("link", name="missing: cell C-7").click()
    await expect(page.get_by_test_id("case-answer")).to_have_text("missing: cell C-7: 2 open.")
    await expect(page.get_by_text("2 of its 2 places have it (100%)")).to_be_visible()
    assert await violations(page) == []
    await page.get_by_role("button", name="Fix all of it").click()
    await page.get_by_label("Reason, kept for ever").fill("the cell was dark")
    await page.get_by_role("button", name="See what it would do").click()
    await expect(page.get_by_test_id("preview-sentence")).to_contain_text("2 findings close, 0 open.")
    await page.get_by_role("button", name="Carry it out").click()
    await expect(page.get_by_test_id("case-answer")).to_have_text("missing: cell C-7: closed.")
    await office.run(known_at=LATER)
    await page.goto("http://portal/worklist?cases=true")
    await expect(page.get_by_test_id("worklist-answer")).to_have_text("Nothing waits for a person.")


@pytest.mark.parametrize(("phone", "dark"), [(False, False), (True, True)], ids=["desktop light", "phone dark"])
async def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(
    opened: Opener, office: Office, phone: bool, dark: bool
) -> None:
    day = office.grid.day(DAY)
    page = await opened("/worklist", phone=phone, dark=dark)
    for address in ("/worklist", "/cases", "/cases?closed=true", "/decisions", f"/why/{office.points[1]}?day={day}"):
        await page.goto(f"http://portal{address}")
        await expect(page.get_by_role("heading", level=1)).not_to_have_text("")
        await expect(page.locator("[aria-busy=true]")).to_have_count(0)
        assert await violations(page) == [], address
        too_wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert too_wide <= 0, address
