"""A home that has bills comes up with a newer release, and after a way back: nothing lost, nothing billed twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from tests.integration.billing.test_corrections import Billed, billed

from openami.app.engines import migrate as engine_migrations
from openami.app.engines.migrate import migrate
from openami.app.engines.postgres import SUPERUSER, EngineError, PostgresEngine

__all__ = ["billed"]
pytestmark = pytest.mark.engines
IN_DECEMBER = datetime(2026, 12, 4, 18, tzinfo=UTC)
BEFORE_PARTS = "0051_bills_stay"
"""The revision before true-ups, place facts, parts of bills, signals and resting places."""


def back_to(postgres: PostgresEngine, revision: str) -> None:
    config = Config()
    folder = Path(engine_migrations.__file__).parent.parent / "migrations"
    config.set_main_option("script_location", str(folder))
    config.set_main_option("sqlalchemy.url", postgres.url(SUPERUSER))
    command.downgrade(config, revision)


def rows(postgres: PostgresEngine, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(f"host={postgres.sockets} user={SUPERUSER} dbname=openami", autocommit=True) as c:
        found = c.execute(query, values)
        return list(found.fetchall()) if found.description else []


async def test_bills_of_an_older_release_stay_and_what_waited_goes_out_once(
    billed: Billed, postgres: PostgresEngine
) -> None:
    world, place = billed.world, billed.world.points[0]
    await world.write_days(date(2026, 11, 10), date(2026, 11, 30), missing=5, is_read=False)
    held = await world.billing.close_due(IN_DECEMBER)
    assert (held.issued, held.held) == (0, 3)
    rows(
        postgres,
        "insert into billing.hold_release (service_point_id, first_day, code, reason, released_by, released_at) "
        "values (%s, '2026-11-01', 'low_coverage', 'looked at', 'anna', now())", place,
    )  # fmt: skip
    rows(
        postgres,
        "insert into mdm.place_fact (service_point_id, kind, value, period, entered_at) "
        "values (%s, 'no_read', 'weather', '[2026-11-01,)', now())", place,
    )  # fmt: skip
    kept: LiteralString = "select bill_id, state, total, terms, reads from billing.bill order by bill_id"
    before, lines = rows(postgres, kept), rows(postgres, "select * from billing.bill_line order by bill_id, number")
    try:
        await asyncio.to_thread(back_to, postgres, BEFORE_PARTS)
        assert rows(postgres, kept) == before
        assert rows(postgres, "select count(*) from billing.hold_release") == [(1,)]
    finally:
        await asyncio.to_thread(migrate, postgres.url(SUPERUSER))
    assert rows(postgres, kept) == before
    assert rows(postgres, "select * from billing.bill_line order by bill_id, number") == lines
    assert rows(postgres, "select account_id, reason from billing.hold_release") == [(None, "looked at")]
    awake = "select count(*) from billing.place_rest where since is null"
    assert rows(postgres, awake) == [(3,)], "every place is looked at once"

    await world.write_days(date(2026, 11, 10), date(2026, 11, 30), version=2, is_read=False)
    done = await world.billing.close_due(IN_DECEMBER)
    assert (done.issued, done.held, done.missed) == (3, 0, 0)
    assert (await world.billing.close_due(IN_DECEMBER, everywhere=True)).missed == 0
    bills = [b for p in range(3) for b in await billed.bills(p)]
    found = Counter((b.service_point_id, b.span.first, b.state.value) for b in bills)
    days = (date(2026, 10, 1), date(2026, 11, 1))
    assert found == {(p, d, "issued"): 1 for p in world.points for d in days}
    every = await billed.book.bills([b[0] for b in before])
    assert [await billed.postings.post(every, at=IN_DECEMBER) for _ in range(2)] == [3, 0], "October is booked"


def test_an_older_release_leaves_the_database_of_a_newer_one_alone_and_says_so(postgres: PostgresEngine) -> None:
    ((head,),) = rows(postgres, "select version_num from alembic_version")
    rows(postgres, "update alembic_version set version_num = '9999_later'")
    try:
        with pytest.raises(EngineError, match="by a newer release: start that one"):
            migrate(postgres.url(SUPERUSER))
        assert rows(postgres, "select version_num from alembic_version") == [("9999_later",)]
    finally:
        rows(postgres, "update alembic_version set version_num = %s", head)
