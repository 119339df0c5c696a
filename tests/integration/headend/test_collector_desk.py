"""A person says that a collector belongs where it is, or that it was taken down; both are in the audit log."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.integration.headend.test_collectors import T0, WELL, word

from openami.app.devices.collector_desk import CollectorDesk, UnknownCollectorError
from openami.app.engines.postgres import SUPERUSER, PostgresEngine
from openami.app.engines.rooms import room_database
from openami.app.people.accounts import RealClock, accounts_of
from openami.app.people.desk import Person
from openami.app.settings import Home, Settings, real_now
from openami.headend.adapters.collectors_postgres import PostgresCollectors
from openami.headend.collectors.finding import CollectorRule
from openami.headend.collectors.judge import judge
from openami.security.access.account import NewUser
from openami.security.access.gate import AccessDeniedError
from openami.security.access.role import Role

pytestmark = pytest.mark.engines
ANNA = Person("anna@utility.example", "a long enough password of Anna")
VERA = Person("vera@utility.example", "a long enough password of Vera")


@dataclass
class Site:
    settings: Settings
    desk: CollectorDesk

    async def wrong_with(self, number: int) -> set[CollectorRule]:
        async with room_database(self.settings, "openami_headend") as engine:
            fleet = await PostgresCollectors(engine).fleet()
        return {c.rule for c in judge(fleet, now_ms=T0 + 1_000) if c.collector_id == number}


@pytest.fixture
async def site(postgres: PostgresEngine, short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("OPENAMI_POSTGRES_URL", postgres.url(SUPERUSER))
    Settings(home=Home(short_tmp), real_origin=real_now(), domain_origin=real_now()).save()
    settings = Settings.load(short_tmp)
    async with room_database(settings, "openami_access") as access:
        people = [
            NewUser(ANNA.login, frozenset({Role.OPERATOR}), ANNA.password, display_name="Anna"),
            NewUser(VERA.login, frozenset({Role.VIEWER}), VERA.password, display_name="Vera"),
        ]
        await accounts_of(settings, access, RealClock()).register_users(people)
    async with room_database(settings, "openami_headend") as engine:
        book = PostgresCollectors(engine)
        await book.note([word(7)])
        moved = replace(WELL, latitude_e7=WELL.latitude_e7 + 1_000_000)
        await book.note([word(7, at_ms=T0 + 1, report=moved)])
    return Site(settings, CollectorDesk(settings))


async def test_a_place_is_accepted_by_an_operator_and_by_nobody_else(site: Site) -> None:
    assert await site.wrong_with(7) == {CollectorRule.MOVED}
    with pytest.raises(AccessDeniedError):
        await site.desk.accept_home(VERA, 7, note="it was hung at the new pole")
    with pytest.raises(UnknownCollectorError, match="collector 8"):
        await site.desk.accept_home(ANNA, 8, note="a slip")
    assert await site.wrong_with(7) == {CollectorRule.MOVED}
    await site.desk.accept_home(ANNA, 7, note="it was hung at the new pole")
    assert await site.wrong_with(7) == set()


async def test_a_collector_that_was_taken_down_is_watched_no_more_until_it_is_back(
    site: Site, postgres: PostgresEngine
) -> None:
    await site.desk.retire(ANNA, 7, is_retired=True, note="the pole is gone")
    assert await site.wrong_with(7) == set()
    await site.desk.retire(ANNA, 7, is_retired=False, note="the pole is back")
    assert await site.wrong_with(7) == {CollectorRule.MOVED}
    async with room_database(site.settings, "openami_audit") as engine, engine.begin() as connection:
        rows = (await connection.execute(text("select body from audit.entry order by at, entry_id"))).all()
    queries = [json.loads(bytes(row.body))["query"] for row in rows]
    assert queries == ["collector.retire", "collector.watch"]
