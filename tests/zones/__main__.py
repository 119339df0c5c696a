"""Print the port matrix: ``python -m tests.zones`` (``make zones``). Exits 1 where anything passes that is not in it.

Each layer by itself gets a packet on every TCP and UDP port and over every other protocol of IP, from every zone to
every other; at last all of them together while the real processes run, with what listens and who has dialed whom.
``--quick`` sends to the lowest 1,024 ports and those in use; ``--json`` prints one JSON line a flow.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table
from tests.zones.layers import LAYERS, Layer
from tests.zones.matrix import ALLOWED, ZONES, Flow
from tests.zones.namespaces import Net, NoNamespacesError, namespaces
from tests.zones.probing import ALL_PORTS, PROTOCOLS, load, sweep
from tests.zones.site import site
from tests.zones.sockets import LISTENS, STANDING, begun, listening

QUICK_PORTS = (*range(1, 1025), 4059, 4222, 5432, 8420, 8422, 8443)
DIALING_S = 60.0


def main() -> int:
    """Measure and print."""
    ports = QUICK_PORTS if "--quick" in sys.argv[1:] else ALL_PORTS
    console = Console(width=max(120, Console().width), highlight=False)
    good = True
    try:
        for layer in LAYERS:
            with console.status(layer.name):
                passed, sent = measured(layer, ports)
            good &= passed == layer.expected
            tell(console, layer, passed, sent)
        with console.status("the real processes"):
            good &= with_processes(console, LAYERS[-1], ports)
    except NoNamespacesError as error:
        print(f"the zones cannot be built: {error}", file=sys.stderr)
        return 1
    print("the matrix holds" if good else "THE MATRIX DOES NOT HOLD", file=sys.stderr)
    return 0 if good else 1


def tell(console: Console, layer: Layer, passed: set[Flow], sent: int, *, name: str = "") -> None:
    """Print one layer, as a table or as JSON lines."""
    if "--json" not in sys.argv[1:]:
        console.print(table(layer, passed, sent, name=name))
        return
    for flow in sorted(passed | layer.expected):
        result = {"layer": name or layer.name, "sent": sent, "result": told(layer, passed, flow)}
        print(json.dumps(asdict(flow) | result))


def with_processes(console: Console, layer: Layer, ports: Sequence[int]) -> bool:
    """Measure all layers together while the platform runs in the zones; print that too, and what its processes do."""
    with namespaces() as net:
        load(net, **layer.loaded)
        with site(net):
            found = sweep(net, ports, protocols=PROTOCOLS, pairs=layer.pairs)
            passed = layer.passed(found)
            heard, stands = {zone: listening(net, zone) for zone in ZONES}, _standing(net)
    tell(console, layer, passed, found.sent, name="all together, while the real processes run")
    shown = Table("zone", "listens on", "has dialed", title="the real processes", title_justify="left", show_lines=True)
    for zone in ZONES:
        dialed = [f"{flow.target} {flow.protocol} {flow.port}" for flow in sorted(stands) if flow.source == zone]
        shown.add_row(zone, "\n".join(map(str, sorted(heard[zone]))) or "nothing", "\n".join(dialed) or "nobody")
    if "--json" not in sys.argv[1:]:
        console.print(shown)
    return (passed, heard, stands) == (layer.expected, LISTENS, STANDING)


def _standing(net: Net) -> set[Flow]:
    """Return what stands between the zones once all who dial have dialed."""
    deadline = time.monotonic() + DIALING_S
    while not begun(net) >= STANDING and time.monotonic() < deadline:
        time.sleep(0.2)
    return begun(net)


def measured(layer: Layer, ports: Sequence[int]) -> tuple[set[Flow], int]:
    """Sweep one layer and return what passed and how many packets were sent."""
    with namespaces() as net:
        load(net, **layer.loaded)
        found = sweep(net, ports, protocols=PROTOCOLS, pairs=layer.pairs)
        return layer.passed(found), found.sent


def told(layer: Layer, passed: set[Flow], flow: Flow) -> str:
    """Return one word or two about a flow."""
    if flow in passed:
        return "passes" if flow in layer.expected else "PASSES, AND SHOULD NOT"
    return "IS DROPPED, AND SHOULD PASS"


def table(layer: Layer, passed: set[Flow], sent: int, *, name: str = "") -> Table:
    """Return the matrix of one layer: from the zone at the left to the zone at the top."""
    title = f"{name or layer.name}: {sent:,} packets sent, {len(passed)} flows passed"
    shown = Table("from \\ to", *ZONES, title=title, title_justify="left", show_lines=True)
    for source in ZONES:
        cells = []
        for target in ZONES:
            flows = sorted(f for f in passed | layer.expected if (f.source, f.target) == (source, target))
            if flows:
                cells.append("\n".join(_cell(layer, passed, flow) for flow in flows))
            else:
                cells.append("all dropped" if (source, target) in layer.pairs else "")
        shown.add_row(source, *cells)
    return shown


def _cell(layer: Layer, passed: set[Flow], flow: Flow) -> str:
    port = f"{flow.protocol} {flow.port or ''}".strip()
    word = told(layer, passed, flow)
    return f"{port} {ALLOWED.get(flow, '')}".strip() if word == "passes" else f"{port} {word}"


if __name__ == "__main__":
    sys.exit(main())
