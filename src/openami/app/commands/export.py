"""``openami export``: a customer's own intervals as a file, by the customer's own sign-in, in the log of looks."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import sys
from contextlib import AsyncExitStack
from datetime import UTC, date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from openami.app.commands.platform import DEFAULT_HOME, HomeOption, JsonOption
from openami.kernel.errors import MisuseError, OpenAmiError

if TYPE_CHECKING:
    from openami.mdm.api import IntervalSeries

PASSWORD = "OPENAMI_PASSWORD"  # noqa: S105 - the name of an environment variable
_PLACE = "console"


class SignInRefusedError(OpenAmiError):
    """The login or the password is wrong."""


def export(
    service_point: Annotated[str, typer.Argument(help="Service point id.")],
    login: Annotated[str, typer.Option("--login", help=f"Your login; the password is asked, or in {PASSWORD}.")],
    first: Annotated[str, typer.Option("--from", help="First local day, YYYY-MM-DD.")],
    end: Annotated[str, typer.Option("--to", help="The day after the last, YYYY-MM-DD.")],
    channel: Annotated[str, typer.Option("--channel", help="delivered or received.")] = "delivered",
    out: Annotated[Path | None, typer.Option("--out", help="File to write; standard output without.")] = None,
    home: HomeOption = DEFAULT_HOME,
    json_output: JsonOption = False,
) -> None:
    """Write your own intervals as CSV that `import`, `bill` and `compare` read. The look is in your access log."""
    from openami.app.commands.intervals import day_of

    try:
        place = UUID(service_point)
    except ValueError as error:
        raise MisuseError(f"{service_point!r} is not a service point id") from error
    days = (day_of(first, "--from"), day_of(end, "--to"))
    if days[1] <= days[0]:
        raise MisuseError("--to is not after --from")
    password = os.environ.get(PASSWORD) or typer.prompt("Password", hide_input=True)
    series = asyncio.run(_fetch(home, place, channel, days, (login, password)))
    text = as_csv(series)
    if out is not None:
        out.write_text(text)
    elif not json_output:
        sys.stdout.write(text)
    if json_output:
        summary = {"service_point": service_point, "channel": channel, "intervals": len(series)}
        print(json.dumps(summary | {"total": int(series.value.sum()), "file": str(out) if out else None}))


def as_csv(series: IntervalSeries) -> str:
    """Return intervals as our own interval table; missing ones are left out, they have no value."""
    from openami.contracts.quality import Method, QualityState
    from openami.kernel.time import instant_from_epoch_s

    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(("start", "value", "channel", "quality", "method", "preliminary"))
    rows = zip(series.start_s, series.value, series.quality, series.method, series.preliminary, strict=True)
    for start, value, quality, method, preliminary in rows:
        if quality == QualityState.MISSING:
            continue
        stamp = instant_from_epoch_s(int(start)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        words = (QualityState(int(quality)).name.lower(), Method(int(method)).name.lower())
        writer.writerow((stamp, int(value), series.channel.name.lower(), *words, int(preliminary)))
    return sink.getvalue()


async def _fetch(
    home: Path, place: UUID, channel_name: str, days: tuple[date, date], sign_in: tuple[str, str]
) -> IntervalSeries:
    from openami.app.engines.address import postgres_url
    from openami.app.process.web import RealClock, accounts_of
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

    channel = CHANNEL_BY_NAME.get(channel_name)
    if channel is None:
        raise MisuseError(f"--channel {channel_name!r}: one of {', '.join(CHANNEL_BY_NAME)}")
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
            return await data.intervals(scope, place, channel, Period(granted[0].start, granted[-1].end))
