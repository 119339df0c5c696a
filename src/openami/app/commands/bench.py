"""``openami bench NAME``: measurements that anyone can repeat, with machine, durability and named peers."""

from __future__ import annotations

import importlib
import json
import os
import platform
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from openami.app.commands.platform import JsonOption
from openami.kernel.errors import MisuseError

NAMES = (
    "ingest",
    "decode",
    "headend",
    "link",
    "idle",
    "outage",
    "store",
    "charts",
    "vee",
    "findings",
    "gaps",
    "bill",
    "compare",
    "cycle",
    "week",
)


def bench(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(NAMES)}.")],
    json_output: JsonOption = False,
) -> None:
    """Measure a part of the chain on this machine."""
    if name not in NAMES:
        raise MisuseError(f"there is no benchmark {name!r}; choose one of {', '.join(NAMES)}")
    result: dict[str, Any] = importlib.import_module(f"openami.app.bench.{name}").run()
    result = {"bench": name, "machine": machine(), **result}
    if json_output:
        print(json.dumps(result))
        return
    console = Console()
    console.print(f"{name} on {result['machine']}\nDurability: {result.get('durability') or 'none'}", highlight=False)
    table = Table()
    for column in ("figure", "value", "unit"):
        table.add_column(column, justify="right" if column == "value" else "left")
    for group, figures in (("", result.get("figures", {})), *result.get("peers", {}).items()):
        for key, figure in figures.items():
            table.add_row(f"{group} {key}".strip(), f"{figure['value']:,.6g}", figure["unit"])
    for key, value in result.get("ratio", {}).items():
        table.add_row(f"ratio {key}", f"{value:,.3g}", "")
    console.print(table)


def machine() -> str:
    """Return processor, cores, memory and Python in a line."""
    model = ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}"
