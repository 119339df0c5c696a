"""What ``openami import`` does with a file that was read: rows of known meters, or virtual meters of their own."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from openami.kernel.errors import MisuseError

if TYPE_CHECKING:
    from openami.app.commands.import_ import Options
    from openami.app.settings import Settings
    from openami.mdm.api import MeterData
    from openami.mdm.importing.place import PlacedMeter


async def bring_known_in(octets: bytes, found: Any, options: Options, home: Path, result: dict[str, Any]) -> None:
    """Write the rows of known meters, or only say what would come of it; add to the report."""
    from openami.app.engines.rooms import room_database
    from openami.app.settings import Settings
    from openami.mdm.adapters.registry_postgres import PostgresRegistry
    from openami.mdm.adapters.registry_validation import PostgresBook
    from openami.mdm.adapters.store_socket import SocketStore
    from openami.mdm.importing.arrival import bring_in

    settings = Settings.load(home)
    async with AsyncExitStack() as stack:
        mdm = await stack.enter_async_context(room_database(settings, "openami_mdm"))
        store = SocketStore(settings.home.store_socket)
        stack.push_async_callback(store.close)
        arrival = await bring_in(
            found, octets, registry=PostgresRegistry(mdm), store=store, book=PostgresBook(mdm),
            at=settings.clock().now(), write=not options.dry_run,
        )  # fmt: skip
    rejected = [{"meter": r.name, "line": r.line, "reason": r.reason} for r in arrival.rejected]
    counts = {n: getattr(arrival, n) for n in ("readings", "registers", "meters", "days", "unassigned")}
    result["known"], result["rejected"] = counts, rejected


async def attach_file(octets: bytes, found: Any, options: Options, home: Path) -> list[dict[str, Any]]:
    """Make a virtual meter of each meter of a file and return their part of the report."""
    from openami.app.billing.billing_setting import bill_setting
    from openami.app.billing.rate_files import home_rates
    from openami.app.engines.rooms import room_database
    from openami.app.settings import Settings
    from openami.billing.adapters.book_postgres import PostgresBillBook
    from openami.billing.api import Billing
    from openami.mdm.adapters.registry_postgres import PostgresRegistry
    from openami.mdm.adapters.registry_validation import PostgresBook
    from openami.mdm.adapters.store_socket import SocketStore
    from openami.mdm.api import MeterData
    from openami.mdm.importing.place import place_file

    settings = Settings.load(home)
    now = settings.clock().now()
    zone = options.zone.key if options.zone is not None else settings.zone
    placed = place_file(found, octets, zone=zone, now=now, service_point_id=options.service_point)
    async with AsyncExitStack() as stack:
        mdm = await stack.enter_async_context(room_database(settings, "openami_mdm"))
        own = await stack.enter_async_context(room_database(settings, "openami_billing"))
        store = SocketStore(settings.home.store_socket)
        stack.push_async_callback(store.close)
        data = MeterData(registry=PostgresRegistry(mdm), store=store, book=PostgresBook(mdm))
        rates, setting = home_rates(settings.home), bill_setting(settings)
        billing = Billing(meters=data, book=PostgresBillBook(own), rates=rates, setting=setting)
        return [await attach(data, billing, p, options, settings=settings, now=now) for p in placed]


async def attach(
    data: MeterData, billing: Any, placed: PlacedMeter, options: Options, *, settings: Settings | None, now: datetime
) -> dict[str, Any]:
    """Bring one meter in, put it on its rate and its account, and return its part of the report.

    Raises:
        RegistryError, StoreError: nothing of this meter shows before its installation is in; repeating mends it.
    """
    point = placed.service_point
    if options.service_point is not None:
        from openami.security.access.scope import Purpose, system_scope

        scope = system_scope(process="import", purpose=Purpose.IMPORT)
        point = await data.service_point(scope, options.service_point)
    await data.attach_import(
        service_point=point, meter=placed.meter, installation=placed.installation, readings=placed.readings,
        registers=placed.registers, token=placed.token, at=now,
    )  # fmt: skip
    billed = await _on_rate(billing, placed, options.rate, point.zone, now) if options.rate else None
    if options.account is not None and settings is not None:
        account = await _on_account(settings, options.account, placed)
        await _in_registry(data, account, placed, now)
    return {
        "service_point": str(point.id),
        "meter": str(placed.meter.id),
        "serial": placed.meter.serial,
        "from": placed.installation.start.isoformat(),
        "to": placed.installation.end.isoformat() if placed.installation.end else None,
        "readings": len(placed.readings),
        "left_aside": placed.left_aside,
        "rate": billed,
    }


async def _on_rate(billing: Any, placed: PlacedMeter, code: str, zone: str, now: datetime) -> str | None:
    """Put the service point on a rate for the whole local days of the file; None where there is no whole day."""
    from openami.kernel.time import local_date, local_midnight, zone_named

    where, installation = zone_named(zone), placed.installation
    first = local_date(installation.start, where)
    if local_midnight(first, where) < installation.start:
        first += timedelta(days=1)
    end = local_date(installation.end, where) if installation.end is not None else None
    if end is not None and end <= first:
        return None
    code = str(billing.code_for(code, first))
    if await billing.rate_of(placed.service_point.id, first) is None:
        await billing.assign_rate([placed.service_point.id], code, first_day=first, end_day=end, at=now)
    return code


async def _in_registry(data: MeterData, account: UUID, placed: PlacedMeter, now: datetime) -> None:
    """Name the account for the time of the file, where the registry names none: else its usage would be nobody's."""
    from openami.mdm.registry.facts import FactEntry, FactKind

    point, hung = placed.service_point.id, placed.installation
    if not await data.registry.facts.of([point], kinds=[FactKind.ACCOUNT]):
        entry = FactEntry(point, FactKind.ACCOUNT, str(account), hung.start, hung.end)
        await data.registry.facts.enter([entry], at=now, by="import")


async def _on_account(settings: Settings, email: str, placed: PlacedMeter) -> UUID:
    """Begin an agreement of a known customer at the imported place, as long as the file is; return the account."""
    from openami.app.engines.address import postgres_url
    from openami.app.people.accounts import RealClock, accounts_of
    from openami.customer.adapters.customer_postgres import PostgresCustomers
    from openami.customer.api import CustomerBook, NewCustomer
    from openami.security.adapters.row_security import row_secured_engine

    access = row_secured_engine(postgres_url(settings, "openami_access"))
    identity = row_secured_engine(postgres_url(settings, "openami_customer"))
    try:
        store = PostgresCustomers(identity)
        known = await store.known([email])
        if email not in known:
            raise MisuseError("--account: no customer has this e-mail address; the readings are in")
        book = CustomerBook(store, accounts_of(settings, access, RealClock()), settings.clock())
        # The person is known, so name and password stay as they are.
        since = placed.installation.start
        there = NewCustomer("", email, placed.service_point.id, "Imported file", since, label="Imported file")
        if not await store.agreements_at(placed.service_point.id):
            await book.create([there])
        return known[email][1]
    finally:
        await access.dispose()
        await identity.dispose()
