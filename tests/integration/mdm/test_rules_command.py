"""``openami rules`` over a real database: a look changes nothing, a change is signed in, logged and kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.mdm.office import Office, office_over

from openami.app.commands import rules
from openami.app.engines.postgres import PostgresEngine
from openami.mdm.vee.ruleset import RuleSetError
from openami.security.access.gate import AccessDeniedError

pytestmark = pytest.mark.engines
CHANGE = ("set", "spike", "--from", "2026-03-01", "--threshold", "excess=2", "--reason", "irrigation season")


@pytest.fixture
async def office(
    postgres: PostgresEngine, fake_store: Any, short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Office]:
    async with office_over(postgres, fake_store, short_tmp, monkeypatch) as made:
        await made.sent(1)
        await made.run()
        yield made


async def test_a_look_changes_nothing_and_a_change_is_kept_and_logged(office: Office) -> None:
    tried = await office.says(*CHANGE, app=rules.app)
    assert (tried["state"], tried["words"]) == ("preview", "excess = 2 for all groups from 2026-03-01")
    assert (await office.book.rule_book()).settings == ()
    made = await office.says(*CHANGE, "--yes", app=rules.app)
    assert made["state"] == "set"
    (setting,) = (await office.book.rule_book()).settings
    assert (setting.rule, dict(setting.thresholds)) == ("spike", {"excess": 2.0})
    assert ("rules.set", "change", True, 0) in await office.looks()


async def test_who_may_not_change_readings_may_not_set_rules(office: Office) -> None:
    with pytest.raises(AccessDeniedError):
        await office.says(*CHANGE, "--yes", by="vera", app=rules.app)
    assert (await office.book.rule_book()).settings == ()


async def test_what_cannot_be_set_is_refused_before_anybody_signs_in(office: Office) -> None:
    with pytest.raises(RuleSetError, match="outside"):
        await office.says(*CHANGE[:5], "excess=900", *CHANGE[6:], app=rules.app)
