"""A bill of the running platform: its page, its document, its answer, its proof down to a sealed frame."""

from __future__ import annotations

import asyncio
import io
import time
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import expect, sync_playwright
from pypdf import PdfReader
from tests.e2e.conftest import CHROMIUM, CHROMIUM_FLAGS, Demo
from tests.e2e.own_meter import signed_in
from tests.e2e.test_browser import opened, violations

from openami.app.billing.bill_room import SCOPE, bill_room
from openami.app.devices.sealed_frames import find_frames
from openami.app.settings import Settings
from openami.contracts.channel import Channel
from openami.kernel.time import Period

pytestmark = [pytest.mark.e2e, pytest.mark.enable_socket, pytest.mark.timeout(420)]
PATIENCE_S = 300


@pytest.fixture(scope="module")
def issued(demo: Demo) -> tuple[str, str]:
    """Return the customer's place and an issued bill of it, once the worker has billed the history."""

    async def found() -> tuple[str, str] | None:
        async with signed_in(demo, demo.people["customer"]) as client:
            (place, *_) = (await client.get("/me/service-points")).json()["service_points"]
            base = f"/service-points/{place['service_point_id']}/bills"
            bills = [b for b in (await client.get(base)).json()["bills"] if b["state"] == "issued"]
            return (place["service_point_id"], bills[0]["bill_id"]) if len(bills) > 1 else None

    deadline = time.monotonic() + PATIENCE_S
    while (pair := asyncio.run(found())) is None:
        assert time.monotonic() < deadline, "no bill went out"
        time.sleep(2)
    return pair


async def test_the_customers_document_is_tagged_is_theirs_and_is_the_same_each_time(
    demo: Demo, issued: tuple[str, str]
) -> None:
    place, bill = issued
    base = f"/service-points/{place}/bills/{bill}"
    async with signed_in(demo, demo.people["customer"]) as client:
        statement = (await client.get(f"{base}/statement")).json()
        papers = [await client.get(f"{base}/statement.pdf") for _ in range(2)]
        log = (await client.get(f"/service-points/{place}/who-looked")).json()["entries"]
    assert papers[0].content == papers[1].content
    assert papers[0].headers["content-type"] == "application/pdf"
    reader: Any = PdfReader(io.BytesIO(papers[0].content))
    assert reader.trailer["/Root"]["/MarkInfo"]["/Marked"]
    text = " ".join(p.extract_text() for p in reader.pages)
    assert statement["total"] in text
    assert statement["addressee"] == [], "only the document names its customer"
    assert {"A bill, as a page", "A bill, as a PDF"} <= {e["what"] for e in log}


async def test_the_bill_made_again_from_what_was_known_then_is_the_same_to_the_byte(
    demo: Demo, issued: tuple[str, str]
) -> None:
    place, bill = issued
    base = f"/service-points/{place}/bills/{bill}"
    async with signed_in(demo, demo.people["staff"]) as client:
        again = (await client.get(f"{base}/made-again?purpose=customer_service")).json()
        proof = (await client.get(f"{base}/proof?purpose=customer_service")).json()
        day = proof["days"][0]["day"]
        readings = (await client.get(f"{base}/readings?purpose=customer_service&day={day}")).json()
    assert again["differences"] == []
    assert again["same_document"]
    energy = [line for line in proof["lines"] if line["name"].startswith("Energy")]
    assert all(sum(d["wh"] for d in line["days"]) == line["metered_wh"] for line in energy)
    assert sum(r["wh"] for r in readings) == proof["days"][0]["wh"]


async def test_a_pushed_reading_leads_to_its_sealed_frame(demo: Demo) -> None:
    settings = Settings.load(demo.home)
    segments = demo.home / "gateway" / "segments"
    deadline = time.monotonic() + 60
    async with bill_room(settings) as billing:
        points = await billing.meters.service_points(SCOPE)
        pushed: set[int] = set()
        while not pushed:
            assert time.monotonic() < deadline, "no reading was pushed"
            await asyncio.sleep(1)
            now = settings.clock().now()
            lately = Period(now - timedelta(hours=3), now)
            # The newest days of most meters are pushed when the demonstration begins, of a few they were loaded.
            for point in points:
                origins = await billing.meters.origins(SCOPE, point.id, Channel.DELIVERED, lately)
                pushed = {o.counter for o in origins if o.counter is not None}
                if pushed:
                    break
        (*_, hung) = await billing.meters.installed(SCOPE, point.id, lately)
    search = find_frames(segments, bytes(hung.meter.system_title or b""), pushed)
    assert pushed <= set(search.found)
    assert all(len(f.sha256) == 64 for frames in search.found.values() for f in frames)


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium")
def test_every_bill_of_a_customer_opens_the_short_first_one_too(demo: Demo, issued: tuple[str, str]) -> None:
    assert issued
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        page = opened(browser, demo, "customer", phone=False, dark=False)
        broken: list[str] = []
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.goto(f"{demo.portal}/bills")
        links = page.get_by_role("region", name="Table of bills").get_by_role("link")
        expect(links.first).to_be_visible()
        addresses = [link.get_attribute("href") for link in links.all()]
        for address in addresses:
            page.goto(f"{demo.portal}{address}")
            expect(page.get_by_test_id("bill-total")).to_contain_text("$")
        browser.close()
    assert len(addresses) > 1
    assert broken == []


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium")
@pytest.mark.parametrize(("phone", "dark"), [(False, False), (True, True)], ids=["desktop", "phone-dark"])
def test_a_bill_is_read_by_its_customer_and_answered_by_staff(
    demo: Demo, issued: tuple[str, str], phone: bool, dark: bool
) -> None:
    place, bill = issued
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        page = opened(browser, demo, "customer", phone=phone, dark=dark)
        page.goto(f"{demo.portal}/bills/{bill}")
        expect(page.get_by_test_id("bill-total")).to_contain_text("$")
        page.get_by_role("button", name="Why is it higher or lower?").press("Enter")
        expect(page.get_by_role("heading", name="When it rose")).to_be_visible()
        assert violations(page) == []
        page.context.close()
        page = opened(browser, demo, "staff", phone=phone, dark=dark)
        page.goto(f"{demo.portal}/not-billed/{place}")
        expect(page.get_by_test_id("not-billed-answer")).to_be_visible()
        assert violations(page) == []
        page.goto(f"{demo.portal}/bills/{place}/{bill}")
        expect(page.get_by_test_id("call-answer")).to_contain_text("This bill is $")
        page.get_by_role("button", name="Make it again").press("Enter")
        expect(page.get_by_text("so is every byte of its document")).to_be_visible()
        page.get_by_role("button", name="Prove each line").press("Enter")
        expect(page.get_by_role("region", name="Days that were billed")).to_be_visible()
        assert violations(page) == []
        browser.close()
