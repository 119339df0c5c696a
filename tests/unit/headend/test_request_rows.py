"""A row that this version cannot read is told and left alone: it stops no group."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Row
from structlog.testing import capture_logs

from openami.headend.adapters.requests_postgres import readable


def row(**more: object) -> Row[Any]:
    values: dict[str, object] = {
        "request_id": UUID(int=1), "meter_id": UUID(int=2), "system_title": b"OAM00001", "kind": "ping", "lane": 0,
        "from_s": 0, "to_s": 0, "asked_at_s": 0, "state": "queued", "tries": 0, "not_before_s": 0.0, "expires_s": 30.0,
        "ended_at_s": None, "words": "",
    }  # fmt: skip
    return SimpleNamespace(**{**values, **more})  # type: ignore[return-value]  # as a row of the table reads


@pytest.mark.parametrize("more", [{"kind": "of tomorrow"}, {"state": "asleep"}, {"lane": 9}], ids=str)
def test_an_unknown_row_is_left_out_and_told(more: dict[str, object]) -> None:
    with capture_logs() as logs:
        found = readable([row(**more), row()])
    assert [r.kind.value for r in found] == ["ping"]
    assert [entry["event"] for entry in logs] == ["request_unreadable"]
