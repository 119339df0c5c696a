"""Rates as they were known, in PostgreSQL: a bill made again after its rate's file was changed is the same bill."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from tests.base_rates import base_rates
from tests.integration.billing.test_billing import NOW, SCOPE, World, world  # noqa: F401 - the fixture is used by name
from tests.integration.billing.test_papers import _billed

from openami.app.engines.postgres import PostgresEngine
from openami.billing.adapters.editions_postgres import PostgresEditions
from openami.billing.api import Billing
from openami.billing.edition.job import EditionJob
from openami.billing.edition.record import edition_of
from openami.billing.tariff import RateSchedule
from openami.billing.tariff.charge import FixedCharge

pytestmark = pytest.mark.engines


def _dearer(schedule: RateSchedule) -> RateSchedule:
    charge = FixedCharge("Customer charge", Decimal("99.00"))
    return replace(schedule, versions=tuple(replace(v, fixed=(charge,)) for v in schedule.versions))


async def test_a_bill_is_made_again_by_the_rate_as_it_was_known(
    world: World,  # noqa: F811
    postgres: PostgresEngine,
) -> None:
    own = create_async_engine(postgres.url("openami_billing"))
    editions = PostgresEditions(own)
    await EditionJob(editions, base_rates()).run_due(NOW - timedelta(minutes=1))
    bill = await _billed(world)
    changed = {code: _dearer(schedule) for code, schedule in base_rates().items()}
    await EditionJob(editions, changed).run_due(NOW + timedelta(days=1))

    def billing(book: PostgresEditions | None) -> Billing:
        return Billing(
            meters=world.data, book=world.billing.book, rates=changed, setting=world.billing.setting, editions=book
        )

    then = await billing(editions).papers.rebuilt(SCOPE, bill.bill_id)
    assert then is not None
    assert (then[0].is_same, then[1]) == (True, True)
    today = await billing(None).papers.rebuilt(SCOPE, bill.bill_id)
    assert today is not None
    assert today[0].is_same is False
    await own.dispose()


async def test_an_edition_is_kept_once_and_nobody_alters_it(
    world: World,  # noqa: F811
    postgres: PostgresEngine,
) -> None:
    own = create_async_engine(postgres.url("openami_billing"))
    editions, code = PostgresEditions(own), "edition-test"
    first = edition_of(replace(base_rates()["ameren-mo-anytime"], code=code))
    second = edition_of(_dearer(replace(base_rates()["ameren-mo-anytime"], code=code)))
    noted = [await editions.note([e], at=NOW + timedelta(days=n)) for n, e in enumerate((first, first, second, first))]
    assert noted == [1, 0, 1, 1]
    held = [await editions.known_at(code, NOW + timedelta(days=n)) for n in (-1, 0, 1, 2, 3)]
    assert held == [None, first, first, second, first]
    for altered in ("update billing.rate_text set text = ''", "delete from billing.rate_edition"):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with own.begin() as connection:
                await connection.execute(text(altered))
    await own.dispose()
