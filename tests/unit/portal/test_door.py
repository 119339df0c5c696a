"""Cookies, cross-site requests, headers and error documents."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from openami.portal.application import create_app
from openami.portal.config import PortalConfig
from openami.portal.edge import CONTENT_SECURITY_POLICY, MAX_BODY_OCTETS
from openami.security.access.role import Role
from openami.security.access.session import csrf_token

MINE = "00000000-0000-0000-0000-000000000001"
HOME = f"/api/v1/service-points/{MINE}/home"
RIGHT = {"login": "customer", "password": "right"}


async def test_signing_in_sets_a_cookie_that_scripts_cannot_read(portal: Any) -> None:
    async with portal.client() as client:
        answer = await client.post("/api/v1/session", json=RIGHT)
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie
    assert "Secure" not in cookie
    assert answer.json()["csrf_token"] == csrf_token("customer")
    assert "customer" not in answer.text.replace('"customer"', ""), "the secret is in the cookie alone"


async def test_over_tls_the_cookie_is_secure_and_pinned_to_the_host(portal: Any) -> None:
    app = create_app(PortalConfig(zone="America/Chicago", is_https=True), portal.app.state.ports)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://portal") as client:
        answer = await client.post("/api/v1/session", json=RIGHT)
    assert answer.headers["set-cookie"].startswith("__Host-openami=")
    assert "Secure" in answer.headers["set-cookie"]
    assert "max-age" in answer.headers["strict-transport-security"]


@pytest.mark.parametrize("body", [{"login": "customer", "password": "wrong"}, {"login": "nobody", "password": "right"}])
async def test_a_wrong_password_and_an_unknown_login_get_the_same_answer(portal: Any, body: dict[str, str]) -> None:
    async with portal.client() as client:
        answer = await client.post("/api/v1/session", json=body)
    document = answer.json()
    document.pop("reference")
    assert answer.status_code == 401
    assert document["code"] == "wrong_sign_in"
    assert "set-cookie" not in answer.headers


async def test_a_full_bucket_says_how_long_to_wait(portal: Any) -> None:
    async with portal.client() as client:
        answer = await client.post("/api/v1/session", json={"login": "throttled", "password": "right"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 204),
        ({"Origin": "http://portal"}, 204),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"X-CSRF-Token": "wrong"}, 403),
        ({"X-CSRF-Token": ""}, 403),
    ],
)
async def test_an_unsafe_request_needs_our_origin_and_the_token(
    portal: Any, headers: dict[str, str], status: int
) -> None:
    async with portal.client(Role.CUSTOMER, **headers) as client:
        assert (await client.delete("/api/v1/session")).status_code == status


async def test_a_page_of_another_site_cannot_sign_somebody_in(portal: Any) -> None:
    async with portal.client(Origin="http://evil.example") as client:
        assert (await client.post("/api/v1/session", json=RIGHT)).status_code == 403


async def test_after_signing_out_the_cookie_opens_nothing(portal: Any) -> None:
    async with portal.client(Role.CUSTOMER) as client:
        assert (await client.get(HOME)).status_code == 200
        gone = await client.delete("/api/v1/session")
        assert "storage" in gone.headers["clear-site-data"]
    async with portal.client(Role.CUSTOMER) as client:
        assert (await client.get(HOME)).status_code == 401


@pytest.mark.parametrize("path", [HOME, "/api/v1/nothing", "/", "/deep/link", "/assets/none.js"])
async def test_every_answer_carries_the_strict_headers(portal: Any, path: str) -> None:
    async with portal.client(Role.CUSTOMER) as client:
        answer = await client.get(path)
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    if path.startswith("/api"):
        assert answer.headers["cache-control"] == "no-store"


def test_the_policy_of_content_lets_only_our_own_scripts_run() -> None:
    rules = dict(r.strip().split(" ", 1) for r in CONTENT_SECURITY_POLICY.split(";"))
    assert rules["script-src"] == "'self'"
    assert rules["default-src"] == "'none'"
    assert rules["frame-ancestors"] == "'none'"


async def test_a_bug_is_answered_with_a_reference_and_tells_nothing(
    portal: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    portal.usage.fails = ZeroDivisionError("reading 4711 of Ada")
    async with portal.client(Role.CUSTOMER) as client:
        answer = await client.get(HOME)
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal"
    printed = capsys.readouterr()
    assert "4711" not in answer.text + printed.out + printed.err
    assert answer.json()["reference"] in printed.out + printed.err
    assert "ZeroDivisionError" in printed.out + printed.err


@pytest.mark.parametrize(
    "query",
    [
        "", "?from=2026-11-20", "?from=x&to=y", "?from=2026-11-21&to=2026-11-20", "?from=2020-01-01&to=2026-01-01",
        "?from=0001-01-01&to=0001-01-02", "?from=9999-12-30&to=9999-12-31", "?from=2026-11-20&to=2026-11-21&channel=x",
        "?from=2026-11-20&to=2026-11-21&resolution=x", "?from=2026-11-20&to=2026-11-21&purpose=x",
    ],
)  # fmt: skip
async def test_a_range_that_cannot_be_understood_is_refused_in_words(portal: Any, query: str) -> None:
    async with portal.client(Role.CUSTOMER) as client:
        answer = await client.get(f"/api/v1/service-points/{MINE}/intervals{query}")
    assert answer.status_code == 400
    assert set(answer.json()) == {"code", "message", "mend", "reference"}


@pytest.mark.parametrize("place", ["x", "1", "..%2f..", "%00", "0" * 4000])
async def test_a_service_point_that_is_no_id_is_refused(portal: Any, place: str) -> None:
    async with portal.client(Role.CUSTOMER) as client:
        answer = await client.get(f"/api/v1/service-points/{place}/home")
    assert answer.status_code in {400, 404}


async def test_a_password_that_cannot_be_read_is_not_echoed(portal: Any) -> None:
    async with portal.client() as client:
        answer = await client.post("/api/v1/session", json={"login": "a", "password": "secret" * 300})
    assert answer.status_code == 400
    assert "secretsecret" not in answer.text


async def test_built_files_are_served_hashed_ones_for_ever_and_any_page_is_the_application(
    portal: Any, tmp_path: Path
) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>built</title>")
    (tmp_path / "assets" / "app-4711.js").write_text("1")
    app = create_app(PortalConfig(zone="America/Chicago", static=tmp_path), portal.app.state.ports)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://portal") as client:
        page, deep, script = [await client.get(p) for p in ("/", "/bills/1", "/assets/app-4711.js")]
        again = await client.get("/", headers={"If-None-Match": page.headers["etag"]})
        outside = await client.get("/..%2f..%2fetc/passwd")
    assert page.text == deep.text == outside.text
    assert "immutable" in script.headers["cache-control"]
    assert "javascript" in script.headers["content-type"]
    assert page.headers["cache-control"] == "no-cache"
    assert again.status_code == 304


@pytest.mark.parametrize("is_announced", [True, False], ids=["announced", "in chunks without end"])
async def test_a_body_beyond_the_limit_is_refused_before_it_fills_memory(portal: Any, is_announced: bool) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 64 * MAX_BODY_OCTETS:
            sent += 8192
            yield b'{"login": "' + b"a" * 8181

    body: Any = b"a" * (2 * MAX_BODY_OCTETS) if is_announced else endless()
    async with portal.client() as client:
        answer = await client.post("/api/v1/session", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert sent <= MAX_BODY_OCTETS + 8192


async def test_a_body_nested_without_end_is_refused_in_words(portal: Any) -> None:
    async with portal.client() as client:
        answer = await client.post(
            "/api/v1/session", content=b"[" * 60_000, headers={"Content-Type": "application/json"}
        )
    assert answer.status_code == 400
    assert set(answer.json()) == {"code", "message", "mend", "reference"}


async def test_what_a_page_fetches_by_itself_keeps_no_session_alive(portal: Any) -> None:
    async with portal.client(Role.OPERATOR) as client:
        await client.get("/api/v1/staff/now")
        await client.get("/api/v1/staff/now", headers={"X-Background": "1"})
    assert portal.sessions.touches == [True, False]
