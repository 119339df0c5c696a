"""A read by hand from the staff page, through command process, gateway, collector and radio to the meter and back."""

from __future__ import annotations

import time
from contextlib import closing
from typing import Any

import httpx
import pytest
from tests.e2e.conftest import Demo

pytestmark = [pytest.mark.e2e, pytest.mark.engines]
WAIT_S = 45.0
METERS = 6
P95_S = 30.0


def staff(demo: Demo) -> httpx.Client:
    client = httpx.Client(base_url=f"{demo.portal}/api/v1", timeout=30, headers={"Origin": demo.portal})
    answer = client.post("/session", json=demo.people["staff"])
    client.headers["X-CSRF-Token"] = answer.raise_for_status().json()["csrf_token"]
    return client


def read_now(client: httpx.Client, meter_id: str, kind: str) -> tuple[dict[str, Any], float]:
    """Ask, wait for the end, and return the read and how long a person waited [s]."""
    began = time.monotonic()
    asked = client.post(f"/staff/meters/{meter_id}/reads", json={"kind": kind, "reason": "customer on the phone"})
    request_id = asked.raise_for_status().json()["request_id"]
    while time.monotonic() - began < WAIT_S:
        rows = client.get(f"/staff/meters/{meter_id}/reads").raise_for_status().json()
        found: dict[str, Any] = next(r for r in rows if r["request_id"] == request_id)
        if found["ended_at"] is not None:
            return found, time.monotonic() - began
        time.sleep(0.2)
    raise AssertionError(f"still {found['state']} after {WAIT_S} s: {found['words']}")


@pytest.mark.timeout(400)
def test_a_read_by_hand_takes_seconds_and_says_how_it_ended(demo: Demo) -> None:
    with closing(staff(demo)) as client:
        meters = [f["meter_id"] for f in client.get("/staff/now").raise_for_status().json()["last_frames"]]
        assert meters
        waited, answered = [], 0
        for meter_id in meters[:METERS]:
            found, took_s = read_now(client, meter_id, "registers")
            waited.append(took_s)
            answered += found["state"] == "answered"
            names = [v["name"] for v in found["values"]]
            assert names == ["Delivered register", "Received register"] or found["state"] == "no_answer"
            assert found["words"].endswith(".")
        waited.sort()
        assert waited[int(0.95 * len(waited))] < P95_S
        # The simulated radio loses some; nearly all answer within two tries.
        assert answered >= 0.75 * len(waited)
