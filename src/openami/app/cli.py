"""The command line. Every command takes ``--json``; it exits 0 on success, 1 on a refusal it reports, 2 on misuse."""

from __future__ import annotations

import importlib
import sys
from typing import Annotated

import structlog
import typer
from rich.console import Console

from openami import __version__
from openami.kernel.errors import MisuseError, OpenAmiError

app = typer.Typer(
    name="openami",
    help="From the sealed meter reading to the customer's bill: run a utility's metering, or use one tool of it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

PLATFORM = "Run the platform"
TOOLS = "Use one tool, without the platform"
WORK = "Work with a running platform"
_COMMANDS = (
    # module below openami.app.commands, function, command name, help panel
    ("platform", "demo", "demo", PLATFORM),
    ("platform", "up", "up", PLATFORM),
    ("platform", "status", "status", PLATFORM),
    ("platform", "stop", "stop", PLATFORM),
    ("backup", "backup", "backup", PLATFORM),
    ("backup", "restore", "restore", PLATFORM),
    ("decode", "decode", "decode", TOOLS),
    ("vee", "vee", "vee", TOOLS),
    ("bill", "bill", "bill", TOOLS),
    ("compare", "compare", "compare", TOOLS),
    ("read", "read", "read", TOOLS),
    ("import_", "import_files", "import", WORK),
    ("export", "export", "export", WORK),
    ("exposure", "exposure", "exposure", TOOLS),
    ("meters", "meters", "meters", WORK),
    ("bench", "bench", "bench", TOOLS),
)
_GROUPS = (
    ("alerts", "app", "alerts", WORK),
    ("audit", "app", "audit", WORK),
    ("collectors", "app", "collectors", WORK),
    ("exchange_all", "app", "exchange", WORK),
    ("firmware", "app", "firmware", WORK),
    ("keys", "app", "keys", WORK),
    ("meter", "app", "meter", TOOLS),
    ("zones", "app", "zones", PLATFORM),
    ("quarantine", "app", "quarantine", WORK),
    ("orders", "app", "orders", WORK),
    ("rates", "app", "rates", TOOLS),
    ("registry_group", "app", "registry", WORK),
    ("rules", "app", "rules", WORK),
    ("thresholds", "app", "thresholds", WORK),
    ("usage", "app", "usage", WORK),
    ("retention", "app", "retention", WORK),
    ("cases", "app", "cases", WORK),
    ("bills", "app", "bills", WORK),
    ("corrections", "app", "corrections", WORK),
    ("ledger", "app", "ledger", WORK),
    ("weather", "app", "weather", WORK),
    ("worklist", "app", "worklist", WORK),
)


_BELOW = {"bill parallel": ("bill_parallel", "app")}
"""Commands below a command that is no group: its own options are asked for first otherwise."""


def _register(arguments: list[str]) -> None:
    """Attach the command that is called, or all of them where none is: a tool starts without the others' engines."""
    if place := _BELOW.get(" ".join(arguments[:2])):
        app.add_typer(getattr(importlib.import_module(f"openami.app.commands.{place[0]}"), place[1]), name=arguments[0])
        return
    called = {name for _, _, name, _ in (*_COMMANDS, *_GROUPS)} & set(arguments[:1])
    for module, function, name, panel in _COMMANDS:
        if called and name not in called:
            continue
        command = getattr(importlib.import_module(f"openami.app.commands.{module}"), function)
        app.command(name, rich_help_panel=panel)(command)
    for module, attribute, name, panel in _GROUPS:
        if called and name not in called:
            continue
        group = getattr(importlib.import_module(f"openami.app.commands.{module}"), attribute)
        app.add_typer(group, name=name, rich_help_panel=panel)


def _version(value: bool) -> None:
    if value:
        print(f"openami {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """From the sealed meter reading to the customer's bill."""


def main() -> None:
    """Run the command line; an anticipated error is one sentence on stderr, never a traceback."""
    # Standard output is for answers: what rooms log goes beside it, to whatever standard error is at that moment.
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    _register(sys.argv[1:])
    try:
        app()
    except MisuseError as error:
        Console(stderr=True).print(f"openami: {error}", style="red", highlight=False, markup=False)
        sys.exit(2)
    except OpenAmiError as error:
        Console(stderr=True).print(f"openami: {error}", style="red", highlight=False, markup=False)
        sys.exit(1)
    except Exception as error:
        if not _says_that_nothing_runs(error):
            raise
        text = "openami: the platform does not run here: start it with `openami up`"
        Console(stderr=True).print(text, style="red", highlight=False, markup=False)
        sys.exit(1)


def _says_that_nothing_runs(error: Exception) -> bool:
    """Tell whether the database could not be reached; its library is loaded only where a command has used it."""
    library = sys.modules.get("sqlalchemy.exc")
    return library is not None and isinstance(error, (library.OperationalError, library.InterfaceError))
