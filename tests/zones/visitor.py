"""A person at a desk of the enterprise zone: ``python -m tests.zones.visitor``, run inside that zone by the test.

A JSON document on standard input says where the portal is, who signs in, which pages are looked at and which meters are
read by hand; the answers are printed as one JSON document.
"""

from __future__ import annotations

import json
import ssl
import sys
import time
from typing import Any

import httpx

ENDED = {"answered", "no_answer", "refused"}
READ_S = 60.0
PLAIN = {"Accept-Encoding": "identity"}
"""Whoever opens the conversation afterwards should not have to unpack it."""


def main() -> None:
    """Visit and tell."""
    task = json.load(sys.stdin)
    context = ssl.create_default_context(cafile=task["certificate"])
    if task.get("key_log"):
        context.keylog_filename = task["key_log"]
    with httpx.Client(base_url=f"{task['portal']}/api/v1", verify=context, timeout=30, headers=PLAIN) as client:
        signed = client.post("/session", json=task["person"])
        signed.raise_for_status()
        client.headers["X-CSRF-Token"] = signed.json()["csrf_token"]
        pages = {page: client.get(page) for page in task.get("pages", [])}
        json.dump(
            {
                "pages": {page: [answer.status_code, answer.text] for page, answer in pages.items()},
                "heard": heard(client, task.get("wait_for", [])),
                "reads": [read(client, meter, kind) for meter, kind in task.get("reads", [])],
            },
            sys.stdout,
        )


def heard(client: httpx.Client, meters: list[str]) -> list[str]:
    """Wait until one of these meters was heard and return those that were."""
    deadline = time.monotonic() + READ_S
    while meters:
        found = [m for m in meters if client.get(f"/staff/meters/{m}").json()["last_frame"]]
        if found:
            return found
        if time.monotonic() > deadline:
            break
        time.sleep(0.5)
    return []


def read(client: httpx.Client, meter: str, kind: str) -> dict[str, Any]:
    """Ask a meter and wait for the end."""
    asked = client.post(f"/staff/meters/{meter}/reads", json={"kind": kind, "reason": "a caller doubts it"})
    asked.raise_for_status()
    deadline = time.monotonic() + READ_S
    while True:
        reads = client.get(f"/staff/meters/{meter}/reads").json()
        mine: dict[str, Any] = next(r for r in reads if r["request_id"] == asked.json()["request_id"])
        if mine["state"] in ENDED or time.monotonic() > deadline:
            return mine
        time.sleep(0.2)


if __name__ == "__main__":
    main()
