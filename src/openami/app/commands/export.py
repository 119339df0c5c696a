"""``openami export``: a customer's own intervals as a file, by the customer's own sign-in, in the log of looks."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import AsyncExitStack
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.kernel.errors import MisuseError, OpenAmiError

if TYPE_CHECKING:
    from openami.mdm.api import IntervalSeries
    from openami.mdm.exporting import ExportFile

PASSWORD = "OPENAMI_PASSWORD"  # noqa: S105 - the name of an environment variable
_PLACE = "console"


class SignInRefusedError(OpenAmiError):
    """The login or the password is wrong."""


def export(
    service_point: Annotated[str, typer.Argument(help="Service point id.")],
    login: Annotated[str, typer.Option("--login", help=f"Your login; the password is asked, or in {PASSWORD}.")],
    first: Annotated[str, typer.Option("--from", help="First local day, YYYY-MM-DD.")],
    end: Annotated[str, typer.Option("--to", help="The day after the last, YYYY-MM-DD.")],
    channel: Annotated[
        list[str] | None, typer.Option("--channel", help="delivered (as it is without), received ...; repeat it.")
    ] = None,
    format_name: Annotated[str, typer.Option("--format", help="csv, nem12, greenbutton or cim.")] = "csv",
    nmi: Annotated[
        str | None, typer.Option("--nmi", help="NEM12's ten capitals or digits for the place; ours without.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="File to write; standard output without.")] = None,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Write your own intervals as a file; CSV is what `import`, `bill` and `compare` read.

    Each value carries its quality in the file's codes (docs/protocol/quality-codes.md). The look is in your access log.
    """
    from openami.app.commands.intervals import day_of
    from openami.app.settings import real_now
    from openami.mdm.exporting import FORMATS, as_file

    try:
        place = UUID(service_point)
    except ValueError as error:
        raise MisuseError(f"{service_point!r} is not a service point id") from error
    days = (day_of(first, "--from"), day_of(end, "--to"))
    if days[1] <= days[0]:
        raise MisuseError("--to is not after --from")
    password = os.environ.get(PASSWORD) or typer.prompt("Password", hide_input=True)
    if format_name not in FORMATS:
        raise MisuseError(f"--format {format_name!r}: one of {', '.join(FORMATS)}")
    series = asyncio.run(_fetch(home, place, channel or ["delivered"], days, (login, password)))
    name = (nmi or place.hex[:10].upper()) if format_name == "nem12" else str(place)
    found = as_file(series, format_name, made_at=real_now(), place=name)
    if out is not None:
        out.write_text(found.text)
    elif not json_output:
        sys.stdout.write(found.text)
    for line in found.held_back:
        print(f"held back: {line}", file=sys.stderr)
    if json_output:
        print(json.dumps(_summary(series, found, service_point=service_point, out=out)))


def _summary(
    series: list[IntervalSeries], found: ExportFile, *, service_point: str, out: Path | None
) -> dict[str, object]:
    """Return what ``--json`` prints: of each channel, and of the first one beside, as scripts have known it."""
    channels = [
        {"channel": s.channel.name.lower(), "intervals": len(s), "total": int(s.value.sum())} for s in series
    ]  # fmt: skip
    return {
        "service_point": service_point, **channels[0], "channels": channels, "written": found.intervals,
        "held_back": list(found.held_back), "file": str(out) if out else None,
    }  # fmt: skip


async def _fetch(
    home: Path, place: UUID, names: list[str], days: tuple[date, date], sign_in: tuple[str, str]
) -> list[IntervalSeries]:
    from openami.app.engines.address import postgres_url
    from openami.app.people.accounts import RealClock, accounts_of
    from openami.app.settings import Settings
    from openami.contracts.channel import CHANNEL_BY_NAME
    from openami.kernel.time import Period, local_midnight, zone_named
    from openami.mdm.adapters.registry_postgres import PostgresRegistry
    from openami.mdm.adapters.registry_validation import PostgresBook
    from openami.mdm.adapters.store_socket import SocketStore
    from openami.mdm.api import MeterData
    from openami.security.access.gate import Gate, Look
    from openami.security.access.policy import Action, Kind
    from openami.security.access.row import of_scope, seen_as
    from openami.security.access.scope import Purpose
    from openami.security.adapters.audit_postgres import PostgresAuditLog
    from openami.security.adapters.row_security import row_secured_engine

    unknown = [n for n in names if n not in CHANNEL_BY_NAME]
    if unknown:
        raise MisuseError(f"--channel {unknown[0]!r}: one of {', '.join(CHANNEL_BY_NAME)}")
    channels = [CHANNEL_BY_NAME[n] for n in dict.fromkeys(names)]
    settings = Settings.load(home)
    async with AsyncExitStack() as stack:
        engines = {r: row_secured_engine(postgres_url(settings, f"openami_{r}")) for r in ("access", "audit", "mdm")}
        for engine in engines.values():
            stack.push_async_callback(engine.dispose)
        store = SocketStore(settings.home.store_socket)
        stack.push_async_callback(store.close)
        accounts = accounts_of(settings, engines["access"], RealClock())
        session = await accounts.sign_in(login=sign_in[0], password=sign_in[1], address=_PLACE)
        if session is None:
            raise SignInRefusedError("login or password is wrong")
        await accounts.sign_out(session.secret)
        registry = PostgresRegistry(engines["mdm"])
        data = MeterData(registry=registry, store=store, book=PostgresBook(engines["mdm"]))
        gate = Gate(PostgresAuditLog(engines["audit"]), RealClock(), settings.clock())
        zone = zone_named(settings.zone)
        period = Period(local_midnight(days[0], zone), local_midnight(days[1], zone))
        look = Look(Action.EXPORT, Kind.INTERVALS, Purpose.OWN_DATA, "export", frozenset({place}), period)
        scope = await gate.open(session.principal, look)
        with seen_as(of_scope(scope)):
            granted = scope.granted(place, period)
            if not granted:
                raise MisuseError("none of these days lie in your time at this place")
            whole = Period(granted[0].start, granted[-1].end)
            return [await data.intervals(scope, place, c, whole) for c in channels]
