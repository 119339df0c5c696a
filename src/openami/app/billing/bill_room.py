"""The billing room of one installation, open for the length of one act of a person."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from openami.app.billing.billing_setting import bill_setting
from openami.app.billing.rate_files import home_rates
from openami.app.engines.rooms import room_database
from openami.app.settings import Settings
from openami.billing.adapters.book_postgres import PostgresBillBook
from openami.billing.adapters.editions_postgres import PostgresEditions
from openami.billing.api import Billing
from openami.billing.edition.record import edition_of
from openami.mdm.adapters.registry_postgres import PostgresRegistry
from openami.mdm.adapters.registry_validation import PostgresBook
from openami.mdm.adapters.store_socket import SocketStore
from openami.mdm.adapters.weather_postgres import PostgresWeather
from openami.mdm.api import MeterData
from openami.security.access.scope import Purpose, system_scope

SCOPE = system_scope(process="desk", purpose=Purpose.BILLING)


@asynccontextmanager
async def bill_room(settings: Settings) -> AsyncIterator[Billing]:
    """Hold bills, rates and the meter data that they stand on."""
    async with room_database(settings, "openami_mdm") as mdm, room_database(settings, "openami_billing") as own:
        store = SocketStore(settings.home.store_socket)
        try:
            data = MeterData(
                registry=PostgresRegistry(mdm), store=store, book=PostgresBook(mdm), weather=PostgresWeather(mdm)
            )
            rates, editions = home_rates(settings.home), PostgresEditions(own)
            # Bills may be made here before the worker starts anew: what they are made by is kept first.
            await editions.note([edition_of(r) for r in rates.values()], at=settings.clock().now())
            book, setting = PostgresBillBook(own), bill_setting(settings)
            yield Billing(meters=data, book=book, rates=rates, setting=setting, editions=editions)
        finally:
            await store.close()
