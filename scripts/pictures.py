"""Take the README's pictures from a running demonstration, in both themes, on a desktop and a phone.

Usage: ``python scripts/pictures.py [HOME]`` with ``openami demo --home HOME`` running (default ``.openami``).
"""

from __future__ import annotations

import json
import shutil
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

OUT = Path(__file__).parent.parent / "docs" / "pictures"
SCREENS = {"desktop": {"width": 1280, "height": 860}, "phone": {"width": 390, "height": 844}}
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]


def pages(today: date, meter: str, place: str, bill: str) -> dict[str, list[tuple[str, str]]]:
    """Return each person's pages as (name, address)."""
    last_month = (today.replace(day=1) - timedelta(days=1)).isoformat()
    return {
        "customer": [
            ("home", "/"),
            ("usage", f"/usage?level=month&day={last_month}"),
            ("year", f"/usage?level=year&day={today.isoformat()}"),
            ("bills", "/bills"),
            ("bill", f"/bills/{bill}"),
            ("rates", "/rates"),
            ("radio", "/radio"),
            ("my-data", "/my-data"),
        ],
        "staff": [
            ("now", "/"),
            ("meter", f"/meters/{meter}"),
            ("dead-letters", "/dead-letters"),
            ("unassigned", "/unassigned"),
            ("orders", "/orders"),
            ("keys", "/keys"),
            ("collectors", "/collectors"),
            ("gateway", "/gateway"),
            ("held-bills", "/bills"),
            ("not-billed", f"/not-billed/{place}"),
            ("bill-for-a-call", f"/bills/{place}/{bill}"),
            ("corrections", "/corrections"),
        ],
    }


def ask_a_meter(browser: Browser, portal: str, who: dict[str, str]) -> str:
    """Read the registers of a meter by hand, so that its page has an answer to show; return its id."""
    page = browser.new_page()
    sign_in(page, portal, who)
    meter: str = page.request.get(f"{portal}/api/v1/staff/now").json()["last_frames"][0]["meter_id"]
    page.goto(f"{portal}/meters/{meter}")
    form = page.get_by_role("form", name="Read the meter now")
    form.get_by_label("Reason").fill("a caller doubts the last bill")
    form.get_by_role("button", name="Read now").click()
    page.locator("article.answer").first.get_by_text("took").wait_for(timeout=60_000)
    page.context.close()
    return meter


def a_bill(browser: Browser, portal: str, who: dict[str, str]) -> tuple[str, str]:
    """Return the customer's place and the newest bill that went out there."""
    page = browser.new_page()
    sign_in(page, portal, who)
    places = page.request.get(f"{portal}/api/v1/me/service-points").json()["service_points"]
    place: str = places[0]["service_point_id"]
    bills = page.request.get(f"{portal}/api/v1/service-points/{place}/bills").json()["bills"]
    bill: str = next(b["bill_id"] for b in bills if b["state"] == "issued")
    page.context.close()
    return place, bill


def sign_in(page: Page, portal: str, who: dict[str, str]) -> None:
    """Sign in by typing."""
    page.goto(portal)
    page.get_by_label("E-mail address").fill(who["login"])
    page.get_by_label("Password").fill(who["password"])
    page.keyboard.press("Enter")
    page.get_by_role("navigation", name="Pages").wait_for()


def take(
    browser: Browser, portal: str, who: dict[str, str], wanted: list[tuple[str, str]], screen: str, theme: str
) -> None:
    """Sign in and save a picture of each page."""
    context = browser.new_context(
        viewport=SCREENS[screen],  # type: ignore[arg-type] # a plain dict is what it wants
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    sign_in(page, portal, who)
    for name, address in wanted:
        page.goto(portal + address)
        page.get_by_role("heading", level=1).wait_for()
        if name == "meter":
            page.get_by_role("button", name="Show earlier answers").click()
        page.wait_for_timeout(1500)
        page.screenshot(path=OUT / f"{name}-{screen}-{theme}.png")
    context.close()


def main() -> None:
    """Take every picture."""
    home = Path(sys.argv[1] if len(sys.argv) > 1 else ".openami")
    status = json.loads((home / "run" / "status.json").read_text())
    people = json.loads((home / "people.json").read_text())
    today = datetime.fromtimestamp((home / "run" / "status.json").stat().st_mtime, tz=UTC).date()
    OUT.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        meter = ask_a_meter(browser, status["portal"], people["staff"])
        place, bill = a_bill(browser, status["portal"], people["customer"])
        for who, wanted in pages(today, meter, place, bill).items():
            for screen in SCREENS:
                for theme in ("light", "dark"):
                    take(browser, status["portal"], people[who], wanted, screen, theme)
        browser.close()
    print(f"{len(list(OUT.glob('*.png')))} pictures in {OUT}")


if __name__ == "__main__":
    main()
