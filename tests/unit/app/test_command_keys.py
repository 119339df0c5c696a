"""The command process goes on looking for changed keys after a row of the vault was spoiled."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from openami.app.process.command import poll_keys
from openami.security.keys.envelope import KeyBindingError
from openami.security.keys.ports import VaultUnavailableError


async def test_a_spoiled_row_or_a_vault_that_is_away_ends_no_look_for_changed_keys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("openami.app.process.command.KEY_POLL_S", 0.0)
    stop = asyncio.Event()
    troubles = [KeyBindingError("row 7 does not open"), VaultUnavailableError("away")]

    class Keys:
        async def refresh(self) -> None:
            if troubles:
                raise troubles.pop(0)
            stop.set()

    keys: Any = Keys()
    with capture_logs() as logs:
        async with asyncio.timeout(5):
            await poll_keys(keys, stop)
    assert [entry["event"] for entry in logs] == ["vault_row_spoiled", "vault_unavailable"]
