"""``openami import``: bring files of readings into a running platform, by the same store as meters' readings."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import typer
from rich.console import Console

from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.kernel.errors import MisuseError, OpenAmiError

if TYPE_CHECKING:
    from openami.app.settings import Settings
    from openami.mdm.api import MeterData
    from openami.mdm.importing.place import PlacedMeter

DEFAULT_RATE = "ameren-mo-anytime"


def import_files(
    files: Annotated[list[Path], typer.Argument(help="Green Button XML or CSV, interval CSV, Parquet, NEM12, CMEP.")],
    format_name: Annotated[
        str, typer.Option("--format", help="auto, greenbutton, csv, nem12, parquet, cmep or mapped.")
    ] = "auto",
    mapping: Annotated[
        Path | None, typer.Option("--mapping", help="TOML that declares the columns of a CSV file of another system.")
    ] = None,
    meters: Annotated[
        str | None,
        typer.Option("--meters", help="known: of the registry, by serial number (CMEP, mapped); new: virtual meters."),
    ] = None,
    tz: Annotated[str | None, typer.Option("--tz", help="Zone of local stamps and of local days.")] = None,
    unit: Annotated[str, typer.Option("--unit", help="Unit of an interval table: Wh, kWh or MWh.")] = "Wh",
    service_point: Annotated[str | None, typer.Option("--service-point", help="Hang it at this one.")] = None,
    rate: Annotated[str, typer.Option("--rate", help="Rate to bill it by; empty for none.")] = DEFAULT_RATE,
    account: Annotated[str | None, typer.Option("--account", help="E-mail of the customer who lives there.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and report; change nothing.")] = False,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Import files; each is read whole or not at all. Exits 1 if a file or a meter is refused.

    What a file does not say (docs/protocol/interval-files.md) is declared in a mapping and never guessed.
    """
    options = Options(
        format_name, tz, unit, service_point, rate, account, dry_run=dry_run, mapping=mapping, meters=meters
    )
    results = [import_file(file, options, home=home) for file in files]
    for result in results:
        if json_output:
            print(json.dumps(result))
        else:
            _show(Console(), result)
    raise typer.Exit(1 if any(r["error"] or r["rejected"] for r in results) else 0)


class Options:
    """What the command line asks of every file.

    Raises:
        MisuseError: a zone or a service point cannot be read.
    """

    def __init__(
        self,
        format_name: str = "auto",
        tz: str | None = None,
        unit: str = "Wh",
        service_point: str | None = None,
        rate: str = DEFAULT_RATE,
        account: str | None = None,
        *,
        dry_run: bool = False,
        mapping: Path | None = None,
        meters: str | None = None,
    ) -> None:
        from openami.app.commands.intervals import octets_of, zone_of
        from openami.mdm.importing.detect import FORMATS

        if format_name not in FORMATS:
            raise MisuseError(f"--format {format_name!r}: one of {', '.join(FORMATS)}")
        if meters not in {None, "known", "new"}:
            raise MisuseError(f"--meters {meters!r}: known or new")
        self.meters = meters
        self.mapping = None if mapping is None else octets_of(mapping)
        self.format_name, self.unit, self.rate, self.account, self.dry_run = format_name, unit, rate, account, dry_run
        self.zone: ZoneInfo | None = None if tz is None else zone_of(tz)
        try:
            self.service_point = None if service_point is None else UUID(service_point)
        except ValueError as error:
            raise MisuseError(f"--service-point {service_point!r} is not an id") from error

    def are_known(self, found_format: str) -> bool:
        """Tell whether the meters of a file are looked up in the registry; so they are in files of head-ends."""
        if self.meters is None:
            return found_format in {"cmep", "mapped"} and self.service_point is None
        return self.meters == "known"


def import_file(file: Path, options: Options, *, home: Path) -> dict[str, Any]:
    """Import one file and return the report that ``--json`` prints.

    Raises:
        MisuseError: the file cannot be opened, or an argument cannot be read.
    """
    from openami.app.commands.intervals import octets_of
    from openami.mdm.importing import parse_file

    result: dict[str, Any] = {
        "file": str(file), "format": None, "meters": [], "series": [], "registers": [], "report": [], "known": None,
        "rejected": [], "error": None,
    }  # fmt: skip
    try:
        octets = octets_of(file)
        found = parse_file(
            octets, format_name=options.format_name, zone=options.zone, unit=options.unit, mapping=options.mapping
        )
        result["format"], result["report"] = found.format, found.report
        result["series"] = [
            {
                "name": s.name, "channel": s.channel.name.lower(), "interval_s": s.interval_s,
                "intervals": len(s.start_s), "total_wh": int(s.value.sum()),
            }
            for s in found.series
        ]  # fmt: skip
        result["registers"] = [
            {"name": r.name, "channel": r.channel.name.lower(), "reads": len(r.at_s)} for r in found.registers
        ]
        if options.are_known(found.format):
            asyncio.run(_bring_in(octets, found, options, home, result))
        elif not options.dry_run:
            result["meters"] = asyncio.run(_attach(octets, found, options, home))
    except MisuseError:
        raise
    except OpenAmiError as error:
        result["error"] = str(error)
        result["meters"] = []
    return result


async def _bring_in(octets: bytes, found: Any, options: Options, home: Path, result: dict[str, Any]) -> None:
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


async def _attach(octets: bytes, found: Any, options: Options, home: Path) -> list[dict[str, Any]]:
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
        billing = Billing(meters=data, book=PostgresBillBook(own))
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
        await _on_account(settings, options.account, placed)
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


async def _on_account(settings: Settings, email: str, placed: PlacedMeter) -> None:
    """Begin an agreement of a known customer at the imported place, as long as the file is."""
    from openami.app.engines.address import postgres_url
    from openami.app.process.web import RealClock, accounts_of
    from openami.customer.adapters.customer_postgres import PostgresCustomers
    from openami.customer.api import CustomerBook, NewCustomer
    from openami.security.adapters.row_security import row_secured_engine

    access = row_secured_engine(postgres_url(settings, "openami_access"))
    identity = row_secured_engine(postgres_url(settings, "openami_customer"))
    try:
        store = PostgresCustomers(identity)
        if email not in await store.known([email]):
            raise MisuseError("--account: no customer has this e-mail address; the readings are in")
        book = CustomerBook(store, accounts_of(settings, access, RealClock()), settings.clock())
        # The person is known, so name and password stay as they are.
        since = placed.installation.start
        there = NewCustomer("", email, placed.service_point.id, "Imported file", since, label="Imported file")
        if not await store.agreements_at(placed.service_point.id):
            await book.create([there])
    finally:
        await access.dispose()
        await identity.dispose()


def _show(console: Console, result: dict[str, Any]) -> None:
    if result["error"]:
        console.print(f"{result['file']}: refused, nothing was imported: {result['error']}", style="red", markup=False)
    for line in result["report"]:
        console.print(f"  {line}", style="dim", markup=False, highlight=False)
    for row in result["rejected"]:
        console.print(f"  line {row['line']}: {row['meter']}: rejected: {row['reason']}", style="red", markup=False)
    known = result["known"]
    if known is not None:
        console.print(
            f"{result['file']}: {known['readings']:,} readings and {known['registers']:,} register reads of "
            f"{known['meters']:,} meters; {known['days']:,} service point days are validated again",
            markup=False,
        )
    for meter in result["meters"]:
        console.print(
            f"{result['file']}: {meter['readings']:,} readings at service point {meter['service_point']}"
            + (f", billed by {meter['rate']}" if meter["rate"] else ""),
            markup=False,
        )
