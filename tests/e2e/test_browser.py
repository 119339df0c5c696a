"""What a customer and an operator see, in a real browser; axe finds nothing to mend."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from tests.conftest import ROOT
from tests.e2e.conftest import CHROMIUM, CHROMIUM_FLAGS, Demo

AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1360, "height": 900}

pytestmark = [
    pytest.mark.browser,
    pytest.mark.e2e,
    pytest.mark.enable_socket,
    pytest.mark.timeout(420),
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield running
        running.close()


def opened(browser: Browser, demo: Demo, who: str, *, phone: bool = False, dark: bool = False) -> Page:
    """Return a page on which that person has signed in by typing."""
    context = browser.new_context(
        viewport=PHONE if phone else DESKTOP,  # type: ignore[arg-type] # a plain dict is what it wants
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        bypass_csp=True,  # axe is put into the page by the test
    )
    page = context.new_page()
    page.set_default_timeout(20_000)
    expect.set_options(timeout=20_000)
    page.goto(demo.portal)
    page.get_by_label("E-mail address").fill(demo.people[who]["login"])
    page.get_by_label("Password").fill(demo.people[who]["password"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("navigation", name="Pages")).to_be_visible()
    return page


def settled(page: Page) -> None:
    """Wait until the page has its heading, and nothing on it stands for what is still coming."""
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.wait_for_load_state("load")
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    expect(page.get_by_role("status", name=re.compile("^Loading"))).to_have_count(0)
    # Two frames: what came last is drawn.
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def violations(page: Page) -> list[str]:
    """Return what axe finds, one line each."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("async () => (await axe.run(document, {resultTypes: ['violations']})).violations")
    return [f"{v['id']}: {[n['html'][:160] for n in v['nodes'][:3]]}" for v in found]


def test_a_customer_signs_in_sees_today_and_signs_out(browser: Browser, demo: Demo) -> None:
    page = opened(browser, demo, "customer")
    expect(page.get_by_role("heading", level=1)).to_contain_text("You have used")
    assert page.locator("svg rect.bar").count() > 0
    expect(page.get_by_test_id("bill-so-far")).to_have_text(re.compile(r"^\$\d+\.\d\d$"))
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Sign in")
    assert page.request.get(f"{demo.portal}/api/v1/me/service-points").status == 401
    page.context.close()


def test_a_wrong_password_says_what_to_do_and_not_who_exists(browser: Browser, demo: Demo) -> None:
    page = browser.new_page()
    said = []
    for login in (demo.people["customer"]["login"], "nobody@example.org"):
        page.goto(demo.portal)
        page.get_by_label("E-mail address").fill(login)
        page.get_by_label("Password").fill("not the password")
        page.keyboard.press("Enter")
        alert = page.get_by_role("alert")
        expect(alert).to_be_visible()
        said.append(alert.inner_text())
    assert said[0] == said[1]
    page.close()


@pytest.mark.parametrize(("day", "hours", "bars"), [("2026-03-08", 23, 92), ("2026-11-01", 25, 100)])
def test_a_day_on_which_clocks_change_has_its_real_length(
    browser: Browser, demo: Demo, day: str, hours: int, bars: int
) -> None:
    page = opened(browser, demo, "customer")
    page.goto(f"{demo.portal}/usage?level=day&day={day}")
    expect(page.get_by_test_id("day-length")).to_contain_text(f"{hours} hours")
    expect(page.get_by_test_id("day-length")).to_contain_text(f"{bars} quarter-hours")
    page.get_by_role("button", name="Show as table").click()
    assert page.locator("tbody tr").count() == bars
    page.context.close()


def test_the_chart_zooms_from_a_year_to_a_day_by_keyboard(browser: Browser, demo: Demo) -> None:
    page = opened(browser, demo, "customer")
    page.goto(f"{demo.portal}/usage?level=year&day=2026-11-15")
    chart = page.get_by_role("application")
    expect(chart).to_be_visible()
    expect(page.locator("svg path").first).to_be_visible()
    expect(page.get_by_role("region", name="Chart", exact=True)).to_have_attribute("aria-busy", "false")
    chart.focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("level=month&day=2026-10-01"))
    expect(page.get_by_role("region", name="Chart", exact=True)).to_have_attribute("aria-busy", "false")
    chart.focus()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("level=day&day=2026-10-01"))
    page.context.close()


def test_the_radio_is_less_further_away_and_more_with_reflection_by_keyboard(browser: Browser, demo: Demo) -> None:
    page = opened(browser, demo, "customer")
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Radio").click()
    expect(page.get_by_test_id("radio-answer")).to_contain_text("At 3 feet")
    slider = page.get_by_role("slider", name="Distance from the meter")
    sending = page.get_by_test_id("radio-sending")
    slider.focus()
    page.keyboard.press("Home")
    expect(page.get_by_test_id("radio-answer")).to_contain_text("At 1 foot,")
    # 1 W into 2.15 dBi at 0.3048 m is 140.5 µW/cm², and 2.56 times that with the ground.
    expect(sending).to_have_text(re.compile("^360 "))
    page.get_by_role("checkbox", name="Count reflections").press("Space")
    expect(sending).to_have_text(re.compile("^141 |^140 "))
    slider.focus()
    page.keyboard.press("End")
    expect(page.get_by_test_id("radio-answer")).to_contain_text("At 50 feet")
    expect(sending).to_have_text(re.compile(r"^0\.056 "))
    expect(page.get_by_text("This page gives no medical advice.")).to_be_visible()
    page.context.close()


