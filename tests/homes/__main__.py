"""Fetch the homes and print what they are: ``python -m tests.homes`` (``make homes``). Exits 1 where none can be had.

``--noncommercial`` takes also homes whose licence lets you measure with them and not pass them on.
"""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table
from tests.conftest import SHARED_DATA

from openami.app.bench.homes.cache import HomesUnavailableError, build_homes, homes_folder


def main() -> int:
    """Fetch and print."""
    folder = homes_folder()
    try:
        homes = build_homes(
            folder=folder, shared_data=SHARED_DATA, with_restricted="--noncommercial" in sys.argv[1:], tell=print
        )
    except HomesUnavailableError as error:
        print(f"homes cannot be fetched: {error}", file=sys.stderr)
        return 1
    table = Table("source", "half", "homes", "interval", "days", "whole days", "kWh", title=f"homes in {folder}")
    for key in sorted({(h.source, h.half, h.interval_s) for h in homes}):
        mine = [h for h in homes if (h.source, h.half, h.interval_s) == key]
        days, whole = sum(h.grid().days for h in mine), sum(int(h.whole_days().sum()) for h in mine)
        energy = sum(int(h.delivered_wh.sum()) for h in mine) // 1000
        table.add_row(key[0], key[1], str(len(mine)), f"{key[2] // 60} min", f"{days:,}", f"{whole:,}", f"{energy:,}")
    Console(width=max(100, Console().width)).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
