"""``openami demo``, ``up``, ``status`` and ``stop``."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from openami.app.settings import CORE, WHOLE, Home, Settings, real_now
from openami.app.supervisor.child import Child
from openami.app.supervisor.platform import Platform, PlatformError
from openami.kernel.errors import MisuseError

DEFAULT_HOME = Path(".openami")
HomeOption = Annotated[Path, typer.Option("--home", help="Folder that holds all state.", envvar="OPENAMI_HOME")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
PortOption = Annotated[int | None, typer.Option("--port", min=1, max=65535, help="Port of the portal (8420).")]
GatewayPortOption = Annotated[
    int | None, typer.Option("--gateway-port", min=1, max=65535, help="Port for collectors (8443).")
]
NatsPortOption = Annotated[
    int | None, typer.Option("--nats-port", min=1, max=65535, help="Port of the built-in bus (8422).")
]
ListenOption = Annotated[
    int | None,
    typer.Option(
        "--listen", min=1, max=65535, help="TCP and UDP port for meters that push by themselves (off; usual is 4059)."
    ),
]
ListenHostOption = Annotated[
    str | None, typer.Option("--listen-host", help="Address of the carrier's private network to listen on (127.0.0.1).")
]
HostOption = Annotated[
    str | None, typer.Option("--host", help="Address that the portal listens on, and the gateway too (127.0.0.1).")
]
CertificateOption = Annotated[
    str | None, typer.Option("--web-certificate", help="File in PEM: the portal then speaks TLS itself.")
]
WebKeyOption = Annotated[str | None, typer.Option("--web-key", help="Private key of --web-certificate, in PEM.")]
HISTORY_FILE = "history.json"
"""In the home: how far the history child has come; see :mod:`openami.app.process.history`."""


def up(
    home: HomeOption = DEFAULT_HOME,
    host: HostOption = None,
    web_certificate: CertificateOption = None,
    web_key: WebKeyOption = None,
    port: PortOption = None,
    gateway_port: GatewayPortOption = None,
    nats_port: NatsPortOption = None,
    listen: ListenOption = None,
    listen_host: ListenHostOption = None,
    json_output: JsonOption = False,
) -> None:
    """Start the platform, or the part of it that belongs to this home's zone, and keep it running until Ctrl-C."""
    wishes: dict[str, Any] = {"web_port": port, "gateway_port": gateway_port, "nats_port": nats_port, "host": host}
    wishes |= {"web_certificate": web_certificate, "web_key": web_key}
    settings = _open_home(home, {**wishes, "listener_port": listen, "listener_host": listen_host})
    _check_rates(settings)
    asyncio.run(_up(Console(stderr=True), settings, json_output=json_output))


def demo(
    home: HomeOption = DEFAULT_HOME,
    homes: Annotated[int, typer.Option(help="Simulated homes, for a new home folder.", min=10, max=100_000)] = 1000,
    days: Annotated[int, typer.Option(help="Days of history, for a new home folder.", min=2, max=800)] = 396,
    seed: Annotated[int, typer.Option(help="Seed of the simulated world, for a new home folder.")] = 1,
    speed: Annotated[float, typer.Option(help="Domain seconds per real second, for a new home.", min=1)] = 1.0,
    port: PortOption = None,
    gateway_port: GatewayPortOption = None,
    nats_port: NatsPortOption = None,
    listen: ListenOption = None,
    listen_host: ListenHostOption = None,
    json_output: JsonOption = False,
) -> None:
    """Start the platform with a simulated territory: meters, radio, collectors and 13 months of history."""
    from openami.app.billing.rate_files import assume_values

    wishes = {"web_port": port, "gateway_port": gateway_port, "nats_port": nats_port, "speed": speed}
    settings = _open_home(home, {**wishes, "listener_port": listen, "listener_host": listen_host})
    world = settings.home.path / "demo.json"
    if not world.exists():
        world.write_text(json.dumps({"homes": homes, "days": days, "seed": seed}) + "\n")
        assume_values(settings.home)
    _check_rates(settings)
    asyncio.run(_demo(Console(stderr=True), settings, json_output=json_output))


def status(home: HomeOption = DEFAULT_HOME, json_output: JsonOption = False) -> None:
    """Show which processes run and serve."""
    found = _read_status(home)
    if json_output:
        print(json.dumps(found))
        raise typer.Exit(0 if found else 1)
    if not found:
        print(f"Nothing runs in {home}. Start it with `openami up` or `openami demo`.")
        raise typer.Exit(1)
    table = Table(title=f"OpenAMI at {found['portal']}", title_justify="left")
    for column in ("process", "pid", "state", "restarts", "uptime"):
        table.add_column(column, justify="right" if column in {"pid", "restarts", "uptime"} else "left")
    for row in found["processes"]:
        state = "serves" if row["serves"] else "starting" if row["pid"] else "down"
        table.add_row(row["name"], str(row["pid"] or ""), state, str(row["restarts"]), f"{row['uptime_s']:.0f} s")
    Console().print(table)


def stop(
    home: HomeOption = DEFAULT_HOME,
    timeout_s: Annotated[float, typer.Option("--timeout", help="Seconds to wait for the drain.")] = 120.0,
    json_output: JsonOption = False,
) -> None:
    """Drain and stop the platform that runs in this home."""
    found = _read_status(home)
    if found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(found["pid"]), signal.SIGTERM)
        deadline = time.monotonic() + timeout_s
        while (home / "run" / "status.json").exists() and _alive(int(found["pid"])):
            if time.monotonic() > deadline:
                raise PlatformError(f"process {found['pid']} did not stop within {timeout_s:.0f} s")
            time.sleep(0.1)
    if json_output:
        print(json.dumps({"stopped": bool(found)}))
    elif not found:
        print(f"Nothing runs in {home}.")
    raise typer.Exit(0 if found else 1)


