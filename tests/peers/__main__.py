"""Print the matrix of peers: ``python -m tests.peers`` (``make peers``). Exits 1 where a cell fails or cannot run."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict

import structlog
from rich.console import Console
from rich.table import Table
from tests.peers.environments import FOLDER, peers
from tests.peers.matrix import matrix
from tests.peers.result import Cell, Outcome

from openami.app.bench.peers import PeerUnavailableError


def main() -> int:
    """Run and print; ``--json`` for one JSON line a cell."""
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    try:
        known = peers()
    except PeerUnavailableError as error:
        print(f"peers cannot be installed into {FOLDER}: {error}", file=sys.stderr)
        return 1
    cells = asyncio.run(matrix(known))
    if "--json" in sys.argv[1:]:
        for cell in cells:
            print(json.dumps(asdict(cell)))
    else:
        _show(cells)
    return 1 if any(cell.outcome is Outcome.FAILED for cell in cells) else 0


def _show(cells: list[Cell]) -> None:
    table = Table("peer", "way", "operation", "result", title=f"{len(cells)} cells", title_justify="left")
    for cell in cells:
        told = cell.outcome.value if cell.outcome is Outcome.OK else f"{cell.outcome.value}: {cell.detail}"
        table.add_row(cell.peer, cell.way, cell.operation, told)
    Console(markup=False, width=max(150, Console().width)).print(table)
    counts = {outcome: sum(cell.outcome is outcome for cell in cells) for outcome in Outcome}
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))


if __name__ == "__main__":
    sys.exit(main())
