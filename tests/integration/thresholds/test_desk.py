"""People at the command line: propose, approve, release, and what is refused, on a real database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from typer.testing import CliRunner

from openami.app.commands.thresholds import app
from openami.app.devices.quarantine_desk import QuarantineDesk
from openami.app.engines.postgres import SUPERUSER, PostgresEngine
from openami.app.orders.threshold_desk import ThresholdRefusedError
from openami.app.people.accounts import RealClock, accounts_of
from openami.app.people.desk import Person
from openami.app.settings import Home, Settings
from openami.contracts.command import CommandEffect
from openami.contracts.threshold import BUILT_IN
from openami.contracts.threshold_word import ThresholdRule, ThresholdWord, WordKind
from openami.headend.adapters.thresholds_postgres import PostgresThresholdBook
from openami.kernel.errors import MisuseError, OpenAmiError
from openami.kernel.ids import SystemTitle
from openami.security.access.account import NewUser
from openami.security.access.gate import AccessDeniedError
from openami.security.access.order import OrderRefusedError
from openami.security.access.role import Role
from openami.security.adapters.row_security import row_secured_engine

pytestmark = pytest.mark.engines
PEOPLE = {"anna": Role.ENGINEER, "ben": Role.SECADM, "vera": Role.VIEWER}


@dataclass(frozen=True)
class Desk:
    """The command line of one home."""

    home: Path
    book: PostgresThresholdBook

    async def says(self, *words: str, by: str = "") -> Any:
        """Return the document that a command prints; raise what it is refused with."""
        line = [*words, "--home", str(self.home), "--json", *(["--as", by] if by else [])]
        result = await asyncio.to_thread(CliRunner().invoke, app, line, input=f"{by}-secret\n" if by else None)
        if isinstance(result.exception, OpenAmiError):
            raise result.exception
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        lines = [line for line in result.stdout.splitlines() if line.startswith(("{", "["))]
        assert "-secret" not in result.output
        return json.loads(lines[-1]) if lines else None

    async def gateway_says(self, kind: WordKind, number: int = 1, **changes: Any) -> UUID:
        """Keep a word of the gateway."""
        held_id = UUID(int=number)
        at_ms = int(datetime.now(UTC).timestamp() * 1000)
        word = ThresholdWord(
            kind, at_ms, 1, 0, rule=ThresholdRule.UTILITY_HOUR, reached=51, limit=50, held_id=held_id,
            title=SystemTitle(number.to_bytes(8)), effect=CommandEffect.DISCONNECT, order_id=UUID(int=1),
            requester=UUID(int=2),
        )  # fmt: skip
        await self.book.note([replace(word, **changes)])
        return held_id


@pytest.fixture
async def desk(postgres: PostgresEngine, short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setenv("OPENAMI_POSTGRES_URL", postgres.url(SUPERUSER))
    Settings(home=Home(short_tmp)).save()
    settings = Settings.load(short_tmp)
    access, headend = (
        row_secured_engine(postgres.url("openami_access")),
        create_async_engine(postgres.url("openami_headend")),
    )
    people = [NewUser(n, frozenset({role}), f"{n}-secret", display_name=n) for n, role in PEOPLE.items()]
    await accounts_of(settings, access, RealClock()).register_users(people)
    yield Desk(short_tmp, PostgresThresholdBook(headend))
    for engine in (access, headend):
        await engine.dispose()


async def test_a_person_proposes_another_approves_and_everybody_sees_it(desk: Desk) -> None:
    assert (await desk.says("show"))["version"] == 0
    document = replace(BUILT_IN, version=1, meter_day=3).encode()
    (desk.home / "new.json").write_bytes(document)
    made = await desk.says("propose", str(desk.home / "new.json"), "--reason", "list of Tuesday", by="anna")
    assert (made["state"], made["approved_by"]) == ("waits for a second person", 1)
    with pytest.raises(OrderRefusedError, match="before"):
        await desk.says("approve", made["order"], by="anna")
    with pytest.raises(AccessDeniedError):
        await desk.says("approve", made["order"], by="vera")
    approved = await desk.says("approve", made["order"], by="ben")
    assert (approved["state"], approved["digest"]) == ("approved by two people", made["digest"])
    await desk.gateway_says(WordKind.RENEWED, version=1, rule=None, held_id=None, title=None)
    shown = await desk.says("show")
    assert (shown["version"], shown["thresholds"]["meter_day"]) == (1, 3)
    with pytest.raises(ThresholdRefusedError, match="no newer"):
        await desk.says("propose", str(desk.home / "new.json"), by="anna")
    await desk.says("withdraw", made["order"], by="ben")
    assert [row["state"] for row in await desk.says("orders")] == ["withdrawn"]
    with pytest.raises(ThresholdRefusedError, match="is over"):
        await desk.says("approve", made["order"], by="ben")


async def test_what_is_kept_is_shown_and_released_by_two(desk: Desk) -> None:
    first, second = await desk.gateway_says(WordKind.HELD, 7), await desk.gateway_says(WordKind.HELD, 8)
    assert (await desk.says("held"))["held_id"] == str(second)
    made = await desk.says("release", str(first), str(second), by="ben")
    assert made["action"] == "release 2 commands"
    assert (await desk.says("approve", made["order"], by="anna"))["state"] == "approved by two people"
    for number in (7, 8):
        await desk.gateway_says(WordKind.RELEASED, number)
    assert await desk.says("held") is None
    with pytest.raises(ThresholdRefusedError, match="is not kept"):
        await desk.says("release", str(first), by="ben")


async def test_who_signs_for_thresholds_does_not_let_quarantined_frames_in(desk: Desk) -> None:
    frames = QuarantineDesk(Settings.load(desk.home))
    order = await frames.release(Person("anna", "anna-secret"), [bytes(16)], reason="a new model")
    with pytest.raises(ThresholdRefusedError, match="releases frames"):
        await desk.says("approve", str(order.subject.order_id), by="ben")


@pytest.mark.parametrize("content", [b"{", b'{"meter_dya": 1}', b'{"version": 0}'])
async def test_a_file_that_is_wrong_is_refused_before_anybody_signs(desk: Desk, content: bytes) -> None:
    (desk.home / "bad.json").write_bytes(content)
    with pytest.raises((MisuseError, ThresholdRefusedError)):
        await desk.says("propose", str(desk.home / "bad.json"), by="anna")
    assert await desk.says("orders") == []