def _open_home(path: Path, wishes: dict[str, Any]) -> Settings:
    """Return the settings of a home, making its folder if it is new; ports given now hold once it is started.

    Raises:
        PlatformError: the folder cannot be made.
    """
    chosen = {k: v for k, v in wishes.items() if v is not None}
    home = Home(path)
    try:
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise PlatformError(f"{path} cannot be the home: {error.strerror}; give another folder with --home") from error
    if home.settings_file.exists():
        settings = Settings.load(path)
        if chosen.pop("speed", settings.speed) not in {settings.speed, 1.0}:
            raise MisuseError(f"{path} runs at speed {settings.speed:g}: its clock cannot be changed; use a new --home")
        from dataclasses import replace

        settings = replace(settings, **chosen)
    else:
        now = real_now()
        settings = Settings(home=home, real_origin=now, domain_origin=now, **chosen).with_environment(dict(os.environ))
    return settings


def _check_rates(settings: Settings) -> None:
    """Read the home's rates before anything starts: a clause that cannot be billed is a person's to mend.

    Raises:
        TariffError: a file cannot be read; it is named.
    """
    from openami.app.billing.rate_files import home_rates

    home_rates(settings.home)


async def _up(console: Console, settings: Settings, *, json_output: bool) -> None:
    ended = _end_event()
    with console.status("Starting") as line:
        platform = Platform(settings, tell=lambda text: line.update(f"Starting: {text}"))
        async with platform.running():
            line.stop()
            _announce(console, settings, platform, json_output=json_output)
            await ended.wait()
            console.print("Draining. Nothing acknowledged is lost.")


async def _demo(console: Console, settings: Settings, *, json_output: bool) -> None:
    ended = _end_event()
    began = time.monotonic()
    platform = Platform(settings, tell=lambda text: console.print(f"  starting {text}", style="dim"))
    async with platform.running():
        history = await _start_history(settings)
        with _progress(console) as bars:
            watch = asyncio.create_task(_show_history(settings, bars, history))
            wait = asyncio.create_task(ended.wait())
            try:
                await _usable(settings, history, ended)
                if not ended.is_set():
                    await platform.start_territory()
                    _announce(bars.console, settings, platform, json_output=json_output, began=began)
                    await asyncio.wait({watch, wait}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                watch.cancel()
        await wait
        if history is not None:
            await history.stop()
        console.print("Draining. Nothing acknowledged is lost.")


async def _start_history(settings: Settings) -> Child | None:
    """Start the child that loads the demonstration's history, unless all of it is loaded."""
    if _history(settings).get("done"):
        return None
    home = settings.home
    command = [sys.executable, "-m", "openami.app.process", "history", "--home", str(home.path)]
    child = Child("history", command, home.folder("log") / "history.log")
    await child.start()
    return child


async def _usable(settings: Settings, history: Child | None, ended: asyncio.Event) -> None:
    """Wait until the newest part of the history is in, so that the first page shows something."""
    while history is not None and not _history(settings).get("usable") and not ended.is_set():
        if history.process is not None and history.process.returncode is not None:
            raise PlatformError(f"the demonstration's history could not be loaded:\n{history.last_words()}")
        await asyncio.sleep(0.1)


async def _show_history(settings: Settings, bars: Progress, history: Child | None) -> None:
    """Move the progress bar of the history child until it is done."""
    if history is None:
        return
    task = bars.add_task("history", total=1.0)
    while history.pid is not None:
        found = _history(settings)
        bars.update(task, completed=float(found.get("share", 0.0)), description=str(found.get("stage", "history")))
        await asyncio.sleep(0.2)
    bars.update(
        task, completed=1.0, description="history loaded" if _history(settings).get("done") else "history stopped"
    )


def _history(settings: Settings) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((settings.home.path / HISTORY_FILE).read_text())
    except (OSError, ValueError):
        return {}
    return found


def _progress(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
        console=console,
    )  # fmt: skip


def _announce(
    console: Console, settings: Settings, platform: Platform, *, json_output: bool, began: float | None = None
) -> None:
    if json_output:
        print(json.dumps(platform.status()), flush=True)
        return
    if settings.security_zone in {WHOLE, CORE}:
        portal = platform.status()["portal"]
        console.print(f"\n[bold]OpenAMI[/bold] serves at [bold cyan]{portal}[/bold cyan]")
    else:
        console.print(f"\n[bold]OpenAMI[/bold] runs what belongs to the zone [bold]{settings.security_zone}[/bold].")
    people = settings.home.path / "sign-in.txt"
    if people.exists():
        console.print(people.read_text().rstrip(), highlight=False)
    if settings.speed != 1:
        console.print(f"Domain time runs {settings.speed:g} times as fast as the wall clock.")
    if began is not None:
        console.print(f"Ready after {time.monotonic() - began:.0f} s.", style="dim")
    console.print("Ctrl-C stops it.", style="dim")


def _end_event() -> asyncio.Event:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    return ended


def _read_status(home: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads((home / "run" / "status.json").read_text())
    except (OSError, ValueError):
        return None
    return found if _alive(int(found["pid"])) else None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
