"""Keys that were changed go when late frames can come no more, and a vault that is away stops nobody from trying."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from openami.app.process import command
from openami.security.keys.ports import VaultUnavailableError

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass
class Vault:
    """Remembers what it was asked, and is away the first time."""

    asked: list[datetime] = field(default_factory=list)
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def withdraw_expired(self, *, before: datetime, at: datetime) -> int:
        assert at == NOW
        self.asked.append(before)
        if len(self.asked) == 1:
            raise VaultUnavailableError("away")
        self.enough.set()
        return 4


async def test_keys_that_expired_thirty_days_ago_are_withdrawn_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "FORGET_EVERY_S", 0.001)
    vault: Any = Vault()
    stop = asyncio.Event()
    task = asyncio.create_task(command.forget_expired(vault, lambda: NOW, stop))
    await asyncio.wait_for(vault.enough.wait(), 5)
    stop.set()
    await asyncio.wait_for(task, 5)
    assert set(vault.asked) == {NOW - timedelta(days=30)}