def test_rates_are_compared_on_the_customers_own_readings_and_one_is_asked_for_by_keyboard(
    browser: Browser, demo: Demo
) -> None:
    page = opened(browser, demo, "customer")
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Rates").click()
    expect(page.get_by_test_id("rates-answer")).to_have_text(re.compile(r"less over the last 12 months|^Stay on"))
    expect(page.get_by_test_id("rates-basis")).to_have_text(
        re.compile(r"9\d(\.\d)? % of the readings are there|100 % of")
    )
    expect(page.get_by_test_id("break-evens").get_by_role("listitem").first).to_contain_text("Savers")
    # A rate with demand names its five highest hours and what a kilowatt costs.
    ultimate = page.get_by_role("button", name=re.compile("^Ultimate Savers"))
    ultimate.press("Enter")
    expect(ultimate).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("heading", name="The hours that set your demand")).to_be_visible()
    expect(page.locator("ol > li")).to_have_count(5)
    page.get_by_role("button", name="Ask for Ultimate Savers").press("Enter")
    form = page.locator("form").filter(has=page.get_by_role("heading", name="Ask for Ultimate Savers"))
    expect(form.get_by_role("heading", level=2)).to_be_focused()
    form.get_by_role("button", name="Ask for it").press("Enter")
    expect(page.get_by_text("You asked for Ultimate Savers.")).to_be_visible()
    page.reload()
    page.get_by_role("button", name="Take it back").press("Enter")
    expect(page.get_by_text("You asked for")).to_have_count(0)
    # An assumption is labelled beside the answer and is left again with one key.
    page.get_by_label("kWh a day").fill("9")
    page.get_by_role("button", name="Compare with this").press("Enter")
    expect(page.get_by_test_id("assumed")).to_contain_text("Assumed: an electric vehicle takes 9.0 kWh every day")
    expect(page.get_by_test_id("rates-answer")).to_contain_text("With what you assumed")
    page.get_by_role("button", name="Back to what was measured").press("Enter")
    expect(page.get_by_test_id("assumed")).to_have_count(0)
    page.context.close()


PAGES = {
    "customer": [
        "/",
        "/usage?level=month&day=2026-10-15",
        "/usage?level=day&day=2026-10-15",
        "/rates",
        "/rates?vehicle_kwh=9&vehicle_from=22:00&vehicle_to=06:00",
        "/bills",
        "/radio",
        "/my-data",
    ],
    "staff": [
        "/",
        "/worklist",
        "/cases",
        "/decisions",
        "/dead-letters",
        "/unassigned",
        "/collectors",
        "/gateway",
        "/keys",
        "/orders",
        "/bills",
        "/corrections",
    ],
}


FORMS = {
    "/orders": "Order switching",
    "/keys": "Say that keys leaked",
    "/gateway": "Propose others",
    "/collectors": "Report stolen collector 1",
}


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_each_act_of_the_console_opens_by_keyboard_says_what_follows_and_can_be_left(
    browser: Browser, demo: Demo, phone: bool
) -> None:
    page = opened(browser, demo, "staff", phone=phone)
    problems: dict[str, list[str]] = {}
    for address, act in FORMS.items():
        page.goto(f"{demo.portal}{address}")
        page.get_by_role("button", name=act).press("Enter")
        form = page.locator("form")
        expect(form.get_by_role("heading", level=2)).to_be_focused()
        if found := violations(page):
            problems[address] = found
        form.get_by_role("button", name="Leave it").press("Enter")
        expect(form).to_have_count(0)
    page.context.close()
    assert not problems, json.dumps(problems, indent=1)


def meter_page(page: Page, demo: Demo) -> str:
    """Return the address of a meter that was heard."""
    heard = page.request.get(f"{demo.portal}/api/v1/staff/now").json()["last_frames"]
    return f"/meters/{heard[0]['meter_id']}"


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
@pytest.mark.parametrize("who", ["customer", "staff"])
def test_axe_finds_no_violation_in_light_and_in_dark(browser: Browser, demo: Demo, who: str, phone: bool) -> None:
    page = opened(browser, demo, who, phone=phone)
    problems: dict[str, list[str]] = {}
    for address in [*PAGES[who], *([meter_page(page, demo)] if who == "staff" else [])]:
        page.goto(f"{demo.portal}{address}")
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            settled(page)
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            found = violations(page) + ([f"the page is {wide} px wider than the screen"] if wide > 1 else [])
            if found:
                problems[f"{address} in {scheme}"] = found
    page.context.close()
    assert not problems, json.dumps(problems, indent=1)
